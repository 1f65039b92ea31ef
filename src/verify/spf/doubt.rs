//! Lookups of a tree that failed, and which of them keep a record from being called valid.
//!
//! A failure matters where some answer in its place would make the record one that does not do. No answer to an
//! `a` of single addresses could, unless it is the void lookup too many; any answer to an include could.

use crate::protocol::spf::VOID_LOOKUPS_MAX;
use crate::protocol::spf::terms::Mechanism;
use crate::verify::evidence::{Question, RecordType};
use crate::verify::finding::spf::SpfFinding;
use crate::verify::spf::reach::{Bound, IP4_ADDRESSES_MAX, Reach};
use crate::verify::spf::tree::{Node, NodeState, Visit};

/// The most addresses of one answer: 65,535 octets of a message (RFC 1035 §4.2.2) hold so many records of 16 octets
/// and more (RFC 1035 §3.2.1).
const ANSWER_ADDRESSES_MAX: u128 = 1 << 12;

/// All that failed in a tree.
pub(super) fn failures(tree: &Node) -> Vec<SpfFinding> {
    let mut failures = failed_includes(tree);
    failures.extend(failed_lookups(&tree.walk()));
    failures
}

/// The includes and redirects of a tree about whose records nobody could tell: anything may stand in there.
pub(super) fn failed_includes(tree: &Node) -> Vec<SpfFinding> {
    let visits = tree.walk();
    let failed = visits.iter().filter_map(|visit| failed_record(visit.branch.child.as_ref()?));
    failed.collect()
}

/// The failures in a tree that keep it from being called valid.
pub(super) fn decisive(tree: &Node) -> Vec<SpfFinding> {
    let mut decisive = failed_includes(tree);
    let visits = tree.walk();
    let lookups = failed_lookups(&visits);
    let void = usize::try_from(tree.void_lookups()).unwrap_or(usize::MAX);
    let is_over_void = void.saturating_add(lookups.len()) > usize::try_from(VOID_LOOKUPS_MAX).unwrap_or(usize::MAX);
    if is_over_void || visits.iter().any(may_be_wrong) || may_be_too_wide(tree, &visits) {
        decisive.extend(lookups);
    }
    decisive
}

/// What failed at a node itself.
pub(super) fn failed_record(node: &Node) -> Option<SpfFinding> {
    match &node.state {
        NodeState::Failed(failure) => {
            Some(SpfFinding::LookupFailed { question: Question::txt(&node.name), failure: *failure })
        }
        _ => None,
    }
}

fn failed_lookups(visits: &[Visit<'_>]) -> Vec<SpfFinding> {
    let failed = visits.iter().flat_map(|visit| &visit.branch.failures);
    failed
        .map(|(question, failure)| SpfFinding::LookupFailed { question: question.clone(), failure: *failure })
        .collect()
}

/// Whether an answer in place of a term's failure could by itself make the record a wrong one.
fn may_be_wrong(visit: &Visit<'_>) -> bool {
    match visit.branch.mechanism() {
        // Anything that is found lets everybody pass. RFC 7208 §5.7.
        Some(Mechanism::Exists(_)) => visit.is_passing && !visit.branch.failures.is_empty(),
        // There may be too many hosts, or too many of them without an address. RFC 7208 §4.6.4.
        Some(Mechanism::Mx { .. }) => {
            visit.branch.failures.iter().any(|(asked, _)| asked.record_type == RecordType::Mx)
        }
        _ => false,
    }
}

/// Whether with all that failed more IPv4 addresses may pass than should.
fn may_be_too_wide(tree: &Node, visits: &[Visit<'_>]) -> bool {
    let open = visits.iter().filter(|visit| visit.is_passing).map(|visit| {
        let bits = match visit.branch.mechanism() {
            Some(Mechanism::A { cidr, .. } | Mechanism::Mx { cidr, .. }) => cidr.ip4,
            _ => return 0,
        };
        let each = 1_u128.checked_shl(32_u32.saturating_sub(u32::from(bits))).unwrap_or(u128::MAX);
        let answers = u128::try_from(visit.branch.failures.len()).unwrap_or(u128::MAX);
        each.saturating_mul(ANSWER_ADDRESSES_MAX).saturating_mul(answers)
    });
    let open = open.fold(0, u128::saturating_add);
    Reach::bound(tree, Bound::Counted).ip4_count().saturating_add(open) > IP4_ADDRESSES_MAX
}
