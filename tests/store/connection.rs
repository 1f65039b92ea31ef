//! Reaching a database, and reaching it again.

use std::os::unix::fs::PermissionsExt;

use sendready::sending::tier::Tier;
use sendready::store::{Store, StoreError};

use crate::store::world::{Place, World, at, id, on_both};

on_both!(answers);

async fn answers(world: World) {
    world.store.ping().await.unwrap();
}

#[tokio::test]
async fn the_next_call_after_a_loss_works() {
    let world = World::postgres().await;
    let client = world.client(1, Tier::Velocity).await;
    let Place::Postgres(database) = &world.place else { panic!("the worlds are swapped") };
    for second in 1..4 {
        database.cut_connections().await;
        assert!(world.store.client_get(client).await.unwrap().is_some());
        world.domain(10 + u128::try_from(second).unwrap(), client, &format!("d{second}.example"), second).await;
    }
}

#[tokio::test]
async fn a_file_is_made_for_its_owner_only() {
    let world = World::sqlite().await;
    world.client(1, Tier::Velocity).await;
    let Place::Sqlite(folder) = &world.place else { panic!("the worlds are swapped") };
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
        files += 1;
    }
    assert!(files >= 2, "the database and its log");
    let settings = world.texts("SELECT journal_mode FROM pragma_journal_mode").await;
    assert_eq!(settings, ["wal"]);
    let number = async |pragma: &str| world.count(&format!("SELECT * FROM pragma_{pragma}")).await;
    assert_eq!((number("synchronous").await, number("foreign_keys").await), (2, 1), "FULL, and on");
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let world = World::sqlite().await;
    world.client(1, Tier::Velocity).await;
    world.store.close().await;
    let again = world.replica().await;
    assert!(again.migrate(at(9)).await.unwrap().is_empty());
    assert!(again.client_get(id(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn urls_that_cannot_be_used() {
    let check = async |url: &str, expected: &str| {
        let fault = Store::connect(url).await.unwrap_err();
        assert!(matches!(fault, StoreError::BadUrl { .. }), "{url}: {fault:?}");
        assert!(fault.to_string().contains(expected), "{url}: {fault}");
        assert!(!fault.to_string().contains("hunter2"), "a password: {fault}");
    };
    check("mysql://root:hunter2@localhost/x", "it must begin with").await;
    check("sendready.db", "it must begin with").await;
    check("postgres://app:hunter2@local host:x/y", "not a postgres:// URL").await;
    check("sqlite::memory:", "in memory").await;
    check("sqlite:/nowhere/at/all/sendready.db", "cannot be made").await;
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fault = Store::connect(&format!("postgres://app@127.0.0.1:{port}/none")).await.unwrap_err();
    assert!(matches!(fault, StoreError::Unavailable { operation: "connect", .. }), "{fault:?}");
}
