//! Sender Policy Framework (RFC 7208): what a record says of one sender, and whether it does.
//!
//! Owns [`check_host`], the function of RFC 7208 §4, and the judgement of a domain's record. Pure:
//! what DNS said is evidence, and what is still to be asked is the result.

mod draft;
pub mod evaluate;
pub mod judgement;
pub mod lint;
pub mod near;
pub mod reach;
pub mod select;
pub mod trace;
pub mod tree;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

use crate::verify::evidence::Evidence;
use crate::verify::spf::evaluate::Evaluation;
pub use crate::verify::spf::judgement::{SpfJudgement, judge, planned};
pub use crate::verify::spf::lint::{SpfLint, lint};
use crate::verify::spf::trace::TraceLine;
use crate::verify::step::{Needs, Step};

/// The results of RFC 7208 §2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpfResult {
    /// The client may send.
    Pass,
    /// The client may not send.
    Fail,
    /// The client probably may not send.
    SoftFail,
    /// Nothing is said of the client.
    Neutral,
    /// There is no record, or no domain.
    None,
    /// The record cannot be used.
    PermError,
    /// DNS failed.
    TempError,
}

impl SpfResult {
    /// Every result.
    pub const ALL: [SpfResult; 7] = [
        SpfResult::Pass,
        SpfResult::Fail,
        SpfResult::SoftFail,
        SpfResult::Neutral,
        SpfResult::None,
        SpfResult::PermError,
        SpfResult::TempError,
    ];

    /// The word of RFC 7208 §2.6 and of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            SpfResult::Pass => "pass",
            SpfResult::Fail => "fail",
            SpfResult::SoftFail => "softfail",
            SpfResult::Neutral => "neutral",
            SpfResult::None => "none",
            SpfResult::PermError => "permerror",
            SpfResult::TempError => "temperror",
        }
    }
}

impl fmt::Display for SpfResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One SMTP session, as far as SPF looks at it. RFC 7208 §4.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The client's address.
    pub ip: IpAddr,
    /// The name in HELO or EHLO, as it came.
    pub helo: Vec<u8>,
    /// The sender's local part, `postmaster` where there is none. RFC 7208 §4.3.
    pub local_part: Vec<u8>,
    /// The sender's domain, as it came.
    pub sender_domain: Vec<u8>,
    /// The domain whose record is evaluated, as it came.
    pub domain: Vec<u8>,
    /// The receiver's name, for `%{r}`.
    pub receiver: Option<String>,
    /// The time in seconds since 1970, for `%{t}`.
    pub now_seconds: u64,
}

impl Session {
    /// The session of a client that says `helo` and sends from `mail_from`.
    ///
    /// An empty `mail_from` means the HELO name, RFC 7208 §2.4; one without an `@` is a domain. U-labels
    /// become A-labels, RFC 8616 §4.
    pub fn new(ip: IpAddr, helo: impl AsRef<[u8]>, mail_from: impl AsRef<[u8]>, now_seconds: u64) -> Session {
        let helo = to_a_labels(helo.as_ref());
        let mail_from = mail_from.as_ref();
        let (local_part, domain) = match mail_from.iter().rposition(|octet| *octet == b'@') {
            Some(at) => {
                (mail_from.get(..at).unwrap_or_default(), to_a_labels(mail_from.get(at + 1..).unwrap_or_default()))
            }
            None if mail_from.is_empty() => (Default::default(), helo.clone()),
            None => (Default::default(), to_a_labels(mail_from)),
        };
        let local_part = if local_part.is_empty() { b"postmaster".to_vec() } else { local_part.to_vec() };
        // A trailing dot is no part of the name that `%{o}` stands for.
        let sender_domain = domain.strip_suffix(b".").unwrap_or(&domain).to_vec();
        Session { ip, helo, local_part, sender_domain, domain, receiver: None, now_seconds }
    }

    /// The same session, evaluated by the record of `domain` instead of the sender's. RFC 7208 §4.1.
    pub fn at(self, domain: impl AsRef<[u8]>) -> Session {
        Session { domain: to_a_labels(domain.as_ref()), ..self }
    }

    /// The session that a requirement is judged by: postmaster of `domain`, from `ip`.
    pub fn of_postmaster(ip: IpAddr, domain: &str) -> Session {
        Session::new(ip, domain, format!("postmaster@{domain}"), 0)
    }
}

/// A domain in A-labels; left alone where that cannot be.
fn to_a_labels(domain: &[u8]) -> Vec<u8> {
    if domain.is_ascii() {
        return domain.to_vec();
    }
    idna::domain_to_ascii_cow(domain, idna::AsciiDenyList::EMPTY)
        .map_or_else(|_| domain.to_vec(), |ascii| ascii.into_owned().into_bytes())
}

/// What SPF says of one session, and how it came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfOutcome {
    /// The result.
    pub result: SpfResult,
    /// The domain's own words on a failure. RFC 7208 §6.2. Out of DNS: hostile.
    pub explanation: Option<String>,
    /// How many terms cost a lookup until the result was known. RFC 7208 §4.6.4.
    pub lookups: u32,
    /// How many lookups of terms found nothing. RFC 7208 §4.6.4.
    pub void_lookups: u32,
    /// Every step, in order.
    pub trace: Vec<TraceLine>,
}

/// Evaluates the record of `session.domain` for this session. RFC 7208 §4.
///
/// Never fails: what DNS failed to tell is `temperror`, what cannot be used `permerror`.
pub fn check_host(session: &Session, evidence: &Evidence) -> Step<SpfOutcome> {
    Step::from(outcome_of(session, evidence))
}

/// [`check_host`] for use within a judgement.
///
/// # Errors
///
/// [`Needs`], what is to be asked first.
pub fn outcome_of(session: &Session, evidence: &Evidence) -> Result<SpfOutcome, Needs> {
    Evaluation::new(session, evidence).run()
}
