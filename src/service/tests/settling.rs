//! Results written together, and a webhook's word.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::dns::zone_text::ZoneText;
use crate::protocol::domain::Domain;
use crate::service::checks::{Due, Settled, Unsettled};
use crate::service::tests::{World, good, zone};
use crate::service::webhook_word::Taken;
use crate::service::{Caller, Error};
use crate::store::Role;

/// One result that the database refuses takes no other with it.
#[tokio::test]
async fn results_that_are_refused_together_are_written_alone() {
    let world = World::new().await;
    let (one, other) = (world.domain("a.test").await, world.domain("b.test").await);
    let dns: ZoneText = format!("{}{}", zone("a.test", ""), zone("b.test", "")).parse().unwrap();
    let mut checks = Vec::new();
    for claim in world.service.due(Due::Any, 10).await.unwrap() {
        let examined = world.service.run(&dns, &claim).await.unwrap();
        checks.push((claim, examined));
    }
    checks.sort_by_key(|(claim, _)| claim.domain.domain.clone());
    // An event under the id of another: no two may have one.
    let twice = checks[0].1.settlement.events[0].clone();
    checks[0].1.settlement.events.push(twice);
    let outcomes = world.service.settle_all(&checks).await;
    assert!(matches!(outcomes[0], Err(Unsettled::Failed(_))), "{outcomes:?}");
    assert!(matches!(outcomes[1], Ok(Settled::Done)), "{outcomes:?}");
    assert_eq!((world.check_count(one.id).await, world.check_count(other.id).await), (0, 1));
}

#[tokio::test]
async fn a_webhook_s_word_is_taken_from_those_who_may_give_it() {
    let world = World::new().await;
    let row = world.domain("a.test").await;
    world.domain("b.test").await;
    world.check_due(&good("nobody.test")).await;
    world.pass(TimeDelta::minutes(1));
    let names = ["a.test", "b.test", "c.test", "a.test"].map(|name| Domain::parse(name).unwrap());
    let shown = |taken: Taken| {
        let list = |domains: Vec<Domain>| domains.iter().map(Domain::to_string).collect::<Vec<_>>().join(" ");
        format!("{} / {}", list(taken.accepted), list(taken.unknown))
    };
    let taken = world.service.dns_changed(&world.operator, &names).await.unwrap();
    assert_eq!(shown(taken), "a.test b.test / c.test");
    assert_eq!(world.row(row.id).await.next_check_at, Some(world.hand.now()));
    let caller = |role, client_id| Caller { key_id: Uuid::nil(), role, client_id, domain_id: None };
    let hook = caller(Role::Hook, Some(row.client_id));
    assert_eq!(shown(world.service.dns_changed(&hook, &names).await.unwrap()), "a.test / b.test c.test");
    let hook = caller(Role::Hook, None);
    assert_eq!(shown(world.service.dns_changed(&hook, &names).await.unwrap()), "a.test b.test / c.test");
    let client = caller(Role::Client, Some(row.client_id));
    assert!(matches!(world.service.dns_changed(&client, &names).await, Err(Error::Forbidden { .. })));
    let many: Vec<Domain> = (0..=1_000).map(|number| Domain::parse(&format!("d{number}.test")).unwrap()).collect();
    assert!(world.service.dns_changed(&world.operator, &many[1..]).await.is_ok());
    assert!(matches!(world.service.dns_changed(&world.operator, &many).await, Err(Error::Invalid(_))));
}
