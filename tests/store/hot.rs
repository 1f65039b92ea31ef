//! A send writes the two rows that count it in place: PostgreSQL calls that a HOT update, and touches no index for it. Migration
//! 031 is there for it, and an index that speaks of a counter would undo it without a word.

use sendready::sending::health::Bounds;
use sendready::sending::tier::Tier;
use sendready::store::{GateRules, Send, Sent};
use sendready::verify::standing::Patience;
use sqlx::{Connection, PgConnection, raw_sql};
use uuid::Uuid;

use crate::store::mailboxes::mailbox;
use crate::store::world::{Place, World, at, id};

const DOMAINS: u128 = 3;
const MAILBOXES: u128 = 9;

/// How often each mailbox sends in a round. A page holds fewer versions of its rows, and must be tidied to hold them all.
const SENDS: i64 = 20;

/// The tables of the counters.
const TABLES: [&str; 2] = ["email_domains", "email_mailboxes"];

/// Verified domains, and mailboxes of no warm-up, which have room for all.
async fn fleet(world: &World) -> Vec<Uuid> {
    let client = world.client(1, Tier::Dominance).await;
    for number in 0..DOMAINS {
        world.domain(10 + number, client, &format!("d{number}.example"), 0).await;
    }
    let valid = "spf_valid = TRUE, dkim_valid = TRUE, dmarc_valid = TRUE, mx_valid = TRUE, dns_configured = TRUE";
    world.run(&format!("UPDATE email_domains SET status = 'active', daily_send_limit = 10000, {valid}")).await;
    let mut mailboxes = Vec::new();
    for number in 0..MAILBOXES {
        let (domain, address) = (number % DOMAINS, format!("box{number}@d{}.example", number % DOMAINS));
        mailboxes.push(mailbox(world, 20 + number, id(10 + domain), &address, 1).await.id);
    }
    world.run("UPDATE email_mailboxes SET status = 'active', warmup_enabled = FALSE, daily_send_limit = 10000").await;
    mailboxes
}

/// Sends one after the other, by connections that have ended afterwards.
async fn send(world: &World, mailboxes: &[Uuid]) {
    let hour = chrono::TimeDelta::hours(1);
    let rules = GateRules {
        patience: Patience { grace: hour, recovery_hold: hour, stale_limit: hour },
        bounds: Bounds { bounce_max: 0.05, spam_max: 0.001 },
    };
    let store = world.replica().await;
    for second in 0..SENDS {
        for mailbox_id in mailboxes {
            let send = Send { mailbox_id: *mailbox_id, client_id: None, count: 1, rules };
            let sent = store.mailbox_send(&send, None, at(10 + second)).await.unwrap();
            assert!(matches!(sent, Sent::Granted(_)), "{sent:?}");
        }
    }
    store.close().await;
}

/// How many rows of the tables were written anew, and how many of them in place. A connection tells what it did now and then,
/// and at the latest when it ends: so all others must have ended.
async fn written(observer: &mut PgConnection) -> [(i64, i64); 2] {
    let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
        AND backend_type = 'client backend'";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *observer).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    let mut written = [(0, 0); 2];
    for (table, written) in TABLES.into_iter().zip(&mut written) {
        let sql = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = $1";
        *written = sqlx::query_as(sql).bind(table).fetch_one(&mut *observer).await.unwrap();
    }
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_write_their_counters_in_place() {
    let world = World::postgres().await;
    let Place::Postgres(database) = &world.place else { panic!("the worlds are swapped") };
    let mailboxes = fleet(&world).await;
    world.store.close().await;
    let mut observer = PgConnection::connect(&database.url).await.unwrap();
    let mut rounds = Vec::new();
    // As the schema is, and with indexes as they were before migration 031.
    for index in [
        "",
        "CREATE INDEX before_031_d ON email_domains(id) WHERE sends_day IS NULL AND current_daily_sends <> 0; \
        CREATE INDEX before_031_m ON email_mailboxes(id) WHERE sends_day IS NULL AND current_daily_sends <> 0",
    ] {
        raw_sql(index).execute(&mut observer).await.unwrap();
        let before = written(&mut observer).await;
        send(&world, &mailboxes).await;
        let after = written(&mut observer).await;
        rounds.push([0, 1].map(|table| (after[table].0 - before[table].0, after[table].1 - before[table].1)));
    }
    let sends = i64::try_from(MAILBOXES).unwrap() * SENDS;
    for (place, table) in TABLES.into_iter().enumerate() {
        let [(updates, in_place), (updates_then, in_place_then)] = [rounds[0][place], rounds[1][place]];
        assert!(updates >= sends && updates_then >= sends, "{table}: {rounds:?}, but {sends} sends");
        assert!(in_place * 2 >= updates, "{table}: {in_place} of {updates} in place; which index speaks of a counter?");
        assert!(in_place_then * 2 < updates_then, "{table}: an index over the counter is not seen: {rounds:?}");
    }
}
