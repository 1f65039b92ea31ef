//! The CNAME chain of one question (RFC 1034 §3.6.2), followed step by step.
//!
//! Owns when to stop: a chain that comes back to a name it has seen, or that is longer than
//! [`ALIAS_COUNT_MAX`], can never be answered and is malformed.

use crate::dns::ALIAS_COUNT_MAX;
use crate::protocol::name::Name;
use crate::verify::evidence::{Alias, Answer, Authority, Denial, Failure, Found, RecordData};

/// The aliases followed so far, and the name at their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    aliases: Vec<Alias>,
    end: Name,
    /// Whether every message so far was authentic; nothing before the first.
    authentic: Option<bool>,
}

impl Chain {
    /// The chain that has not left `name`.
    pub(super) fn at(name: Name) -> Chain {
        Chain { aliases: Vec::new(), end: name, authentic: None }
    }

    /// The name that is to be asked now.
    pub(super) fn end(&self) -> &Name {
        &self.end
    }

    /// Takes in whether what is learnt now is authentic. A chain is as good as its weakest part.
    pub(super) fn weigh(&mut self, authentic: bool) {
        self.authentic = Some(authentic && self.authentic.unwrap_or(true));
    }

    fn is_authentic(&self) -> bool {
        self.authentic.unwrap_or(false)
    }

    /// Goes from the end to `target`.
    ///
    /// # Errors
    ///
    /// [`Failure::Malformed`] when the chain has been there before, or becomes too long; whose zone it is, is at fault.
    pub(super) fn follow(&mut self, target: Name, ttl_seconds: u32) -> Result<(), Failure> {
        let loops = target == self.end || self.aliases.iter().any(|alias| alias.owner == target);
        if loops || self.aliases.len() >= ALIAS_COUNT_MAX {
            return Err(Failure::Malformed);
        }
        let owner = std::mem::replace(&mut self.end, target.clone());
        self.aliases.push(Alias { owner, target, ttl_seconds });
        Ok(())
    }

    /// The chain that ends in `records`, of which the least time to live is `ttl_seconds`.
    pub(super) fn found(self, mut records: Vec<RecordData>, ttl_seconds: u32) -> Answer {
        records.sort_unstable();
        // A set holds no record twice. RFC 2181 §5.
        records.dedup();
        let ttl_seconds = self.aliases.iter().map(|alias| alias.ttl_seconds).fold(ttl_seconds, u32::min);
        let authentic = self.is_authentic();
        Answer::Found(Found { records, ttl_seconds, aliases: self.aliases, authentic })
    }

    /// The chain that its server does not follow to the end: the last CNAME is what it has.
    pub(super) fn left_open(mut self) -> Answer {
        match self.aliases.pop() {
            Some(last) => self.found(vec![RecordData::Cname(last.target)], last.ttl_seconds),
            None => Answer::Unknown(Failure::Malformed),
        }
    }

    /// The chain whose end exists, without such records.
    pub(super) fn no_data(self, authority: Option<Authority>) -> Answer {
        let authentic = self.is_authentic();
        Answer::NoData(Denial { aliases: self.aliases, authority, authentic })
    }

    /// The chain whose end does not exist.
    pub(super) fn no_such_name(self, authority: Option<Authority>) -> Answer {
        let authentic = self.is_authentic();
        Answer::NoSuchName(Denial { aliases: self.aliases, authority, authentic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, steps: &[&str], expected: Result<usize, Failure>) {
        let mut chain = Chain::at(Name::parse("0.test").unwrap());
        let result = steps.iter().try_for_each(|step| chain.follow(Name::parse(step).unwrap(), 1));
        assert_eq!(result.map(|()| chain.aliases.len()), expected, "{why}");
    }

    #[test]
    fn a_chain_is_as_authentic_as_its_weakest_part() {
        for (parts, expected) in
            [(&[][..], false), (&[true], true), (&[true, true], true), (&[true, false], false), (&[false, true], false)]
        {
            let mut chain = Chain::at(Name::root());
            parts.iter().for_each(|part| chain.weigh(*part));
            assert_eq!(chain.clone().found(Vec::new(), 1).is_authentic(), expected, "{parts:?}");
            assert_eq!(chain.no_data(None).is_authentic(), expected, "{parts:?}");
        }
    }

    #[test]
    fn a_chain_ends() {
        check("no step", &[], Ok(0));
        check("a name that points at itself", &["0.test"], Err(Failure::Malformed));
        check("back to the first", &["1.test", "0.test"], Err(Failure::Malformed));
        check("back into the middle", &["1.test", "2.test", "1.test"], Err(Failure::Malformed));
        let steps = ["1.test", "2.test", "3.test", "4.test", "5.test", "6.test", "7.test", "8.test", "9.test"];
        check("the longest", &steps[..8], Ok(8));
        check("one too long", &steps, Err(Failure::Malformed));
    }
}
