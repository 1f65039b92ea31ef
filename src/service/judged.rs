//! Judgements that were made already, so that reading a page costs its row and no more.
//!
//! A judgement is a function of the row and of the evidence that its digest names, so whoever meets the same row again
//! meets the same judgement; nothing has to be told, and nothing can grow old. What of a row moves without touching the
//! judgement (when it is looked at next, what was sent) is left out of the comparison.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::service::ownership::OwnershipView;
use crate::service::requirements::RequirementsSource;
use crate::store::DomainRow;
use crate::verify::ownership::OwnershipReport;
use crate::verify::report::Report;

/// The most judgements that are remembered are twice as many, each of about 10 KiB.
const GENERATION_MAX: usize = 1_024;

/// What was made of a domain's row and its evidence.
#[derive(Debug)]
pub struct Judged {
    /// The judgement of the latest evidence. What has no answer yet is `unchecked`.
    pub report: Report,
    /// What proves that it is its client's, and what the last check says of that; nothing where nothing is to be proven.
    pub ownership: Option<(OwnershipView, OwnershipReport)>,
    /// Who says what is required.
    pub requirements: RequirementsSource,
    /// When each of the report's records last changed, in their order; nothing where it was never checked.
    pub changed_at: Vec<Option<DateTime<Utc>>>,
    /// How it is told, once somebody has told it.
    pub told: OnceLock<Told>,
}

/// A document, all but what of it moves by itself.
#[derive(Debug)]
pub struct Told {
    /// Its tag.
    pub tag: Arc<str>,
    /// Its text, cut where that belongs.
    pub pieces: Vec<Piece>,
}

/// A piece of a document.
#[derive(Debug)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// When it is looked at next.
    NextCheckAt,
    /// Whether it is looked at now.
    Checking,
    /// When to ask again.
    PollAfter,
}

/// The judgements of the domains that were read lately.
#[derive(Debug, Default)]
pub(crate) struct Judgements {
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Uuid, Remembered>,
    old: HashMap<Uuid, Remembered>,
}

#[derive(Debug)]
struct Remembered {
    basis: Basis,
    judged: Arc<Judged>,
}

/// All that a judgement and its telling rest on.
#[derive(Debug)]
pub(crate) struct Basis {
    row: DomainRow,
    breaker_open: bool,
}

impl Basis {
    /// What of these a judgement rests on.
    pub(crate) fn of(row: &DomainRow, breaker_open: bool) -> Basis {
        Basis { row: row.clone(), breaker_open }
    }

    /// Whether a judgement of this is one of those, too. Asked for every read, so nothing is copied.
    fn is_of(&self, row: &DomainRow, breaker_open: bool) -> bool {
        let DomainRow {
            id,
            client_id,
            domain,
            provider,
            dns_configured,
            spf_valid,
            dkim_valid,
            dmarc_valid,
            mx_valid,
            domain_age_days: _,
            reputation_score: _,
            daily_send_limit: _,
            current_daily_sends: _,
            status,
            infraforge_domain_id: _,
            smartlead_domain_id: _,
            created_at,
            updated_at: _,
            deleted_at,
            last_checked_at,
            last_success_at: _,
            next_check_at: _,
            check_reason: _,
            lease_until: _,
            degraded_since,
            suspends_at,
            suspended_reason,
            recovering_since,
            stale_since,
            verified_at,
            pending_since,
            requirements,
            binding,
            dedicated_ips,
            evidence_digest,
            malformed,
            ownership_value,
            ownership_proven_at,
            history_after,
        } = &self.row;
        // What moves most often first.
        self.breaker_open == breaker_open
            && *id == row.id
            && *last_checked_at == row.last_checked_at
            && *evidence_digest == row.evidence_digest
            && (*client_id, *status, *suspended_reason) == (row.client_id, row.status, row.suspended_reason)
            && [*dns_configured, *spf_valid, *dkim_valid, *dmarc_valid, *mx_valid]
                == [row.dns_configured, row.spf_valid, row.dkim_valid, row.dmarc_valid, row.mx_valid]
            && [*created_at, *deleted_at, *degraded_since, *suspends_at, *recovering_since]
                == [row.created_at, row.deleted_at, row.degraded_since, row.suspends_at, row.recovering_since]
            && [*stale_since, *verified_at, *pending_since, *ownership_proven_at]
                == [row.stale_since, row.verified_at, row.pending_since, row.ownership_proven_at]
            && (domain, provider, requirements, binding, dedicated_ips)
                == (&row.domain, &row.provider, &row.requirements, &row.binding, &row.dedicated_ips)
            && (malformed, ownership_value, history_after) == (&row.malformed, &row.ownership_value, &row.history_after)
    }
}

impl Judgements {
    /// What was made of the same before.
    pub(crate) fn get(&self, row: &DomainRow, breaker_open: bool) -> Option<Arc<Judged>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let id = row.id;
        if let Some(remembered) = generations.young.get(&id) {
            return remembered.basis.is_of(row, breaker_open).then(|| Arc::clone(&remembered.judged));
        }
        let remembered = generations.old.remove(&id).filter(|remembered| remembered.basis.is_of(row, breaker_open))?;
        let judged = Arc::clone(&remembered.judged);
        generations.put(id, remembered);
        Some(judged)
    }

    /// Remembers what was made of it.
    pub(crate) fn put(&self, basis: Basis, judged: &Arc<Judged>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let id = basis.row.id;
        generations.put(id, Remembered { basis, judged: Arc::clone(judged) });
    }
}

impl Generations {
    /// Once the young are many they become the old, and those that were old and not asked for since are forgotten.
    fn put(&mut self, id: Uuid, remembered: Remembered) {
        if self.young.len() >= GENERATION_MAX && !self.young.contains_key(&id) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, remembered);
    }
}
