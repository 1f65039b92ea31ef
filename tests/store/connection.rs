//! Reaching a database, and reaching it again.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use sendready::sending::tier::Tier;
use sendready::store::connect::CALL_TIME_MAX;
use sendready::store::db::Sql;
use sendready::store::{Db, Store, StoreError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, SqlSafeStr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use uuid::Uuid;

use crate::store::world::{Place, World, at, id, on_both};

on_both!(answers, every_statement_is_kept);

async fn answers(world: World) {
    world.store.ping().await.unwrap();
}

/// Whatever a connection has prepared it need not prepare again: none makes room for another.
async fn every_statement_is_kept(world: World) {
    let statements = sendready::store::statements();
    let of = |text: fn(&Sql) -> &'static str| statements.iter().map(text).collect::<BTreeSet<_>>();
    let (kept, all) = match world.store.db() {
        Db::Postgres(pool) => {
            let (mut connection, texts) = (pool.acquire().await.unwrap(), of(|statement| statement.postgres));
            for text in &texts {
                connection.prepare(text.into_sql_str()).await.unwrap();
            }
            (connection.cached_statements_size(), texts.len())
        }
        // Its thread counts what it keeps after it has answered: when it has answered once more, it has counted.
        Db::Sqlite(pool) => {
            let (mut connection, texts) = (pool.acquire().await.unwrap(), of(|statement| statement.sqlite));
            for text in &texts {
                connection.prepare(text.into_sql_str()).await.unwrap();
            }
            connection.ping().await.unwrap();
            (connection.cached_statements_size(), texts.len())
        }
    };
    assert!(kept >= all, "{kept} of {all} are kept: raise STATEMENTS_MAX");
}

#[tokio::test]
async fn the_next_call_after_a_loss_works() {
    let world = World::postgres().await;
    let client = world.client(1, Tier::Velocity).await;
    let Place::Postgres(database) = &world.place else { panic!("the worlds are swapped") };
    for second in 1..4 {
        database.cut_connections().await;
        assert!(world.store.domain_shown(Uuid::nil()).await.unwrap().is_none(), "also what asks no connection first");
        assert!(world.store.client_get(client).await.unwrap().is_some());
        world.domain(10 + u128::try_from(second).unwrap(), client, &format!("d{second}.example"), second).await;
    }
}

#[tokio::test]
async fn what_was_read_with_goes_back_to_the_pool() {
    let world = World::postgres().await;
    let Db::Postgres(pool) = world.store.db() else { panic!("the worlds are swapped") };
    for _ in 0..3 {
        let reads = (0..12).map(|number| world.store.domain_shown(id(number)));
        assert!(join_all(reads).await.iter().all(|shown| shown.as_ref().unwrap().is_none()));
        // Nobody reads any more: none is kept at hand.
        let begun = Instant::now();
        while pool.num_idle() < usize::try_from(pool.size()).unwrap() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{} of {}", pool.num_idle(), pool.size());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
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

#[tokio::test]
async fn postgres_gives_up_by_itself_what_takes_too_long() {
    let world = World::postgres().await;
    let shown = world.texts("SELECT current_setting('statement_timeout')").await;
    assert_eq!(shown, ["10s"], "a statement of which nobody waits for the end");
    let slow = world.replica().await;
    let Db::Postgres(pool) = slow.db() else { panic!("the worlds are swapped") };
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE email_domains").execute(&mut *lock).await.unwrap();
    let fault = world.store.domain_due_count(at(0)).await.unwrap_err();
    assert!(matches!(fault, StoreError::Unavailable { operation: "domain_due_count", .. }), "{fault:?}");
    lock.rollback().await.unwrap();
    assert_eq!(world.store.domain_due_count(at(0)).await.unwrap(), 0);
}

/// Passes octets on until told to be silent; then it keeps the connection and says nothing, as a machine does
/// whose network was cut.
async fn silenced(url: &str) -> (String, Arc<AtomicBool>) {
    let options: PgConnectOptions = url.parse().unwrap();
    let target = format!("{}:{}", options.get_host(), options.get_port());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let silent = Arc::new(AtomicBool::new(false));
    let (told, place) = (Arc::clone(&silent), target.clone());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = TcpStream::connect(&place).await.unwrap().into_split();
            let told = Arc::clone(&told);
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let mut octets = [0; 4_096];
                while let Ok(count @ 1..) = from_server.read(&mut octets).await {
                    if !told.load(Ordering::SeqCst) {
                        to_client.write_all(&octets[..count]).await.unwrap();
                    }
                }
            });
        }
    });
    (url.replacen(&target, &here.to_string(), 1), silent)
}

#[tokio::test]
async fn no_call_waits_for_ever_for_a_machine_that_fell_silent() {
    let world = World::postgres().await;
    let (Place::Postgres(database), Db::Postgres(pool)) = (&world.place, world.store.db()) else {
        panic!("the worlds are swapped")
    };
    let (url, silent) = silenced(&database.url).await;
    let store = Store::connect(&url).await.unwrap();
    // In the middle of a statement, after the pool has seen that its connection is well.
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE email_domains").execute(&mut *lock).await.unwrap();
    let asking = store.clone();
    let begun = Instant::now();
    let call = tokio::spawn(async move { asking.domain_due_count(at(0)).await });
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'email_domains'::regclass \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while world.count(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    silent.store(true, Ordering::SeqCst);
    // Nothing moves any more, so that the clock may run ahead.
    tokio::time::pause();
    let fault = call.await.unwrap().unwrap_err();
    assert!(matches!(fault, StoreError::Unavailable { operation: "domain_due_count", .. }), "{fault:?}");
    let (waited, second) = (begun.elapsed(), Duration::from_secs(1));
    assert!((CALL_TIME_MAX - second..CALL_TIME_MAX + second).contains(&waited), "{waited:?}");
    let begun = Instant::now();
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable { operation: "ping", .. })));
    assert!(begun.elapsed() <= CALL_TIME_MAX, "{:?}", begun.elapsed());
}
