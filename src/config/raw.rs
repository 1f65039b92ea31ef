//! What was given, where: flags, environment and file made one map, the later over the earlier.
//!
//! Knows which keys there are only to tell a section from a value. What a value means is
//! [`super::values`]'s, which keys nobody knows is [`super::Config::load`]'s to say.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::fault::{Fault, Origin};
use crate::config::keys;

/// What every variable of ours begins with.
const VARIABLE_PREFIX: &str = "SENDREADY_";

/// The variable that platforms set for the database.
const DATABASE_URL: &str = "DATABASE_URL";

/// A value before anybody knows what it means. Flags and variables are always [`Raw::Text`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Number(String),
    Switch(bool),
    List(Vec<Raw>),
    Table(Vec<(String, Raw)>),
    Date(String),
}

impl Raw {
    pub(super) fn text(text: impl Into<String>) -> Raw {
        Raw::Text(text.into())
    }

    /// What kind of value it is, for a fault.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Raw::Text(_) => "a text",
            Raw::Number(_) => "a number",
            Raw::Switch(_) => "true or false",
            Raw::List(_) => "a list",
            Raw::Table(_) => "a table",
            Raw::Date(_) => "a date",
        }
    }
}

/// A value and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// What was given by dotted key, and what could not be read at all.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) given: BTreeMap<String, Given>,
    pub(super) faults: Vec<Fault>,
}

impl Gathered {
    fn put(&mut self, key: &str, raw: Raw, origin: Origin) {
        self.given.insert(key.to_owned(), Given { raw, origin });
    }

    fn fault(&mut self, key: Option<&str>, origin: Origin, problem: impl Into<String>) {
        self.faults.push(Fault { key: key.map(str::to_owned), origin, problem: problem.into() });
    }

    /// Takes a flag's value.
    pub(super) fn flag(&mut self, key: &'static keys::Key, raw: Option<Raw>) {
        if let Some(raw) = raw {
            self.put(key.name, raw, Origin::Flag(key.flag));
        }
    }

    /// Takes the variables of ours among `variables`.
    ///
    /// `SENDREADY_DNS__TIMEOUT` is `dns.timeout`. A name without a double underscore is ours only where it
    /// is a key or was surely meant as one: a cluster sets `SENDREADY_PORT` and its like by itself.
    pub(super) fn variables(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        let mut ours: Vec<(String, OsString)> =
            variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
        // `DATABASE_URL` first, so that the variable which names us overrides it.
        ours.sort_by_key(|(name, _)| name != DATABASE_URL);
        for (name, value) in ours {
            let key = if name == DATABASE_URL {
                if value.is_empty() {
                    continue;
                }
                keys::DATABASE_URL.name.to_owned()
            } else {
                match name.strip_prefix(VARIABLE_PREFIX).map(|rest| self.variable_key(&name, rest)) {
                    Some(Some(key)) => key,
                    _ => continue,
                }
            };
            match value.into_string() {
                Ok(text) => self.put(&key, Raw::Text(text), Origin::Variable(name)),
                Err(_) => self.fault(Some(&key), Origin::Variable(name), "is not UTF-8"),
            }
        }
    }

    /// The key that the variable `name`, `rest` without its prefix, stands for.
    fn variable_key(&mut self, name: &str, rest: &str) -> Option<String> {
        let rest = rest.to_ascii_lowercase();
        if rest.contains("__") {
            return Some(rest.replace("__", "."));
        }
        let meant = keys::KEYS.iter().find(|key| key.name.replace('.', "_") == rest)?;
        if meant.name == rest {
            return Some(rest);
        }
        let problem = format!("is written {} (two underscores after the section)", meant.variable());
        self.fault(Some(meant.name), Origin::Variable(name.to_owned()), problem);
        None
    }

    /// Reads the file at `path`. Waits for the disk.
    pub(super) fn file(&mut self, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.document(path, &text),
            Err(error) => {
                let origin = Origin::Flag("--config");
                self.fault(None, origin, format!("{} cannot be read: {error}", path.display()));
            }
        }
    }

    /// Takes the text of the file at `path`.
    pub(super) fn document(&mut self, path: &Path, text: &str) {
        let (document, errors) = DeTable::parse_recoverable(text);
        let source = Source { path: path.to_owned(), text, is_broken: !errors.is_empty() };
        for error in errors {
            let origin = source.origin(error.span().map_or(0, |span| span.start));
            self.fault(None, origin, format!("is not TOML: {}", error.message().trim_end()));
        }
        self.table(&source, "", document.get_ref());
    }

    /// Takes what stands in the table `section`, which is empty for the document itself.
    fn table(&mut self, source: &Source<'_>, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let origin = source.origin(name.span().start);
            let name = name.get_ref();
            let key = if section.is_empty() { name.to_string() } else { format!("{section}.{name}") };
            if name.is_empty() && source.is_broken {
                // The parser has told of it.
                continue;
            }
            if name.contains('.') || name.is_empty() {
                self.fault(Some(&key), origin, format!("`{name}` cannot be a key: write a section as `[section]`"));
                continue;
            }
            match (value.get_ref(), keys::is_section(&key)) {
                (DeValue::Table(inner), true) => self.table(source, &key, inner),
                // A table where nobody knows one: each of its keys is shown as unknown.
                (DeValue::Table(inner), false) if !keys::is_table(&key) && !inner.is_empty() => {
                    self.table(source, &key, inner);
                }
                (_, true) => {
                    self.fault(Some(&key), origin, format!("is a section: write `[{key}]` and its keys below"));
                }
                (_, false) => match raw(value) {
                    Ok(raw) => self.put(&key, raw, origin),
                    Err(problem) => self.fault(Some(&key), origin, problem),
                },
            }
        }
    }
}

/// The file that is read.
struct Source<'text> {
    path: PathBuf,
    text: &'text str,
    /// It is no TOML, and what is read of it was guessed by the parser.
    is_broken: bool,
}

impl Source<'_> {
    fn origin(&self, offset: usize) -> Origin {
        let line = self.text.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1;
        Origin::File { path: self.path.clone(), line }
    }
}

fn raw(value: &Spanned<DeValue<'_>>) -> Result<Raw, String> {
    Ok(match value.get_ref() {
        DeValue::String(text) => Raw::text(text.as_ref()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Raw::Number(number.to_string()),
            Err(_) => return Err(format!("{number} is beyond every number that TOML has")),
        },
        DeValue::Float(number) => Raw::Number(number.as_str().to_owned()),
        DeValue::Boolean(switch) => Raw::Switch(*switch),
        DeValue::Datetime(date) => Raw::Date(date.to_string()),
        DeValue::Array(items) => Raw::List(items.iter().map(raw).collect::<Result<_, _>>()?),
        DeValue::Table(table) => Raw::Table(
            table
                .iter()
                .map(|(name, value)| Ok((name.get_ref().to_string(), raw(value)?)))
                .collect::<Result<_, String>>()?,
        ),
    })
}
