//! The settings: flags over environment over file, read once at the start, every fault at once.
//!
//! Owns what a setting is called, what it may be and what it is where nobody says ([`keys`]).
//! [`Config::load`] gives typed values, so that nothing past it meets a text with meaning. Secrets
//! never print. Which flags there are on the command line is `cli`'s; it fills [`Flags`].
//!
//! # Strictness
//!
//! An unknown key is a fault, with the one that was probably meant. A value out of bounds is a fault and
//! is never clamped. A key that no release reads yet is checked all the same.

pub mod database;
pub mod fault;
pub mod keys;
pub mod providers;
pub mod rates;
mod raw;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::database::DatabaseUrl;
use crate::config::fault::{Fault, Faults, Origin, nearest};
use crate::config::keys::{Form, Key};
use crate::config::providers::Providers;
use crate::config::rates::{RateLimits, rate_limits};
use crate::config::raw::{Gathered, Given, Raw};
use crate::config::values::Problem;
use crate::protocol::name::Name;

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[database]`
    pub database: Database,
    /// `[http]`
    pub http: Http,
    /// `[dns]`
    pub dns: Dns,
    /// `[checks]`
    pub checks: Checks,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[history]`
    pub history: History,
    /// `[audit]`
    pub audit: Audit,
    /// `[rdap]`
    pub rdap: Rdap,
    /// `blocklists`: the zones of DNS block lists.
    pub blocklists: Vec<Name>,
    /// `[sending]`
    pub sending: Sending,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[providers.NAME]`
    pub providers: Providers,
}

/// `[database]`
#[derive(Debug, Clone)]
pub struct Database {
    /// Where the database is.
    pub url: DatabaseUrl,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How the world reaches us, without a slash at its end. Nothing: as `listen` says.
    pub public_url: Option<String>,
    /// Limits by class of request.
    pub rate_limits: RateLimits,
}

/// `[dns]`
#[derive(Debug, Clone)]
pub struct Dns {
    /// The recursive resolvers. Empty: the system's.
    pub resolvers: Vec<SocketAddr>,
    /// How long one server may take over one question.
    pub timeout: Duration,
    /// The port of authoritative servers.
    pub authoritative_port: u16,
    /// Whether authoritative servers may have private addresses.
    pub allow_private_servers: bool,
    /// How many questions may be open at once.
    pub max_in_flight: usize,
}

/// `[checks]`
#[derive(Debug, Clone)]
pub struct Checks {
    /// How many domains are checked at once.
    pub concurrency: usize,
    /// How long a domain is left alone after a check.
    pub min_interval: Duration,
    /// How often a pending domain is checked, by its age, ascending; at least one step.
    pub pending_ladder: Vec<LadderStep>,
    /// How often a verified domain is checked.
    pub active_interval: Duration,
    /// How often a domain in trouble is checked.
    pub degraded_interval: Duration,
    /// How long a verified domain may fail before it is suspended.
    pub grace: Duration,
    /// How long all must be valid again before it counts.
    pub recovery_hold: Duration,
    /// For how long a worker holds a domain.
    pub lease: Duration,
    /// When the fleet breaker opens.
    pub breaker: Breaker,
    /// How long a domain may stay unknown.
    pub stale_limit: Duration,
}

impl Checks {
    /// When a check ends, counted from its claim: two thirds of the lease, so that it settles in time.
    pub fn check_time_max(&self) -> Duration {
        self.lease * 2 / 3
    }
}

/// One step of `checks.pending_ladder`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LadderStep {
    /// The step is for domains younger than this.
    pub younger_than: Duration,
    /// How often they are checked.
    pub every: Duration,
}

/// `checks.breaker_*`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breaker {
    /// How many valid domains must have been looked at.
    pub min_domains: u32,
    /// More than this share of them must have turned bad or unknown.
    pub share: f64,
    /// Over which time.
    pub window: Duration,
}

/// `[shutdown]`
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// How long the process may take to stop.
    pub grace: Duration,
}

/// `[history]`
#[derive(Debug, Clone)]
pub struct History {
    /// How long checks and events are kept.
    pub keep: Duration,
}

/// `[audit]`
#[derive(Debug, Clone)]
pub struct Audit {
    /// How long it is kept who changed what.
    pub keep: Duration,
}

/// `[rdap]`
#[derive(Debug, Clone)]
pub struct Rdap {
    /// Where the list of servers is read: a URL or a file.
    pub bootstrap: Option<String>,
    /// Whether a server may have a private address.
    pub allow_private: bool,
}

/// `[sending]`
#[derive(Debug, Clone)]
pub struct Sending {
    /// The bounce rate above which a mailbox is paused, 0–1.
    pub bounce_max: f64,
    /// The spam rate above which a mailbox is paused, 0–1.
    pub spam_max: f64,
}

/// `[webhooks]`
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// By which webhooks that come in may be signed.
    pub inbound_secrets: Vec<SecretString>,
    /// How long to wait before each attempt.
    pub retry_schedule: Vec<Duration>,
    /// Whether events may go to private addresses.
    pub allow_private: bool,
}

/// What the command line said, as it was written.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config FILE`
    pub config: Option<PathBuf>,
    /// `--database-url`. Hold it no longer than needed: it may hold a password.
    pub database_url: Option<SecretString>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--public-url`
    pub public_url: Option<String>,
    /// `--resolver`, repeatable. Empty: not given.
    pub resolvers: Vec<String>,
    /// `--timeout`
    pub timeout: Option<String>,
    /// `--authoritative-port`
    pub authoritative_port: Option<String>,
    /// `--allow-private-servers`; `false` where it was not given, for it has no opposite.
    pub allow_private_servers: bool,
    /// `--concurrency`
    pub concurrency: Option<String>,
}

impl Config {
    /// Reads the flags, the process's environment and the file that the flags name. Waits for the disk.
    ///
    /// # Errors
    ///
    /// [`Faults`]: all of them, each with its key, where it was given and what would be right.
    pub fn load(flags: &Flags) -> Result<Config, Faults> {
        Config::load_with(flags, std::env::vars_os())
    }

    /// [`Config::load`] with an environment of one's own.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load_with(
        flags: &Flags,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Config, Faults> {
        let mut gathered = Gathered::default();
        if let Some(path) = &flags.config {
            gathered.file(path);
        }
        gathered.variables(variables);
        flags.give(&mut gathered);
        Reading::new(gathered).config()
    }
}

impl Flags {
    fn give(&self, gathered: &mut Gathered) {
        let text = |flag: &Option<String>| flag.as_ref().map(Raw::text);
        let resolvers = Raw::List(self.resolvers.iter().map(Raw::text).collect());
        gathered.flag(&keys::DATABASE_URL, self.database_url.as_ref().map(|url| Raw::text(url.expose_secret())));
        gathered.flag(&keys::HTTP_LISTEN, text(&self.listen));
        gathered.flag(&keys::HTTP_PUBLIC_URL, text(&self.public_url));
        gathered.flag(&keys::DNS_RESOLVERS, (!self.resolvers.is_empty()).then_some(resolvers));
        gathered.flag(&keys::DNS_TIMEOUT, text(&self.timeout));
        gathered.flag(&keys::DNS_AUTHORITATIVE_PORT, text(&self.authoritative_port));
        gathered.flag(&keys::DNS_ALLOW_PRIVATE_SERVERS, self.allow_private_servers.then_some(Raw::Switch(true)));
        gathered.flag(&keys::CHECKS_CONCURRENCY, text(&self.concurrency));
    }
}

/// A configuration being read: what is left to read, and what was wrong.
struct Reading {
    given: BTreeMap<String, Given>,
    faults: Vec<Fault>,
    /// Where the keys that were read so far came from.
    origins: BTreeMap<&'static str, Origin>,
}

impl Reading {
    fn new(gathered: Gathered) -> Reading {
        let Gathered { given, faults } = gathered;
        Reading { given, faults, origins: BTreeMap::new() }
    }

    fn config(mut self) -> Result<Config, Faults> {
        let config = self.everything();
        self.refuse_unknown();
        match config {
            Some(config) if self.faults.is_empty() => Ok(config),
            _ => Err(Faults(self.faults)),
        }
    }

    /// Reads everything, so that every fault is found, and only then puts it together.
    fn everything(&mut self) -> Option<Config> {
        let database = self.database();
        let http = self.http();
        let dns = self.dns();
        let checks = self.checks();
        let shutdown = self.duration(&keys::SHUTDOWN_GRACE).map(|grace| Shutdown { grace });
        let history = self.duration(&keys::HISTORY_KEEP).map(|keep| History { keep });
        let audit = self.duration(&keys::AUDIT_KEEP).map(|keep| Audit { keep });
        let rdap = self.rdap();
        let blocklists = self.value(&keys::BLOCKLISTS, |raw| values::names(raw, BLOCKLISTS_MAX));
        let sending = self.sending();
        let webhooks = self.webhooks();
        let providers = self.providers();
        if let (Some(dns), Some(checks)) = (&dns, &checks) {
            self.agree(dns, checks);
        }
        Some(Config {
            database: database?,
            http: http?,
            dns: dns?,
            checks: checks?,
            shutdown: shutdown?,
            history: history?,
            audit: audit?,
            rdap: rdap?,
            blocklists: blocklists?,
            sending: sending?,
            webhooks: webhooks?,
            providers,
        })
    }

    fn database(&mut self) -> Option<Database> {
        let url = self.value(&keys::DATABASE_URL, values::database);
        Some(Database { url: url? })
    }

    fn http(&mut self) -> Option<Http> {
        let listen = self.value(&keys::HTTP_LISTEN, values::address);
        let public_url = self.value(&keys::HTTP_PUBLIC_URL, values::url);
        let rate_limits = self.value(&keys::HTTP_RATE_LIMITS, |raw| rate_limits(raw, keys::HTTP_RATE_LIMITS.default));
        Some(Http { listen: listen?, public_url: public_url?, rate_limits: rate_limits? })
    }

    fn dns(&mut self) -> Option<Dns> {
        let resolvers = self.value(&keys::DNS_RESOLVERS, values::servers);
        let timeout = self.duration(&keys::DNS_TIMEOUT);
        let authoritative_port = self.number(&keys::DNS_AUTHORITATIVE_PORT);
        let allow_private_servers = self.value(&keys::DNS_ALLOW_PRIVATE_SERVERS, values::switch);
        let max_in_flight = self.number(&keys::DNS_MAX_IN_FLIGHT);
        Some(Dns {
            resolvers: resolvers?,
            timeout: timeout?,
            authoritative_port: u16::try_from(authoritative_port?).ok()?,
            allow_private_servers: allow_private_servers?,
            max_in_flight: usize::try_from(max_in_flight?).ok()?,
        })
    }

    fn checks(&mut self) -> Option<Checks> {
        let concurrency = self.number(&keys::CHECKS_CONCURRENCY);
        let min_interval = self.duration(&keys::CHECKS_MIN_INTERVAL);
        let pending_ladder = self.value(&keys::CHECKS_PENDING_LADDER, values::ladder);
        let active_interval = self.duration(&keys::CHECKS_ACTIVE_INTERVAL);
        let degraded_interval = self.duration(&keys::CHECKS_DEGRADED_INTERVAL);
        let grace = self.duration(&keys::CHECKS_GRACE);
        let recovery_hold = self.duration(&keys::CHECKS_RECOVERY_HOLD);
        let lease = self.duration(&keys::CHECKS_LEASE);
        let min_domains = self.number(&keys::CHECKS_BREAKER_MIN_DOMAINS);
        let share = self.value(&keys::CHECKS_BREAKER_SHARE, values::share);
        let window = self.duration(&keys::CHECKS_BREAKER_WINDOW);
        let stale_limit = self.duration(&keys::CHECKS_STALE_LIMIT);
        Some(Checks {
            concurrency: usize::try_from(concurrency?).ok()?,
            min_interval: min_interval?,
            pending_ladder: pending_ladder?,
            active_interval: active_interval?,
            degraded_interval: degraded_interval?,
            grace: grace?,
            recovery_hold: recovery_hold?,
            lease: lease?,
            breaker: Breaker { min_domains: min_domains?, share: share?, window: window? },
            stale_limit: stale_limit?,
        })
    }

    fn rdap(&mut self) -> Option<Rdap> {
        let bootstrap = self.value(&keys::RDAP_BOOTSTRAP, values::optional_text);
        let allow_private = self.value(&keys::RDAP_ALLOW_PRIVATE, values::switch);
        Some(Rdap { bootstrap: bootstrap?, allow_private: allow_private? })
    }

    fn sending(&mut self) -> Option<Sending> {
        let bounce_max = self.value(&keys::SENDING_BOUNCE_MAX, values::share);
        let spam_max = self.value(&keys::SENDING_SPAM_MAX, values::share);
        Some(Sending { bounce_max: bounce_max?, spam_max: spam_max? })
    }

    fn webhooks(&mut self) -> Option<Webhooks> {
        let inbound_secrets = self.value(&keys::WEBHOOKS_INBOUND_SECRETS, values::secrets);
        let retry_schedule = self.value(&keys::WEBHOOKS_RETRY_SCHEDULE, values::durations);
        let allow_private = self.value(&keys::WEBHOOKS_ALLOW_PRIVATE, values::switch);
        Some(Webhooks {
            inbound_secrets: inbound_secrets?,
            retry_schedule: retry_schedule?,
            allow_private: allow_private?,
        })
    }

    fn providers(&mut self) -> Providers {
        let section = format!("{}.", keys::PROVIDERS);
        let (given, rest) = std::mem::take(&mut self.given).into_iter().partition(|(key, _)| key.starts_with(&section));
        self.given = rest;
        Providers::read(given, &mut self.faults)
    }

    /// What must agree across keys.
    fn agree(&mut self, dns: &Dns, checks: &Checks) {
        let check_time_max = checks.check_time_max();
        if dns.timeout >= check_time_max {
            let problem = format!(
                "{} is not shorter than two thirds of `checks.lease` ({}), by when a check must end; \
                 write a shorter time-out or a longer lease",
                humantime::format_duration(dns.timeout),
                humantime::format_duration(check_time_max)
            );
            self.fault(&keys::DNS_TIMEOUT, problem);
        }
    }

    /// What is left was not asked for by anybody.
    fn refuse_unknown(&mut self) {
        for (key, Given { origin, .. }) in std::mem::take(&mut self.given) {
            let problem = match nearest(&key, keys::KEYS.iter().map(|key| key.name)) {
                Some(meant) => format!("is no key; did you mean `{meant}`?"),
                None => "is no key; docs/configuration.md lists them all".to_owned(),
            };
            self.faults.push(Fault { key: Some(key), origin, problem });
        }
    }

    /// Reads one key, or its default. `None` when it was wrong, and the fault is noted.
    fn value<T>(&mut self, key: &'static Key, read: impl Fn(&Raw) -> Result<T, Problem>) -> Option<T> {
        let given = self.given.remove(key.name);
        let Given { raw, origin } =
            given.unwrap_or_else(|| Given { raw: Raw::text(key.default), origin: Origin::Default });
        self.origins.insert(key.name, origin);
        read(&raw).map_err(|problem| self.fault(key, problem)).ok()
    }

    fn duration(&mut self, key: &'static Key) -> Option<Duration> {
        self.value(key, |raw| match key.form {
            Form::Duration { min, max } => values::duration_within(raw, min, max),
            _ => values::duration(raw),
        })
    }

    fn number(&mut self, key: &'static Key) -> Option<u32> {
        self.value(key, |raw| match key.form {
            Form::Number { min, max } => values::number(raw, min, max),
            _ => values::number(raw, 0, u32::MAX),
        })
    }

    fn fault(&mut self, key: &'static Key, problem: String) {
        let origin = self.origins.get(key.name).cloned().unwrap_or(Origin::Default);
        self.faults.push(Fault { key: Some(key.name.to_owned()), origin, problem });
    }
}

/// The most block lists; each costs a question per domain and address.
const BLOCKLISTS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_is_read_and_its_default_holds() {
        let mut reading = Reading::new(Gathered::default());
        assert!(reading.everything().is_some());
        assert_eq!(reading.faults, []);
        let mut known: Vec<_> = keys::KEYS.iter().map(|key| key.name).collect();
        known.sort_unstable();
        assert_eq!(reading.origins.into_keys().collect::<Vec<_>>(), known);
    }
}
