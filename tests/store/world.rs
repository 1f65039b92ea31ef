//! A store for one test, and the short hands of the suite.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sendready::protocol::domain::Domain;
use sendready::sending::tier::Tier;
use sendready::store::db::Db;
use sendready::store::{Claim, ClientAdded, DomainAdded, DomainRow, NewDomain, Store};
use sqlx::{AssertSqlSafe, PgPool, raw_sql};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::postgres::Database;

/// What keeps the database alive.
pub enum Place {
    Postgres(Database),
    Sqlite(TempDir),
}

/// An empty database of one kind.
pub struct World {
    pub store: Store,
    pub place: Place,
}

impl World {
    pub async fn postgres() -> World {
        let database = Database::migrated().await;
        World { store: Store::connect(&database.url).await.unwrap(), place: Place::Postgres(database) }
    }

    pub async fn sqlite() -> World {
        let world = World::sqlite_bare().await;
        world.store.migrate(at(0)).await.unwrap();
        world
    }

    /// Without a table.
    pub async fn postgres_bare() -> World {
        let database = Database::empty().await;
        World { store: Store::connect(&database.url).await.unwrap(), place: Place::Postgres(database) }
    }

    /// Without a table.
    pub async fn sqlite_bare() -> World {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("sendready.db").display());
        World { store: Store::connect(&url).await.unwrap(), place: Place::Sqlite(folder) }
    }

    /// A store of its own on the same database, as another replica would have.
    pub async fn replica(&self) -> Store {
        let url = match &self.place {
            Place::Postgres(database) => database.url.clone(),
            Place::Sqlite(folder) => format!("sqlite:{}", folder.path().join("sendready.db").display()),
        };
        Store::connect(&url).await.unwrap()
    }

    /// Runs statements that both databases take, however long they take: filling a table on a busy machine outlasts the limit
    /// that the service's own statements have.
    pub async fn run(&self, sql: &str) {
        let text = AssertSqlSafe(sql.to_owned());
        match self.store.db() {
            Db::Postgres(pool) => unlimited(pool, text).await,
            Db::Sqlite(pool) => raw_sql(text).execute(pool).await.map(|_| ()),
        }
        .unwrap_or_else(|fault| panic!("{sql}: {fault}"));
    }

    /// The one number that a statement gives.
    pub async fn count(&self, sql: &str) -> i64 {
        let text = AssertSqlSafe(sql.to_owned());
        match self.store.db() {
            Db::Postgres(pool) => sqlx::query_scalar(text).fetch_one(pool).await,
            Db::Sqlite(pool) => sqlx::query_scalar(text).fetch_one(pool).await,
        }
        .unwrap_or_else(|fault| panic!("{sql}: {fault}"))
    }

    /// The texts that a statement gives.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let text = AssertSqlSafe(sql.to_owned());
        match self.store.db() {
            Db::Postgres(pool) => sqlx::query_scalar(text).fetch_all(pool).await,
            Db::Sqlite(pool) => sqlx::query_scalar(text).fetch_all(pool).await,
        }
        .unwrap_or_else(|fault| panic!("{sql}: {fault}"))
    }

    /// A row as the platform might write it.
    pub async fn platform_row(&self, row_id: Uuid, client: Uuid, name: &str, status: Option<&str>) {
        let sql = "INSERT INTO email_domains (id, client_id, domain, dns_configured, spf_valid, daily_send_limit, \
            status, created_at) VALUES ($1, $2, $3, NULL, NULL, NULL, $4, NULL)";
        match self.store.db() {
            Db::Postgres(pool) => {
                sqlx::query(sql).bind(row_id).bind(client).bind(name).bind(status).execute(pool).await.map(|_| ())
            }
            Db::Sqlite(pool) => {
                sqlx::query(sql).bind(row_id).bind(client).bind(name).bind(status).execute(pool).await.map(|_| ())
            }
        }
        .unwrap();
    }

    /// A client of a tier, with an id made of a number.
    pub async fn client(&self, number: u128, tier: Tier) -> Uuid {
        let added = self.store.client_add(id(number), &format!("client {number}"), tier, at(0)).await.unwrap();
        assert!(matches!(added, ClientAdded::Added(_)), "{added:?}");
        id(number)
    }

    /// A domain of a client, registered at a second.
    pub async fn domain(&self, number: u128, client: Uuid, name: &str, second: i64) -> DomainRow {
        match add(&self.store, number, client, name, second).await {
            DomainAdded::Added(row) => row,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Lends the one domain that is due at a second, for a minute.
    pub async fn claim_one(&self, second: i64, token: u128) -> Claim {
        let claims = self.store.domain_claim_due(at(second), at(second + 60), id(token), 10).await.unwrap();
        assert_eq!(claims.len(), 1, "{claims:?}");
        claims.into_iter().next().unwrap()
    }
}

/// Registers a domain.
pub async fn add(store: &Store, number: u128, client_id: Uuid, name: &str, second: i64) -> DomainAdded {
    let domain = Domain::parse(name).unwrap();
    let new = NewDomain {
        id: id(number),
        client_id,
        domain: &domain,
        provider: "manual",
        requirements: None,
        infraforge_domain_id: None,
        smartlead_domain_id: None,
        min_interval: Duration::from_secs(15),
        ownership_value: "sendready-verification=x",
        is_vouched_for: true,
    };
    store.domain_add(&new, at(second)).await.unwrap()
}

/// A number as an id; greater numbers are greater ids.
pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// Seconds since a certain noon, with microseconds, as the clock gives them.
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 123_456_000).unwrap() + TimeDelta::seconds(second)
}

/// Makes of each function two tests, one for each database, empty but for the schema.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store::world::World::postgres().await).await;
            })+
        }
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store::world::World::sqlite().await).await;
            })+
        }
    };
}

/// The same on databases without a table.
macro_rules! on_both_bare {
    ($($name:ident),+ $(,)?) => {
        mod on_bare_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store::world::World::postgres_bare().await).await;
            })+
        }
        mod on_bare_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store::world::World::sqlite_bare().await).await;
            })+
        }
    };
}

pub(crate) use {on_both, on_both_bare};

/// Runs statements on one connection without its limit of time, and gives it back as it was.
async fn unlimited(pool: &PgPool, text: AssertSqlSafe<String>) -> Result<(), sqlx::Error> {
    let mut one = pool.acquire().await?;
    let limit: String = sqlx::query_scalar("SELECT current_setting('statement_timeout')").fetch_one(&mut *one).await?;
    let set = |limit: &str| AssertSqlSafe(format!("SET statement_timeout = '{limit}'"));
    raw_sql(set("0")).execute(&mut *one).await?;
    let done = raw_sql(text).execute(&mut *one).await.map(|_| ());
    raw_sql(set(&limit)).execute(&mut *one).await?;
    done
}
