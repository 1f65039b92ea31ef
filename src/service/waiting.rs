//! Who waits for a domain to change, and how they are told.
//!
//! A word to those who wait for one domain costs nothing where nobody does, so that the sweep may tell of every
//! domain that it settles. A word may be missed (another replica's, while its channel is down): whoever waits looks
//! by itself from time to time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use crate::service::together::Moment;

/// Past so many domains, those for which nobody waits any more are swept out.
const DOMAINS_KEPT_MIN: usize = 256;

/// Those who wait, by domain.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    domains: Mutex<Domains>,
}

#[derive(Debug, Default)]
struct Domains {
    by_id: HashMap<Uuid, watch::Sender<Moment>>,
    sweep_at_count: usize,
}

impl Waiting {
    /// From now on every change of the domain is told; those of before are not.
    pub(crate) fn watch(&self, domain_id: Uuid) -> watch::Receiver<Moment> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.sweep();
        domains.by_id.entry(domain_id).or_insert_with(|| watch::Sender::new(Moment::default())).subscribe()
    }

    /// Tells those who wait for the domain to look, and when they were told.
    pub(crate) fn tell(&self, domain_id: Uuid, now: Moment) {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        // An error says that all of them have gone.
        if domains.by_id.get(&domain_id).is_some_and(|sender| sender.send(now).is_err()) {
            domains.by_id.remove(&domain_id);
        }
    }

    /// Tells everybody to look: words may have been missed.
    pub(crate) fn tell_all(&self, now: Moment) {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.by_id.retain(|_, sender| sender.send(now).is_ok());
    }
}

impl Domains {
    /// Doubles the mark when all are waited for, so that sweeping costs a constant share of the calls.
    fn sweep(&mut self) {
        if self.by_id.len() < self.sweep_at_count.max(DOMAINS_KEPT_MIN) {
            return;
        }
        self.by_id.retain(|_, sender| sender.receiver_count() > 0);
        self.sweep_at_count = self.by_id.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> Uuid {
        Uuid::from_u128(u128::try_from(number).unwrap())
    }

    #[test]
    fn those_who_wait_for_a_domain_are_told_of_it() {
        let waiting = Waiting::default();
        waiting.tell(id(1), Moment::default());
        let (mut first, mut second, mut other) = (waiting.watch(id(1)), waiting.watch(id(1)), waiting.watch(id(2)));
        assert!(!first.has_changed().unwrap(), "what was told before is not heard");
        waiting.tell(id(1), Moment::default());
        assert!(first.has_changed().unwrap() && second.has_changed().unwrap() && !other.has_changed().unwrap());
        first.mark_unchanged();
        second.mark_unchanged();
        waiting.tell_all(Moment::default());
        assert!(first.has_changed().unwrap() && other.has_changed().unwrap());
        other.mark_unchanged();
    }

    #[test]
    fn those_who_went_leave_nothing_behind() {
        let waiting = Waiting::default();
        let stays = waiting.watch(id(0));
        for number in 1..10_000 {
            drop(waiting.watch(id(number)));
        }
        let kept = waiting.domains.lock().unwrap().by_id.len();
        assert!(kept <= DOMAINS_KEPT_MIN, "{kept}");
        waiting.tell(id(0), Moment::default());
        assert!(stays.has_changed().unwrap(), "but who waits is kept");
        drop(stays);
        waiting.tell(id(0), Moment::default());
        assert!(!waiting.domains.lock().unwrap().by_id.contains_key(&id(0)));
    }
}
