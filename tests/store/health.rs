//! A mailbox's health and the reputation of its domain are one: nobody sees one without the other.

use sendready::sending::tier::Tier;
use sendready::store::{Db, MailboxAdded, MailboxRow, MailboxUpdate, NewEvent, Store, StoreError};
use serde_json::json;

use crate::store::mailboxes::{add, change, mailbox};
use crate::store::world::{Place, World, at, id, on_both};

on_both!(the_reputation_follows_at_once, neither_without_the_other, readers_see_both_or_neither);

/// A mailbox of a domain of which nothing is known.
async fn one(world: &World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    mailbox(world, 20, id(10), "max@a.example", 1).await;
}

async fn score(world: &World) -> Option<f64> {
    world.store.domain_get(id(10)).await.unwrap().unwrap().reputation_score
}

/// Reports bounces of a hundred mails.
async fn bounce(store: &Store, number: u128, rate: f64, second: i64) {
    change(store, number, second, Vec::new(), |row| {
        row.bounce_rate = rate;
        row.health_sample = Some(100);
    })
    .await;
}

async fn the_reputation_follows_at_once(world: World) {
    one(&world).await;
    mailbox(&world, 21, id(10), "eva@a.example", 1).await;
    bounce(&world.store, 20, 0.0, 2).await;
    assert_eq!(score(&world).await, Some(60.0), "20 + 10 + 10, and 20 of the mailboxes");
    bounce(&world.store, 21, 0.05, 3).await;
    assert_eq!(score(&world).await, Some(48.0), "the worst counts");
    assert_eq!(world.store.domain_get(id(10)).await.unwrap().unwrap().updated_at, Some(at(3)));
    change(&world.store, 21, 4, Vec::new(), |row| row.display_name = None).await;
    assert_eq!(world.store.domain_get(id(10)).await.unwrap().unwrap().updated_at, Some(at(3)), "it says what it said");
    assert!(world.store.mailbox_delete(id(21), at(5)).await.unwrap());
    assert_eq!(score(&world).await, Some(60.0), "a deleted one counts no more");
    assert!(matches!(add(&world.store, 99, id(10), "eva@a.example", 6).await, MailboxAdded::Revived(_)));
    assert_eq!(score(&world).await, Some(48.0), "its health comes back with it");
}

/// The reputation cannot be written: then the health is not, and nothing is told.
async fn neither_without_the_other(world: World) {
    one(&world).await;
    bounce(&world.store, 20, 0.01, 2).await;
    let known = (score(&world).await, world.store.mailbox_get(id(20)).await.unwrap().unwrap());
    let (refuse, allow) = match world.place {
        Place::Postgres(_) => (
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
             CREATE TRIGGER refuse BEFORE UPDATE OF reputation_score ON email_domains FOR EACH ROW EXECUTE FUNCTION refuse()",
            "DROP TRIGGER refuse ON email_domains",
        ),
        Place::Sqlite(_) => (
            "CREATE TRIGGER refuse BEFORE UPDATE OF reputation_score ON email_domains BEGIN SELECT RAISE(ABORT, 'no'); END",
            "DROP TRIGGER refuse",
        ),
    };
    world.run(refuse).await;
    let worse = |before: &MailboxRow| {
        let row = MailboxRow { bounce_rate: 0.04, ..before.clone() };
        let event = NewEvent { id: id(500), kind: "mailbox.paused", body: json!({}) };
        Ok::<_, ()>(MailboxUpdate { row, closes_warm_up: true, events: vec![event] })
    };
    let fault = world.store.mailbox_change(id(20), at(3), worse).await.unwrap_err();
    assert!(matches!(fault, StoreError::Unavailable { operation: "mailbox_change", .. }), "{fault:?}");
    let fault = world.store.mailbox_delete(id(20), at(3)).await.unwrap_err();
    assert!(matches!(fault, StoreError::Unavailable { operation: "mailbox_delete", .. }), "{fault:?}");
    let now = (score(&world).await, world.store.mailbox_get(id(20)).await.unwrap().unwrap());
    assert_eq!(now, known);
    assert_eq!(world.store.event_list(id(10), None, 10).await.unwrap(), []);
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_mailbox_closures").await, 0);
    world.run(allow).await;
    let row = world.store.mailbox_change(id(20), at(4), worse).await.unwrap().unwrap().unwrap();
    assert_eq!((row.bounce_rate, score(&world).await), (0.04, Some(50.4)), "2.4 + 8 of the mailbox");
}

/// Another connection sees the rates and the score that belongs to them, whenever it looks.
async fn readers_see_both_or_neither(world: World) {
    const ROUNDS: i64 = 40;
    one(&world).await;
    bounce(&world.store, 20, 0.0, 2).await;
    let writer = world.replica().await;
    let writing = tokio::spawn(async move {
        for round in 0..ROUNDS {
            let rate = if round % 2 == 0 { 0.05 } else { 0.0 };
            change(&writer, 20, 3 + round, Vec::new(), |row| row.bounce_rate = rate).await;
        }
    });
    let torn = "SELECT COUNT(*) FROM email_mailboxes AS m JOIN email_domains AS d ON d.id = m.domain_id \
        WHERE (m.bounce_rate = 0) <> (d.reputation_score = 60)";
    while !writing.is_finished() {
        assert_eq!(world.count(torn).await, 0);
    }
    writing.await.unwrap();
    assert_eq!(score(&world).await, Some(60.0));
}

/// A domain is locked before its mailboxes, as sends do it: who waits for the domain holds none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_domain_is_locked_first() {
    let world = World::postgres().await;
    let Db::Postgres(pool) = world.store.db() else { panic!("the worlds are swapped") };
    one(&world).await;
    let waiting =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for what in ["health", "deletion"] {
        let mut holder = pool.begin().await.unwrap();
        sqlx::query("SELECT id FROM email_domains FOR NO KEY UPDATE").execute(&mut *holder).await.unwrap();
        let other = world.replica().await;
        let change = tokio::spawn(async move {
            match what {
                "health" => bounce(&other, 20, 0.05, 2).await,
                _ => assert!(other.mailbox_delete(id(20), at(3)).await.unwrap()),
            }
        });
        while world.count(waiting).await == 0 {
            tokio::task::yield_now().await;
        }
        let free = "SELECT id FROM email_mailboxes FOR UPDATE NOWAIT";
        let held = sqlx::query(free).execute(&mut *holder).await;
        assert!(held.is_ok(), "{what} holds a mailbox and waits for its domain: {held:?}");
        holder.commit().await.unwrap();
        change.await.unwrap();
    }
    assert_eq!(score(&world).await, Some(50.0));
}
