//! Where zones are cut, and which of their servers are asked.
//!
//! Owns the way from a name to server addresses: the cut above the name (where NS exists, or where a server of the
//! zone above has given the name away), everybody's account of who serves it, their addresses, and which few of them
//! are asked what. Pure: what is not known yet is in the [`Needs`].

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use crate::protocol::name::Name;
use crate::verify::evidence::word::open_end;
use crate::verify::evidence::{Answer, Evidence, Question, RecordData, RecordType};
use crate::verify::step::Needs;

/// The most server names looked up for one zone. Design §6.
pub const SERVER_NAMES_MAX: usize = 10;

/// The most servers asked for one zone. Design §6.
pub const SERVERS_MAX: usize = 4;

/// How many servers of the zone above are asked who serves the zone.
const PARENT_SERVERS_MAX: usize = 2;

/// Where the server at an address is to be asked; nothing for one that is never asked.
pub type Place<'p> = &'p dyn Fn(IpAddr) -> Option<SocketAddr>;

/// One server of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: Name,
    /// Where it is asked.
    pub address: SocketAddr,
}

/// One question to one server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// Whom.
    pub server: SocketAddr,
    /// What.
    pub question: Question,
    /// The zone that it is asked as a server of.
    pub zone: Name,
}

/// Whom to ask what, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Who is to be asked, asked already or not.
    pub asks: BTreeSet<Ask>,
    /// All that is asked: what was wanted, and the ends of the chains that it leads to.
    pub questions: BTreeSet<Question>,
    /// What recursive servers are to be asked first.
    pub needs: Needs,
}

/// Whom to ask about `wanted`.
pub fn plan(wanted: &BTreeSet<Question>, evidence: &Evidence, place: Place<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut open: VecDeque<Question> = wanted.iter().cloned().collect();
    // Bounded by the answers there are: each chain's end comes out of one.
    while let Some(question) = open.pop_front() {
        if !plan.questions.insert(question.clone()) {
            continue;
        }
        let mut needs = Needs::default();
        needs.keep(evidence.ask_for_the_way(&question));
        let zone = needs.keep(of(&question.name, evidence)).flatten();
        plan.needs.join(needs);
        let Some(zone) = zone else { continue };
        plan.ask_zone(&question, &zone, evidence, place);
        open.extend(evidence.authoritative(&question).filter_map(|reply| open_end(&question, &reply.answer)));
    }
    plan
}

impl Plan {
    fn ask_zone(&mut self, question: &Question, zone: &Name, evidence: &Evidence, place: Place<'_>) {
        let own = Question::new(zone.clone(), RecordType::Ns);
        if let Some(servers) = self.needs.keep(servers(zone, evidence, place, SERVERS_MAX)) {
            for server in servers {
                let ask = |question: &Question| Ask {
                    server: server.address,
                    question: question.clone(),
                    zone: zone.clone(),
                };
                self.asks.extend([ask(question), ask(&own)]);
            }
        }
        // Who serves a top-level domain, the root need not be asked: that is no customer's delegation.
        let above = zone.parent().filter(|parent| *parent != Name::root()).map(|parent| of(&parent, evidence));
        let Some(above) = above.and_then(|above| self.needs.keep(above)).flatten() else { return };
        let parents = self.needs.keep(servers(&above, evidence, place, PARENT_SERVERS_MAX)).unwrap_or_default();
        self.asks.extend(parents.into_iter().map(|server| Ask {
            server: server.address,
            question: own.clone(),
            zone: above.clone(),
        }));
    }
}

/// The zone that `name` is in, as far as anybody has told: the nearest name at or above it that has servers.
///
/// The root is the zone of what no other is, and asked for last: a top-level domain may not exist, or be unknown to the
/// recursive server. Where that failed about a name in between, nobody knows.
///
/// # Errors
///
/// [`Needs`] with the NS questions of all names up to it; then, where they tell nothing, the root's.
pub fn of(name: &Name, evidence: &Evidence) -> Result<Option<Name>, Needs> {
    let mut needs = Needs::default();
    let mut found = None;
    let mut is_certain = true;
    for above in std::iter::successors(Some(name.clone()), Name::parent).filter(|above| *above != Name::root()) {
        let answer = needs.keep(evidence.ask_for_the_way(&ns(&above)));
        is_certain &= answer.is_some_and(Answer::is_definite);
        let has_servers = answer.is_some_and(|answer| !names_in(answer).is_empty());
        if found.is_none() && (has_servers || evidence.delegation(&above).is_some()) {
            found = Some(above);
        }
    }
    needs.or(())?;
    if found.is_none() && is_certain {
        let servers = names_in(evidence.ask_for_the_way(&ns(&Name::root()))?);
        found = (!servers.is_empty()).then(Name::root);
    }
    Ok(found)
}

/// The different accounts of who serves `zone`, each sorted: the zone above's, what caches say, the zone's own.
pub fn accounts(zone: &Name, evidence: &Evidence) -> Vec<Vec<Name>> {
    let question = ns(zone);
    let mut accounts: Vec<Vec<Name>> = Vec::new();
    let above = evidence.delegation(zone).map(|delegation| delegation.servers.clone());
    let caches = evidence.recursive(&question).map(names_in);
    let own = evidence.authoritative(&question).map(|reply| names_in(&reply.answer));
    for mut account in above.into_iter().chain(caches).chain(own) {
        account.sort();
        account.dedup();
        if !account.is_empty() && !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    accounts
}

/// The servers of `zone` to ask: at most `count_max`, one address of each name before a second, every account in turn.
///
/// # Errors
///
/// [`Needs`] with the addresses of the names that may be among them.
pub fn servers(zone: &Name, evidence: &Evidence, place: Place<'_>, count_max: usize) -> Result<Vec<Server>, Needs> {
    let mut needs = Needs::default();
    let mut by_name: Vec<(Name, Vec<SocketAddr>)> = Vec::new();
    let mut promising = 0;
    for name in in_turn(&accounts(zone, evidence)).into_iter().take(SERVER_NAMES_MAX) {
        if promising >= count_max {
            break;
        }
        match needs.keep(addresses(&name, evidence)) {
            None => promising += 1,
            Some(found) => {
                let places: Vec<SocketAddr> = found.into_iter().filter_map(place).collect();
                if !places.is_empty() {
                    promising += 1;
                    by_name.push((name, places));
                }
            }
        }
    }
    needs.or(())?;
    let mut servers: Vec<Server> = Vec::new();
    let rounds = by_name.iter().map(|(_, places)| places.len()).max().unwrap_or_default();
    for round in 0..rounds {
        for (name, places) in &by_name {
            let Some(address) = places.get(round) else { continue };
            if servers.len() < count_max && servers.iter().all(|server| server.address != *address) {
                servers.push(Server { name: name.clone(), address: *address });
            }
        }
    }
    Ok(servers)
}

/// Whether the accounts of the zone above `name` differ, and one of them names no server that has `answered`.
pub fn is_split(name: &Name, answered: &[SocketAddr], evidence: &Evidence) -> bool {
    let Ok(Some(zone)) = of(name, evidence) else { return false };
    let accounts = accounts(&zone, evidence);
    let has_answered = |name: &Name| {
        let known = addresses(name, evidence).unwrap_or_default();
        answered.iter().any(|server| known.contains(&server.ip()))
    };
    accounts.len() > 1 && accounts.iter().any(|account| !account.iter().any(has_answered))
}

/// The name under which a server of `zone` is known; the zone's own where its address belongs to none.
pub fn server_name(zone: &Name, address: IpAddr, evidence: &Evidence) -> Option<Name> {
    let accounts = accounts(zone, evidence);
    accounts.into_iter().flatten().find(|name| addresses(name, evidence).unwrap_or_default().contains(&address))
}

/// The addresses of a server's name: IPv4 before IPv6, those that a delegation brought last.
fn addresses(name: &Name, evidence: &Evidence) -> Result<Vec<IpAddr>, Needs> {
    let mut needs = Needs::default();
    let mut found: Vec<IpAddr> = Vec::new();
    for record_type in [RecordType::A, RecordType::Aaaa] {
        let answer = needs.keep(evidence.ask_for_the_way(&Question::new(name.clone(), record_type)));
        found.extend(answer.map(Answer::records).unwrap_or_default().iter().filter_map(address_in));
    }
    needs.or(())?;
    let glue = evidence.delegations().flat_map(|(_, delegation)| &delegation.glue);
    for (owner, address) in glue {
        if owner == name && !found.contains(address) {
            found.push(*address);
        }
    }
    Ok(found)
}

/// The first of each, the second of each, and so on, each name once.
fn in_turn(accounts: &[Vec<Name>]) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    let longest = accounts.iter().map(Vec::len).max().unwrap_or_default();
    for index in 0..longest {
        for name in accounts.iter().filter_map(|account| account.get(index)) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

fn ns(zone: &Name) -> Question {
    Question::new(zone.clone(), RecordType::Ns)
}

/// The servers in an answer that is about the name itself.
fn names_in(answer: &Answer) -> Vec<Name> {
    if !answer.aliases().is_empty() {
        return Vec::new();
    }
    let names = answer.records().iter().filter_map(|record| match record {
        RecordData::Ns(name) => Some(name.clone()),
        _ => None,
    });
    names.collect()
}

fn address_in(record: &RecordData) -> Option<IpAddr> {
    match record {
        RecordData::A(address) => Some(IpAddr::V4(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}
