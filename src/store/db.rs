//! The two databases behind one enum, and how a statement reaches the one in use.
//!
//! Every statement is a [`Sql`], listed by `statements!` where it stands, so that a test can prepare
//! each of them on both databases; `tests/store.rs` refuses a text that comes from elsewhere.

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::store::StoreError;

/// The databases that the service runs on. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// For production: any number of replicas.
    Postgres(PgPool),
    /// Embedded: one process, one file.
    Sqlite(SqlitePool),
}

/// A write transaction.
pub(crate) enum Tx {
    /// READ COMMITTED.
    Postgres(Transaction<'static, Postgres>),
    /// The one writer, from its beginning: a reader that turns writer would meet `SQLITE_BUSY`.
    Sqlite(Transaction<'static, Sqlite>),
}

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
                $body
            }
            $crate::store::db::Db::Sqlite($pool) => {
                let $sql = $statement.sqlite;
                $body
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
                $body
            }
            $crate::store::db::Tx::Sqlite(transaction) => {
                let ($sql, $connection) = ($statement.sqlite, &mut **transaction);
                $body
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

pub(crate) use {db, statements, tx};

impl Db {
    /// Begins a write transaction; it rolls back when dropped.
    pub(crate) async fn begin(&self, operation: &'static str) -> Result<Tx, StoreError> {
        match self {
            Db::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
            // Whoever reads first and writes later would be refused when another wrote in between.
            Db::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite),
        }
        .map_err(StoreError::at(operation))
    }
}

impl Tx {
    /// Makes all of it so.
    pub(crate) async fn commit(self, operation: &'static str) -> Result<(), StoreError> {
        match self {
            Tx::Postgres(transaction) => transaction.commit().await,
            Tx::Sqlite(transaction) => transaction.commit().await,
        }
        .map_err(StoreError::at(operation))
    }
}
