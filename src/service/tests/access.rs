//! Who may do what, and how much.

use std::time::Duration;

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::protocol::domain::Domain;
use crate::sending::tier::{Resource, Tier};
use crate::service::domains::DomainPatch;
use crate::service::keys::KeyRequest;
use crate::service::tests::{World, good, registration, word};
use crate::service::{Caller, Error};
use crate::store::{DomainFilter, OperatorStatus, Role};
use crate::verify::standing::Status;

fn client_caller(client_id: Uuid) -> Caller {
    Caller { key_id: Uuid::from_u128(7), role: Role::Client, client_id: Some(client_id), domain_id: None }
}

fn limit(daily_send_limit: i32) -> DomainPatch {
    DomainPatch { daily_send_limit: Some(daily_send_limit), ..DomainPatch::default() }
}

#[tokio::test]
async fn what_is_another_s_is_not_there() {
    let world = World::new().await;
    let row = world.domain("example.test").await;
    let other = world.client(Tier::Ignition).await;
    let (own, foreign) = (client_caller(row.client_id), client_caller(other.id));
    let hook = Caller { role: Role::Hook, ..own };
    let name = Domain::parse("example.test").unwrap();
    let service = &world.service;
    for (caller, expected) in
        [(own, "ok"), (foreign, "no such domain"), (hook, "needs an operator's or a client's key")]
    {
        assert_eq!(word(service.domain_get(&caller, row.id).await), expected);
        assert_eq!(word(service.domain_by_name(&caller, &name).await), expected);
        assert_eq!(word(service.records(&caller, row.id).await), expected);
        assert_eq!(word(service.verify(&caller, row.id).await), expected);
        assert_eq!(word(service.checks(&caller, row.id, None, 1).await), expected);
        assert_eq!(word(service.events(&caller, row.id, None, 1).await), expected);
        assert_eq!(word(service.domain_change(&caller, row.id, &limit(10)).await), expected);
        let client = expected.replace("domain", "client");
        assert_eq!(word(service.client_get(&caller, row.client_id).await), client);
        assert_eq!(word(service.client_allocation(&caller, row.client_id).await), client);
        assert_eq!(word(service.domain_register(&caller, &registration(row.client_id, "a.test")).await), client);
    }
    assert_eq!(word(service.domain_delete(&foreign, row.id).await), "no such domain");
    let listed = service.domain_list(&foreign, &DomainFilter::default(), None, 50).await.unwrap();
    assert!(listed.items.is_empty());
    let asked = DomainFilter { client_id: Some(row.client_id), ..DomainFilter::default() };
    assert!(service.domain_list(&foreign, &asked, None, 50).await.unwrap().items.is_empty());
    assert_eq!(service.domain_list(&own, &DomainFilter::default(), None, 50).await.unwrap().items.len(), 2);
    assert_eq!(service.client_list(&own, None, 50).await.unwrap().items.len(), 1);
    assert_eq!(word(service.domain_register(&foreign, &registration(other.id, "example.test")).await), {
        Error::DomainTaken { claim: None }.to_string()
    });
    assert_eq!(
        word(service.domain_register(&own, &registration(row.client_id, "example.test")).await),
        "this client has the domain already"
    );
}

#[tokio::test]
async fn some_things_only_operators_may() {
    let world = World::new().await;
    let row = world.domain("example.test").await;
    let own = client_caller(row.client_id);
    let service = &world.service;
    let suspend = DomainPatch { status: Some(OperatorStatus::Suspended), ..DomainPatch::default() };
    let change = async |patch: &DomainPatch| word(service.domain_change(&own, row.id, patch).await);
    assert_eq!(change(&suspend).await, "needs an operator key, to set `status`");
    assert_eq!(change(&limit(51)).await, "needs an operator key, to raise `daily_send_limit`");
    assert_eq!(change(&limit(50)).await, "ok");
    assert_eq!(change(&limit(-1)).await, "invalid /daily_send_limit");
    assert_eq!(word(service.client_add(&own, "x", Tier::Ignition).await), "needs an operator key");
    assert_eq!(
        word(service.client_change(&own, row.client_id, None, Some(Tier::Dominance)).await),
        "needs an operator key"
    );
    assert_eq!(word(service.client_change(&own, Uuid::nil(), None, None).await), "no such client");
}

#[tokio::test]
async fn an_operator_s_suspension_is_told_and_never_lifts_by_itself() {
    let world = World::new().await;
    let row = world.domain("example.test").await;
    world.check_due(&good("example.test")).await;
    let status = async |status| {
        world.pass(TimeDelta::seconds(1));
        let patch = DomainPatch { status: Some(status), ..DomainPatch::default() };
        world.service.domain_change(&world.operator, row.id, &patch).await.unwrap().row.status
    };
    assert_eq!(status(OperatorStatus::Suspended).await, Status::Suspended);
    assert_eq!(status(OperatorStatus::Suspended).await, Status::Suspended, "twice is the same as once");
    for _ in 0..3 {
        world.pass(TimeDelta::hours(14));
        assert_eq!(world.check_due(&good("example.test")).await.len(), 1);
    }
    assert_eq!(world.row(row.id).await.status, Status::Suspended);
    assert_eq!(status(OperatorStatus::Active).await, Status::Active);
    assert_eq!(world.events(row.id).await, ["domain.verified", "domain.suspended", "domain.restored"]);
}

#[tokio::test]
async fn a_tier_is_never_exceeded() {
    let world = World::new().await;
    let client = world.client(Tier::Ignition).await;
    let add = async |name: &str| world.service.domain_register(&world.operator, &registration(client.id, name)).await;
    add("a.test").await.unwrap();
    let second = add("b.test").await.unwrap().row;
    let refused = add("c.test").await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::AllocationExceeded { resource: Resource::Domains, tier: Some(Tier::Ignition), used: 2, limit: 2 }
        ),
        "{refused:?}"
    );
    world.service.domain_delete(&world.operator, second.id).await.unwrap();
    assert_eq!(word(world.service.records(&world.operator, second.id).await), "no such domain");
    assert_eq!(world.service.domain_get(&world.operator, second.id).await.unwrap().row.status, Status::Deleted);
    add("c.test").await.unwrap();
    let used = world.service.client_allocation(&world.operator, client.id).await.unwrap();
    assert_eq!((used.tier, used.domains.used, used.domains.limit), (Some(Tier::Ignition), 2, Some(2)));
    assert_eq!((used.mailboxes.limit, used.dedicated_ips.limit), (Some(3), Some(1)));
}

#[tokio::test]
async fn six_verifications_a_minute() {
    let world = World::new().await;
    let row = world.domain("example.test").await;
    for call in 0..6 {
        assert_eq!(word(world.service.verify(&world.operator, row.id).await), "ok", "call {call}");
    }
    let refused = world.service.verify(&world.operator, row.id).await;
    assert!(matches!(refused, Err(Error::TooManyVerifications { retry_after }) if retry_after.as_secs() == 60));
    world.pass(TimeDelta::seconds(60));
    assert_eq!(word(world.service.verify(&world.operator, row.id).await), "ok");
    let flags = world.row(row.id).await;
    assert_eq!((flags.status, flags.last_checked_at), (Status::Pending, None), "asking resets and checks nothing");
}

#[tokio::test]
async fn a_key_opens_until_it_is_revoked() {
    let world = World::new().await;
    let service = &world.service;
    let secret = service.first_operator_key().await.unwrap().unwrap();
    assert!(service.first_operator_key().await.unwrap().is_none(), "only once");
    let operator = service.authenticate(secret.expose_secret()).await.unwrap().unwrap();
    assert_eq!((operator.role, operator.client_id), (Role::Operator, None));

    let client = world.client(Tier::Velocity).await;
    let request = KeyRequest { role: Role::Client, client_id: Some(client.id), name: None, expires_in: None };
    let (row, secret) = service.key_create(&request).await.unwrap();
    let caller = service.authenticate(secret.expose_secret()).await.unwrap().unwrap();
    assert_eq!((caller.role, caller.client_id, caller.key_id), (Role::Client, Some(client.id), row.id));
    service.key_revoke(row.id).await.unwrap();
    assert_eq!(service.authenticate(secret.expose_secret()).await.unwrap(), None, "at once where it was revoked");
    assert!(matches!(service.key_revoke(row.id).await, Err(Error::NoSuchKey(_))));

    for text in ["", "sr_", "sr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "nonsense", &"sr_x".repeat(1_000)] {
        assert_eq!(service.authenticate(text).await.unwrap(), None, "{text:.20}");
    }
}

#[tokio::test]
async fn a_revocation_elsewhere_holds_within_five_seconds() {
    let world = World::new().await;
    let request = KeyRequest { role: Role::Operator, client_id: None, name: Some("x".to_owned()), expires_in: None };
    let (row, secret) = world.service.key_create(&request).await.unwrap();
    let open = async || world.service.authenticate(secret.expose_secret()).await.unwrap().is_some();
    assert!(open().await);
    world.service.store().key_revoke(row.id, world.hand.now()).await.unwrap();
    world.pass(TimeDelta::milliseconds(4_999));
    assert!(open().await, "remembered");
    world.pass(TimeDelta::milliseconds(1));
    assert!(!open().await);
}

#[tokio::test]
async fn a_key_that_expires_does_so_to_the_moment() {
    let world = World::new().await;
    let create = async |expires_in| {
        let request = KeyRequest { role: Role::Operator, client_id: None, name: None, expires_in: Some(expires_in) };
        world.service.key_create(&request).await
    };
    let (row, secret) = create(Duration::from_secs(7)).await.unwrap();
    assert_eq!(row.expires_at, Some(world.hand.now() + TimeDelta::seconds(7)));
    let open = async || match world.service.authenticate(secret.expose_secret()).await {
        Ok(caller) => caller.is_some().to_string(),
        Err(fault) => fault.to_string(),
    };
    world.pass(TimeDelta::seconds(3));
    assert_eq!(open().await, "true", "and it is remembered for 5 seconds, which would be too long");
    world.pass(TimeDelta::milliseconds(3_999));
    assert_eq!(open().await, "true", "one moment left");
    world.pass(TimeDelta::milliseconds(1));
    let shown = row.expires_at.unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    assert_eq!(open().await, format!("the key has expired at {shown}; ask for a new one"));
    world.service.key_revoke(row.id).await.unwrap();
    assert_eq!(open().await, "false", "of a revoked one nothing is said");
    for wrong in [Duration::ZERO, Duration::from_millis(999), Duration::from_hours(24 * 3_651)] {
        assert_eq!(word(create(wrong).await), "invalid /expires_in", "{wrong:?}");
    }
}

#[tokio::test]
async fn keys_are_whose_they_must_be() {
    let world = World::new().await;
    let create = async |role, client_id| {
        word(world.service.key_create(&KeyRequest { role, client_id, name: None, expires_in: None }).await)
    };
    assert_eq!(create(Role::Client, None).await, "invalid /client_id");
    assert_eq!(create(Role::Operator, Some(Uuid::nil())).await, "invalid /client_id");
    assert_eq!(create(Role::Client, Some(Uuid::nil())).await, "no such client");
    assert_eq!(create(Role::Hook, None).await, "ok");
}
