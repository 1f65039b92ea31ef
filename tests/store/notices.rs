//! What replicas tell each other through the database.

use std::time::Duration;

use sendready::sending::tier::Tier;
use sendready::store::db::Db;
use sendready::store::notice::{Heard, Line, Rows};
use sendready::store::webhook_word::Announced;
use sendready::store::{CheckReason, Settled, StoreError, Transferred};
use tokio::time::timeout;
use uuid::Uuid;

use crate::store::ownership::transfer;
use crate::store::settle::settlement;
use crate::store::world::{Place, World, add, at, id};

/// How long a notice may take on a busy machine. What users are promised is a second.
const SOON: Duration = Duration::from_secs(20);

/// The next notice: whether something is due, and which domains.
async fn next(line: &mut Line) -> (bool, Vec<Uuid>) {
    let notice = async {
        loop {
            if let Heard::Replica(notice) = line.next().await.unwrap() {
                return notice;
            }
        }
    };
    let notice = timeout(SOON, notice).await.expect("a notice");
    (notice.is_due, notice.domains)
}

/// What the database has told of rows until now.
async fn rows(world: &World, line: &mut Line) -> Vec<Rows> {
    world.run(&format!("SELECT pg_notify('sendready_rows', 'client {}')", id(999))).await;
    let mut told = Vec::new();
    let listening = async {
        loop {
            match line.next().await.unwrap() {
                Heard::Rows(Rows::OfClient(marker)) if marker == id(999) => return,
                Heard::Rows(rows) => told.push(rows),
                Heard::Stands(_) | Heard::Replica(_) => {}
            }
        }
    };
    timeout(SOON, listening).await.expect("the mark is heard");
    told
}

/// The columns of `email_domains` that the records document does not show: their changes are not told.
const NOT_SHOWN: [&str; 26] = [
    "domain_age_days",
    "reputation_score",
    "daily_send_limit",
    "current_daily_sends",
    "infraforge_domain_id",
    "smartlead_domain_id",
    "created_at",
    "updated_at",
    "last_checked_at",
    "last_success_at",
    "next_check_at",
    "check_reason",
    "claims_check_at",
    "claims_earliest_at",
    "check_again_at",
    "lease_until",
    "lease_token",
    "pending_since",
    "degraded_since",
    "suspends_at",
    "suspended_reason",
    "recovering_since",
    "follow_up_at",
    "last_follow_up_at",
    "sends_day",
    "history_after",
];

/// Whoever adds a column either shows it, and then has the trigger tell of it, or says here that it is not shown.
#[tokio::test]
async fn every_column_that_is_shown_is_told_by_whomever_it_is_changed() {
    let world = World::postgres().await;
    let client = world.client(1, Tier::Velocity).await;
    add(&world.store, 10, client, "a.example", 0).await;
    let mut line = world.store.listen().await.unwrap().unwrap();
    let Db::Postgres(pool) = world.store.db() else { panic!("the worlds are swapped") };
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_name = 'email_domains' AND table_schema = current_schema() AND is_generated = 'NEVER' ORDER BY ordinal_position",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    world.client(2, Tier::Velocity).await;
    for (column, kind) in columns {
        let other = match (column.as_str(), kind.as_str()) {
            ("id", _) => continue,
            ("client_id", _) => "(SELECT max(id::text)::uuid FROM clients)".to_owned(),
            ("status", _) => "'suspended'".to_owned(),
            (_, "boolean") => format!("NOT COALESCE({column}, FALSE)"),
            (_, "uuid") => "gen_random_uuid()".to_owned(),
            (_, "timestamp with time zone") => "now()".to_owned(),
            (_, "date") => "CURRENT_DATE".to_owned(),
            (_, "text" | "character varying") => "'other'".to_owned(),
            _ => "7".to_owned(),
        };
        world.run(&format!("UPDATE email_domains SET {column} = {other} WHERE id = '{}'", id(10))).await;
        let expected = if NOT_SHOWN.contains(&column.as_str()) { vec![] } else { vec![Rows::OfDomain(id(10))] };
        assert_eq!(rows(&world, &mut line).await, expected, "{column} is changed");
    }
}

#[tokio::test]
async fn other_rows_that_documents_rest_on_are_told() {
    let world = World::postgres().await;
    let client = world.client(1, Tier::Velocity).await;
    let mut line = world.store.listen().await.unwrap().unwrap();
    add(&world.store, 10, client, "a.example", 0).await;
    assert_eq!(rows(&world, &mut line).await, [], "nobody remembers what was not there");
    let check = async |line: &mut Line, sql: &str, expected: Rows| {
        world.run(sql).await;
        assert_eq!(rows(&world, line).await, [expected], "{sql}");
    };
    let ip = format!(
        "INSERT INTO sendready_dedicated_ips (address, client_id, created_at) VALUES ('192.0.2.7', '{client}', now())"
    );
    check(&mut line, &ip, Rows::OfClient(client)).await;
    check(&mut line, "DELETE FROM sendready_dedicated_ips", Rows::OfClient(client)).await;
    check(&mut line, "UPDATE sendready_breaker SET opened_at = now()", Rows::All).await;
    check(&mut line, "UPDATE sendready_breaker SET closed_at = now()", Rows::All).await;
    world.run("UPDATE sendready_breaker SET looked = 9").await;
    assert_eq!(rows(&world, &mut line).await, []);
    check(&mut line, "DELETE FROM email_domains", Rows::OfDomain(id(10))).await;
    check(&mut line, "TRUNCATE email_domains CASCADE", Rows::All).await;
}

#[tokio::test]
async fn each_change_is_told_once_it_is_so() {
    let world = World::postgres().await;
    let other = world.replica().await;
    let mut line = other.listen().await.unwrap().expect("PostgreSQL has lines");
    let mut own = world.store.listen().await.unwrap().unwrap();
    let client = world.client(1, Tier::Dominance).await;
    for number in 10..13 {
        add(&world.store, number, client, &format!("d{number}.example"), 0).await;
        assert_eq!(next(&mut line).await, (true, vec![id(number)]), "registered");
    }
    let claims = world.store.domain_claim_due(at(0), at(60), id(7), 10).await.unwrap();
    let settlements: Vec<_> = (0..3).map(|number| settlement(100 + number, 1, false)).collect();
    let results: Vec<_> = claims.iter().zip(&settlements).collect();
    assert_eq!(world.store.domain_settle_all(&results, at(1)).await.unwrap(), [Settled::Done; 3]);
    let (is_due, mut told) = next(&mut line).await;
    told.sort();
    assert_eq!((is_due, told), (false, vec![id(10), id(11), id(12)]), "settled, with one word for all");

    for (number, second) in [(10, 2), (12, 30)] {
        let interval = Duration::from_secs(15);
        world.store.domain_advance(id(number), CheckReason::Poll, at(second), interval, at(second)).await.unwrap();
    }
    assert_eq!(next(&mut line).await, (true, vec![id(12)]), "only what is due at once");
    let names = ["d11.example".to_owned(), "d12.example".to_owned()];
    let announced = Announced { names: &names, client_id: None, min_interval: Duration::ZERO };
    assert_eq!(world.store.domain_announce(&announced, at(40)).await.unwrap().len(), 2);
    assert_eq!(next(&mut line).await, (true, vec![]), "one word for a thousand");
    let other_client = world.client(2, Tier::Dominance).await;
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    let transfer = transfer(&row, other_client, 500);
    assert!(matches!(world.store.domain_transfer(&transfer, at(45)).await.unwrap(), Transferred::Done(_)));
    assert_eq!(next(&mut line).await, (true, vec![id(10)]), "transferred");
    assert!(world.store.domain_delete(id(11), at(50)).await.unwrap());
    assert_eq!(next(&mut line).await, (false, vec![id(11)]));

    // Nobody listens to himself: the first that our own line hears is the other's.
    assert!(other.domain_delete(id(12), at(60)).await.unwrap());
    assert_eq!(next(&mut own).await, (false, vec![id(12)]));
}

#[tokio::test]
async fn a_cut_line_says_so_and_another_hears_again() {
    let world = World::postgres().await;
    let client = world.client(1, Tier::Velocity).await;
    let other = world.replica().await;
    let mut line = other.listen().await.unwrap().unwrap();
    let Place::Postgres(database) = &world.place else { panic!("the worlds are swapped") };
    database.cut_connections().await;
    let cut = async {
        loop {
            if let Err(cut) = line.next().await {
                return cut;
            }
        }
    };
    let cut = timeout(SOON, cut).await.expect("a word of the cut");
    assert!(matches!(cut, StoreError::Unavailable { .. }), "{cut:?}");
    let mut line = other.listen().await.unwrap().unwrap();
    add(&world.store, 10, client, "a.example", 0).await;
    assert_eq!(next(&mut line).await, (true, vec![id(10)]));
}

#[tokio::test]
async fn sqlite_has_one_process_and_no_lines() {
    let world = World::sqlite().await;
    assert!(world.store.listen().await.unwrap().is_none());
    assert_eq!(world.store.time().await.unwrap(), None, "and no clock but ours");
}
