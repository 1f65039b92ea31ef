//! The one record to publish in place of what is there.
//!
//! Keeps whatever lets mail pass today, adds what is required in front, where nothing can shadow it, and ends
//! in one `all`. Out of several records, terms that let pass come first and the mildest `all` wins, so that
//! merging takes nothing away. What surely breaks the record is left out and reported by its own finding.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use crate::protocol::name::Name;
use crate::protocol::spf::domain_spec::DomainSpec;
use crate::protocol::spf::terms::{Directive, Mechanism, Qualifier, Term, UnknownModifier, read_term};
use crate::protocol::spf::{LOOKUPS_MAX, SpfRecord, VOID_LOOKUPS_MAX, split};
use crate::verify::evidence::Evidence;
use crate::verify::expectation::SpfExpectation;
use crate::verify::finding::spf::Cost;
use crate::verify::spf::near::{meant_mechanism, repair_term};
use crate::verify::spf::reach::Reach;
use crate::verify::spf::tree::{Branch, Node, NodeState, resolve, tree_of_record};
use crate::verify::step::Needs;

/// All that the texts of some records ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Draft {
    /// Everything but `all`.
    directives: Vec<Directive>,
    /// Where each mechanism stands, until they are sorted.
    places: BTreeMap<String, usize>,
    /// The mildest `all`.
    all: Option<Qualifier>,
    /// Whether a redirect became an include.
    was_redirected: bool,
    explanation: Option<DomainSpec>,
    unknown: Vec<UnknownModifier>,
    /// The same, for asking: there may be thousands.
    known_modifiers: HashSet<UnknownModifier>,
}

/// The most broken terms of one record that are repaired: who has more of them meant something else.
const REPAIRED_MAX: usize = 100;

impl Draft {
    /// Reads the texts, repairing terms where it is plain what was meant, and dropping those where it is not.
    pub(super) fn of(texts: &[Vec<u8>]) -> Draft {
        let mut draft = Draft::default();
        for text in texts {
            let earlier = draft.directives.len();
            let mut broken = 0;
            let mut terms: Vec<Term> = split(text)
                .into_iter()
                .flatten()
                .filter_map(|term| {
                    read_term(term).ok().or_else(|| {
                        broken += 1;
                        if broken <= REPAIRED_MAX { repair_term(term) } else { None }
                    })
                })
                .collect();
            if broken > 0 {
                // What lies about in a record that nobody can read is no modifier, only like one: nobody follows it today.
                terms.retain(|term| !matches!(term, Term::Unknown(_)));
            }
            draft.add_record(terms, earlier);
        }
        if texts.len() > 1 {
            draft.directives.sort_by_key(|directive| directive.qualifier != Qualifier::Pass);
        }
        draft
    }

    fn add_record(&mut self, terms: Vec<Term>, earlier: usize) {
        let mut all = None;
        let mut redirect = None;
        for term in terms {
            match term {
                Term::Directive(Directive { qualifier, mechanism: Mechanism::All }) => all = all.or(Some(qualifier)),
                Term::Directive(directive) => self.add_directive(directive, earlier),
                Term::Redirect(domain) => redirect = redirect.or(Some(domain)),
                Term::Explanation(domain) => self.explanation = self.explanation.take().or(Some(domain)),
                // A mechanism with `=` means nothing and has its own finding; pasted again, it would again mislead.
                Term::Unknown(modifier) if is_meant(&modifier) => {}
                Term::Unknown(modifier) => {
                    if self.known_modifiers.insert(modifier.clone()) {
                        self.unknown.push(modifier);
                    }
                }
            }
        }
        match (all, redirect) {
            (Some(qualifier), _) => self.all = Some(milder(self.all, qualifier)),
            // As an include it keeps its senders, wherever it then stands. RFC 7208 §6.1.
            (None, Some(domain)) => {
                self.was_redirected = true;
                self.add_directive(Directive::pass(Mechanism::Include(domain)), earlier);
            }
            (None, None) => {}
        }
    }

    /// Adds a directive unless its mechanism is there; out of different records, `+` wins.
    fn add_directive(&mut self, directive: Directive, earlier: usize) {
        let key = key(&directive.mechanism);
        match self.places.get(&key).map(|place| (*place, self.directives.get_mut(*place))) {
            Some((place, Some(known))) if place < earlier && directive.qualifier == Qualifier::Pass => {
                known.qualifier = Qualifier::Pass;
            }
            Some(_) => {}
            None => {
                self.places.insert(key, self.directives.len());
                self.directives.push(directive);
            }
        }
    }

    fn record(&self, directives: Vec<Directive>, all: Qualifier) -> SpfRecord {
        let mut record = SpfRecord {
            directives,
            redirect: None,
            explanation: self.explanation.clone(),
            unknown: self.unknown.clone(),
        };
        record.directives.push(Directive { qualifier: all, mechanism: Mechanism::All });
        record
    }

    /// The qualifier to end in: as it was, or as where the redirect led; never `+`.
    fn end(&self, tree: &Node) -> Qualifier {
        let redirected = || {
            let last = tree.branches.iter().rev().filter_map(|branch| branch.child.as_ref()).find_map(effective_all);
            last.filter(|_| self.was_redirected)
        };
        match self.all.or_else(redirected) {
            None | Some(Qualifier::Pass) => Qualifier::SoftFail,
            Some(other) => other,
        }
    }
}

/// Whether a modifier was probably meant to be a mechanism.
fn is_meant(modifier: &UnknownModifier) -> bool {
    meant_mechanism(&modifier.name, &modifier.value.to_string()).is_some()
}

/// The mildest of two ends, `+` aside, which is never kept.
fn milder(one: Option<Qualifier>, other: Qualifier) -> Qualifier {
    let order = [Qualifier::Neutral, Qualifier::SoftFail, Qualifier::Fail];
    order.into_iter().find(|q| one == Some(*q) || other == *q).unwrap_or(Qualifier::SoftFail)
}

/// What two mechanisms share that are the same but for the case of their names.
fn key(mechanism: &Mechanism) -> String {
    let text = mechanism.to_string();
    // The case of a macro's letter has a meaning. RFC 7208 §7.3.
    if text.contains('%') { text } else { text.to_ascii_lowercase() }
}

/// What a record ends in, redirects followed.
pub(super) fn effective_all(node: &Node) -> Option<Qualifier> {
    let record = node.record()?;
    let redirected = || {
        let last = node.branches.last().filter(|branch| branch.mechanism().is_none());
        last.and_then(|branch| branch.child.as_ref()).and_then(effective_all)
    };
    record.all().or_else(redirected)
}

/// The record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suggestion {
    /// The record.
    pub(super) record: SpfRecord,
    /// Its lookups, those that could be counted.
    pub(super) lookups: u32,
    /// What each term costs.
    pub(super) costs: Vec<Cost>,
    /// Terms without which it would keep the limit; empty where it does.
    pub(super) remove: Vec<String>,
}

/// What is surely required beyond what the draft's own terms give.
#[derive(Debug, Clone, Copy)]
pub(super) struct Required<'r> {
    /// Everything required.
    pub(super) all: &'r SpfExpectation,
    /// Includes that count though they are not there.
    pub(super) waived: &'r [Name],
    /// The addresses that do not pass now; nothing where that is to be told from the draft.
    pub(super) addresses: Option<&'r [IpAddr]>,
}

/// The record made of requirements alone.
pub(super) fn of_requirements(required: &SpfExpectation) -> SpfRecord {
    let nothing = Node { name: Name::root(), state: NodeState::Nothing, branches: Vec::new() };
    let ours = required_terms(Required { all: required, waived: &[], addresses: None }, &nothing);
    Draft::default().record(ours, Qualifier::SoftFail)
}

/// Makes the record to publish at `name`.
///
/// # Errors
///
/// [`Needs`], for its lookups are counted.
pub(super) fn suggest(
    name: &Name,
    draft: &Draft,
    required: Required<'_>,
    evidence: &Evidence,
) -> Result<Suggestion, Needs> {
    let tree = known_tree(name, &draft.record(draft.directives.clone(), Qualifier::SoftFail), evidence)?;
    let end = draft.end(&tree);
    let is_over_void = tree.void_lookups() > VOID_LOOKUPS_MAX;
    let mut directives = Vec::new();
    let mut kept = Node { name: name.clone(), state: tree.state.clone(), branches: Vec::new() };
    for (directive, branch) in draft.directives.iter().zip(&tree.branches) {
        let is_useless = is_over_void && branch.void_lookups > 0 && branch.networks.is_empty();
        if !is_useless && !is_doomed(directive, branch, &required.all.includes) {
            directives.push(directive.clone());
            kept.branches.push(branch.clone());
        }
    }
    let mut ours = required_terms(required, &kept);
    let our_keys: BTreeSet<String> = ours.iter().map(|our| key(&our.mechanism)).collect();
    directives.retain(|directive| !our_keys.contains(&key(&directive.mechanism)));
    ours.extend(directives);
    let record = draft.record(ours, end);
    let tree = tree_of_record(name, &record, evidence)?;
    let (record, tree) = match tree.lookups() > LOOKUPS_MAX {
        true => {
            let record = without_redundant(&record, &tree);
            let tree = tree_of_record(name, &record, evidence)?;
            (record, tree)
        }
        false => (record, tree),
    };
    let lookups = tree.lookups();
    let remove = if lookups > LOOKUPS_MAX { to_remove(&tree, &required.all.includes) } else { Vec::new() };
    Ok(Suggestion { record, lookups, costs: costs_of(&tree), remove })
}

/// The tree of a record with its addresses looked up, where the limit of lookups bounds them.
pub(super) fn known_tree(name: &Name, record: &SpfRecord, evidence: &Evidence) -> Result<Node, Needs> {
    let mut tree = tree_of_record(name, record, evidence)?;
    if tree.lookups() <= LOOKUPS_MAX {
        resolve(&mut tree, evidence)?;
    }
    Ok(tree)
}

/// Whether a term must go: it breaks the record, lets everybody pass, or holds a required include back.
fn is_doomed(directive: &Directive, branch: &Branch, required: &[Name]) -> bool {
    let target = branch.child.as_ref().map(|child| &child.name);
    if target.is_some_and(|target| required.contains(target)) {
        return directive.qualifier != Qualifier::Pass;
    }
    let lets_everybody = directive.qualifier == Qualifier::Pass
        && (branch.is_everybody || branch.child.as_ref().is_some_and(|child| Reach::of(child).everybody.is_some()));
    is_broken(branch) || lets_everybody
}

/// Whether a term, or one of those that it leads to, makes the record a permerror for sure.
pub(super) fn is_broken(branch: &Branch) -> bool {
    let is_include = matches!(branch.mechanism(), None | Some(Mechanism::Include(_)));
    (is_include && branch.is_nameless)
        || branch.exchanges_over.is_some()
        || branch.child.as_ref().is_some_and(|child| match child.state {
            NodeState::Nothing | NodeState::Several(_) | NodeState::Syntax(_) | NodeState::Loop => true,
            _ => child.branches.iter().any(is_broken),
        })
}

/// The directives for what is required and not given by what was kept.
fn required_terms(required: Required<'_>, kept: &Node) -> Vec<Directive> {
    let reach = Reach::of(kept);
    let includes = required.all.includes.iter().filter(|name| !kept.reaches(name) && !required.waived.contains(name));
    let specs = includes.filter_map(|name| DomainSpec::of_name(name).ok());
    let mut directives: Vec<Directive> = specs.map(|spec| Directive::pass(Mechanism::Include(spec))).collect();
    let lacking = |address: &IpAddr| match required.addresses {
        Some(missing) => missing.contains(address),
        None => !reach.contains(address.to_canonical()),
    };
    let addresses = required.all.addresses.iter().filter(|address| lacking(address));
    directives.extend(addresses.map(|address| Directive::pass(Mechanism::of_address(address.to_canonical()))));
    directives
}

/// The record without includes that another of its includes leads to anyway.
fn without_redundant(record: &SpfRecord, tree: &Node) -> SpfRecord {
    let mut kept: Vec<Kept<'_>> = record.directives.iter().zip(&tree.branches).map(Kept::of).collect();
    let mut index = 0;
    while let Some(own) = kept.get(index) {
        let is_redundant = own.target.is_some_and(|target| {
            kept.iter().enumerate().any(|(other, kept)| other != index && kept.reaches.contains(target))
        });
        if is_redundant {
            kept.remove(index);
        } else {
            index += 1;
        }
    }
    SpfRecord { directives: kept.into_iter().map(|kept| kept.directive.clone()).collect(), ..record.clone() }
}

/// A directive, and where it leads by way of `+` terms alone: told once, for trees may be large.
struct Kept<'t> {
    directive: &'t Directive,
    target: Option<&'t Name>,
    reaches: BTreeSet<&'t Name>,
}

impl<'t> Kept<'t> {
    fn of((directive, branch): (&'t Directive, &'t Branch)) -> Kept<'t> {
        let child = branch.child.as_ref();
        Kept {
            directive,
            target: child.filter(|_| directive.qualifier == Qualifier::Pass).map(|child| &child.name),
            reaches: child.filter(|_| branch.qualifier() == Qualifier::Pass).map(Node::reached).unwrap_or_default(),
        }
    }
}

/// The fewest outermost terms, the cheapest that do, without which the limit is kept; required ones are spared.
fn to_remove(tree: &Node, required: &[Name]) -> Vec<String> {
    let mut excess = tree.lookups().saturating_sub(LOOKUPS_MAX);
    let is_ours = |branch: &Branch| branch.child.as_ref().is_some_and(|child| required.contains(&child.name));
    let mut terms: Vec<&Branch> = tree.branches.iter().filter(|b| b.lookups() > 0 && !is_ours(b)).collect();
    terms.sort_by_key(|branch| branch.lookups());
    let mut remove = Vec::new();
    while excess > 0 && remove.len() < REMOVED_MAX {
        let enough = terms.iter().position(|branch| branch.lookups() >= excess);
        let Some(index) = enough.or(terms.len().checked_sub(1)) else { break };
        let branch = terms.remove(index);
        excess = excess.saturating_sub(branch.lookups());
        remove.push(branch.text());
    }
    remove
}

/// The most terms named to be removed; who has more to remove will see by then how it is done.
const REMOVED_MAX: usize = 20;

/// What every term of a tree costs that costs anything.
pub(super) fn costs_of(tree: &Node) -> Vec<Cost> {
    let visits = tree.walk();
    let costs = visits.iter().map(|visit| Cost {
        depth: visit.depth,
        term: visit.branch.text(),
        lookups: visit.branch.lookups(),
    });
    costs.filter(|cost| cost.lookups > 0).take(COSTS_MAX).collect()
}

/// The most lines of costs in one finding: enough to see where they come from.
const COSTS_MAX: usize = 60;
