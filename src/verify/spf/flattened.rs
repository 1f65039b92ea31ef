//! Whether the networks of a required include pass without it. Design §2.
//!
//! Three answers, and the third is earned: `No` only where no answer in place of a failure could cover a network
//! that is known to be the include's, `Yes` only where the whole include is known and none could uncover it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::protocol::name::Name;
use crate::protocol::spf::cidr::Network;
use crate::protocol::spf::terms::Mechanism;
use crate::verify::evidence::Evidence;
use crate::verify::finding::spf::SpfFinding;
use crate::verify::spf::doubt::{failed_record, failures};
use crate::verify::spf::reach::{Bound, Doubt, Reach};
use crate::verify::spf::tree::{Node, NodeState, tree_of_name};
use crate::verify::spf::{SpfResult, failed_lookup, outcome_of_postmaster};
use crate::verify::step::Needs;

/// How many networks of an include are tried on a record whose terms depend on the client.
const SAMPLED_NETWORKS_MAX: usize = 16;

/// Whether an include's networks pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flattened {
    /// All of them.
    Yes,
    /// Not all of them, or it names none.
    No,
    /// Nobody could tell, because of these.
    Unknown(Vec<SpfFinding>),
}

/// Whether the networks that the record of `include` names pass by the record of `tree`.
///
/// # Errors
///
/// [`Needs`], what is to be asked first.
pub(super) fn flattened(include: &Name, tree: &Node, evidence: &Evidence) -> Result<Flattened, Needs> {
    let wanted = tree_of_name(include, evidence)?;
    let visits = wanted.walk();
    let named = visits.iter().filter(|visit| visit.is_passing).filter_map(|v| v.branch.mechanism()?.network());
    let networks: Vec<Network> = named.collect();
    let mut failed: Vec<SpfFinding> = failed_record(&wanted).into_iter().collect();
    failed.extend(failures(&wanted));
    let is_whole = failed.is_empty() && !visits.iter().any(|v| v.branch.child.as_ref().is_some_and(is_beyond));
    failed.extend(failures(tree));
    let most = Reach::bound(tree, Bound::Most(Doubt::FailedOrDynamic));
    if (networks.is_empty() && is_whole) || networks.iter().any(|network| !most.contains_ends(network)) {
        return Ok(Flattened::No);
    }
    let least = Reach::bound(tree, Bound::Least(Doubt::FailedOrDynamic));
    let untold = Untold::of(tree);
    let open = networks.iter().filter(|network| untold.has(network) || !least.contains_ends(network)).collect();
    match tried(open, tree, evidence, failed.is_empty())? {
        Tried::Refused => Ok(Flattened::No),
        Tried::Failed(findings) => Ok(Flattened::Unknown([findings, failed].concat())),
        Tried::Passed if is_whole => Ok(Flattened::Yes),
        Tried::Passed => Ok(Flattened::Unknown(failed)),
    }
}

fn is_beyond(node: &Node) -> bool {
    node.state == NodeState::Beyond
}

/// Networks about which the terms of a tree tell nothing for sure, even where nothing failed.
struct Untold {
    ip4: bool,
    ip6: bool,
}

impl Untold {
    fn of(tree: &Node) -> Untold {
        let visits = tree.walk();
        // What depends on the client may also break the record, for some.
        let is_dynamic = visits.iter().any(|visit| visit.branch.is_dynamic);
        // Only addresses of IPv4 are in the tree, and only their void lookups.
        let has_addresses =
            visits.iter().any(|v| matches!(v.branch.mechanism(), Some(Mechanism::A { .. } | Mechanism::Mx { .. })));
        Untold { ip4: is_dynamic, ip6: is_dynamic || has_addresses }
    }

    fn has(&self, network: &Network) -> bool {
        if network.address.is_ipv4() { self.ip4 } else { self.ip6 }
    }
}

/// What came of trying.
enum Tried {
    Passed,
    Refused,
    Failed(Vec<SpfFinding>),
}

/// Tries networks of which the terms alone do not tell whether they pass.
fn tried(open: Vec<&Network>, tree: &Node, evidence: &Evidence, is_all_known: bool) -> Result<Tried, Needs> {
    let known = Reach::of(tree);
    let (covered, uncovered): (Vec<&Network>, Vec<&Network>) =
        open.into_iter().partition(|network| known.contains_ends(network));
    // A sample tells only where the same networks would be in it whatever failed.
    if !is_all_known && covered.len() + uncovered.len() > SAMPLED_NETWORKS_MAX {
        return Ok(Tried::Failed(Vec::new()));
    }
    if uncovered.len() > SAMPLED_NETWORKS_MAX {
        return Ok(Tried::Refused);
    }
    let sample = uncovered.into_iter().chain(covered).take(SAMPLED_NETWORKS_MAX);
    let ends: BTreeSet<IpAddr> = sample.flat_map(|network| <[IpAddr; 2]>::from(network.ends())).collect();
    let mut needs = Needs::default();
    let mut findings = Vec::new();
    let (mut is_refused, mut is_failed) = (false, false);
    for end in ends {
        let Some(outcome) = needs.keep(outcome_of_postmaster(&tree.name, end, evidence)) else { continue };
        match outcome.result {
            SpfResult::Pass => {}
            SpfResult::TempError => {
                is_failed = true;
                findings.extend(failed_lookup(&outcome));
            }
            _ => is_refused = true,
        }
    }
    needs.or(match (is_refused, is_failed) {
        (true, _) => Tried::Refused,
        (false, true) => Tried::Failed(findings),
        (false, false) => Tried::Passed,
    })
}
