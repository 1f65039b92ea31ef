//! The two databases behind one enum, and how a statement reaches the one in use.
//!
//! Every statement is a [`Sql`], listed by `statements!` where it stands, so that a test can prepare
//! each of them on both databases; `tests/store.rs` refuses a text that comes from elsewhere. And every one ends
//! in time (`in_time`), whatever becomes of the network: what waits for it must be able to say that it stalls.

use std::io;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use tokio::time::timeout;

use crate::store::StoreError;
use crate::store::connect::CALL_TIME_MAX;

/// The databases that the service runs on. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// For production: any number of replicas.
    Postgres(PgPool),
    /// Embedded: one process, one file.
    Sqlite(SqlitePool),
}

/// A write transaction.
pub(crate) enum Tx<'c> {
    /// READ COMMITTED.
    Postgres(Transaction<'c, Postgres>),
    /// The one writer, from its beginning: a reader that turns writer would meet `SQLITE_BUSY`.
    Sqlite(Transaction<'c, Sqlite>),
}

/// A connection for one transaction after the other: it has prepared already what they ask.
pub(crate) enum Held {
    /// Of the pool.
    Postgres(PoolConnection<Postgres>),
    /// Of the pool.
    Sqlite(PoolConnection<Sqlite>),
}

/// Whoever reads first and writes later would be refused when another wrote in between.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";

/// One statement, in PostgreSQL's text and in SQLite's; the two differ in a named token at most.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// Where it stands: module and constant.
    pub name: &'static str,
    /// What PostgreSQL gets.
    pub postgres: &'static str,
    /// What SQLite gets.
    pub sqlite: &'static str,
}

/// Pastes one body for both databases: binds a statement's text and the pool.
macro_rules! db {
    ($db:expr, $statement:expr, |$sql:ident, $pool:ident| $body:expr) => {
        match $db {
            $crate::store::db::Db::Postgres($pool) => {
                let $sql = $statement.postgres;
                $crate::store::db::in_time(async { $body }).await
            }
            $crate::store::db::Db::Sqlite($pool) => {
                let $sql = $statement.sqlite;
                $crate::store::db::in_time(async { $body }).await
            }
        }
    };
}

/// The same inside a transaction.
macro_rules! tx {
    ($tx:expr, $statement:expr, |$sql:ident, $connection:ident| $body:expr) => {
        match $tx {
            $crate::store::db::Tx::Postgres(transaction) => {
                let ($sql, $connection) = ($statement.postgres, &mut **transaction);
                $crate::store::db::in_time(async { $body }).await
            }
            $crate::store::db::Tx::Sqlite(transaction) => {
                let ($sql, $connection) = ($statement.sqlite, &mut **transaction);
                $crate::store::db::in_time(async { $body }).await
            }
        }
    };
}

/// Declares the statements of a file as constants, and lists them in `STATEMENTS`.
///
/// `NAME = "text", column_list!();` has one text; `NAME = "postgres" => "sqlite";` has two.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $($part:expr),+ $(=> $($other:expr),+)?;)*) => {
        $(
            $(#[$meta])*
            const $name: $crate::store::db::Sql = $crate::store::db::Sql {
                name: concat!(module_path!(), "::", stringify!($name)),
                postgres: concat!($($part),+),
                sqlite: $crate::store::db::statements!(@sqlite [$($part),+] $([$($other),+])?),
            };
        )*
        /// Every statement of this file.
        pub(in crate::store) const STATEMENTS: &[$crate::store::db::Sql] = &[$($name),*];
    };
    (@sqlite [$($part:expr),+]) => { concat!($($part),+) };
    (@sqlite [$($part:expr),+] [$($other:expr),+]) => { concat!($($other),+) };
}

/// Declares a row that is read by the places of its columns, which are those of its fields: looking up forty names for
/// each row takes longer than all else that is done with it. Tests compare the names all the same.
macro_rules! rows_in_order {
    ($(#[$meta:meta])* $visible:vis struct $name:ident { $($field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        $visible struct $name {
            $($field: $kind,)*
        }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            usize: sqlx::ColumnIndex<R>,
            $($kind: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,)*
        {
            fn from_row(row: &'r R) -> Result<$name, sqlx::Error> {
                let mut place = 0_usize;
                $(
                    debug_assert_eq!(row.columns().get(place).map(sqlx::Column::name), Some(stringify!($field)));
                    let $field = row.try_get(place)?;
                    place += 1;
                )*
                debug_assert!(place <= row.columns().len());
                Ok($name { $($field),* })
            }
        }
    };
}

pub(crate) use {db, rows_in_order, statements, tx};

/// Waits for a call no longer than [`CALL_TIME_MAX`]. PostgreSQL ends a slow statement by itself; this is for a
/// server that has fallen silent, of which nobody is told.
pub(crate) async fn in_time<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = |_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {CALL_TIME_MAX:?}")));
    timeout(CALL_TIME_MAX, call).await.map_err(late)?
}

impl Db {
    /// Begins a write transaction; it rolls back when dropped.
    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Tx<'static>, StoreError> {
        match self {
            Db::Postgres(pool) => in_time(pool.begin()).await.map(Tx::Postgres),
            Db::Sqlite(pool) => in_time(pool.begin_with(BEGIN_SQLITE)).await.map(Tx::Sqlite),
        }
        .map_err(StoreError::at(operation))
    }

    /// Takes a connection out of the pool until it is dropped.
    pub(crate) async fn hold(&self, operation: &'static str) -> Result<Held, StoreError> {
        match self {
            Db::Postgres(pool) => in_time(pool.acquire()).await.map(Held::Postgres),
            Db::Sqlite(pool) => in_time(pool.acquire()).await.map(Held::Sqlite),
        }
        .map_err(StoreError::at(operation))
    }
}

impl Held {
    /// [`Db::begin`], on this connection.
    pub(crate) async fn begin(&mut self, operation: &'static str) -> Result<Tx<'_>, StoreError> {
        match self {
            Held::Postgres(connection) => in_time(connection.begin()).await.map(Tx::Postgres),
            Held::Sqlite(connection) => in_time(connection.begin_with(BEGIN_SQLITE)).await.map(Tx::Sqlite),
        }
        .map_err(StoreError::at(operation))
    }
}

impl Tx<'_> {
    /// Makes none of it so, and lets go of what it held at once: one that is only dropped does so later.
    pub(crate) async fn rollback(self, operation: &'static str) -> Result<(), StoreError> {
        match self {
            Tx::Postgres(transaction) => in_time(transaction.rollback()).await,
            Tx::Sqlite(transaction) => in_time(transaction.rollback()).await,
        }
        .map_err(StoreError::at(operation))
    }

    /// Makes all of it so.
    pub(crate) async fn commit(self, operation: &'static str) -> Result<(), StoreError> {
        match self {
            Tx::Postgres(transaction) => in_time(transaction.commit()).await,
            Tx::Sqlite(transaction) => in_time(transaction.commit()).await,
        }
        .map_err(StoreError::at(operation))
    }
}
