//! IP addresses: which of them the public Internet can reach.
//!
//! Follows the registries of special-purpose addresses (RFC 6890, RFC 8190) as they stand.
//!
//! # Strictness
//!
//! Public means: a mail server there can be reached by anybody. Networks for documentation are not
//! public, for nobody can have them. An IPv6 address that carries an IPv4 one is as public as that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not globally reachable, as first address and prefix length. RFC 6890 §2.2.2.
const PRIVATE_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),          // this network, RFC 791
    ([10, 0, 0, 0], 8),         // private use, RFC 1918
    ([100, 64, 0, 0], 10),      // shared address space, RFC 6598
    ([127, 0, 0, 0], 8),        // loopback, RFC 1122
    ([169, 254, 0, 0], 16),     // link local, RFC 3927
    ([172, 16, 0, 0], 12),      // private use, RFC 1918
    ([192, 0, 0, 0], 24),       // protocol assignments, RFC 6890
    ([192, 0, 2, 0], 24),       // documentation, RFC 5737
    ([192, 88, 99, 0], 24),     // 6to4 relay anycast, RFC 7526
    ([192, 168, 0, 0], 16),     // private use, RFC 1918
    ([198, 18, 0, 0], 15),      // benchmarking, RFC 2544
    ([198, 51, 100, 0], 24),    // documentation, RFC 5737
    ([203, 0, 113, 0], 24),     // documentation, RFC 5737
    ([224, 0, 0, 0], 4),        // multicast, RFC 5771
    ([240, 0, 0, 0], 4),        // reserved, RFC 1112
    ([255, 255, 255, 255], 32), // limited broadcast, RFC 8190
];

/// IPv6 networks inside global unicast (2000::/3) that are not globally reachable. RFC 6890 §2.2.3.
const PRIVATE_V6: [([u16; 8], u32); 4] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments (Teredo, ORCHID …), RFC 2928
    ([0x2001, 0x0db8, 0, 0, 0, 0, 0, 0], 32), // documentation, RFC 3849
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation, RFC 9637
    ([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16), // 6bone, returned, RFC 3701
];

/// Whether anybody on the Internet can send to this address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !PRIVATE_V4.iter().any(|(network, length)| {
        let shift = 32 - length;
        bits.checked_shr(shift) == u32::from(Ipv4Addr::from(*network)).checked_shr(shift)
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    match address.segments() {
        // Addresses that carry an IPv4 address: mapped (RFC 4291 §2.5.5.2), NAT64 (RFC 6052 §2.1), 6to4 (RFC 3056 §2).
        [0, 0, 0, 0, 0, 0xffff, ..] => false,
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(joined(high, low)),
        [0x2002, high, low, ..] => is_public_v4(joined(high, low)),
        // Only 2000::/3 is global unicast; loopback, unique local, link local and multicast lie outside.
        [first, ..] if first & 0xe000 != 0x2000 => false,
        _ => !PRIVATE_V6.iter().any(|(network, length)| {
            let shift = 128 - length;
            bits.checked_shr(shift) == u128::from(Ipv6Addr::from(*network)).checked_shr(shift)
        }),
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

/// Whether an address is set aside for documentation: RFC 5737, RFC 3849, RFC 9637. Never public.
pub fn is_documentation(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            matches!(address.octets(), [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _])
        }
        IpAddr::V6(address) => {
            let segments = address.segments();
            matches!(segments, [0x2001, 0x0db8, ..]) || (segments[0] == 0x3fff && segments[1] < 0x1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, address: &str, public: bool) {
        assert_eq!(is_public(address.parse().unwrap()), public, "{why}: {address}");
    }

    #[test]
    fn an_address_is_public_or_not() {
        check("plain IPv4", "1.1.1.1", true);
        check("plain IPv6", "2606:4700::1", true);
        check("private use, RFC 1918", "10.255.255.255", false);
        check("just above it", "11.0.0.0", true);
        check("private use, last", "172.31.255.255", false);
        check("just above it", "172.32.0.0", true);
        check("private use", "192.168.1.1", false);
        check("shared address space", "100.127.255.255", false);
        check("just above it", "100.128.0.0", true);
        check("loopback", "127.0.0.53", false);
        check("unspecified", "0.0.0.0", false);
        check("link local", "169.254.0.1", false);
        check("documentation 1", "192.0.2.1", false);
        check("just above it", "192.0.3.1", true);
        check("documentation 2", "198.51.100.1", false);
        check("documentation 3", "203.0.113.255", false);
        check("benchmarking", "198.19.255.255", false);
        check("multicast", "224.0.0.1", false);
        check("reserved", "250.1.1.1", false);
        check("broadcast", "255.255.255.255", false);
        check("loopback, IPv6", "::1", false);
        check("unspecified, IPv6", "::", false);
        check("unique local", "fd00::1", false);
        check("link local, IPv6", "fe80::1", false);
        check("multicast, IPv6", "ff02::1", false);
        check("documentation, IPv6", "2001:db8::1", false);
        check("documentation, RFC 9637", "3fff:fff::1", false);
        check("Teredo", "2001::1", false);
        check("global, beside the assignments", "2001:200::1", true);
        check("an IPv4 address in IPv6 clothes is none that DNS may give", "::ffff:1.1.1.1", false);
        check("NAT64 of a private address", "64:ff9b::10.0.0.1", false);
        check("NAT64 of a public address", "64:ff9b::1.1.1.1", true);
        check("local NAT64, RFC 8215", "64:ff9b:1::1", false);
        check("6to4 of a private address", "2002:a00:1::1", false);
        check("6to4 of a public address", "2002:101:101::1", true);
        check("discard only, RFC 6666", "100::1", false);
    }
}
