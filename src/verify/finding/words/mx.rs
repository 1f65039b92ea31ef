//! English for findings about mail exchanges.

use crate::protocol::name::Name;
use crate::verify::finding::mx::{HostFault, MxFinding, Rank};
use crate::verify::finding::words::Place;

/// What is wrong, in one or two sentences.
pub(super) fn message(finding: &MxFinding) -> String {
    match finding {
        MxFinding::Missing => {
            "The domain has no MX record, so replies and bounces have no sure way to it (RFC 5321 §5.1).".to_owned()
        }
        MxFinding::HostMissing { host } => format!("The domain has MX records, but none for {host}."),
        MxFinding::Unanswered { question, outcome } => {
            format!("DNS gave no usable answer to `{question}` ({outcome}). That says nothing about the record.")
        }
        MxFinding::ImplicitMx => {
            "Without an MX record, mail goes to the domain's own address, which is rarely a mail server \
             (RFC 5321 §5.1)."
                .to_owned()
        }
        MxFinding::NullMx => {
            "The domain has a null MX (`0 .`): it says that it receives no mail at all, and many receivers refuse mail \
             from such a domain (RFC 7505 §3, §4.2)."
                .to_owned()
        }
        MxFinding::NullBesideOthers => {
            "A null MX (`.`) stands beside other MX records; it must stand alone (RFC 7505 §3).".to_owned()
        }
        MxFinding::BadHost { host, fault, .. } => bad_host(host, fault),
        MxFinding::DocumentationAddress { host, address } => format!(
            "The address {address} of {host} is set aside for documentation and tests (RFC 5737, RFC 3849): no mail arrives there in the real \
             world."
        ),
        MxFinding::ForeignPreferred { host, preference, own_preference } => format!(
            "Mail goes to {host} first: its preference {preference} is lower than {own_preference}, and the lower is tried first \
             (RFC 5321 §5.1). Replies will not arrive at the required host."
        ),
        MxFinding::ForeignMx { hosts, rank } => {
            let hosts: Vec<String> = hosts.iter().map(Name::to_string).collect();
            let effect = match rank {
                Rank::First => "the required record goes before them: mailboxes there will receive nothing more",
                Rank::Among => "the required record goes beside them: mail will be spread over both by chance",
                Rank::Last => {
                    "the required record goes after them: replies keep going there and not to the required host"
                }
            };
            format!("The domain's mail is received by {} today; {effect} (RFC 5321 §5.1).", hosts.join(", "))
        }
        MxFinding::PreferenceDiffers { found, recommended } => {
            format!(
                "The preference is {found} and {recommended} is recommended. That decides nothing as long as the order is right."
            )
        }
        MxFinding::TooMany { count, looked_at } => {
            format!("The domain has {count} MX records; the {looked_at} with the lowest preferences were looked at.")
        }
    }
}

fn bad_host(host: &Name, fault: &HostFault) -> String {
    match fault {
        HostFault::Alias { target } => {
            format!(
                "The mail exchange {host} is an alias (CNAME) of {target}; an MX must name a host with an address (RFC 2181 §10.3)."
            )
        }
        HostFault::Literal => {
            format!("The MX record names the address {host}; it must name a host (RFC 5321 §5.1, RFC 1035 §3.3.9).")
        }
        HostFault::Unresolved => {
            format!("The mail exchange {host} has no address, so no mail can reach it (RFC 5321 §5.1).")
        }
        HostFault::Private { addresses } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!(
                "The mail exchange {host} has only addresses that nobody outside can reach: {} (RFC 6890).",
                addresses.join(", ")
            )
        }
    }
}

/// What to do about it, at the panel where `place` is edited.
pub(super) fn fix(finding: &MxFinding, place: &Place<'_>) -> String {
    let field = place.field();
    match finding {
        MxFinding::Missing | MxFinding::HostMissing { .. } | MxFinding::ImplicitMx => {
            format!("Add an MX record with host {field}{}.", with_value(place))
        }
        MxFinding::Unanswered { .. } => {
            "Nothing to do yet: it is asked again. If it stays, ask the DNS provider why the zone does not answer."
                .to_owned()
        }
        MxFinding::NullMx => format!("Delete the MX record `.` at host {field} and add one{}.", with_value(place)),
        MxFinding::NullBesideOthers => {
            format!("Delete the MX record whose mail server is `.` at host {field}; keep the others.")
        }
        MxFinding::BadHost { host, fault, .. } => match fault {
            HostFault::Alias { target } => format!(
                "In the MX record at host {field}, write {target} instead of {host}, or give {host} an address record in place of its CNAME."
            ),
            HostFault::Literal => format!(
                "Give the mail server a name with an A record, and write that name into the MX record at host {field} instead of {host}."
            ),
            HostFault::Unresolved => format!(
                "Check the spelling of {host} in the MX record at host {field} (panels that want a trailing dot add the zone's name \
                 without it), or give {host} an A record."
            ),
            HostFault::Private { .. } => format!(
                "Give {host} an A or AAAA record with a public address, or remove its MX record at host {field}."
            ),
        },
        MxFinding::DocumentationAddress { host, .. } => {
            format!("Unless this is a rehearsal, give {host} the address of the server that takes the mail.")
        }
        MxFinding::ForeignPreferred { host, own_preference, .. } => format!(
            "If replies are to arrive at the required host, delete the MX record for {host} at host {field}, or raise its preference above \
             {own_preference}. Do neither while people still read their mail there."
        ),
        MxFinding::ForeignMx { rank: Rank::First | Rank::Among, .. } => format!(
            "Add the record at host {field}{}, but only when nobody reads mail on the present servers any more, or use a subdomain for sending.",
            with_value(place)
        ),
        MxFinding::ForeignMx { rank: Rank::Last, .. } => format!(
            "Add the record at host {field}{}; for replies to arrive there, the others must then go or get a higher preference.",
            with_value(place)
        ),
        MxFinding::PreferenceDiffers { recommended, .. } => {
            format!("Nothing to do. To follow the recommendation, set the preference at host {field} to {recommended}.")
        }
        MxFinding::TooMany { .. } => format!("Delete MX records at host {field} that no mail server stands behind."),
    }
}

/// The mail server to enter, where one is required.
fn with_value(place: &Place<'_>) -> String {
    match (place.value, place.priority) {
        (Some(value), Some(preference)) => format!(", mail server `{value}` and preference {preference}"),
        (Some(value), None) => format!(", mail server `{value}`"),
        (None, _) => " for your mail server".to_owned(),
    }
}
