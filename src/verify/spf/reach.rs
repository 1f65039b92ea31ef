//! Whom a tree lets pass, as far as that does not depend on the sender.
//!
//! Order counts (RFC 7208 §4.6.2): what a `-`, `~` or `?` term matched first, a later `+` term does not pass.
//!
//! Where lookups failed there is no one set, but a least and a most ([`Bound`]): a term about which nobody could
//! tell may match nobody or everybody, whichever is worse for what is to be shown.

use std::fmt;
use std::net::IpAddr;

use crate::protocol::name::Name;
use crate::protocol::spf::cidr::{self, Network};
use crate::protocol::spf::terms::{Mechanism, Qualifier};
use crate::verify::spf::tree::{Branch, Node, NodeState};

/// The most IPv4 addresses that may pass. Design §2.
pub const IP4_ADDRESSES_MAX: u128 = 1 << 28;

/// The shortest prefix of an IPv6 network that may pass, in bits. Design §2.
pub const IP6_BITS_MIN: u8 = 16;

/// A term, and whose record it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermAt {
    /// Whose record.
    pub at: Name,
    /// The term as it is written.
    pub term: String,
}

impl fmt::Display for TermAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in the record of {}", self.term, self.at)
    }
}

/// Who passes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    ip4: Spans,
    ip6: Spans,
    /// The term that lets everybody pass, where there is one.
    pub everybody: Option<TermAt>,
    /// The term that lets too wide an IPv6 network pass, where there is one.
    pub wide_ip6: Option<TermAt>,
}

/// What is in doubt of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// What failed.
    Failed,
    /// What failed, what depends on the client, and what only addresses of IPv6, not looked up here, would tell.
    FailedOrDynamic,
}

/// How terms in doubt are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// As they are known: they match nobody.
    Known,
    /// So that whoever is in surely passes.
    Least(Doubt),
    /// So that whoever is out surely does not pass.
    Most(Doubt),
    /// As the most, but without those whom a failed lookup itself would let pass: these are counted.
    Counted,
}

impl Bound {
    /// For terms that take from what passes: their most makes the least.
    fn of_denied(self) -> Bound {
        match self {
            Bound::Known => Bound::Known,
            Bound::Least(doubt) => Bound::Most(doubt),
            Bound::Most(doubt) => Bound::Least(doubt),
            Bound::Counted => Bound::Least(Doubt::Failed),
        }
    }
}

impl Reach {
    /// Who passes by the record at the root of `node`, as far as it is known.
    pub fn of(node: &Node) -> Reach {
        Reach::bound(node, Bound::Known)
    }

    /// Who passes by the record at the root of `node`, within `bound`.
    pub fn bound(node: &Node, bound: Bound) -> Reach {
        let mut pass = Reach::default();
        let mut denied = Reach::default();
        for branch in &node.branches {
            match branch.qualifier() {
                Qualifier::Pass => pass.take(matched_by(branch, node, bound).without(&denied)),
                _ => denied.merge(&matched_by(branch, node, bound.of_denied())),
            }
        }
        pass
    }

    /// Whether `ip` surely passes.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let spans = if ip.is_ipv4() { &self.ip4 } else { &self.ip6 };
        spans.contains(cidr::number(ip))
    }

    /// Whether a whole network surely passes, judged by its first and last address.
    pub fn contains_ends(&self, network: &Network) -> bool {
        let (first, last) = network.ends();
        self.contains(first) && self.contains(last)
    }

    /// How many IPv4 addresses pass.
    pub fn ip4_count(&self) -> u128 {
        self.ip4.merged().list.iter().map(|(first, last)| last - first + 1).sum()
    }

    fn take(&mut self, other: Reach) {
        self.ip4.list.extend(other.ip4.list);
        self.ip6.list.extend(other.ip6.list);
        self.everybody = self.everybody.take().or(other.everybody);
        self.wide_ip6 = self.wide_ip6.take().or(other.wide_ip6);
    }

    /// Adds the networks of `other`, keeping them merged: terms of both kinds may take turns, thousands of them.
    fn merge(&mut self, other: &Reach) {
        other.ip4.list.iter().for_each(|range| self.ip4.insert(*range));
        other.ip6.list.iter().for_each(|range| self.ip6.insert(*range));
    }

    /// What is left of this beside `denied`, which is merged.
    fn without(mut self, denied: &Reach) -> Reach {
        if !denied.ip4.list.is_empty() || !denied.ip6.list.is_empty() {
            self.ip4 = self.ip4.minus(&denied.ip4);
            self.ip6 = self.ip6.minus(&denied.ip6);
        }
        self
    }
}

/// Whom one term matches.
fn matched_by(branch: &Branch, owner: &Node, bound: Bound) -> Reach {
    // An include matches whom its record lets pass, a redirect likewise. RFC 7208 §5.2, §6.1.
    let mut matched = branch.child.as_ref().map_or_else(Reach::default, |child| Reach::bound(child, bound));
    if let Bound::Most(doubt) = bound {
        let is_open = has_failed(branch) || (doubt == Doubt::FailedOrDynamic && branch.is_dynamic);
        let is_open_ip6 = doubt == Doubt::FailedOrDynamic
            && matches!(branch.mechanism(), Some(Mechanism::A { .. } | Mechanism::Mx { .. }));
        if is_open {
            matched.ip4.list.push(ALL_IP4);
        }
        if is_open || is_open_ip6 {
            matched.ip6.list.push(ALL_IP6);
        }
    }
    let here = || TermAt { at: owner.name.clone(), term: branch.text() };
    if branch.is_everybody {
        matched.ip4.list.push(ALL_IP4);
        matched.ip6.list.push(ALL_IP6);
        matched.everybody = Some(here());
    }
    for network in &branch.networks {
        let spans = if network.address.is_ipv4() { &mut matched.ip4 } else { &mut matched.ip6 };
        spans.list.push(network.bounds());
        if network.address.is_ipv6() && network.bits < IP6_BITS_MIN {
            matched.wide_ip6 = matched.wide_ip6.take().or_else(|| Some(here()));
        }
    }
    matched
}

/// Whether nobody could tell all that a term by itself leads to.
fn has_failed(branch: &Branch) -> bool {
    let is_closed = |child: &Node| matches!(child.state, NodeState::Failed(_) | NodeState::Beyond);
    !branch.failures.is_empty() || branch.child.as_ref().is_some_and(is_closed)
}

/// Every IPv4 address.
const ALL_IP4: (u128, u128) = (0, 0xffff_ffff);

/// Every IPv6 address.
const ALL_IP6: (u128, u128) = (0, u128::MAX);

/// Ranges of numbers, both ends included, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Spans {
    list: Vec<(u128, u128)>,
}

impl Spans {
    /// The same numbers, sorted, no two ranges touching.
    fn merged(&self) -> Spans {
        let mut sorted = self.list.clone();
        sorted.sort_unstable();
        let mut list: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match list.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => list.push((first, last)),
            }
        }
        Spans { list }
    }

    /// Adds a range to merged ones, which stay merged.
    fn insert(&mut self, (first, last): (u128, u128)) {
        let start = self.list.partition_point(|(_, end)| end.saturating_add(1) < first);
        let stop = self.list.partition_point(|(begin, _)| *begin <= last.saturating_add(1));
        let touching = self.list.get(start..stop).unwrap_or_default();
        let first = touching.first().map_or(first, |range| range.0.min(first));
        let last = touching.last().map_or(last, |range| range.1.max(last));
        self.list.splice(start..stop.max(start), [(first, last)]);
    }

    fn contains(&self, number: u128) -> bool {
        self.list.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// These numbers without those of `other`, which is merged.
    fn minus(&self, other: &Spans) -> Spans {
        let mut list = Vec::new();
        for (first, last) in &self.list {
            let mut from = Some(*first);
            let start = other.list.partition_point(|(_, end)| end < first);
            for (hole_first, hole_last) in other.list.iter().skip(start).take_while(|(hole, _)| hole <= last) {
                match from {
                    Some(start) if *hole_first > start => list.push((start, hole_first - 1)),
                    _ => {}
                }
                from = hole_last.checked_add(1).filter(|next| next <= last);
            }
            list.extend(from.map(|start| (start, *last)));
        }
        Spans { list }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_families_can_be_subtracted() {
        let all = Spans { list: vec![(0, u128::MAX)] };
        assert_eq!(all.minus(&all), Spans::default());
        let middle = Spans { list: vec![(5, 9)] };
        assert_eq!(all.minus(&middle).list, [(0, 4), (10, u128::MAX)]);
    }

    proptest! {
        #[test]
        fn spans_are_sets(own in proptest::collection::vec((0u128..60, 0u128..9), 0..8),
                          other in proptest::collection::vec((0u128..60, 0u128..9), 0..8)) {
            let spans = |list: &[(u128, u128)]| Spans { list: list.iter().map(|(a, n)| (*a, a + n)).collect() };
            let (own, other) = (spans(&own), spans(&other));
            let left = own.minus(&other.merged());
            let mut inserted = Spans::default();
            other.list.iter().for_each(|range| inserted.insert(*range));
            prop_assert_eq!(&inserted, &other.merged());
            for number in 0..80 {
                prop_assert_eq!(left.contains(number), own.contains(number) && !other.contains(number));
                prop_assert_eq!(own.merged().contains(number), own.contains(number));
            }
        }
    }
}
