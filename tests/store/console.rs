//! Console sessions, and the numbers of the overview.

use sendready::sending::tier::Tier;
use sendready::store::console::NewSession;
use sendready::store::overview::{ChangesOfHour, ChecksOfHour, DomainsAlike, MailboxesAlike};
use sendready::store::{NewKey, Role};

use crate::store::world::{Place, World, at, id, on_both};

on_both!(a_session_is_worth_no_more_than_its_key, sessions_end_and_are_removed, the_fleet_is_counted);

async fn key(world: &World, number: u128, role: Role, expires_second: Option<i64>) {
    let new = NewKey {
        id: id(number),
        role,
        client_id: None,
        name: Some("console"),
        hash: [u8::try_from(number).unwrap(); 32],
        expires_at: expires_second.map(at),
    };
    world.store.key_add(&new, at(0)).await.unwrap();
}

async fn session(world: &World, number: u128, key: u128, expires_second: i64) {
    let hash = [u8::try_from(number).unwrap(); 32];
    let new = NewSession { id: id(number), key_id: id(key), hash, expires_at: at(expires_second) };
    world.store.console_session_add(&new, at(0)).await.unwrap();
}

async fn a_session_is_worth_no_more_than_its_key(world: World) {
    key(&world, 1, Role::Operator, None).await;
    key(&world, 2, Role::Operator, Some(50)).await;
    key(&world, 3, Role::Hook, None).await;
    for (number, key) in [(11, 1), (12, 2), (13, 3)] {
        session(&world, number, key, 100).await;
    }
    let other = world.replica().await;
    let get = async |number: u8, second| other.console_session_get(&[number; 32], at(second)).await.unwrap();
    let row = get(11, 1).await.unwrap();
    assert_eq!((row.id, row.key_id, row.key_name.as_deref()), (id(11), id(1), Some("console")));
    assert_eq!((row.expires_at, row.last_seen_at), (at(100), at(0)));
    assert!(get(12, 49).await.is_some());
    assert_eq!(get(12, 50).await, None, "its key has ended");
    assert_eq!(get(13, 1).await, None, "its key is no operator's");
    assert_eq!(get(14, 1).await, None, "nobody's");
    assert!(world.store.key_revoke(id(1), at(2)).await.unwrap());
    assert_eq!(get(11, 2).await, None, "its key is revoked");
}

async fn sessions_end_and_are_removed(world: World) {
    key(&world, 1, Role::Operator, None).await;
    for (number, end) in [(11, 100), (12, 200), (13, 300)] {
        session(&world, number, 1, end).await;
    }
    let store = &world.store;
    let get = async |number: u8, second| store.console_session_get(&[number; 32], at(second)).await.unwrap();
    assert!(get(11, 99).await.is_some());
    assert_eq!(get(11, 100).await, None);
    store.console_session_seen(id(12), at(60)).await.unwrap();
    assert_eq!(get(12, 99).await.unwrap().last_seen_at, at(60));
    assert_eq!(store.console_session_prune(at(200), 1).await.unwrap(), 1);
    assert_eq!(store.console_session_prune(at(200), 9).await.unwrap(), 1);
    assert_eq!(store.console_session_prune(at(200), 9).await.unwrap(), 0);
    assert!(get(13, 200).await.is_some());
    store.console_session_remove(id(13)).await.unwrap();
    store.console_session_remove(id(13)).await.unwrap();
    assert_eq!(get(13, 200).await, None);
}

async fn the_fleet_is_counted(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    world.domain(11, client, "b.example", 1).await;
    world.domain(12, client, "gone.example", 2).await;
    world
        .run("UPDATE email_domains SET status = 'active', spf_valid = TRUE, mx_valid = NULL WHERE domain = 'a.example'")
        .await;
    world.run("UPDATE email_domains SET status = NULL WHERE domain = 'b.example'").await;
    world.store.domain_delete(id(12), at(3)).await.unwrap();
    let mut domains = world.store.overview_domains().await.unwrap();
    domains.retain(|alike| alike.count > 0);
    domains.sort_by(|one, other| one.status.cmp(&other.status));
    let alike = |status: &str, spf| DomainsAlike {
        status: status.to_owned(),
        spf,
        dkim: false,
        dmarc: false,
        mx: false,
        count: 1,
    };
    assert_eq!(domains, [alike("active", true), alike("pending", false)]);
    let (row_id, cast) = match world.place {
        Place::Postgres(_) => ("gen_random_uuid()", "::timestamptz"),
        Place::Sqlite(_) => ("randomblob(16)", ""),
    };
    world
        .run(&format!(
            "INSERT INTO email_mailboxes (id, domain_id, client_id, email_address, status) \
             SELECT {row_id}, id, client_id, 'me@' || domain, 'paused' FROM email_domains WHERE domain < 'c'"
        ))
        .await;
    let mailboxes = world.store.overview_mailboxes().await.unwrap();
    assert_eq!(mailboxes, [MailboxesAlike { status: "paused".to_owned(), count: 2 }]);
    world
        .run(&format!(
            "INSERT INTO sendready_evidence (digest, version, body, created_at) VALUES ('e', 1, '', '{}'{cast})",
            at(0).to_rfc3339()
        ))
        .await;
    // As the service writes them; the last two stand before and behind the time that is asked about.
    let fell = r#"{"flags":{"dkim_valid":{"from":true,"to":false},"spf_valid":{"from":false,"to":true}}}"#;
    for (second, changes) in [(0, "{}"), (3_599, fell), (3_600, fell), (3_601, "{}"), (-1, fell), (7_200, fell)] {
        let check = format!(
            "INSERT INTO sendready_checks (id, domain_id, at, reason, all_valid, verdicts, changes, evidence_digest, \
             questions, took_ms) SELECT {row_id}, id, '{}'{cast}, 'schedule', TRUE, '[]', '{changes}', 'e', 1, 1 \
             FROM email_domains WHERE domain = 'a.example'",
            at(second).to_rfc3339()
        );
        world.run(&check).await;
    }
    let mut checks = world.store.overview_checks(at(0), at(7_200)).await.unwrap();
    checks.sort_by_key(|row| row.hour);
    assert_eq!(checks, [ChecksOfHour { hour: 0, count: 2 }, ChecksOfHour { hour: 1, count: 2 }]);
    let mut changes = world.store.overview_changes(at(0), at(7_200)).await.unwrap();
    changes.sort_by_key(|row| row.hour);
    let fell = |hour| ChangesOfHour { hour, count: 1, spf: 0, dkim: 1, dmarc: 0, mx: 0 };
    assert_eq!(changes, [fell(0), fell(1)]);
    let when =
        format!("UPDATE email_domains SET suspends_at = '{}'{cast} WHERE domain = 'a.example'", at(50).to_rfc3339());
    world.run(&when).await;
    let soon = async |second| world.store.overview_suspended_soon(at(second), 9).await.unwrap();
    assert_eq!(soon(51).await.iter().map(|one| one.domain.as_str()).collect::<Vec<_>>(), ["a.example"]);
    assert_eq!(soon(50).await, []);
}
