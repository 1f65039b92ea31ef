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
#[derive(Debug, PartialEq)]
pub(crate) struct Basis {
    row: DomainRow,
    breaker_open: bool,
}

impl Basis {
    /// What of these a judgement rests on.
    pub(crate) fn of(row: &DomainRow, breaker_open: bool) -> Basis {
        let row = DomainRow {
            domain_age_days: None,
            reputation_score: None,
            daily_send_limit: 0,
            current_daily_sends: 0,
            updated_at: None,
            last_success_at: None,
            next_check_at: None,
            check_reason: None,
            lease_until: None,
            ..row.clone()
        };
        Basis { row, breaker_open }
    }
}

impl Judgements {
    /// What was made of the same before.
    pub(crate) fn get(&self, basis: &Basis) -> Option<Arc<Judged>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let id = basis.row.id;
        if let Some(remembered) = generations.young.get(&id) {
            return (remembered.basis == *basis).then(|| Arc::clone(&remembered.judged));
        }
        let remembered = generations.old.remove(&id).filter(|remembered| remembered.basis == *basis)?;
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
