//! What block lists of domains say (RFC 5782): which to ask, when, and what an answer changes.
//!
//! # Strictness
//!
//! It is an advisory: no flag, status or limit follows it. A list is asked for the registrable domain. Only a definite
//! answer counts; what failed, what a list refuses to tell and what is no list's answer leave the last word as it was.
//! A list must show that it works before its word counts: it has `TEST`, and has not `INVALID`.

use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use crate::chance::jittered;
use crate::protocol::dnsbl::{self, Word};
use crate::protocol::name::Name;
use crate::service::schedule::after;
use crate::service::{Error, Service};
use crate::store::ListTold;
use crate::verify::evidence::{Answer, Question, RecordData, RecordType};

/// What a worker holds.
pub use crate::dns::Resolver;

/// How often a domain is looked up.
pub const INTERVAL: Duration = Duration::from_hours(24);

/// How often a list must show that it works.
const SANITY_INTERVAL: TimeDelta = TimeDelta::hours(1);

/// For how long one replica has a domain.
const LEASE: TimeDelta = TimeDelta::minutes(5);

/// The longest reason that is kept, in characters.
const REASON_CHARACTERS_MAX: usize = 200;

/// The lists of the settings, and whether each works.
pub struct Blocklists {
    zones: Vec<Zone>,
}

struct Zone {
    name: Name,
    /// When it was last tried, and what is wrong with it.
    tried: Option<(DateTime<Utc>, Option<String>)>,
}

impl Blocklists {
    /// These lists. `blocklists`.
    pub fn new(zones: Vec<Name>) -> Blocklists {
        Blocklists { zones: zones.into_iter().map(|name| Zone { name, tried: None }).collect() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// Their zones.
    pub fn zones(&self) -> Vec<String> {
        self.zones.iter().map(|zone| zone.name.to_string()).collect()
    }
}

impl Zone {
    /// What is wrong with the list, tried anew where that was long ago.
    async fn fault(&mut self, resolver: &dyn Resolver, now: DateTime<Utc>) -> Option<String> {
        if let Some((at, fault)) = &self.tried
            && now - *at < SANITY_INTERVAL
        {
            return fault.clone();
        }
        let fault = self.tried_out(resolver).await;
        if let Some(fault) = &fault {
            warn!(zone = %self.name, fault, "The block list {} does not count: {fault}", self.name);
        }
        self.tried = Some((now, fault.clone()));
        fault
    }

    /// RFC 5782 §5.
    async fn tried_out(&self, resolver: &dyn Resolver) -> Option<String> {
        let test = self.ask(resolver, "test").await;
        let invalid = self.ask(resolver, "invalid").await;
        match (test, invalid) {
            (Err(why), _) | (_, Err(why)) => Some(why),
            (Ok(Word::WillNotTell(why)), _) | (_, Ok(Word::WillNotTell(why))) => Some(why.to_owned()),
            (Ok(test), Ok(invalid)) if dnsbl::is_sane(&test, &invalid) => None,
            (Ok(_), Ok(_)) => {
                Some("it is no block list of domains: it must have `TEST` and not `INVALID` (RFC 5782 §5)".to_owned())
            }
        }
    }

    fn name_of(&self, domain: &str) -> Option<Name> {
        Name::parse(&format!("{domain}.{}", self.name)).ok()
    }

    /// What it says of a name; why nobody could tell.
    async fn ask(&self, resolver: &dyn Resolver, domain: &str) -> Result<Word, String> {
        let name = self.name_of(domain).ok_or("with the list's zone behind it the name is too long")?;
        let question = Question::new(name, RecordType::A);
        let replies = resolver.ask(&question).await;
        let definite = replies.iter().find(|reply| reply.answer.is_definite());
        match definite.or(replies.first()).map(|reply| &reply.answer) {
            Some(Answer::Found(found)) => {
                let addresses: Vec<Ipv4Addr> = found.records.iter().filter_map(address).collect();
                Ok(dnsbl::read(&addresses))
            }
            Some(Answer::NoData(_) | Answer::NoSuchName(_)) => Ok(Word::NotListed),
            Some(Answer::Unknown(failure)) => Err(format!("DNS failed: {}", failure.outcome())),
            None => Err("DNS failed".to_owned()),
        }
    }

    /// What is kept of its word about a registrable domain.
    async fn told(&mut self, resolver: &dyn Resolver, domain: &str, now: DateTime<Utc>) -> ListTold {
        let told = match self.fault(resolver, now).await {
            Some(fault) => Err(fault),
            None => match self.ask(resolver, domain).await {
                Ok(Word::Listed(codes)) => {
                    let reason = self.reason(resolver, domain).await;
                    Ok((codes.iter().map(Ipv4Addr::to_string).collect(), reason))
                }
                Ok(Word::NotListed) => Ok((Vec::new(), None)),
                Ok(Word::WillNotTell(why)) => Err(why.to_owned()),
                Ok(Word::Broken) => Err("the list's answer is none: it lies outside 127.0.0.0/8".to_owned()),
                Err(why) => Err(why),
            },
        };
        ListTold { zone: self.name.to_string(), told }
    }

    /// Why it has a domain, in its own words. RFC 5782 §2.1.
    async fn reason(&self, resolver: &dyn Resolver, domain: &str) -> Option<String> {
        let replies = resolver.ask(&Question::txt(&self.name_of(domain)?)).await;
        let text = replies.iter().flat_map(|reply| reply.answer.records()).find_map(|record| match record {
            RecordData::Txt(txt) => Some(txt.shown()),
            _ => None,
        })?;
        Some(text.chars().take(REASON_CHARACTERS_MAX).collect())
    }
}

fn address(record: &RecordData) -> Option<Ipv4Addr> {
    match record {
        RecordData::A(address) => Some(*address),
        _ => None,
    }
}

impl Service {
    /// Asks the lists about the domain that is the longest due. Whether there was one.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; what was lent falls due again when its lease ends.
    pub async fn lists_ask(&self, lists: &mut Blocklists, resolver: &dyn Resolver) -> Result<bool, Error> {
        let now = self.clock.now();
        let token = self.chance.id(now);
        let Some(claim) = self.store.lists_claim(now, now + LEASE, token).await? else { return Ok(false) };
        let mut told = Vec::with_capacity(lists.zones.len());
        if claim.is_living {
            for zone in &mut lists.zones {
                told.push(zone.told(resolver, &claim.organization, now).await);
            }
        }
        let next_at = after(now, jittered(INTERVAL, self.chance.number()));
        self.store.lists_settle(&claim, &told, next_at, self.clock.now()).await?;
        Ok(true)
    }

    /// Forgets what lists said that are not asked any more.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn lists_keep(&self, lists: &Blocklists) -> Result<(), Error> {
        Ok(self.store.lists_keep(&lists.zones(), self.clock.now()).await?)
    }
}
