//! Who changed what.

use sendready::sending::tier::Tier;
use sendready::store::audit::{Actor, AuditEnd, AuditFilter, AuditRow, NewAudit, Outcome};
use sendready::store::{NewKey, Role};
use uuid::Uuid;

use crate::store::world::{World, at, id, on_both};

on_both!(changes_are_begun_and_ended, changes_are_found, changes_are_forgotten);

/// An id of version 7, of that second.
fn of(second: i64) -> Uuid {
    let milliseconds = u128::try_from(at(second).timestamp_millis()).unwrap();
    Uuid::from_u128(milliseconds << 80 | 7)
}

fn new(second: i64) -> NewAudit<'static> {
    NewAudit {
        id: of(second),
        at: at(second),
        actor: Actor::Operator,
        key_id: None,
        client_id: None,
        operation: "domain_change",
        path: "/v1/domains/x",
        domain_id: None,
        mailbox_id: None,
        request_id: None,
        peer: None,
    }
}

async fn list(world: &World, filter: &AuditFilter) -> Vec<AuditRow> {
    world.store.audit_list(filter, None, 10).await.unwrap()
}

async fn changes_are_begun_and_ended(world: World) {
    let store = &world.store;
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let key = NewKey {
        id: id(5),
        role: Role::Client,
        client_id: Some(client),
        name: Some("night"),
        hash: [1; 32],
        expires_at: None,
    };
    store.key_add(&key, at(0)).await.unwrap();
    let begun = NewAudit {
        actor: Actor::Client,
        key_id: Some(id(5)),
        client_id: Some(client),
        domain_id: Some(id(10)),
        request_id: Some("r-1"),
        peer: Some("192.0.2.7"),
        ..new(1)
    };
    store.audit_begin(&begun).await.unwrap();
    let expected = AuditRow {
        id: of(1),
        at: at(1),
        actor: Actor::Client,
        key_id: Some(id(5)),
        key_name: Some("night".to_owned()),
        client_id: Some(client),
        operation: "domain_change".to_owned(),
        path: "/v1/domains/x".to_owned(),
        domain_id: Some(id(10)),
        domain: Some("a.example".to_owned()),
        made_id: None,
        fields: String::new(),
        request_id: Some("r-1".to_owned()),
        peer: Some("192.0.2.7".to_owned()),
        outcome: Outcome::Begun,
        status: None,
    };
    assert_eq!(list(&world, &AuditFilter::default()).await, std::slice::from_ref(&expected));
    let end = AuditEnd { outcome: Outcome::Refused, status: Some(422), made_id: None, fields: "status bind" };
    store.audit_end(of(1), &end).await.unwrap();
    let ended = AuditRow { outcome: Outcome::Refused, status: Some(422), fields: "status bind".to_owned(), ..expected };
    assert_eq!(list(&world, &AuditFilter::default()).await, [ended]);
    store.audit_begin(&NewAudit { domain_id: Some(id(99)), mailbox_id: Some(id(98)), ..new(2) }).await.unwrap();
    store.audit_begin(&new(3)).await.unwrap();
    let made = AuditEnd { outcome: Outcome::Done, status: Some(201), made_id: Some(id(10)), fields: "" };
    store.audit_end(of(3), &made).await.unwrap();
    let rows = list(&world, &AuditFilter::default()).await;
    assert_eq!((rows[0].domain_id, rows[0].domain.as_deref()), (Some(id(10)), Some("a.example")), "a domain was made");
    assert_eq!((rows[1].domain_id, rows[1].key_name.as_deref()), (None, None), "there is no such domain");
    assert!(store.audit_begin(&new(3)).await.is_err(), "an id is used once");
}

async fn changes_are_found(world: World) {
    let store = &world.store;
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    world.domain(11, client, "b.example", 0).await;
    let rows = [
        NewAudit { key_id: Some(id(5)), domain_id: Some(id(10)), ..new(1) },
        NewAudit { key_id: Some(id(6)), domain_id: Some(id(10)), actor: Actor::Client, ..new(2) },
        NewAudit { key_id: Some(id(5)), domain_id: Some(id(11)), operation: "domain_delete", ..new(3) },
        NewAudit { actor: Actor::CommandLine, operation: "key_create", ..new(4) },
    ];
    for row in &rows {
        store.audit_begin(row).await.unwrap();
    }
    let check = async |why: &str, filter: AuditFilter, expected: &[i64]| {
        let found: Vec<Uuid> = list(&world, &filter).await.iter().map(|row| row.id).collect();
        assert_eq!(found, expected.iter().map(|second| of(*second)).collect::<Vec<_>>(), "{why}");
    };
    let all = AuditFilter::default;
    check("all, the newest first", all(), &[4, 3, 2, 1]).await;
    check("of a key", AuditFilter { key_id: Some(id(5)), ..all() }, &[3, 1]).await;
    check("of a domain", AuditFilter { domain_id: Some(id(10)), ..all() }, &[2, 1]).await;
    check("of both", AuditFilter { domain_id: Some(id(10)), key_id: Some(id(5)), ..all() }, &[1]).await;
    check("of a kind of actor", AuditFilter { actor: Some(Actor::CommandLine), ..all() }, &[4]).await;
    let deleted = AuditFilter { operation: Some("domain_delete".to_owned()), ..all() };
    check("of an operation", AuditFilter { key_id: Some(id(5)), ..deleted.clone() }, &[3]).await;
    check("of an operation elsewhere", AuditFilter { domain_id: Some(id(10)), ..deleted }, &[]).await;
    check("since then", AuditFilter { since: Some(at(3)), ..all() }, &[4, 3]).await;
    let page = store.audit_list(&all(), Some(of(3)), 1).await.unwrap();
    assert_eq!(
        page.iter().map(|row| row.id).collect::<Vec<_>>(),
        [of(2)],
        "older than the cursor, and no more than asked"
    );
}

async fn changes_are_forgotten(world: World) {
    for second in 1..=4 {
        world.store.audit_begin(&new(second)).await.unwrap();
    }
    assert_eq!(world.store.audit_prune(at(4), 2).await.unwrap(), 2, "in small steps");
    assert_eq!(world.store.audit_prune(at(4), 2).await.unwrap(), 1);
    assert_eq!(world.store.audit_prune(at(4), 2).await.unwrap(), 0);
    assert_eq!(list(&world, &AuditFilter::default()).await.len(), 1);
}
