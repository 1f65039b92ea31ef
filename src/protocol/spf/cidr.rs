//! Networks in SPF terms: addresses and prefix lengths (RFC 7208 §5.3, §5.6).
//!
//! # Strictness
//!
//! As the grammar: no leading zero, no missing part, no prefix longer than the address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bits of an IPv4 address.
pub const IP4_BITS: u8 = 32;
/// The bits of an IPv6 address.
pub const IP6_BITS: u8 = 128;

/// The prefix lengths of `a` and `mx`, in bits. RFC 7208 §5.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DualCidr {
    /// For IPv4 clients, at most [`IP4_BITS`].
    pub ip4: u8,
    /// For IPv6 clients, at most [`IP6_BITS`].
    pub ip6: u8,
}

impl Default for DualCidr {
    /// Whole addresses.
    fn default() -> DualCidr {
        DualCidr { ip4: IP4_BITS, ip6: IP6_BITS }
    }
}

impl DualCidr {
    /// Reads `/24`, `//64` or `/24//64` off the end of `text`: what stands before, and the lengths.
    ///
    /// Nothing when the end looks like a length but is none.
    pub(super) fn split_off(text: &[u8]) -> Option<(&[u8], DualCidr)> {
        let mut cidr = DualCidr::default();
        let mut rest = text;
        if let Some((before, digits)) = split_digits(rest).and_then(|(b, d)| Some((b.strip_suffix(b"/")?, d))) {
            cidr.ip6 = read_bits(digits, IP6_BITS)?;
            rest = before;
        }
        if let Some((before, digits)) = split_digits(rest) {
            cidr.ip4 = read_bits(digits, IP4_BITS)?;
            rest = before;
        }
        Some((rest, cidr))
    }

    /// As it is written behind a term: empty for whole addresses.
    pub(super) fn shown(self) -> String {
        let ip4 = if self.ip4 == IP4_BITS { String::new() } else { format!("/{}", self.ip4) };
        let ip6 = if self.ip6 == IP6_BITS { String::new() } else { format!("//{}", self.ip6) };
        ip4 + &ip6
    }

    /// The network around `address`.
    pub fn network(self, address: IpAddr) -> Network {
        Network { address, bits: if address.is_ipv4() { self.ip4 } else { self.ip6 } }
    }
}

/// A network: all addresses that agree with `address` in their first `bits` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// Any address of it.
    pub address: IpAddr,
    /// The length of the prefix, in bits.
    pub bits: u8,
}

impl Network {
    /// Whether `ip` is in it. The families never match each other. RFC 7208 §5.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.address.is_ipv4() == ip.is_ipv4() && {
            let (first, last) = self.bounds();
            (first..=last).contains(&number(ip))
        }
    }

    /// The first and the last address, as numbers within their family.
    pub fn bounds(&self) -> (u128, u128) {
        let width = if self.address.is_ipv4() { IP4_BITS } else { IP6_BITS };
        let free = u32::from(width.saturating_sub(self.bits));
        let mask = 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
        let number = number(self.address);
        (number & !mask, number | mask)
    }

    /// The first and the last address.
    pub fn ends(&self) -> (IpAddr, IpAddr) {
        let (first, last) = self.bounds();
        let address = |number: u128| match self.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
        };
        (address(first), address(last))
    }
}

/// An address as a number within its family.
pub fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Reads an IPv4 network. RFC 7208 §5.6.
pub(super) fn read_ip4(text: &[u8]) -> Option<Result<(Ipv4Addr, u8), ()>> {
    let (address, bits) = read_network(text, IP4_BITS)?;
    Some(bits.map(|bits| (address, bits)))
}

/// Reads an IPv6 network. RFC 7208 §5.6.
pub(super) fn read_ip6(text: &[u8]) -> Option<Result<(Ipv6Addr, u8), ()>> {
    let (address, bits) = read_network(text, IP6_BITS)?;
    Some(bits.map(|bits| (address, bits)))
}

/// An address and its prefix length; nothing for a bad address, an error for a bad length.
fn read_network<A: std::str::FromStr>(text: &[u8], bits_max: u8) -> Option<(A, Result<u8, ()>)> {
    let text = std::str::from_utf8(text).ok()?;
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, read_bits(bits.as_bytes(), bits_max).ok_or(())),
        None => (text, Ok(bits_max)),
    };
    Some((address.parse().ok()?, bits))
}

/// The digits behind the last slash, and what stands before that slash.
fn split_digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = text.iter().rposition(|octet| *octet == b'/')?;
    let digits = text.get(slash + 1..)?;
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if is_number { Some((text.get(..slash)?, digits)) } else { None }
}

/// A prefix length without a leading zero. RFC 7208 §5.6.
fn read_bits(digits: &[u8], bits_max: u8) -> Option<u8> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) || (digits.len() > 1 && digits.starts_with(b"0")) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|bits| *bits <= bits_max)
}
