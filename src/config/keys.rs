//! The one table of keys. What is read, what is suggested for a slip of the pen, and
//! `docs/configuration.md` all come from it.

use std::time::Duration;

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Its dotted name, such as `dns.timeout`.
    pub name: &'static str,
    /// What its value looks like.
    pub form: Form,
    /// What holds where nobody gives it, in the form of a variable. Empty: nothing, or an empty list.
    pub default: &'static str,
    /// The flag that sets it, with its dashes. Empty: none.
    pub flag: &'static str,
    /// Whether anything in this release reads it.
    pub reader: Reader,
    /// What it is for, in a sentence or two.
    pub says: &'static str,
}

/// Whether anything reads a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// This release reads it.
    Now,
    /// It is checked, and a later release reads it.
    Later,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// `sqlite:PATH` or `postgres://…`. A secret.
    Database,
    /// `IP:PORT`.
    Address,
    /// An `http:` or `https:` URL.
    Url,
    /// Name servers, each `IP` or `IP:PORT`.
    Servers,
    /// A humantime duration within bounds.
    Duration {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// Durations.
    Durations,
    /// A whole number within bounds.
    Number {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// A fraction from 0 to 1.
    Share,
    /// `true` or `false`.
    Switch,
    /// Pairs of an age and an interval.
    Ladder,
    /// A text.
    Text,
    /// A text, in any of the forms of a policy record.
    Policy,
    /// Domain names.
    Names,
    /// Texts that are secret.
    Secrets,
    /// Limits by class of request.
    RateLimits,
    /// Mail exchanges.
    Exchanges,
    /// A time to live: whole seconds, or a duration.
    Ttl,
}

impl Form {
    /// The form in words, for the documentation and for faults.
    pub fn words(self) -> String {
        match self {
            Form::Database => "`sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`".to_owned(),
            Form::Address => "`IP:PORT`".to_owned(),
            Form::Url => "an `http://` or `https://` URL without a query".to_owned(),
            Form::Servers => "a list of `IP` or `IP:PORT`".to_owned(),
            Form::Duration { min, max } => {
                format!(
                    "a duration from `{}` to `{}`",
                    humantime::format_duration(min),
                    humantime::format_duration(max)
                )
            }
            Form::Durations => "a list of durations".to_owned(),
            Form::Number { min, max } => format!("a whole number from {min} to {max}"),
            Form::Share => "a fraction from 0 to 1".to_owned(),
            Form::Switch => "`true` or `false`".to_owned(),
            Form::Ladder => "a list of pairs `[AGE, EVERY]`, ages ascending; in a variable `AGE/EVERY,…`".to_owned(),
            Form::Text => "a text".to_owned(),
            Form::Policy => "a DMARC record, beginning with `v=DMARC1`".to_owned(),
            Form::Names => "a list of domain names".to_owned(),
            Form::Secrets => "a list of texts, never printed".to_owned(),
            Form::RateLimits => {
                "a table of `CLASS = \"COUNT/DURATION\"` or `\"unlimited\"`; in a variable `CLASS=COUNT/DURATION,…`"
                    .to_owned()
            }
            Form::Exchanges => "a list of `\"PREFERENCE HOST\"`; in a file also of `{ host, preference }`".to_owned(),
            Form::Ttl => "whole seconds, or a duration".to_owned(),
        }
    }
}

impl Key {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("SENDREADY_{}", self.name.to_ascii_uppercase().replace('.', "__"))
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The longest duration of any key: beyond it lies no plan, and far beyond it the end of the calendar.
pub const DURATION_MAX: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);

/// The TCP or UDP port of DNS. RFC 1035 §4.2.
pub const DNS_PORT: u16 = 53;

macro_rules! keys {
    ($($id:ident = $name:literal, $form:expr, $default:literal, $flag:literal, $reader:ident, $says:literal;)*) => {
        $(
            #[doc = $says]
            pub static $id: Key = Key {
                name: $name, form: $form, default: $default, flag: $flag, reader: Reader::$reader, says: $says,
            };
        )*
        /// Every key outside `[providers.NAME]`, in the order in which people are shown them.
        pub static KEYS: &[&Key] = &[$(&$id),*];
    };
}

/// A duration from `min` up to the longest that makes sense.
const fn from(min: Duration) -> Form {
    Form::Duration { min, max: DURATION_MAX }
}

keys! {
    DATABASE_URL = "database.url", Form::Database, "sqlite:sendready.db", "--database-url", Now,
        "The database: one SQLite file for one process, or PostgreSQL for any number of replicas. `DATABASE_URL` is read too; the variable that names us goes before it.";
    HTTP_LISTEN = "http.listen", Form::Address, "127.0.0.1:8080", "--listen", Now,
        "Where the API and the pages are served. Port 0 takes a free one and says which.";
    HTTP_PUBLIC_URL = "http.public_url", Form::Url, "", "--public-url", Now,
        "How the world reaches this service; links that are handed out begin with it. By default `http://` and the address of `http.listen`.";
    HTTP_RATE_LIMITS = "http.rate_limits", Form::RateLimits, "operator=unlimited,client=3000/10s,hook=3000/10s,setup=300/1m,address=3000/1m,failures=600/1m", "", Now,
        "How many requests one key, setup link or address may make, by class: `operator`, `client` and `hook` are keys of these roles, `setup` links, `address` what comes from one address without a key that opens anything, `failures` the wrong keys tried from one address. `COUNT` may come at once, and fill again over `DURATION`. A class that is not named keeps its default. Counted by each process for itself; see docs/operations.md.";
    DNS_RESOLVERS = "dns.resolvers", Form::Servers, "", "--resolver", Now,
        "The recursive resolvers to ask, port 53 unless said otherwise: the first; on a failure the next; and before a \"no\" is believed, one other. By default the system's.";
    DNS_TIMEOUT = "dns.timeout", Form::Duration { min: Duration::from_millis(50), max: MINUTE }, "2s", "--timeout", Now,
        "How long one server may take over one question. Must be shorter than two thirds of `checks.lease`, by when a check ends.";
    DNS_AUTHORITATIVE_PORT = "dns.authoritative_port", Form::Number { min: 1, max: 65_535 }, "53", "--authoritative-port", Now,
        "The port at which the zones' own servers are asked.";
    DNS_ALLOW_PRIVATE_SERVERS = "dns.allow_private_servers", Form::Switch, "false", "--allow-private-servers", Now,
        "Whether the zones' own servers may have private or loopback addresses. Otherwise such servers are never asked, so that no zone can aim us at our own network.";
    DNS_MAX_IN_FLIGHT = "dns.max_in_flight", Form::Number { min: 1, max: 10_000 }, "128", "", Now,
        "How many questions may be open at once, over all checks.";
    CHECKS_CONCURRENCY = "checks.concurrency", Form::Number { min: 1, max: 10_000 }, "32", "--concurrency", Now,
        "How many domains are checked at once. At least a quarter of it is for the sweep, and one client holds at most a quarter.";
    CHECKS_MIN_INTERVAL = "checks.min_interval", Form::Duration { min: SECOND, max: HOUR }, "15s", "", Now,
        "How long after a check a domain is left alone, whoever asks.";
    CHECKS_PENDING_LADDER = "checks.pending_ladder", Form::Ladder, "15m/2m,2h/10m,24h/1h,30d/6h", "", Now,
        "How often a domain that was never verified is checked: while younger than the first, every the second; after the last, only when asked.";
    CHECKS_ACTIVE_INTERVAL = "checks.active_interval", from(SECOND), "12h", "", Now,
        "How often a verified domain is checked.";
    CHECKS_DEGRADED_INTERVAL = "checks.degraded_interval", from(SECOND), "15m", "", Now,
        "How often a domain in trouble is checked.";
    CHECKS_GRACE = "checks.grace", from(Duration::ZERO), "72h", "", Now,
        "How long a verified domain may fail before it is suspended.";
    CHECKS_RECOVERY_HOLD = "checks.recovery_hold", from(Duration::ZERO), "1h", "", Now,
        "How long everything must be valid again, unbroken, before a domain counts as restored.";
    CHECKS_LEASE = "checks.lease", Form::Duration { min: Duration::from_secs(10), max: HOUR }, "60s", "", Now,
        "For how long a worker holds a domain that it checks. A check ends by two thirds of it; a killed worker's domains fall due again after it.";
    CHECKS_BREAKER_MIN_DOMAINS = "checks.breaker_min_domains", Form::Number { min: 1, max: 1_000_000 }, "20", "", Now,
        "How many valid domains must have been looked at before the fleet breaker may open.";
    CHECKS_BREAKER_SHARE = "checks.breaker_share", Form::Share, "0.3", "", Now,
        "The share of those that must have turned bad or unknown for it to open.";
    CHECKS_BREAKER_WINDOW = "checks.breaker_window", from(SECOND), "10m", "", Now,
        "The time over which the fleet breaker counts.";
    CHECKS_STALE_LIMIT = "checks.stale_limit", from(SECOND), "72h", "", Now,
        "How long a domain may stay unknown before it may no longer send.";
    SHUTDOWN_GRACE = "shutdown.grace", Form::Duration { min: SECOND, max: HOUR }, "20s", "", Now,
        "How long the process may take to stop once it is told to.";
    HISTORY_KEEP = "history.keep", from(HOUR), "90d", "", Now,
        "How long checks and events are kept.";
    AUDIT_KEEP = "audit.keep", from(HOUR), "400d", "", Now,
        "How long it is kept who changed what (`GET /v1/audit`).";
    RDAP_BOOTSTRAP = "rdap.bootstrap", Form::Text, "", "", Now,
        "Where the list of registration data servers is read (RFC 9224), a URL or a file.";
    RDAP_ALLOW_PRIVATE = "rdap.allow_private", Form::Switch, "false", "", Now,
        "Whether such a server may have a private address. For development.";
    BLOCKLISTS = "blocklists", Form::Names, "", "", Now,
        "The DNS block lists of domains in which registrable domains are looked up (RFC 5782).";
    SENDING_BOUNCE_MAX = "sending.bounce_max", Form::Share, "0.05", "", Now,
        "The bounce rate above which a mailbox is paused.";
    SENDING_SPAM_MAX = "sending.spam_max", Form::Share, "0.003", "", Now,
        "The spam rate above which a mailbox is paused.";
    WEBHOOKS_INBOUND_SECRETS = "webhooks.inbound_secrets", Form::Secrets, "", "", Now,
        "The secrets by which webhooks of DNS providers are signed: `whsec_` and base64, as Standard Webhooks has them.";
    WEBHOOKS_RETRY_SCHEDULE = "webhooks.retry_schedule", Form::Durations, "0s,5s,5m,30m,2h,5h,10h,10h", "", Now,
        "How long to wait before each attempt to deliver an event.";
    WEBHOOKS_ALLOW_PRIVATE = "webhooks.allow_private", Form::Switch, "false", "", Now,
        "Whether events may be posted to private addresses. For development.";
}

const fn of_provider(name: &'static str, form: Form, default: &'static str, says: &'static str) -> Key {
    Key { name, form, default, flag: "", reader: Reader::Now, says }
}

/// `spf_includes` of a provider.
pub static PROVIDER_SPF_INCLUDES: Key =
    of_provider("spf_includes", Form::Names, "", "The names that a domain's SPF record must include; at most 10.");
/// `dkim_selectors` of a provider.
pub static PROVIDER_DKIM_SELECTORS: Key = of_provider(
    "dkim_selectors",
    Form::Names,
    "",
    "The DKIM selectors that must yield a sound key; at most 10. Keys come with the domain.",
);
/// `mx` of a provider.
pub static PROVIDER_MX: Key = of_provider(
    "mx",
    Form::Exchanges,
    "",
    "The mail exchanges that a domain must have; at most 10. A host without a preference has 10.",
);
/// `dmarc` of a provider.
pub static PROVIDER_DMARC: Key = of_provider(
    "dmarc",
    Form::Policy,
    "",
    "The DMARC record for a domain that has none. It is published as it stands here.",
);
/// `ttl` of a provider.
pub static PROVIDER_TTL: Key =
    of_provider("ttl", Form::Ttl, "3600", "The time to live that is recommended for every record.");

/// Every key of `[providers.NAME]`.
pub static PROVIDER_KEYS: &[&Key] =
    &[&PROVIDER_SPF_INCLUDES, &PROVIDER_DKIM_SELECTORS, &PROVIDER_MX, &PROVIDER_DMARC, &PROVIDER_TTL];

/// The section of the providers.
pub const PROVIDERS: &str = "providers";

/// Whether `name` is a section, which holds keys and has no value.
pub(super) fn is_section(name: &str) -> bool {
    let is_provider =
        name.strip_prefix(PROVIDERS).and_then(|rest| rest.strip_prefix('.')).is_some_and(|n| !n.contains('.'));
    name == PROVIDERS
        || is_provider
        || KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// Whether `name` is a key whose value is a table.
pub(super) fn is_table(name: &str) -> bool {
    KEYS.iter().any(|key| key.name == name && matches!(key.form, Form::RateLimits))
}
