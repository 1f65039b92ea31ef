//! The address of the database, which may hold a password and therefore never prints whole.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// What a SQLite address begins with.
const SQLITE: &str = "sqlite:";

/// What a PostgreSQL address begins with; libpq knows both.
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];

/// Where the database is: `sqlite:PATH` or `postgres://…`. Prints without user, password and options.
#[derive(Clone)]
pub struct DatabaseUrl {
    text: SecretString,
    kind: DatabaseKind,
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// One file, one process.
    Sqlite,
    /// Any number of replicas.
    Postgres,
}

impl DatabaseUrl {
    /// Reads an address. Whether anything answers there is `store`'s to find out.
    ///
    /// # Errors
    ///
    /// What is wrong and what would be right, without what was given.
    pub fn parse(text: &str) -> Result<DatabaseUrl, String> {
        let wanted = "write `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`";
        let kind = if let Some(path) = text.strip_prefix(SQLITE) {
            if path.trim_start_matches('/').is_empty() {
                return Err(format!("names no file; {wanted}"));
            }
            DatabaseKind::Sqlite
        } else {
            match POSTGRES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
                Some("") => return Err(format!("names no host; {wanted}")),
                Some(_) => DatabaseKind::Postgres,
                None => return Err(format!("begins with neither `sqlite:` nor `postgres://`; {wanted}")),
            }
        };
        Ok(DatabaseUrl { text: SecretString::from(text), kind })
    }

    /// Which database it is.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The whole address, password and all. Only for connecting.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl fmt::Display for DatabaseUrl {
    /// `sqlite:sendready.db`, `postgres://…@db.example.com:5432/sendready`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.expose();
        match self.kind {
            DatabaseKind::Sqlite => f.write_str(text.split('?').next().unwrap_or(SQLITE)),
            DatabaseKind::Postgres => write!(f, "postgres://{}", without_secrets(text)),
        }
    }
}

/// Host and name of a PostgreSQL address. Where it is not sure which part is the password, only `…`.
fn without_secrets(text: &str) -> String {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    // A password with an unescaped `/` or `?` ends the authority early; its `@` then stands in the tail.
    if tail.contains('@') {
        return "…".to_owned();
    }
    let path = tail.split(['?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}{path}"),
        None => format!("{authority}{path}"),
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_without_its_password() {
        let check = |text: &str, expected: &str| {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), expected);
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({expected})"));
            assert_eq!(url.expose(), text);
        };
        check("sqlite:sendready.db", "sqlite:sendready.db");
        check("sqlite::memory:", "sqlite::memory:");
        check("sqlite:/var/lib/x.db?mode=rwc", "sqlite:/var/lib/x.db");
        check("postgres://db.example.com/mail", "postgres://db.example.com/mail");
        check("postgres://app:hunter2@db.example.com:5432/mail", "postgres://…@db.example.com:5432/mail");
        check("postgresql://app:hunter2@192.0.2.1/mail?sslmode=require", "postgres://…@192.0.2.1/mail");
        check("postgres://192.0.2.1/mail?user=app&password=hunter2", "postgres://192.0.2.1/mail");
        check("postgres://app:hun@ter2@192.0.2.1/mail", "postgres://…@192.0.2.1/mail");
        check("postgres://app:hun/ter2@192.0.2.1/mail", "postgres://…");
        check("postgres://app:hun@te/r2@192.0.2.1/mail", "postgres://…");
        check("postgres://192.0.2.1/mail?password=hunter@2", "postgres://…");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for text in ["", "sendready.db", "mysql://u:hunter2@h/d", "sqlite:", "sqlite://", "postgres://", "POSTGRES"] {
            let problem = DatabaseUrl::parse(text).unwrap_err();
            assert!(problem.contains("sqlite:PATH") && !problem.contains("hunter2"), "{text}: {problem}");
        }
    }
}
