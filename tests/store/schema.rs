//! Migrations: on an empty database, twice, by several replicas, and on the platform's tables.

use std::path::Path;

use sendready::sending::tier::Tier;
use sendready::store::{ClientAdded, ClientChange, ClientChanged, DomainAdded, MigrateError};

use crate::store::world::{Place, World, add, at, id, on_both_bare};

on_both_bare!(
    an_empty_database,
    replicas_start_together,
    the_platforms_tables_are_adopted,
    a_poor_clients_table_is_adopted,
    only_clients_are_there,
    adoption_is_refused,
    an_edited_migration,
    other_histories,
);

/// Our migrations, behind the platform's two.
const OURS: [&str; 14] = [
    "018_service",
    "019_staged",
    "020_breaker",
    "021_follow_ups",
    "022_webhooks",
    "023_sending",
    "024_setup_links",
    "025_ownership",
    "026_audit",
    "027_outside_facts",
    "028_told_rows",
    "029_console",
    "030_abandoned",
    "031_hot_counters",
];

/// All migrations of a database on which the first two came about like this.
fn all(first: &str, second: &str) -> Vec<String> {
    [first, second].into_iter().chain(OURS).map(str::to_owned).collect()
}

fn shown(applied: &[sendready::store::Applied]) -> Vec<String> {
    applied.iter().map(|one| format!("{}{}", one.name, if one.adopted { " adopted" } else { "" })).collect()
}

async fn an_empty_database(world: World) {
    let store = &world.store;
    let status = store.migration_status().await.unwrap();
    assert!(status.iter().all(|state| state.applied_at.is_none() && state.known), "{status:?}");
    assert_eq!(world.count(&tables(&world)).await, 0, "asking changes nothing");
    let all = all("002_clients", "017_email_infrastructure");
    assert_eq!(shown(&store.migrate(at(1)).await.unwrap()), all);
    assert_eq!(shown(&store.migrate(at(2)).await.unwrap()), [""; 0], "twice is once");
    let status = store.migration_status().await.unwrap();
    assert_eq!(status.iter().map(|state| state.name.as_str()).collect::<Vec<_>>(), all);
    assert!(status.iter().all(|state| state.applied_at == Some(at(1)) && !state.adopted), "{status:?}");
}

/// The statement that counts the tables.
fn tables(world: &World) -> String {
    match world.place {
        Place::Postgres(_) => "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'",
        Place::Sqlite(_) => "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'",
    }
    .to_owned()
}

async fn replicas_start_together(world: World) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = world.replica().await;
        tasks.spawn(async move { store.migrate(at(1)).await.unwrap().len() });
    }
    let mut applied = tasks.join_all().await;
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, OURS.len() + 2], "one does it, the others wait");
}

/// The seed's tables as the platform made them, in the words of the database.
fn seed(world: &World) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/017_email_infrastructure.sql");
    let text = std::fs::read_to_string(file).unwrap();
    match world.place {
        Place::Postgres(_) => text,
        Place::Sqlite(_) => text
            .replace("gen_random_uuid()", "(randomblob(16))")
            .replace("NOW()", "(strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))"),
    }
}

/// A client of the platform's, written by SQL.
async fn foreign_client(world: &World, number: u128) {
    let literal = match world.place {
        Place::Postgres(_) => format!("'{}'", id(number)),
        Place::Sqlite(_) => format!("X'{}'", id(number).simple()),
    };
    world.run(&format!("INSERT INTO clients (id) VALUES ({literal})")).await;
}

async fn the_platforms_tables_are_adopted(world: World) {
    world.run("CREATE TABLE clients (id UUID PRIMARY KEY, name TEXT, created_at TIMESTAMPTZ, plan TEXT)").await;
    world.run("CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT)").await;
    world.run("INSERT INTO _sqlx_migrations VALUES (2, 'x'), (17, 'y'), (18, 'z')").await;
    world.run(&seed(&world)).await;
    foreign_client(&world, 1).await;
    world.run("UPDATE clients SET name = 'theirs', created_at = '2026-01-02T03:04:05+00:00'").await;
    let names = ["null.example", "UPPER.example", "no domain", "gone.example", "x.example", "y.example"];
    for (number, name) in names.into_iter().enumerate() {
        world.platform_row(id(10 + number as u128), id(1), name, None).await;
    }
    world.run("UPDATE email_domains SET deleted_at = updated_at WHERE domain = 'gone.example'").await;
    let applied = world.store.migrate(at(1)).await.unwrap();
    assert_eq!(shown(&applied), all("002_clients adopted", "017_email_infrastructure adopted"));
    assert_eq!(shown(&world.store.migrate(at(2)).await.unwrap()), [""; 0]);
    assert_eq!(world.count("SELECT COUNT(*) FROM _sqlx_migrations").await, 3, "the platform's history is its own");
    let client = world.store.client_get(id(1)).await.unwrap().unwrap();
    assert_eq!((client.name.as_deref(), client.tier), (Some("theirs"), None));
    assert_eq!(client.created_at.map(|time| time.to_rfc3339()).as_deref(), Some("2026-01-02T03:04:05+00:00"));
    let store = &world.store;
    let added = store.client_add(id(2), "ours", Tier::Ignition, at(3)).await.unwrap();
    assert_eq!(added, ClientAdded::ManagedElsewhere);
    let named = ClientChange { name: Some("ours".to_owned()), tier: Some(Tier::Ignition) };
    assert_eq!(store.client_change(id(1), &named, at(3)).await.unwrap(), ClientChanged::ManagedElsewhere);
    assert_eq!(store.client_get(id(1)).await.unwrap().unwrap().tier, None, "all or nothing");
    for number in 0..7_u128 {
        let added = add(store, 20 + number, id(1), &format!("more{number}.example"), 4).await;
        assert!(matches!(added, DomainAdded::Added(_)), "without a tier there is no limit: {added:?}");
    }
    let tier = |tier| ClientChange { name: None, tier: Some(tier) };
    let refused = store.client_change(id(1), &tier(Tier::Dominance), at(5)).await.unwrap();
    assert!(
        matches!(&refused, ClientChanged::AllocationExceeded(excess) if (excess[0].used, excess[0].limit) == (12, 5)),
        "{refused:?}"
    );
    let claims = store.domain_claim_due(at(6), at(60), id(7), 50).await.unwrap();
    assert_eq!(claims.len(), 12, "old rows and new ones, but not the deleted one");
}

async fn a_poor_clients_table_is_adopted(world: World) {
    world.run("CREATE TABLE clients (id UUID PRIMARY KEY, name INTEGER)").await;
    foreign_client(&world, 1).await;
    foreign_client(&world, 2).await;
    world.run("UPDATE clients SET name = 42").await;
    world.store.migrate(at(1)).await.unwrap();
    let clients = world.store.client_list(None, 10).await.unwrap();
    assert_eq!(clients.len(), 2);
    assert_eq!((clients[0].name.as_deref(), clients[0].created_at), (Some("42"), None));
    let change = ClientChange { name: None, tier: Some(Tier::Ignition) };
    let changed = world.store.client_change(id(2), &change, at(2)).await.unwrap();
    assert!(matches!(&changed, ClientChanged::Changed(client) if client.tier == Some(Tier::Ignition)), "{changed:?}");
}

async fn only_clients_are_there(world: World) {
    world.run("CREATE TABLE clients (id UUID PRIMARY KEY)").await;
    foreign_client(&world, 1).await;
    let applied = world.store.migrate(at(1)).await.unwrap();
    assert_eq!(shown(&applied), all("002_clients adopted", "017_email_infrastructure"));
    let client = world.store.client_get(id(1)).await.unwrap().unwrap();
    assert_eq!((client.name, client.created_at), (None, None));
    assert!(matches!(add(&world.store, 10, id(1), "a.example", 2).await, DomainAdded::Added(_)));
}

async fn adoption_is_refused(world: World) {
    let clients = "CREATE TABLE clients (id UUID PRIMARY KEY)";
    let check = async |clients: &str, edits: &[(&str, &str)], expected: &[&str]| {
        world.run(clients).await;
        let mut text = seed(&world);
        for (from, to) in edits {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        world.run(&text).await;
        let before = world.count(&tables(&world)).await;
        let fault = world.store.migrate(at(1)).await.unwrap_err();
        let MigrateError::Differs { differences, .. } = &fault else { panic!("{fault:?}") };
        assert_eq!(differences, expected);
        assert_eq!(world.count(&tables(&world)).await, before, "nothing has changed");
        for table in ["other", "warmup_stats", "email_mailboxes", "email_domains", "clients"] {
            world.run(&format!("DROP TABLE IF EXISTS {table}")).await;
        }
    };
    let integer = if matches!(world.place, Place::Postgres(_)) { "bigint" } else { "BIGINT" };
    let edits = [
        ("domain_age_days INTEGER", "domain_age_days BIGINT"),
        ("provider TEXT NOT NULL", "provider TEXT"),
        ("smartlead_domain_id TEXT", "smartlead_domain_id TEXT NOT NULL"),
        ("    spf_valid BOOLEAN DEFAULT FALSE,\n", ""),
        ("domain TEXT NOT NULL UNIQUE", "notes TEXT, domain TEXT NOT NULL"),
        ("'pending', 'active', 'suspended', 'deleted'", "'pending', 'active', 'paused'"),
        ("date DATE", "date TEXT"),
    ];
    let age = format!("email_domains.domain_age_days is {integer}, not INTEGER");
    let date = if matches!(world.place, Place::Postgres(_)) { "text" } else { "TEXT" };
    let date = format!("warmup_stats.date is {date}, not DATE");
    check(
        clients,
        &edits,
        &[
            "email_domains.notes is not a column of the seed",
            "email_domains.provider may be NULL",
            &age,
            "email_domains.smartlead_domain_id refuses NULL",
            "email_domains.spf_valid is missing",
            "email_domains is not unique by (domain)",
            "email_domains.status is not held to pending, active, suspended, deleted",
            &date,
        ],
    )
    .await;
    check(
        clients,
        &[("CREATE TABLE warmup_stats", "CREATE TABLE other"), ("warmup_stats(", "other(")],
        &["there is no table warmup_stats"],
    )
    .await;
}

#[tokio::test]
async fn foreign_clients_need_ids_that_are_uuids() {
    for (world, kind) in [(World::postgres_bare().await, "integer"), (World::sqlite_bare().await, "INTEGER")] {
        world.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)").await;
        let fault = world.store.migrate(at(1)).await.unwrap_err().to_string();
        let expected =
            format!("the tables that are there differ from those of `002_clients`: clients.id is {kind}, not UUID");
        assert_eq!(fault, expected);
        assert_eq!(world.count(&tables(&world)).await, 1, "nothing has changed");
    }
}

async fn an_edited_migration(world: World) {
    world.store.migrate(at(1)).await.unwrap();
    world.run("UPDATE _sendready_migrations SET checksum = 'other' WHERE version = 18").await;
    let fault = world.store.migrate(at(2)).await.unwrap_err();
    assert_eq!(fault.to_string(), "migration `018_service` was applied with another text than this release has");
}

async fn other_histories(world: World) {
    world.store.migrate(at(1)).await.unwrap();
    let record = "INSERT INTO _sendready_migrations SELECT 999, '999_newer', 'x', applied_at, FALSE \
        FROM _sendready_migrations WHERE version = 18";
    world.run(record).await;
    assert!(world.store.migrate(at(2)).await.unwrap().is_empty(), "a newer release has been here: go on");
    let status = world.store.migration_status().await.unwrap();
    let last = status.last().unwrap();
    assert_eq!((last.name.as_str(), last.known, last.applied_at), ("999_newer", false, Some(at(1))));
    world.run("UPDATE _sendready_migrations SET version = 5, name = '005_stray' WHERE version = 999").await;
    let fault = world.store.migrate(at(3)).await.unwrap_err();
    assert!(matches!(&fault, MigrateError::Unknown { name } if name == "005_stray"), "{fault:?}");
}

/// Columns, types, NULLs and indexes are the same on both databases; but for columns that PostgreSQL reckons for an index
/// of its own.
#[tokio::test]
async fn the_schemas_agree() {
    let (postgres, sqlite) = (World::postgres().await, World::sqlite().await);
    let columns = postgres
        .texts(
            "SELECT c.relname || '.' || a.attname || ' ' || CASE format_type(a.atttypid, a.atttypmod) \
             WHEN 'timestamp with time zone' THEN 'TIMESTAMPTZ' WHEN 'double precision' THEN 'FLOAT' \
             ELSE upper(format_type(a.atttypid, a.atttypmod)) END || CASE WHEN a.attnotnull THEN '!' ELSE '' END \
             FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid \
             WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND a.attgenerated = '' ORDER BY 1",
        )
        .await;
    let others = sqlite
        .texts(
            "SELECT m.name || '.' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" OR c.pk THEN '!' ELSE '' END \
             FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' ORDER BY 1",
        )
        .await;
    assert!(columns.len() > 100, "{}", columns.len());
    assert_eq!(columns, others);
    let indexes =
        postgres.texts("SELECT CAST(indexname AS TEXT) FROM pg_indexes WHERE indexname LIKE 'idx%' ORDER BY 1").await;
    let others =
        sqlite.texts("SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'idx%' ORDER BY 1").await;
    assert_eq!(indexes, others);
}
