//! The tree of a record: all that it includes and redirects to, whoever the sender is.
//!
//! Owns the static cost (RFC 7208 §4.6.4): every term that a sender might reach is counted, as if
//! nothing matched before it. Terms behind an `all` are never reached and not in the tree.
//!
//! # Macros
//!
//! `%{d}` and `%{o}` are known without a sender, for the sender is of this domain. A term with any other
//! macro is counted, but not followed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::protocol::name::Name;
use crate::protocol::spf::cidr::Network;
use crate::protocol::spf::domain_spec::{DomainSpec, Target};
use crate::protocol::spf::macros::{Letter, MacroValues};
use crate::protocol::spf::terms::{Directive, Mechanism, Qualifier};
use crate::protocol::spf::{NAMES_MAX, SpfFault, SpfRecord, parse};
use crate::verify::evidence::{Answer, Evidence, Failure, Question, RecordType};
use crate::verify::spf::evaluate::{addresses, exchanges};
use crate::verify::spf::select::{Published, published};
use crate::verify::step::Needs;

/// The most records of one tree that are looked into. Far more than ten lookups can reach. Design §6.
pub const TREE_NAMES_MAX: usize = 60;

/// The most terms of one tree. More than a check's evidence can hold in one record; who includes a large one again and
/// again comes to more.
pub const TREE_TERMS_MAX: usize = 12_000;

/// The record of one name, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Whose record it is.
    pub name: Name,
    /// What is there.
    pub state: NodeState,
    /// Where the record's reachable terms lead, in order; the redirect is last.
    pub branches: Vec<Branch>,
}

/// What is at a name of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeState {
    /// A record.
    Record(SpfRecord),
    /// No record. RFC 7208 §5.2 makes that an error.
    Nothing,
    /// So many records. RFC 7208 §4.5.
    Several(usize),
    /// A record that breaks the grammar.
    Syntax(SpfFault),
    /// Nobody could tell.
    Failed(Failure),
    /// A name further up the tree: it leads in a circle.
    Loop,
    /// Not looked at: the tree has too many names.
    Beyond,
}

/// What kind of a term a branch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchTerm {
    /// A mechanism.
    Directive(Directive),
    /// The redirect.
    Redirect(DomainSpec),
}

/// One reachable term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The term.
    pub term: BranchTerm,
    /// Where an include or a redirect leads, where that can be told.
    pub child: Option<Node>,
    /// Whether macros keep it from being looked into without a sender.
    pub is_dynamic: bool,
    /// Whether its name is one that no question can be asked about.
    pub is_nameless: bool,
    /// The networks that it matches, as far as they are known.
    pub networks: Vec<Network>,
    /// Whether it matches every client: `all`, or an `exists` that does not depend on the client.
    pub is_everybody: bool,
    /// How many of its lookups found nothing. RFC 7208 §4.6.4.
    pub void_lookups: u32,
    /// Lookups of addresses that nobody could answer.
    pub failures: Vec<(Question, Failure)>,
    /// How many mail exchanges it leads to, where they are more than may be looked up.
    pub exchanges_over: Option<usize>,
}

impl Branch {
    fn new(term: BranchTerm) -> Branch {
        Branch {
            term,
            child: None,
            is_dynamic: false,
            is_nameless: false,
            networks: Vec::new(),
            is_everybody: false,
            void_lookups: 0,
            failures: Vec::new(),
            exchanges_over: None,
        }
    }

    /// What follows when it matches; a redirect takes the target's results as they are.
    pub fn qualifier(&self) -> Qualifier {
        match &self.term {
            BranchTerm::Directive(directive) => directive.qualifier,
            BranchTerm::Redirect(_) => Qualifier::Pass,
        }
    }

    /// The mechanism, unless it is the redirect.
    pub fn mechanism(&self) -> Option<&Mechanism> {
        match &self.term {
            BranchTerm::Directive(directive) => Some(&directive.mechanism),
            BranchTerm::Redirect(_) => None,
        }
    }

    /// The term as it is written.
    pub fn text(&self) -> String {
        match &self.term {
            BranchTerm::Directive(directive) => directive.to_string(),
            BranchTerm::Redirect(domain) => format!("redirect={domain}"),
        }
    }

    /// What it costs, with all that it leads to. RFC 7208 §4.6.4.
    pub fn lookups(&self) -> u32 {
        let own = u32::from(self.mechanism().is_none_or(Mechanism::costs_lookup));
        own + self.child.as_ref().map_or(0, Node::lookups)
    }
}

impl Node {
    /// What the whole tree below costs. RFC 7208 §4.6.4.
    pub fn lookups(&self) -> u32 {
        self.branches.iter().map(Branch::lookups).sum()
    }

    /// Lookups that found nothing, in the whole tree.
    pub fn void_lookups(&self) -> u32 {
        self.walk().iter().map(|step| step.branch.void_lookups).sum()
    }

    /// Every branch of the tree, from the top down, with what is known of the way to it.
    pub fn walk(&self) -> Vec<Visit<'_>> {
        let mut visits = Vec::new();
        self.visit(0, true, &mut visits);
        visits
    }

    /// One of its own terms, and all that it leads to.
    pub fn walk_branch<'n>(&'n self, branch: &'n Branch) -> Vec<Visit<'n>> {
        let mut visits = Vec::new();
        self.visit_branch(branch, 0, true, &mut visits);
        visits
    }

    fn visit<'n>(&'n self, depth: u32, is_passing: bool, visits: &mut Vec<Visit<'n>>) {
        for branch in &self.branches {
            self.visit_branch(branch, depth, is_passing, visits);
        }
    }

    fn visit_branch<'n>(&'n self, branch: &'n Branch, depth: u32, is_passing: bool, visits: &mut Vec<Visit<'n>>) {
        let is_passing = is_passing && branch.qualifier() == Qualifier::Pass;
        visits.push(Visit { depth, owner: self, branch, is_passing });
        if let Some(child) = &branch.child {
            child.visit(depth + 1, is_passing, visits);
        }
    }

    /// The names that are included or redirected to by way of `+` terms alone.
    pub fn reached(&self) -> BTreeSet<&Name> {
        let visits = self.walk();
        let children = visits.iter().filter(|visit| visit.is_passing).filter_map(|visit| visit.branch.child.as_ref());
        children.map(|child| &child.name).collect()
    }

    /// Whether `name` is included or redirected to by way of `+` terms alone.
    pub fn reaches(&self, name: &Name) -> bool {
        self.reached().contains(name)
    }

    /// The record, where one could be read.
    pub fn record(&self) -> Option<&SpfRecord> {
        match &self.state {
            NodeState::Record(record) => Some(record),
            _ => None,
        }
    }
}

/// One branch met while walking a tree.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'n> {
    /// How deep.
    pub depth: u32,
    /// Whose record the term is in.
    pub owner: &'n Node,
    /// The term.
    pub branch: &'n Branch,
    /// Whether it and all that lead to it are `+` terms.
    pub is_passing: bool,
}

/// The tree of the record at `name`.
///
/// # Errors
///
/// [`Needs`], every question that can be asked now.
pub fn tree_of_name(name: &Name, evidence: &Evidence) -> Result<Node, Needs> {
    let mut walker = Walker::new(name, evidence);
    let node = walker.node(Target::of(name));
    walker.needs.or(node)
}

/// The tree of `record` as if it stood at `name`, whatever stands there now.
///
/// # Errors
///
/// [`Needs`], every question that can be asked now.
pub fn tree_of_record(name: &Name, record: &SpfRecord, evidence: &Evidence) -> Result<Node, Needs> {
    let mut walker = Walker::new(name, evidence);
    walker.path.push(name.clone());
    let node = walker.open(Target::of(name), record.clone());
    walker.needs.or(node)
}

/// One walk.
struct Walker<'a> {
    sender_domain: Target,
    evidence: &'a Evidence,
    needs: Needs,
    names: usize,
    terms: usize,
    path: Vec<Name>,
}

impl<'a> Walker<'a> {
    fn new(root: &Name, evidence: &'a Evidence) -> Walker<'a> {
        let sender_domain = Target::of(root);
        Walker { sender_domain, evidence, needs: Needs::default(), names: 0, terms: 0, path: Vec::new() }
    }

    /// The node of a name. What is not known yet is noted as a need, and looks empty until then.
    fn node(&mut self, target: Target) -> Node {
        let closed = |state: NodeState| Node { name: target.name.clone(), state, branches: Vec::new() };
        if self.path.contains(&target.name) {
            return closed(NodeState::Loop);
        }
        if target.name.label_count() < 2 {
            return closed(NodeState::Nothing);
        }
        if self.names >= TREE_NAMES_MAX {
            return closed(NodeState::Beyond);
        }
        self.names += 1;
        match self.needs.keep(published(&target.name, self.evidence)) {
            None => closed(NodeState::Beyond),
            Some(Published::Nothing) => closed(NodeState::Nothing),
            Some(Published::Several(records)) => closed(NodeState::Several(records.len())),
            Some(Published::Failed(failure)) => closed(NodeState::Failed(failure)),
            // What is too much to look at, nobody has told.
            Some(Published::One(_)) if self.terms >= TREE_TERMS_MAX => closed(NodeState::Failed(Failure::Truncated)),
            Some(Published::One(txt)) => match parse(&txt.joined()) {
                Err(fault) => closed(NodeState::Syntax(fault)),
                Ok(record) => {
                    self.path.push(target.name.clone());
                    let node = self.open(target, record);
                    self.path.pop();
                    node
                }
            },
        }
    }

    /// The node of a record, with all that it leads to.
    fn open(&mut self, owner: Target, record: SpfRecord) -> Node {
        let reachable = record.reachable();
        self.terms += reachable.len();
        let mut branches = Vec::with_capacity(reachable.len() + 1);
        for directive in reachable {
            let mut branch = Branch::new(BranchTerm::Directive(directive.clone()));
            branch.is_everybody = directive.mechanism == Mechanism::All;
            branch.networks.extend(directive.mechanism.network());
            branch.is_dynamic = matches!(directive.mechanism, Mechanism::Ptr(_));
            if let Mechanism::Include(spec) = &directive.mechanism {
                self.follow(&mut branch, spec, &owner);
            }
            branches.push(branch);
        }
        if let Some(spec) = record.live_redirect() {
            let mut branch = Branch::new(BranchTerm::Redirect(spec.clone()));
            self.follow(&mut branch, spec, &owner);
            branches.push(branch);
        }
        Node { name: owner.name, state: NodeState::Record(record), branches }
    }

    fn follow(&mut self, branch: &mut Branch, spec: &DomainSpec, owner: &Target) {
        match static_target(spec, owner, &self.sender_domain) {
            StaticTarget::Name(target) => branch.child = Some(self.node(target)),
            StaticTarget::NoName => branch.is_nameless = true,
            StaticTarget::Dynamic => branch.is_dynamic = true,
        }
    }
}

/// Where a domain-spec leads without a sender.
enum StaticTarget {
    Name(Target),
    NoName,
    Dynamic,
}

fn static_target(spec: &DomainSpec, owner: &Target, sender_domain: &Target) -> StaticTarget {
    if !spec.macros().letters().all(|letter| matches!(letter, Letter::Domain | Letter::SenderDomain)) {
        return StaticTarget::Dynamic;
    }
    let values = MacroValues {
        local_part: b"postmaster",
        sender_domain: &sender_domain.text,
        domain: &owner.text,
        ip: IpAddr::from([0, 0, 0, 0]),
        helo: &sender_domain.text,
        validated: b"unknown",
        receiver: b"unknown",
        now_seconds: 0,
    };
    spec.expand(&values).map_or(StaticTarget::NoName, StaticTarget::Name)
}

/// Looks up what `a`, `mx` and `exists` terms of the tree lead to, for IPv4 clients.
///
/// To be called once the tree is known to keep the limit of ten lookups, which bounds the questions.
///
/// # Errors
///
/// [`Needs`], every question that can be asked now.
pub fn resolve(root: &mut Node, evidence: &Evidence) -> Result<(), Needs> {
    let sender_domain = Target::of(&root.name);
    let mut needs = Needs::default();
    resolve_node(root, &sender_domain, evidence, &mut needs);
    needs.or(())
}

fn resolve_node(node: &mut Node, sender_domain: &Target, evidence: &Evidence, needs: &mut Needs) {
    let owner = Target::of(&node.name);
    for branch in &mut node.branches {
        match branch.child.as_mut() {
            Some(child) => {
                if child.state == NodeState::Nothing && is_void(&child.name, evidence) {
                    branch.void_lookups += 1;
                }
                resolve_node(child, sender_domain, evidence, needs);
            }
            None => resolve_branch(branch, &owner, sender_domain, evidence, needs),
        }
    }
}

fn is_void(name: &Name, evidence: &Evidence) -> bool {
    evidence.ask(&Question::txt(name)).is_ok_and(|answer| answer.is_definite() && answer.records().is_empty())
}

fn resolve_branch(branch: &mut Branch, owner: &Target, sender_domain: &Target, evidence: &Evidence, needs: &mut Needs) {
    let BranchTerm::Directive(Directive { mechanism, .. }) = branch.term.clone() else {
        return;
    };
    if !matches!(mechanism, Mechanism::A { .. } | Mechanism::Mx { .. } | Mechanism::Exists(_)) {
        return;
    }
    let target = match mechanism.domain().map(|spec| static_target(spec, owner, sender_domain)) {
        None => owner.name.clone(),
        Some(StaticTarget::Name(target)) => target.name,
        Some(StaticTarget::NoName) => return branch.is_nameless = true,
        Some(StaticTarget::Dynamic) => return branch.is_dynamic = true,
    };
    let ask =
        Question::new(target, if matches!(mechanism, Mechanism::Mx { .. }) { RecordType::Mx } else { RecordType::A });
    let Some(answer) = needs.keep(evidence.ask(&ask)) else {
        return;
    };
    note_answer(branch, ask, answer);
    match mechanism {
        Mechanism::A { cidr, .. } => branch.networks.extend(addresses(answer).map(|ip| cidr.network(ip))),
        Mechanism::Exists(_) => branch.is_everybody = !answer.records().is_empty(),
        Mechanism::Mx { cidr, .. } => {
            let hosts = exchanges(answer);
            if hosts.len() > NAMES_MAX {
                return branch.exchanges_over = Some(hosts.len());
            }
            for host in hosts {
                let ask = Question::new(host.clone(), RecordType::A);
                if let Some(answer) = needs.keep(evidence.ask(&ask)) {
                    note_answer(branch, ask, answer);
                    branch.networks.extend(addresses(answer).map(|ip| cidr.network(ip)));
                }
            }
        }
        _ => {}
    }
}

/// Counts a void lookup, or notes a failure.
fn note_answer(branch: &mut Branch, question: Question, answer: &Answer) {
    match answer {
        Answer::Unknown(failure) => branch.failures.push((question, *failure)),
        _ if answer.records().is_empty() => branch.void_lookups += 1,
        _ => {}
    }
}
