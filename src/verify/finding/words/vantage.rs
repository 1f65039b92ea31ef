//! English for findings about the servers of a zone.

use std::fmt::Display;

use crate::plural::counted;
use crate::verify::finding::vantage::VantageFinding;
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &VantageFinding) -> String {
    match finding {
        VantageFinding::Partial { question, servers, .. } => format!(
            "The zone's own name servers do not agree about {question}: {}. What counts is open until they do.",
            listed(servers)
        ),
        VantageFinding::ResolversDisagree { question, resolvers, .. } => format!(
            "The resolvers of this service contradict each other about {question}: {}. The zone's own name servers, whose word would \
             decide, could not be reached.",
            listed(resolvers)
        ),
        VantageFinding::ShortTtl { question, ttl_seconds, .. } => format!(
            "{question} may be kept for {} only (TTL): receivers ask for it again with almost every message, and a \
             short failure of the name servers is felt at once (RFC 1912 §2.2).",
            counted(*ttl_seconds, "second", "seconds")
        ),
        VantageFinding::DelegationMismatch { zone, delegated, own, .. } => format!(
            "The zone above {zone} delegates it to {}, but the zone itself names {}: which of them is asked is chance.",
            listed(delegated),
            listed(own)
        ),
        VantageFinding::DelegationLame { zone, servers, .. } => format!(
            "Some name servers to which {zone} is delegated do not serve it: {}. Lookups that reach them fail.",
            listed(servers)
        ),
        VantageFinding::DelegationElsewhere { zone, servers, .. } => format!(
            "No name server to which {zone} is delegated serves it: {}. Whatever is published elsewhere, nobody sees it.",
            listed(servers)
        ),
    }
}

/// What to do about it.
pub(super) fn fix(finding: &VantageFinding, place: &Place<'_>) -> String {
    match finding {
        VantageFinding::Partial { .. } => format!(
            "Wait a few minutes; if it stays, ask whoever runs the name servers why they hold different records at host {}.",
            place.field()
        ),
        VantageFinding::ResolversDisagree { .. } => {
            "Nothing at the DNS provider. Whoever runs this service checks its `dns.resolvers`, one of which is wrong or late, and lets \
             it reach name servers on port 53."
                .to_owned()
        }
        VantageFinding::ShortTtl { .. } => format!(
            "Nothing must be done while the record still changes. Once it stays, set its TTL at host {} to 3600.",
            place.field()
        ),
        VantageFinding::DelegationMismatch { zone, own, .. } => format!(
            "At the registrar, set the name servers of {zone} to the ones that serve it now; if they are {}, enter those.",
            listed(own)
        ),
        VantageFinding::DelegationLame { zone, .. } => {
            format!("At the registrar, remove these name servers from {zone}, or have the zone set up on them.")
        }
        VantageFinding::DelegationElsewhere { zone, .. } => format!(
            "At the registrar, set the name servers of {zone} to those of the provider where its records are kept, or add the zone there; then host {} is seen.",
            place.field()
        ),
    }
}

fn listed(things: &[impl Display]) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
