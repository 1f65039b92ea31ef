//! Why a use case gave nothing, told apart by what the caller can do about it.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use crate::checker::JudgeFault;
use crate::plural::counted;
use crate::sending::tier::{Resource, Tier};
use crate::service::ownership::{ClaimView, Exceeded};
use crate::store::{Excess, StoreError};

/// Why a use case gave nothing. All but [`Error::Store`] and [`Error::Judge`] are the caller's to mend.
#[derive(Debug, Error)]
pub enum Error {
    /// No such client, or not the caller's.
    #[error("there is no client {0}")]
    NoSuchClient(Uuid),
    /// No such domain, or not the caller's; by id or by name.
    #[error("there is no domain {0}")]
    NoSuchDomain(String),
    /// No such check of this domain.
    #[error("there is no check {0} of this domain")]
    NoSuchCheck(Uuid),
    /// No such mailbox, or not the caller's.
    #[error("there is no mailbox {0}")]
    NoSuchMailbox(Uuid),
    /// No such setup link of this domain.
    #[error("there is no setup link {0} of this domain")]
    NoSuchSetupLink(Uuid),
    /// No such key.
    #[error("there is no key {0}")]
    NoSuchKey(Uuid),
    /// No such webhook endpoint, or not the caller's.
    #[error("there is no webhook endpoint {0}")]
    NoSuchEndpoint(Uuid),
    /// No such delivery to this endpoint.
    #[error("there is no delivery {0} to this endpoint")]
    NoSuchDelivery(Uuid),
    /// The client has as many endpoints as it may.
    #[error("there are {limit} webhook endpoints already; remove one")]
    TooManyEndpoints {
        /// How many it may have.
        limit: u32,
    },
    /// Others kept replacing the endpoint's secret while it was to be replaced; try again.
    #[error("the endpoint's secret is being replaced by others")]
    EndpointBusy,
    /// The key is a right one, and has expired.
    #[error("the key has expired at {}; ask for a new one", .0.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))]
    KeyExpired(DateTime<Utc>),
    /// The caller's role may not do this at all.
    #[error("this needs {needs}")]
    Forbidden {
        /// Whose key would do, such as `an operator key`.
        needs: &'static str,
    },
    /// Fields are not what they must be; at least one.
    #[error("{}", faults_shown(.0))]
    Invalid(Vec<FieldFault>),
    /// The client has the domain already.
    #[error("this client has the domain already")]
    DomainOwn,
    /// Another client has the domain, or had it.
    #[error("the domain is registered by another client{}", if .claim.is_some() { CLAIMABLE } else { "" })]
    DomainTaken {
        /// What to publish to be given it; nothing where the other has proven that it is his.
        claim: Option<ClaimView>,
    },
    /// Others kept changing the domain while it was to be changed; try again.
    #[error("the domain is being changed by others")]
    DomainBusy,
    /// The domain has the mailbox already.
    #[error("this domain has the mailbox already")]
    MailboxOwn,
    /// Another domain's mailbox has the address, or had it.
    #[error("the address belongs to another mailbox")]
    MailboxTaken,
    /// The mailbox's rates are out of bounds, so it stays paused.
    #[error("the mailbox stays as it is: {0}")]
    MailboxUnhealthy(String),
    /// The gate is closed; nothing was granted.
    #[error("the mailbox may not send: {0}")]
    NotReady(String),
    /// The limit of the day does not allow it; nothing was granted.
    #[error(
        "{} left of {limit} today until {resets_at}, and {} asked for",
        counted(*.left, "mail is", "mails are"),
        counted(*.count, "was", "were")
    )]
    DailyLimitReached {
        /// How many were asked for.
        count: u32,
        /// How many are left.
        left: u32,
        /// How many the mailbox may send today in all.
        limit: u32,
        /// When the next day begins.
        resets_at: DateTime<Utc>,
    },
    /// The `Idempotency-Key` came before, for another number.
    #[error("this key came before with another count; every request needs a new key")]
    SendKeyReused,
    /// The row's name, written by the platform, is no normal domain name; it can only be mended there.
    #[error("the domain's name, as the database has it, is no normal domain name: {0}")]
    DomainMalformed(String),
    /// More than the client's tier allows.
    #[error("{}", allocation_shown(*.resource, *.tier, *.used, *.limit))]
    AllocationExceeded {
        /// Of what.
        resource: Resource,
        /// The tier that does not allow it.
        tier: Option<Tier>,
        /// How many are in use.
        used: u32,
        /// How many it allows.
        limit: u32,
    },
    /// The client's tier does not allow a domain with its mailboxes.
    #[error("{}", transfer_shown(.0))]
    TransferExceeds(Exceeded),
    /// More is in use than the tier allows that the client is to get.
    #[error("{}", excess_shown(*.tier, .excess))]
    TierTooSmall {
        /// The tier.
        tier: Option<Tier>,
        /// All of which there is too much; at least one.
        excess: Vec<Excess>,
    },
    /// More dedicated addresses than the client's tier allows.
    #[error("the tier {tier} allows {}, and {} given; give at most {limit}",
        resource_counted(Resource::DedicatedIps, *.limit), counted(*.given, "was", "were"))]
    TooManyDedicated {
        /// The tier.
        tier: Tier,
        /// How many were given.
        given: usize,
        /// How many it allows.
        limit: u32,
    },
    /// The table `clients` is the platform's.
    #[error("clients are managed by the platform's own database")]
    ClientsManagedElsewhere,
    /// Asked to verify the same domain too often.
    #[error("this domain was asked to be verified too often; wait {} s", .retry_after.as_secs().max(1))]
    TooManyVerifications {
        /// When it can be asked again.
        retry_after: Duration,
    },
    /// The database. Nobody's fault here; try again later, unless it is [`StoreError::Corrupt`].
    #[error("the work could not be done")]
    Store(#[from] StoreError),
    /// A check came to no end: a fault of ours.
    #[error("the check came to no end")]
    Judge(#[source] JudgeFault),
}

impl Error {
    /// One field is not what it must be.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Error {
        Error::Invalid(vec![FieldFault { pointer: pointer.into(), detail: detail.into() }])
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Where it stands, as a JSON pointer (RFC 6901), such as `/dkim/0/selector`.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.detail)
    }
}

fn faults_shown(faults: &[FieldFault]) -> String {
    faults.iter().map(FieldFault::to_string).collect::<Vec<_>>().join("; ")
}

/// What is said where another may have the domain.
const CLAIMABLE: &str =
    ", who has not proven that it is theirs: publish `ownership` as a TXT record, and it becomes yours";

fn transfer_shown(Exceeded { resource, tier, used, more, limit }: &Exceeded) -> String {
    let (allowed, used) = (resource_counted(*resource, *limit), counted(*used, "is", "are"));
    format!("the tier {tier} allows {allowed}; {used} in use, and {more} more would come with the domain")
}

/// What to remove before a client can have a smaller tier.
fn excess_shown(tier: Option<Tier>, excess: &[Excess]) -> String {
    let each = excess.iter().map(|Excess { resource, used, limit }| {
        let (allowed, is) = (resource_counted(*resource, *limit), counted(*used, "is", "are"));
        format!("{allowed}, and {is} in use: remove {}", used.saturating_sub(*limit))
    });
    let whose = tier.map_or("the tier".to_owned(), |tier| format!("the tier {tier}"));
    format!("{whose} allows {}", each.collect::<Vec<_>>().join("; "))
}

fn resource_counted(resource: Resource, count: u32) -> String {
    match resource {
        Resource::Domains => counted(count, "domain", "domains"),
        Resource::Mailboxes => counted(count, "mailbox", "mailboxes"),
        Resource::DedicatedIps => counted(count, "dedicated address", "dedicated addresses"),
    }
}

fn allocation_shown(resource: Resource, tier: Option<Tier>, used: u32, limit: u32) -> String {
    let (allowed, used) = (resource_counted(resource, limit), counted(used, "is", "are"));
    let whose = tier.map_or("the client's tier".to_owned(), |tier| format!("the tier {tier}"));
    format!("{whose} allows {allowed}, and {used} in use")
}
