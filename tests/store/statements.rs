//! Every statement is prepared on both databases, and no statement comes from elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sendready::store::db::Db;
use sqlx::{Either, Executor, SqlSafeStr, Statement};

use crate::store::world::World;

/// How many parameters a text has.
fn placeholders(text: &str) -> usize {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    let numbers: BTreeSet<String> = text.split('$').skip(1).map(digits).filter(|found| !found.is_empty()).collect();
    for number in 1..=numbers.len() {
        assert!(numbers.contains(&number.to_string()), "a gap before ${number}: {text}");
    }
    numbers.len()
}

fn counted<T>(parameters: Option<Either<&[T], usize>>) -> usize {
    match parameters {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(count)) => count,
        None => 0,
    }
}

#[tokio::test]
async fn every_statement_prepares_on_both() {
    let (postgres, sqlite) = (World::postgres().await, World::sqlite().await);
    let (Db::Postgres(postgres), Db::Sqlite(sqlite)) = (postgres.store.db(), sqlite.store.db()) else {
        panic!("the worlds are swapped")
    };
    let statements = sendready::store::statements();
    assert!(statements.len() > 40, "{}", statements.len());
    for statement in statements {
        let name = statement.name;
        let expected = placeholders(statement.postgres);
        assert_eq!(placeholders(statement.sqlite), expected, "{name}");
        let prepared = postgres.prepare(statement.postgres.into_sql_str()).await;
        let prepared = prepared.unwrap_or_else(|fault| panic!("{name} on PostgreSQL: {fault}"));
        assert_eq!(counted(prepared.parameters()), expected, "{name} on PostgreSQL");
        let prepared = sqlite.prepare(statement.sqlite.into_sql_str()).await;
        let prepared = prepared.unwrap_or_else(|fault| panic!("{name} on SQLite: {fault}"));
        assert_eq!(counted(prepared.parameters()), expected, "{name} on SQLite");
    }
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, files);
        } else {
            files.push(entry);
        }
    }
}

/// A statement that `statements!` does not list would escape the test above.
#[test]
fn every_statement_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let listed: BTreeSet<String> = sendready::store::statements()
        .iter()
        .map(|statement| statement.name.rsplit_once("::").unwrap().0.to_owned())
        .collect();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let module = file.strip_prefix(&folder).unwrap().with_extension("");
        let parts = module.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod");
        let module = ["sendready", "store"].into_iter().chain(parts).collect::<Vec<_>>().join("::");
        if text.lines().any(|line| line.starts_with("statements! {")) {
            assert!(listed.contains(&module), "store::statements() leaves out {module}");
        }
        // What is run is bound by `db!` or `tx!`, which take a listed statement only.
        for (start, _) in text.match_indices("sqlx::query") {
            let call = &text[start..];
            let argument = call.split_once('(').map_or("", |(_, rest)| rest);
            assert!(argument.starts_with("sql)"), "{module} runs a text of its own: {call:.80}");
        }
        let raw = text.matches("raw_sql(").count();
        let allowed = if module.ends_with("::migration") { 2 } else { 0 };
        assert_eq!(raw, allowed, "{module} runs raw texts");
        let is_home = module.ends_with("::db");
        // A function that chooses among them is none.
        let text = text.replace("-> Sql {", "");
        assert!(is_home || !text.contains("Sql {"), "{module} makes a statement by hand");
    }
}
