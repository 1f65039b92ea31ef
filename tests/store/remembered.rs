//! Sends from rows that are remembered: what others write meanwhile counts, always.

use std::time::{Duration, Instant};

use sendready::store::{Grant, Send, SendKey, Sent, Store};
use tokio::task::JoinSet;

use crate::store::mailboxes::mailbox;
use crate::store::sending::{key, send, sent, verified};
use crate::store::world::{Place, World, at, id, on_both};

on_both!(
    what_others_write_counts,
    a_key_of_another_replica_takes_nothing,
    what_is_refused_is_refused_by_what_stands,
    three_replicas_share_two_domains_to_the_last_send,
    what_was_planned_on_an_empty_table_walks_its_index_later,
);

/// How long a statement may stay unseen on a busy machine.
const SOON: Duration = Duration::from_secs(20);

async fn grant(store: &Store, send: Send, key: Option<SendKey<'_>>) -> Grant {
    match sent(store, send, key, at(10)).await {
        Sent::Granted(grant) => grant,
        other => panic!("{other:?}"),
    }
}

/// Sends until the rows are no longer read before they are written; how many were sent.
async fn until_remembered(world: &World, one: Send) -> u32 {
    let begun = Instant::now();
    for count in 1.. {
        grant(&world.store, one, None).await;
        let is_so = match world.place {
            // The last that the connection of sends was asked.
            Place::Postgres(_) => {
                let last = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND query LIKE 'WITH d AS (SELECT t.id%'";
                count > 1 && world.count(last).await > 0
            }
            Place::Sqlite(_) => true,
        };
        if is_so {
            return count;
        }
        assert!(begun.elapsed() < SOON, "the rows are read each time");
    }
    0
}

async fn what_others_write_counts(world: World) {
    verified(&world).await;
    world.run("UPDATE email_domains SET daily_send_limit = 1000000").await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    world.run("UPDATE email_mailboxes SET daily_send_limit = 1000000, warmup_enabled = FALSE, status = 'active'").await;
    let one = send(&row, 1);
    let used = until_remembered(&world, one).await;
    let next = grant(&world.store, one, None).await;
    assert_eq!((next.mailbox.used, next.domain.used), (used + 1, used + 1));

    // The platform, in either row.
    world.run("UPDATE email_mailboxes SET current_daily_sends = 5000").await;
    let next = grant(&world.store, one, None).await;
    assert_eq!((next.mailbox.used, next.domain.used), (5001, used + 2));
    world.run("UPDATE email_domains SET current_daily_sends = 9000").await;
    let next = grant(&world.store, one, None).await;
    assert_eq!((next.mailbox.used, next.domain.used), (5002, 9001));
    world.run("UPDATE email_mailboxes SET daily_send_limit = 6000").await;
    assert_eq!(grant(&world.store, one, None).await.mailbox.limit, 6000);

    // Another replica, by turns.
    let other = world.replica().await;
    for turn in 0..10 {
        assert_eq!(grant(&other, one, None).await.mailbox.used, 5004 + turn * 2);
        assert_eq!(grant(&world.store, one, None).await.mailbox.used, 5005 + turn * 2);
    }
    assert_eq!(world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_mailboxes").await, 5023);
    assert_eq!(world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_domains").await, 9022);
}

async fn a_key_of_another_replica_takes_nothing(world: World) {
    verified(&world).await;
    key(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    world.run("UPDATE email_mailboxes SET daily_send_limit = 1000000, warmup_enabled = FALSE, status = 'active'").await;
    let (one, other) = (send(&row, 1), world.replica().await);
    until_remembered(&world, one).await;
    for number in 0..20 {
        let idem_key = format!("k{number}");
        let key = Some(SendKey { key_id: id(900), idem_key: &idem_key });
        let (first, second) = if number % 2 == 0 { (&world.store, &other) } else { (&other, &world.store) };
        let before = grant(first, one, key).await;
        for store in [second, first] {
            assert_eq!(sent(store, one, key, at(10)).await, Sent::Again(before), "{number}");
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM sendready_sends").await, 20);
}

async fn what_is_refused_is_refused_by_what_stands(world: World) {
    verified(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    world.run("UPDATE email_mailboxes SET daily_send_limit = 100000, warmup_enabled = FALSE, status = 'active'").await;
    world.run("UPDATE email_domains SET daily_send_limit = 100000").await;
    let one = send(&row, 1);
    for (closes, opens) in [
        ("UPDATE email_domains SET status = 'suspended'", "UPDATE email_domains SET status = 'active'"),
        ("UPDATE email_domains SET dkim_valid = FALSE", "UPDATE email_domains SET dkim_valid = TRUE"),
        ("UPDATE email_mailboxes SET status = 'paused'", "UPDATE email_mailboxes SET status = 'active'"),
        ("UPDATE email_mailboxes SET daily_send_limit = 0", "UPDATE email_mailboxes SET daily_send_limit = 100000"),
        ("UPDATE email_mailboxes SET deleted_at = CURRENT_TIMESTAMP", "UPDATE email_mailboxes SET deleted_at = NULL"),
    ] {
        until_remembered(&world, one).await;
        world.run(closes).await;
        for _ in 0..2 {
            let sent = sent(&world.store, one, None, at(10)).await;
            assert!(matches!(sent, Sent::Refused(_)), "{closes}: {sent:?}");
        }
        world.run(opens).await;
        grant(&world.store, one, None).await;
    }
}

async fn three_replicas_share_two_domains_to_the_last_send(world: World) {
    verified(&world).await;
    key(&world).await;
    world.domain(11, id(1), "b.example", 0).await;
    world
        .run(
            "UPDATE email_domains SET status = 'active', dns_configured = TRUE, spf_valid = TRUE, dkim_valid = TRUE, \
             dmarc_valid = TRUE, mx_valid = TRUE, daily_send_limit = 250",
        )
        .await;
    let mut rows = Vec::new();
    for number in 0..6 {
        let (domain, name) = if number % 2 == 0 { (id(10), "a") } else { (id(11), "b") };
        rows.push(mailbox(&world, 20 + number, domain, &format!("box{number}@{name}.example"), 1).await);
    }
    world.run("UPDATE email_mailboxes SET daily_send_limit = 1000, warmup_enabled = FALSE, status = 'active'").await;
    let stores = [world.replica().await, world.replica().await, world.replica().await];
    let mut callers = JoinSet::new();
    for caller in 0..12_usize {
        let (store, rows) = (stores[caller % 3].clone(), rows.clone());
        callers.spawn(async move {
            let mut granted = 0;
            for number in 0..60_usize {
                let idem_key = format!("{caller}-{number}");
                let key = SendKey { key_id: id(900), idem_key: &idem_key };
                let row = &rows[(caller * 7 + number) % rows.len()];
                match sent(&store, send(row, 1), Some(key), at(10)).await {
                    Sent::Granted(_) => granted += 1,
                    Sent::Refused(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            granted
        });
    }
    let granted: i64 = callers.join_all().await.into_iter().sum();
    assert_eq!(granted, 500);
    assert_eq!(world.count("SELECT CAST(SUM(current_daily_sends) AS BIGINT) FROM email_mailboxes").await, 500);
    assert_eq!(world.count("SELECT CAST(SUM(current_daily_sends) AS BIGINT) FROM email_domains").await, 500);
    assert_eq!(world.count("SELECT count(*) FROM sendready_sends").await, 500);
}

/// PostgreSQL plans a statement once for a connection, and would go on reading all of a table that was empty then.
async fn what_was_planned_on_an_empty_table_walks_its_index_later(world: World) {
    let Place::Postgres(_) = world.place else { return };
    const SENDS: i64 = 200;
    verified(&world).await;
    key(&world).await;
    world.run("UPDATE email_domains SET daily_send_limit = 1000000").await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    world.run("UPDATE email_mailboxes SET daily_send_limit = 1000000, warmup_enabled = FALSE, status = 'active'").await;
    // Statistics would have it planned anew; a table grows faster than those come.
    world.run("ALTER TABLE sendready_sends SET (autovacuum_enabled = FALSE)").await;
    world.run("VACUUM ANALYZE sendready_sends").await;
    let one = send(&row, 1);
    keyed(&world, one, 0..SENDS).await;
    let before = told_of(&world, SENDS, one).await;
    world
        .run(
            "INSERT INTO sendready_sends (mailbox_id, key_id, idem_key, at, day, granted, mailbox_used, mailbox_limit, \
             domain_used, domain_limit) SELECT gen_random_uuid(), gen_random_uuid(), 'k', CURRENT_TIMESTAMP, CURRENT_DATE, \
             1, 1, 10, 1, 50 FROM generate_series(1, 20000)",
        )
        .await;
    keyed(&world, one, SENDS..SENDS * 3).await;
    let scans = told_of(&world, SENDS * 3 + 20_000, one).await - before;
    // Until it is planned anew, which may be as many batches away as there were before: 399 of 400 were never.
    assert!(scans < SENDS * 3 / 2, "all of the table was read {scans} times in {} sends", SENDS * 2);
}

/// One after the other, each with a key of its own.
async fn keyed(world: &World, send: Send, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let idem_key = number.to_string();
        grant(&world.store, send, Some(SendKey { key_id: id(900), idem_key: &idem_key })).await;
    }
}

/// How often all of the table was read, once PostgreSQL tells of so many rows that came into it. A connection tells of itself
/// when it rests, a second after it did so last.
async fn told_of(world: &World, rows: i64, send: Send) -> i64 {
    let begun = Instant::now();
    let number = |column: &str| format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = 'sendready_sends'");
    while world.count(&number("n_tup_ins")).await < rows {
        assert!(begun.elapsed() < SOON, "PostgreSQL does not tell of {rows} rows");
        grant(&world.store, send, None).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.count(&number("seq_scan")).await
}
