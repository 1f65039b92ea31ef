//! How old domains are, by RDAP: whom to ask, when, and what an answer changes.
//!
//! # Strictness
//!
//! A server that is down, slow, too eager to redirect or talking nonsense changes nothing: the age stays as it was, and
//! it is asked again later and later. One that asks to be left alone is, with all that it would be asked about. Nothing
//! waits for an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use tracing::{debug, warn};

use crate::chance::jittered;
use crate::sender::fetch::Fetched;
use crate::sender::target::Target;
use crate::service::rdap::{self, Bootstrap};
use crate::service::schedule::after;
use crate::service::{Error, Service};
use crate::store::{AgeTold, OrganizationClaim};
use crate::webhook::retry::retry_after;

/// What a worker holds: it names no HTTP.
pub use crate::sender::Sender;

/// How often a domain is asked about.
pub const INTERVAL: Duration = Duration::from_hours(7 * 24);

/// How long after a first failure it is asked about again; twice as long after each further one.
const RETRY_MIN: Duration = Duration::from_hours(1);

/// The least time between two questions of all replicas together.
const PACE: TimeDelta = TimeDelta::seconds(1);

/// For how long one replica has a domain: much longer than a question takes.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// How long a server is left alone that asked for it without saying how long.
const PUT_OFF: Duration = Duration::from_mins(5);

/// The most octets of an answer, and of the bootstrap file.
const OCTETS_MAX: usize = 1 << 20;

/// How often the bootstrap file is read anew, and after a failure.
const BOOTSTRAP_INTERVAL: TimeDelta = TimeDelta::days(1);
const BOOTSTRAP_RETRY: TimeDelta = TimeDelta::minutes(10);

/// Whom to ask: the bootstrap file, and which servers want to be left alone.
pub struct Registries {
    sender: Sender,
    /// `rdap.bootstrap`: a URL or a file.
    location: String,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bootstrap: Option<Bootstrap>,
    read_next_at: Option<DateTime<Utc>>,
    /// By host.
    put_off_until: BTreeMap<String, DateTime<Utc>>,
}

/// What came of one question.
enum Outcome {
    /// The day, and who named it.
    Registered(DateTime<Utc>, String),
    /// A definite word that is no day: it need not be asked again soon.
    Nobody(String),
    /// No word.
    Failed(String, Option<Duration>),
    /// Not asked: the server is to be left alone until then, or it is not known whom to ask.
    PutOff(DateTime<Utc>),
}

impl Registries {
    /// Asks by `sender` whom the bootstrap file at `location`, a URL or a path, names.
    pub fn new(sender: Sender, location: String) -> Registries {
        Registries { sender, location, kept: Mutex::default() }
    }

    /// The URL to ask about a domain; nothing where nobody knows its top-level domain.
    ///
    /// # Errors
    ///
    /// When to look again: the bootstrap file was never read.
    async fn url(&self, domain: &str, now: DateTime<Utc>) -> Result<Option<String>, DateTime<Utc>> {
        let mut kept = self.kept.lock().await;
        if kept.read_next_at.is_none_or(|at| at <= now) {
            let wait = match self.bootstrap().await {
                Ok(bootstrap) => {
                    kept.bootstrap = Some(bootstrap);
                    BOOTSTRAP_INTERVAL
                }
                Err(fault) => {
                    warn!(fault, "`rdap.bootstrap` could not be read; going on with what was read before, if anything");
                    BOOTSTRAP_RETRY
                }
            };
            kept.read_next_at = Some(now + wait);
        }
        match &kept.bootstrap {
            Some(bootstrap) => Ok(bootstrap.url(domain)),
            None => Err(kept.read_next_at.unwrap_or(now + BOOTSTRAP_RETRY)),
        }
    }

    async fn bootstrap(&self) -> Result<Bootstrap, String> {
        let is_url = self.location.starts_with("http://") || self.location.starts_with("https://");
        let octets = if is_url {
            let target = self.target(&self.location)?;
            let fetched = self.sender.fetch(&target, "application/json", OCTETS_MAX).await;
            let fetched = fetched.map_err(|fault| fault.to_string())?;
            if fetched.code != 200 {
                return Err(format!("it was answered with {}", fetched.code));
            }
            fetched.body
        } else {
            tokio::fs::read(&self.location).await.map_err(|fault| fault.to_string())?
        };
        Bootstrap::parse(&octets).map_err(|fault| fault.to_string())
    }

    fn target(&self, url: &str) -> Result<Target, String> {
        Target::parse(url, self.sender.allows_private()).map_err(|fault| format!("its URL {fault}"))
    }

    /// Asks when a registrable domain was registered.
    async fn ask(&self, domain: &str, now: DateTime<Utc>) -> Outcome {
        let url = match self.url(domain, now).await {
            Ok(Some(url)) => url,
            Ok(None) => return Outcome::Nobody("no RDAP server is known for this top-level domain".to_owned()),
            Err(until) => return Outcome::PutOff(until),
        };
        let target = match self.target(&url) {
            Ok(target) => target,
            Err(fault) => return Outcome::Nobody(format!("the server's entry in the bootstrap file: {fault}")),
        };
        if let Some(until) = self.put_off_until(target.host(), now).await {
            return Outcome::PutOff(until);
        }
        let outcome = match self.sender.fetch(&target, "application/rdap+json", OCTETS_MAX).await {
            Ok(fetched) => read(&fetched, domain, now),
            Err(fault) => Outcome::Failed(fault.to_string(), None),
        };
        if let Outcome::Failed(_, Some(wait)) = &outcome {
            self.kept.lock().await.put_off_until.insert(target.host().to_owned(), after(now, *wait));
        }
        outcome
    }

    async fn put_off_until(&self, host: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut kept = self.kept.lock().await;
        kept.put_off_until.retain(|_, until| *until > now);
        kept.put_off_until.get(host).copied()
    }
}

/// What an answer says.
fn read(fetched: &Fetched, domain: &str, now: DateTime<Utc>) -> Outcome {
    match fetched.code {
        200 => match rdap::registered_at(&fetched.body, domain, now) {
            Ok(day) => Outcome::Registered(day, fetched.host.clone()),
            Err(nonsense) => Outcome::Failed(nonsense.to_string(), None),
        },
        404 => Outcome::Nobody("the registry does not know the domain".to_owned()),
        code @ (429 | 503) => {
            let wait = fetched.retry_after.as_deref().and_then(|text| retry_after(text, now)).unwrap_or(PUT_OFF);
            Outcome::Failed(format!("the server asked to be left alone, with {code}"), Some(wait))
        }
        code => Outcome::Failed(format!("the server answered with {code}"), None),
    }
}

impl Service {
    /// Asks about the domain whose age is the longest due, unless it is too soon after the last question of any replica.
    /// Whether there was one.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; what was lent falls due again when its lease ends.
    pub async fn age_ask(&self, registries: &Registries) -> Result<bool, Error> {
        let now = self.clock.now();
        let token = self.chance.id(now);
        let Some(claim) = self.store.age_claim(now, now + LEASE, token, PACE).await? else { return Ok(false) };
        let told = match claim.is_living {
            true => self.told(&claim, registries.ask(&claim.organization, now).await, now),
            false => AgeTold {
                asked_at: None,
                told: Err("it has no domain".to_owned()),
                failures: 0,
                next_at: self.week(now),
            },
        };
        if let Err(fault) = &told.told {
            debug!(organization = claim.organization, fault, "No age of {}", claim.organization);
        }
        self.store.age_settle(&claim, &told, self.clock.now()).await?;
        Ok(true)
    }

    fn told(&self, claim: &OrganizationClaim, outcome: Outcome, now: DateTime<Utc>) -> AgeTold {
        let (asked_at, failures) = (Some(now), claim.failures.saturating_add(1));
        match outcome {
            Outcome::Registered(day, host) => {
                AgeTold { asked_at, told: Ok((day, host)), failures: 0, next_at: self.week(now) }
            }
            Outcome::Nobody(why) => AgeTold { asked_at, told: Err(why), failures: 0, next_at: self.week(now) },
            Outcome::Failed(why, put_off) => {
                let doubled = RETRY_MIN.saturating_mul(2_u32.saturating_pow(claim.failures.min(10)));
                let wait = jittered(doubled.min(INTERVAL), self.chance.number()).max(put_off.unwrap_or_default());
                AgeTold { asked_at, told: Err(why), failures, next_at: after(now, wait) }
            }
            Outcome::PutOff(until) => {
                let why = "not asked yet: the server is left alone, or `rdap.bootstrap` could not be read";
                let next_at = until.max(after(now, jittered(PUT_OFF, self.chance.number())));
                AgeTold { asked_at: None, told: Err(why.to_owned()), failures: claim.failures, next_at }
            }
        }
    }

    fn week(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        after(now, jittered(INTERVAL, self.chance.number()))
    }
}
