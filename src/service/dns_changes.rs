//! Somebody's word that the DNS of domains changed: which names are known, and that a repetition changes nothing.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::protocol::domain::Domain;
use crate::service::{Caller, Error, Role, Service};

pub use crate::store::receipt::NamesTaken;

/// The most names that are taken at once. Contract §3.4.
pub const DOMAINS_MAX: usize = 1_000;

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Whoever has this key.
    Key(Caller),
    /// Whoever has one of `webhooks.inbound_secrets`; speaks of everybody's domains.
    Signature,
}

impl Sender {
    /// What ids of webhooks are scoped to: two senders may use the same.
    fn source(self) -> String {
        match self {
            Sender::Key(caller) => caller.key_id.to_string(),
            Sender::Signature => "signature".to_owned(),
        }
    }

    fn caller(self) -> Caller {
        match self {
            Sender::Key(caller) => caller,
            Sender::Signature => Caller { key_id: Uuid::nil(), role: Role::Hook, client_id: None, domain_id: None },
        }
    }
}

/// What was said.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// By whom.
    pub sender: Sender,
    /// By which a repetition is known, if it has one.
    pub webhook_id: Option<&'a str>,
    /// Of which domains: texts as they came, at most [`DOMAINS_MAX`].
    pub names: &'a [String],
}

/// One name of a word: a domain's, or a text that is none.
enum Named {
    Domain(Domain),
    Nonsense(String),
}

impl Service {
    /// Takes the word that the DNS of domains changed: those that are known are marked as due, and nothing is waited
    /// for. Names are told in their normal form, each once, in their order. A repetition is answered alike and changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for too many names; [`Error::Forbidden`] for client keys; [`Error::Store`]: the same word may
    /// be sent again.
    pub async fn dns_changes(&self, word: &Word<'_>) -> Result<NamesTaken, Error> {
        let source = word.sender.source();
        if let Some(webhook_id) = word.webhook_id
            && let Some(taken) = self.store.receipt_get(&source, webhook_id).await?
        {
            return Ok(taken);
        }
        let named: Vec<Named> = word.names.iter().map(|text| named(text)).collect();
        let domains: Vec<Domain> = named.iter().filter_map(Named::domain).cloned().collect();
        let known = self.dns_changed(&word.sender.caller(), &domains).await?;
        let accepted: BTreeSet<String> = known.accepted.iter().map(Domain::to_string).collect();
        let (mut taken, mut told) = (NamesTaken::default(), BTreeSet::new());
        for name in named.into_iter().map(Named::shown) {
            let list = if accepted.contains(&name) { &mut taken.accepted } else { &mut taken.unknown };
            if told.insert(name.clone()) {
                list.push(name);
            }
        }
        // Afterwards: a word that was noted and not acted on would be lost, and marking twice is marking once.
        if let Some(webhook_id) = word.webhook_id {
            self.store.receipt_add(&source, webhook_id, &taken, self.clock.now()).await?;
        }
        Ok(taken)
    }
}

impl Named {
    fn domain(&self) -> Option<&Domain> {
        match self {
            Named::Domain(domain) => Some(domain),
            Named::Nonsense(_) => None,
        }
    }

    fn shown(self) -> String {
        match self {
            Named::Domain(domain) => domain.to_string(),
            Named::Nonsense(text) => text,
        }
    }
}

fn named(text: &str) -> Named {
    Domain::parse(text).map_or_else(|_| Named::Nonsense(text.to_owned()), Named::Domain)
}
