//! API keys and `Idempotency-Key`.

use chrono::TimeDelta;
use sendready::sending::tier::Tier;
use sendready::store::idempotency::{KEPT, RUNNING_MAX};
use sendready::store::{Began, IdempotencyScope, KeyAdded, NewKey, Role};
use uuid::Uuid;

use crate::store::world::{World, at, id, on_both};

on_both!(keys, one_first_operator, idempotency, many_begin_at_once, pruning);

fn new_key(number: u128, role: Role, client_id: Option<Uuid>) -> NewKey<'static> {
    let hash = [u8::try_from(number).unwrap(); 32];
    NewKey { id: id(number), role, client_id, name: Some("trial"), hash, expires_at: None }
}

async fn keys(world: World) {
    let store = &world.store;
    let client = world.client(1, Tier::Ignition).await;
    let operator = new_key(10, Role::Operator, None);
    assert!(matches!(store.key_add(&operator, at(1)).await.unwrap(), KeyAdded::Added(_)));
    let expiring = NewKey { expires_at: Some(at(100)), ..new_key(11, Role::Client, Some(client)) };
    let KeyAdded::Added(added) = store.key_add(&expiring, at(1)).await.unwrap() else { panic!("not added") };
    let found = store.key_by_hash(&[11; 32]).await.unwrap().unwrap();
    assert_eq!(found, added, "what is given is what is kept");
    assert_eq!((found.role, found.client_id), (Role::Client, Some(client)));
    assert!(found.is_live(at(99)) && !found.is_live(at(100)), "expiry is exact");
    assert_eq!(store.key_by_hash(&[12; 32]).await.unwrap(), None);
    let stranger = new_key(13, Role::Client, Some(id(99)));
    assert_eq!(store.key_add(&stranger, at(1)).await.unwrap(), KeyAdded::NoSuchClient);
    assert!(store.key_add(&new_key(14, Role::Client, None), at(1)).await.is_err(), "a client's key has a client");
    assert!(store.key_add(&operator, at(1)).await.is_err(), "the id and the hash are taken");
    let listed = store.key_list(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|key| key.id).collect::<Vec<_>>(), [id(10), id(11)]);
    assert_eq!(store.key_list(Some(id(10)), 10).await.unwrap().len(), 1);
    assert!(store.key_revoke(id(10), at(2)).await.unwrap());
    assert!(!store.key_revoke(id(10), at(3)).await.unwrap(), "once");
    assert!(!store.key_revoke(id(99), at(3)).await.unwrap());
    let revoked = store.key_by_hash(&[10; 32]).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(at(2)));
    assert!(!revoked.is_live(at(2)));
}

/// However many replicas start together, one of them makes the key, and only it may print it.
async fn one_first_operator(world: World) {
    let client = world.client(1, Tier::Ignition).await;
    world.store.key_add(&new_key(9, Role::Client, Some(client)), at(0)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..12 {
        let store = world.replica().await;
        tasks.spawn(
            async move { store.key_add_first(&new_key(10 + number, Role::Operator, None), at(1)).await.unwrap() },
        );
    }
    let added = tasks.join_all().await;
    assert_eq!(added.iter().filter(|added| **added).count(), 1, "{added:?}");
    let keys = world.store.key_list(None, 50).await.unwrap();
    let [_, operator] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!((operator.role, operator.created_at), (Role::Operator, at(1)));
    assert!(world.store.key_revoke(operator.id, at(2)).await.unwrap());
    assert!(world.store.key_add_first(&new_key(40, Role::Operator, None), at(3)).await.unwrap(), "all are revoked");
    assert!(!world.store.key_add_first(&new_key(41, Role::Operator, None), at(3)).await.unwrap());
}

async fn scope(world: &World) -> IdempotencyScope<'static> {
    world.store.key_add(&new_key(10, Role::Operator, None), at(0)).await.unwrap();
    IdempotencyScope { key_id: id(10), method: "POST", path: "/v1/domains", idem_key: "one" }
}

async fn idempotency(world: World) {
    let store = &world.store;
    let scope = scope(&world).await;
    let (body, other) = ([1; 32], [2; 32]);
    assert_eq!(store.idempotency_begin(&scope, &body, at(0)).await.unwrap(), Began::Fresh);
    assert_eq!(store.idempotency_begin(&scope, &body, at(1)).await.unwrap(), Began::Running);
    assert_eq!(store.idempotency_begin(&scope, &other, at(1)).await.unwrap(), Began::OtherBody);
    let elsewhere = IdempotencyScope { path: "/v1/clients", ..scope };
    assert_eq!(store.idempotency_begin(&elsewhere, &other, at(1)).await.unwrap(), Began::Fresh, "another path");
    store.idempotency_forget(&elsewhere).await.unwrap();
    assert_eq!(store.idempotency_begin(&elsewhere, &body, at(1)).await.unwrap(), Began::Fresh, "it was forgotten");
    store.idempotency_finish(&scope, 201, "{\"id\":1}").await.unwrap();
    let replay = Began::Replay { status: 201, body: "{\"id\":1}".to_owned() };
    assert_eq!(store.idempotency_begin(&scope, &body, at(2)).await.unwrap(), replay);
    store.idempotency_finish(&scope, 200, "late").await.unwrap();
    store.idempotency_forget(&scope).await.unwrap();
    assert_eq!(store.idempotency_begin(&scope, &body, at(3)).await.unwrap(), replay, "a finished one stays");
    assert_eq!(store.idempotency_begin(&scope, &other, at(3)).await.unwrap(), Began::OtherBody);
    let second = TimeDelta::seconds(1);
    let just_kept = at(0) + KEPT - second;
    assert_eq!(store.idempotency_begin(&scope, &body, just_kept).await.unwrap(), replay, "kept to the last second");
    assert_eq!(store.idempotency_begin(&scope, &body, at(0) + KEPT).await.unwrap(), Began::Fresh, "and no longer");
    let lost = at(0) + KEPT + RUNNING_MAX;
    assert_eq!(store.idempotency_begin(&scope, &body, lost - second).await.unwrap(), Began::Running);
    assert_eq!(store.idempotency_begin(&scope, &body, lost).await.unwrap(), Began::Fresh, "its process is gone");
}

async fn many_begin_at_once(world: World) {
    let scope = scope(&world).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = world.store.clone();
        tasks.spawn(async move { store.idempotency_begin(&scope, &[1; 32], at(0)).await.unwrap() });
    }
    let began = tasks.join_all().await;
    assert_eq!(began.iter().filter(|began| **began == Began::Fresh).count(), 1, "{began:?}");
}

async fn pruning(world: World) {
    let scope = scope(&world).await;
    for (second, idem_key) in ["a", "b", "c"].into_iter().enumerate() {
        let scope = IdempotencyScope { idem_key, ..scope };
        let begun = world.store.idempotency_begin(&scope, &[1; 32], at(i64::try_from(second).unwrap())).await;
        assert_eq!(begun.unwrap(), Began::Fresh);
    }
    assert_eq!(world.store.idempotency_prune(at(2), 1).await.unwrap(), 1, "at most so many");
    assert_eq!(world.store.idempotency_prune(at(2), 10).await.unwrap(), 1, "only those before");
    assert_eq!(world.texts("SELECT idem_key FROM sendready_idempotency").await, ["c"]);
}
