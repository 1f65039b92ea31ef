//! Terms of an SPF record: mechanisms and modifiers (RFC 7208 §4.6.1, §5, §6).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::protocol::spf::cidr::{self, DualCidr, IP4_BITS, IP6_BITS, Network};
use crate::protocol::spf::domain_spec::{DomainSpec, DomainSpecFault};
use crate::protocol::spf::macros::{MacroFault, MacroPlace, MacroString};

/// What follows when a mechanism matches. RFC 7208 §4.6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// `+`, which need not be written.
    Pass,
    /// `-`.
    Fail,
    /// `~`.
    SoftFail,
    /// `?`.
    Neutral,
}

impl Qualifier {
    /// As it is written; `+` is left out.
    pub const fn as_str(self) -> &'static str {
        match self {
            Qualifier::Pass => "",
            Qualifier::Fail => "-",
            Qualifier::SoftFail => "~",
            Qualifier::Neutral => "?",
        }
    }
}

/// A test of the client. RFC 7208 §5.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Everybody. RFC 7208 §5.1.
    All,
    /// Whoever passes there. RFC 7208 §5.2.
    Include(DomainSpec),
    /// The addresses of a name. RFC 7208 §5.3.
    A {
        /// The name; nothing means the domain itself.
        domain: Option<DomainSpec>,
        /// How much of an address must agree.
        cidr: DualCidr,
    },
    /// The addresses of a name's mail exchanges. RFC 7208 §5.4.
    Mx {
        /// The name; nothing means the domain itself.
        domain: Option<DomainSpec>,
        /// How much of an address must agree.
        cidr: DualCidr,
    },
    /// Clients named below a name. RFC 7208 §5.5.
    Ptr(Option<DomainSpec>),
    /// An IPv4 network. RFC 7208 §5.6.
    Ip4 {
        /// Any address of it.
        address: Ipv4Addr,
        /// The prefix, in bits.
        bits: u8,
    },
    /// An IPv6 network. RFC 7208 §5.6.
    Ip6 {
        /// Any address of it.
        address: Ipv6Addr,
        /// The prefix, in bits.
        bits: u8,
    },
    /// Whether a name has an address. RFC 7208 §5.7.
    Exists(DomainSpec),
}

impl Mechanism {
    /// The mechanism for exactly this address.
    pub fn of_address(address: IpAddr) -> Mechanism {
        match address {
            IpAddr::V4(address) => Mechanism::Ip4 { address, bits: IP4_BITS },
            IpAddr::V6(address) => Mechanism::Ip6 { address, bits: IP6_BITS },
        }
    }

    /// Whether it costs one of the ten lookups. RFC 7208 §4.6.4.
    pub fn costs_lookup(&self) -> bool {
        !matches!(self, Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. })
    }

    /// The network of `ip4` and `ip6`.
    pub fn network(&self) -> Option<Network> {
        match self {
            Mechanism::Ip4 { address, bits } => Some(Network { address: IpAddr::V4(*address), bits: *bits }),
            Mechanism::Ip6 { address, bits } => Some(Network { address: IpAddr::V6(*address), bits: *bits }),
            _ => None,
        }
    }

    /// The domain-spec, where one is written.
    pub fn domain(&self) -> Option<&DomainSpec> {
        match self {
            Mechanism::Include(domain) | Mechanism::Exists(domain) => Some(domain),
            Mechanism::A { domain, .. } | Mechanism::Mx { domain, .. } | Mechanism::Ptr(domain) => domain.as_ref(),
            Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => None,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optional = |domain: &Option<DomainSpec>| domain.as_ref().map(|d| format!(":{d}")).unwrap_or_default();
        match self {
            Mechanism::All => f.write_str("all"),
            Mechanism::Include(domain) => write!(f, "include:{domain}"),
            Mechanism::A { domain, cidr } => write!(f, "a{}{}", optional(domain), cidr.shown()),
            Mechanism::Mx { domain, cidr } => write!(f, "mx{}{}", optional(domain), cidr.shown()),
            Mechanism::Ptr(domain) => write!(f, "ptr{}", optional(domain)),
            Mechanism::Ip4 { address, bits: IP4_BITS } => write!(f, "ip4:{address}"),
            Mechanism::Ip4 { address, bits } => write!(f, "ip4:{address}/{bits}"),
            Mechanism::Ip6 { address, bits: IP6_BITS } => write!(f, "ip6:{address}"),
            Mechanism::Ip6 { address, bits } => write!(f, "ip6:{address}/{bits}"),
            Mechanism::Exists(domain) => write!(f, "exists:{domain}"),
        }
    }
}

/// A mechanism and what follows from it. RFC 7208 §4.6.1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Directive {
    /// What follows when it matches.
    pub qualifier: Qualifier,
    /// The test.
    pub mechanism: Mechanism,
}

impl Directive {
    /// The directive that lets pass what `mechanism` matches.
    pub fn pass(mechanism: Mechanism) -> Directive {
        Directive { qualifier: Qualifier::Pass, mechanism }
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.qualifier.as_str(), self.mechanism)
    }
}

/// A modifier that RFC 7208 does not know; it is ignored. RFC 7208 §6.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownModifier {
    /// Its name as it was written.
    pub name: String,
    /// What stands behind the `=`.
    pub value: MacroString,
}

impl fmt::Display for UnknownModifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// One term of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Term {
    /// A mechanism with its qualifier.
    Directive(Directive),
    /// `redirect=`. RFC 7208 §6.1.
    Redirect(DomainSpec),
    /// `exp=`. RFC 7208 §6.2.
    Explanation(DomainSpec),
    /// Any other modifier.
    Unknown(UnknownModifier),
}

/// Why a term breaks the grammar.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TermFault {
    /// No such mechanism. RFC 7208 §4.6.1.
    #[error("there is no mechanism `{0}` (RFC 7208 §4.6.1)")]
    UnknownMechanism(String),
    /// A modifier's name breaks the grammar. RFC 7208 §4.6.1.
    #[error("`{0}` is no name of a modifier, which is letters, digits, `-`, `_` and `.` (RFC 7208 §4.6.1)")]
    ModifierName(String),
    /// Something behind a mechanism that takes nothing. RFC 7208 §5.1.
    #[error("nothing may follow `{0}` here (RFC 7208 §5)")]
    Surplus(&'static str),
    /// The mechanism needs an address. RFC 7208 §5.6.
    #[error("`{0}` needs a whole address of its family (RFC 7208 §5.6)")]
    Address(&'static str),
    /// A prefix length that is none. RFC 7208 §5.6.
    #[error("the network length must be a number from 0 to {0} without a leading zero (RFC 7208 §5.6)")]
    Bits(u8),
    /// A prefix length of `a` or `mx` that is none. RFC 7208 §5.3.
    #[error("the network lengths must be `/0` to `/32` for IPv4 and `//0` to `//128` for IPv6 (RFC 7208 §5.3)")]
    DualBits,
    /// Its domain-spec is wrong.
    #[error(transparent)]
    Domain(DomainSpecFault),
    /// The value of an unknown modifier is no macro string. RFC 7208 §6.
    #[error(transparent)]
    Macro(MacroFault),
    /// `redirect` or `exp` for a second time. RFC 7208 §6.
    #[error("`{0}=` may stand only once in a record (RFC 7208 §6)")]
    Repeated(&'static str),
}

/// Reads one term.
///
/// # Errors
///
/// [`TermFault`], the fault of whoever published it.
pub fn read_term(term: &[u8]) -> Result<Term, TermFault> {
    // An `=` before any `:` or `/` makes a modifier. RFC 7208 §4.6.1.
    let end = term.iter().position(|octet| matches!(octet, b':' | b'/' | b'='));
    match end.and_then(|end| Some((term.get(..end)?, term.get(end..)?))) {
        Some((name, rest)) => match rest.strip_prefix(b"=") {
            Some(value) => read_modifier(name, value),
            None => read_directive(name, rest).map(Term::Directive),
        },
        None => read_directive(term, b"").map(Term::Directive),
    }
}

fn read_modifier(name: &[u8], value: &[u8]) -> Result<Term, TermFault> {
    let inner = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    if !name.first().is_some_and(u8::is_ascii_alphabetic) || !name.iter().all(inner) {
        return Err(TermFault::ModifierName(shown(name)));
    }
    // Names that are known never fall through to "unknown": a broken redirect is an error. RFC 7208 §6.1.
    if name.eq_ignore_ascii_case(b"redirect") {
        return DomainSpec::parse(value).map(Term::Redirect).map_err(TermFault::Domain);
    }
    if name.eq_ignore_ascii_case(b"exp") {
        return DomainSpec::parse(value).map(Term::Explanation).map_err(TermFault::Domain);
    }
    let value = MacroString::parse(value, MacroPlace::Term).map_err(TermFault::Macro)?;
    Ok(Term::Unknown(UnknownModifier { name: String::from_utf8_lossy(name).into_owned(), value }))
}

fn read_directive(name: &[u8], rest: &[u8]) -> Result<Directive, TermFault> {
    let (qualifier, name) = match name.split_first() {
        Some((b'+', name)) => (Qualifier::Pass, name),
        Some((b'-', name)) => (Qualifier::Fail, name),
        Some((b'~', name)) => (Qualifier::SoftFail, name),
        Some((b'?', name)) => (Qualifier::Neutral, name),
        _ => (Qualifier::Pass, name),
    };
    let mechanism = match name.to_ascii_lowercase().as_slice() {
        b"all" if rest.is_empty() => Mechanism::All,
        b"all" => return Err(TermFault::Surplus("all")),
        b"include" => Mechanism::Include(required_domain(rest)?),
        b"exists" => Mechanism::Exists(required_domain(rest)?),
        b"a" => {
            let (domain, cidr) = domain_and_cidr(rest)?;
            Mechanism::A { domain, cidr }
        }
        b"mx" => {
            let (domain, cidr) = domain_and_cidr(rest)?;
            Mechanism::Mx { domain, cidr }
        }
        b"ptr" if rest.is_empty() => Mechanism::Ptr(None),
        b"ptr" => Mechanism::Ptr(Some(required_domain(rest)?)),
        b"ip4" => {
            let network = rest.strip_prefix(b":").and_then(cidr::read_ip4).ok_or(TermFault::Address("ip4"))?;
            let (address, bits) = network.map_err(|()| TermFault::Bits(IP4_BITS))?;
            Mechanism::Ip4 { address, bits }
        }
        b"ip6" => {
            let network = rest.strip_prefix(b":").and_then(cidr::read_ip6).ok_or(TermFault::Address("ip6"))?;
            let (address, bits) = network.map_err(|()| TermFault::Bits(IP6_BITS))?;
            Mechanism::Ip6 { address, bits }
        }
        _ => return Err(TermFault::UnknownMechanism(shown(name))),
    };
    Ok(Directive { qualifier, mechanism })
}

/// `:domain-spec`, which must be there.
fn required_domain(rest: &[u8]) -> Result<DomainSpec, TermFault> {
    let text = rest.strip_prefix(b":").ok_or(TermFault::Domain(DomainSpecFault::Empty))?;
    DomainSpec::parse(text).map_err(TermFault::Domain)
}

/// `[:domain-spec][/length][//length]`. A slash may also stand in the domain, so lengths are read off the end.
fn domain_and_cidr(rest: &[u8]) -> Result<(Option<DomainSpec>, DualCidr), TermFault> {
    let (rest, cidr) = DualCidr::split_off(rest).ok_or(TermFault::DualBits)?;
    match rest.split_first() {
        None => Ok((None, cidr)),
        Some((b':', text)) => Ok((Some(DomainSpec::parse(text).map_err(TermFault::Domain)?), cidr)),
        Some(_) => Err(TermFault::DualBits),
    }
}

/// The longest piece of a bad text that is repeated in a fault, in octets.
const SHOWN_OCTETS_MAX: usize = 100;

/// A text for people: printable ASCII as it stands, other octets as `\DDD`, cut off where it is long.
pub fn shown(text: &[u8]) -> String {
    let mut shown = String::new();
    for octet in text.iter().take(SHOWN_OCTETS_MAX) {
        match octet {
            0x20..=0x7e => shown.push(char::from(*octet)),
            _ => shown.push_str(&format!("\\{octet:03}")),
        }
    }
    if text.len() > SHOWN_OCTETS_MAX {
        shown.push('…');
    }
    shown
}
