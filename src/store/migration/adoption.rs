//! Adoption: whether the tables that a migration makes are there already, and are what it would make.
//!
//! Compared are the columns' names, types and whether they may be NULL, the uniqueness that statements rely
//! on, and the words that `status` may hold. Defaults, indexes and the order of columns may differ.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::StoreError;
use crate::store::db::{Tx, statements, tx};
use crate::store::migration::MigrateError;

/// A table of the seed: `name type`, with `!` where NULL is refused.
struct Table {
    name: &'static str,
    columns: &'static str,
    unique: &'static [&'static str],
    status: &'static [&'static str],
}

/// What 017 makes, in its own words for types; a test compares it with what it made.
const SEED: [Table; 3] = [
    Table {
        name: "email_domains",
        columns: "id UUID!, client_id UUID!, domain TEXT!, provider TEXT!, dns_configured BOOLEAN, \
            spf_valid BOOLEAN, dkim_valid BOOLEAN, dmarc_valid BOOLEAN, domain_age_days INTEGER, \
            reputation_score FLOAT, daily_send_limit INTEGER, current_daily_sends INTEGER, status TEXT, \
            infraforge_domain_id TEXT, smartlead_domain_id TEXT, created_at TIMESTAMPTZ, \
            updated_at TIMESTAMPTZ, deleted_at TIMESTAMPTZ",
        unique: &["id", "domain"],
        status: &["pending", "active", "suspended", "deleted"],
    },
    Table {
        name: "email_mailboxes",
        columns: "id UUID!, domain_id UUID!, client_id UUID!, email_address TEXT!, display_name TEXT, \
            infraforge_mailbox_id TEXT, smartlead_account_id TEXT, warmup_enabled BOOLEAN, \
            warmup_started_at TIMESTAMPTZ, warmup_completed_at TIMESTAMPTZ, warmup_stage INTEGER, \
            daily_send_limit INTEGER, current_daily_sends INTEGER, bounce_rate FLOAT, spam_rate FLOAT, \
            reply_rate FLOAT, status TEXT, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, deleted_at TIMESTAMPTZ",
        unique: &["id", "email_address"],
        status: &["warming", "active", "paused", "suspended"],
    },
    Table {
        name: "warmup_stats",
        columns: "id UUID!, mailbox_id UUID!, date DATE!, emails_sent INTEGER, emails_received INTEGER, \
            warmup_score FLOAT, inbox_rate FLOAT, created_at TIMESTAMPTZ",
        unique: &["id", "mailbox_id,date"],
        status: &[],
    },
];

statements! {
    // `to_regclass` finds a table as our statements will: by the search path.
    COLUMNS = "SELECT CAST(attname AS TEXT) AS name, format_type(atttypid, atttypmod) AS kind, \
            attnotnull AS is_required FROM pg_attribute \
            WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        => "SELECT name, type AS kind, (\"notnull\" OR pk > 0) AS is_required FROM pragma_table_info($1)";
    // One row for each column of each unique index that binds all rows.
    UNIQUE = "SELECT CAST(c.relname AS TEXT) AS index_name, CAST(a.attname AS TEXT) AS column_name FROM pg_index AS i \
            JOIN pg_class AS c ON c.oid = i.indexrelid \
            JOIN pg_attribute AS a ON a.attrelid = i.indexrelid \
            WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL \
            AND i.indisvalid AND a.attnum <= i.indnkeyatts ORDER BY c.relname, a.attnum"
        => "SELECT l.name AS index_name, c.name AS column_name FROM pragma_index_list($1) AS l, \
            pragma_index_info(l.name) AS c WHERE l.\"unique\" AND NOT l.partial ORDER BY l.name, c.seqno";
    // The constraints' texts; SQLite has only the whole table's.
    CHECKS = "SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint \
            WHERE conrelid = to_regclass($1) AND contype = 'c'"
        => "SELECT sql AS definition FROM sqlite_schema WHERE type = 'table' AND name = $1";
}

#[derive(sqlx::FromRow)]
struct Column {
    name: String,
    kind: String,
    is_required: bool,
}

#[derive(sqlx::FromRow)]
struct UniqueColumn {
    index_name: String,
    column_name: String,
}

/// Whether what the migration `version` makes is there already, made by the platform.
///
/// # Errors
///
/// [`MigrateError::Differs`] when something of that name is there, but not that.
pub(in crate::store) async fn is_there(
    tx: &mut Tx<'_>,
    version: i64,
    name: &'static str,
) -> Result<bool, MigrateError> {
    let differences = match version {
        2 => clients(tx).await?,
        17 => seed(tx).await?,
        _ => None,
    };
    match differences {
        None => Ok(false),
        Some(differences) if differences.is_empty() => Ok(true),
        Some(differences) => Err(MigrateError::Differs { name, differences }),
    }
}

/// How a foreign `clients` differs from what we need of one; nothing when there is none.
async fn clients(tx: &mut Tx<'_>) -> Result<Option<Vec<String>>, StoreError> {
    let columns = columns(tx, "clients").await?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut differences = Vec::new();
    match columns.iter().find(|column| column.name == "id") {
        None => differences.push("clients has no column `id`".to_owned()),
        Some(column) if word(&column.kind) != "UUID" => {
            differences.push(format!("clients.id is {}, not UUID", column.kind));
        }
        Some(_) if !unique(tx, "clients").await?.contains("id") => {
            differences.push("clients is not unique by (id)".to_owned());
        }
        Some(_) => {}
    }
    Ok(Some(differences))
}

/// How the three tables differ from the seed's; nothing when none of them is there.
async fn seed(tx: &mut Tx<'_>) -> Result<Option<Vec<String>>, StoreError> {
    let (mut differences, mut found) = (Vec::new(), false);
    for table in &SEED {
        let columns = columns(tx, table.name).await?;
        if columns.is_empty() {
            differences.push(format!("there is no table {}", table.name));
            continue;
        }
        found = true;
        compare_columns(table, &columns, &mut differences);
        let unique = unique(tx, table.name).await?;
        for columns in table.unique {
            if !unique.contains(*columns) {
                differences.push(format!("{} is not unique by ({columns})", table.name));
            }
        }
        if !table.status.is_empty() {
            compare_status(table, &checks(tx, table.name).await?, &mut differences);
        }
    }
    Ok(found.then_some(differences))
}

fn compare_columns(table: &Table, columns: &[Column], differences: &mut Vec<String>) {
    let mut expected: BTreeMap<&str, &str> =
        table.columns.split(", ").filter_map(|text| text.split_once(' ')).collect();
    for column in columns {
        let shown = format!("{}.{}", table.name, column.name);
        let Some(words) = expected.remove(column.name.as_str()) else {
            differences.push(format!("{shown} is not a column of the seed"));
            continue;
        };
        let kind = words.trim_end_matches('!');
        if word(&column.kind) != kind {
            differences.push(format!("{shown} is {}, not {kind}", column.kind));
        }
        match (column.is_required, words.ends_with('!')) {
            (true, false) => differences.push(format!("{shown} refuses NULL")),
            (false, true) => differences.push(format!("{shown} may be NULL")),
            _ => {}
        }
    }
    differences.extend(expected.keys().map(|name| format!("{}.{name} is missing", table.name)));
}

/// The constraint on `status` must allow the seed's words and no others: both sides write such words.
fn compare_status(table: &Table, checks: &[String], differences: &mut Vec<String>) {
    let expected: BTreeSet<&str> = table.status.iter().copied().collect();
    let found = checks.iter().flat_map(|text| clauses(text)).any(|clause| quoted(clause) == expected);
    if !found {
        differences.push(format!("{}.status is not held to {}", table.name, table.status.join(", ")));
    }
}

/// What stands in the brackets behind each `CHECK` of a text.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("CHECK").filter_map(|(start, _)| {
        let clause = text.get(start..)?;
        let mut depth = 0_u32;
        for (index, letter) in clause.char_indices() {
            match letter {
                '(' => depth += 1,
                ')' if depth <= 1 => return clause.get(..index).filter(|clause| clause.contains("status")),
                ')' => depth -= 1,
                _ => {}
            }
        }
        None
    })
}

/// The words between single quotes.
fn quoted(clause: &str) -> BTreeSet<&str> {
    clause.split('\'').skip(1).step_by(2).collect()
}

/// The seed's word for a type; the database's own where the seed has none.
fn word(kind: &str) -> String {
    match kind.to_ascii_lowercase().as_str() {
        "timestamp with time zone" => "TIMESTAMPTZ".to_owned(),
        "double precision" => "FLOAT".to_owned(),
        other => other.to_ascii_uppercase(),
    }
}

async fn columns(tx: &mut Tx<'_>, table: &str) -> Result<Vec<Column>, StoreError> {
    tx!(tx, COLUMNS, |sql, connection| sqlx::query_as::<_, Column>(sql).bind(table).fetch_all(connection).await)
        .map_err(StoreError::at("migrate"))
}

/// The columns of each unique index, joined by commas.
async fn unique(tx: &mut Tx<'_>, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let rows = tx!(tx, UNIQUE, |sql, connection| {
        sqlx::query_as::<_, UniqueColumn>(sql).bind(table).fetch_all(connection).await
    })
    .map_err(StoreError::at("migrate"))?;
    let mut indexes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        indexes.entry(row.index_name).or_default().push(row.column_name);
    }
    Ok(indexes.into_values().map(|columns| columns.join(",")).collect())
}

async fn checks(tx: &mut Tx<'_>, table: &str) -> Result<Vec<String>, StoreError> {
    tx!(tx, CHECKS, |sql, connection| sqlx::query_scalar::<_, String>(sql).bind(table).fetch_all(connection).await)
        .map_err(StoreError::at("migrate"))
}
