//! The zone that a domain's records go into, and who runs its name servers.
//!
//! Owns two questions: *whose panel is it?* (the zone cut at or above the domain, so that a host field
//! can be given relative to it) and *which panel is it?* (told from the names of the name servers).
//! A cut is where NS records exist; the SOA of a negative answer is only a hint (RFC 2308 §2.1, RFC 9499 §7).

pub mod providers;

use crate::protocol::domain::Domain;
use crate::protocol::name::Name;
use crate::verify::evidence::{Answer, Evidence, Question, RecordData, RecordType};
use crate::verify::report::DnsProvider;
use crate::verify::step::Needs;

/// Of the names above the domain's own, only those of so many labels are asked about: as with policies (RFC 9989 §4.10), so
/// that a name of a hundred labels costs no more than one of ten.
const LABELS_MAX: usize = 7;

/// The zone of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub name: Name,
    /// Its name servers; empty when nobody could tell.
    pub servers: Vec<Name>,
}

impl Zone {
    /// What is assumed of a domain's zone while nobody has been asked: the name that somebody registered.
    pub fn assumed(domain: &Domain) -> Zone {
        Zone { name: domain.registrable(), servers: Vec::new() }
    }

    /// Who runs the zone's servers, where their names tell.
    pub fn provider(&self) -> Option<DnsProvider> {
        self.servers.iter().find_map(providers::of_server)
    }
}

/// Finds the zone by asking for NS at the domain and above, up to the registrable name.
///
/// A failure ends the walk at what is assumed: a wrong guess about the panel must not cost a verdict.
///
/// # Errors
///
/// [`Needs`] with the next name to ask about.
pub fn find(domain: &Domain, evidence: &Evidence) -> Result<Zone, Needs> {
    let top = domain.registrable();
    let mut name = domain.name().clone();
    loop {
        match evidence.ask_for_the_way(&Question::new(name.clone(), RecordType::Ns))? {
            Answer::Found(found) if found.aliases.is_empty() => {
                return Ok(Zone { name, servers: found.records.iter().filter_map(server).collect() });
            }
            Answer::Unknown(_) => return Ok(Zone::assumed(domain)),
            _ => {}
        }
        match name.parent().map(|parent| parent.last_labels(LABELS_MAX)) {
            Some(above) if above.is_at_or_below(&top) => name = above,
            _ => return Ok(Zone::assumed(domain)),
        }
    }
}

fn server(record: &RecordData) -> Option<Name> {
    match record {
        RecordData::Ns(name) => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::evidence::{Denial, Failure, Found};

    /// `ns` lists the names that have NS records; the rest denies, or fails where `fails` says so.
    #[track_caller]
    fn check(why: &str, domain: &str, ns: &[(&str, &str)], fails: &[&str], expected: &str) {
        let domain = Domain::parse(domain).unwrap();
        let mut evidence = Evidence::new();
        let zone = loop {
            match find(&domain, &evidence) {
                Ok(zone) => break zone,
                Err(needs) => {
                    let mut asked = Evidence::new();
                    if let crate::verify::step::Step::Need(questions) =
                        crate::verify::step::Step::<Zone>::from(Err(needs))
                    {
                        for question in questions {
                            let text = question.name.to_string();
                            let answer = match ns.iter().find(|(name, _)| *name == text) {
                                Some((_, server)) => Answer::Found(Found {
                                    records: vec![RecordData::Ns(Name::parse(server).unwrap())],
                                    ttl_seconds: 60,
                                    aliases: vec![],
                                    authentic: false,
                                }),
                                None if fails.contains(&text.as_str()) => Answer::Unknown(Failure::Servfail),
                                None => Answer::NoData(Denial::default()),
                            };
                            asked.tell(question, answer);
                        }
                    }
                    for (question, replies) in asked.iter() {
                        evidence.add(question.clone(), replies.to_vec());
                    }
                }
            }
        };
        let provider = zone.provider().map_or("nobody known".to_owned(), |provider| provider.name);
        assert_eq!(format!("{} by {provider}", zone.name), expected, "{why}");
    }

    #[test]
    fn zones_and_who_runs_them() {
        let cloudflare = "ada.ns.cloudflare.com";
        check("the domain itself", "example.com", &[("example.com", cloudflare)], &[], "example.com by cloudflare");
        check(
            "a name inside a zone",
            "m.example.com",
            &[("example.com", cloudflare)],
            &[],
            "example.com by cloudflare",
        );
        check(
            "a delegated name",
            "m.example.com",
            &[("m.example.com", "ns1.example.net")],
            &[],
            "m.example.com by nobody known",
        );
        check("a failure assumes", "m.example.com", &[], &["m.example.com"], "example.com by nobody known");
        check("nothing anywhere", "a.b.example.com", &[], &[], "example.com by nobody known");
        check(
            "a number in the middle",
            "example.com",
            &[("example.com", "ns-12.awsdns-34.co.uk")],
            &[],
            "example.com by route53",
        );
    }
}
