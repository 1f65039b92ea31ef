//! Where a body may be posted: a URL, read and judged.
//!
//! # Strictness
//!
//! What the URL shows is judged here: its scheme, its port, a user's name in it, and a host that is an address or a
//! name of this machine or this network, however it is spelled (`http://2130706433/`, `http://0x7f.1/`,
//! `http://[::ffff:7f00:1]/`). The URL is kept as it was understood, so that nobody understands it otherwise later.
//! What only DNS shows is judged when connecting.

use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

use crate::protocol::address::is_public;

/// The longest URL, in octets.
pub const URL_OCTETS_MAX: usize = 2_048;

/// Ports below are those of other protocols, but for the two of HTTP.
const PORT_MIN: u16 = 1_024;

/// Ends of names that are only known on this machine or in this network: RFC 6761 §6.3, RFC 6762 §3, RFC 8375 §3,
/// and what ICANN has set aside for private use.
const PRIVATE_ENDS: [&str; 4] = ["localhost", "local", "home.arpa", "internal"];

/// Where a body may be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
}

/// Why a URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetFault {
    /// It is too long.
    #[error("may have at most {URL_OCTETS_MAX} octets")]
    TooLong,
    /// It is none.
    #[error("must be a URL such as https://hooks.example.com/dns")]
    NoUrl,
    /// Neither `http` nor `https`.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// It holds a user's name or password.
    #[error("must not hold a user's name or password; the signature says who we are")]
    UserInfo,
    /// It has a fragment, which is never sent.
    #[error("must not have a fragment (`#…`)")]
    Fragment,
    /// Its port is another protocol's.
    #[error("must have the port 80, 443, or one from {PORT_MIN} on")]
    Port,
    /// Its host is an address that the Internet does not reach.
    #[error("must not name an address that is not public")]
    PrivateAddress,
    /// Its host is a name that the Internet does not know.
    #[error("must name a host that the Internet knows, by its full name")]
    PrivateName,
}

impl Target {
    /// Reads a URL. With `allow_private`, whatever host and port it names will do.
    ///
    /// # Errors
    ///
    /// [`TargetFault`]: the fault of whoever gave it.
    pub fn parse(text: &str, allow_private: bool) -> Result<Target, TargetFault> {
        if text.len() > URL_OCTETS_MAX {
            return Err(TargetFault::TooLong);
        }
        // The standard of browsers passes over spaces and takes `\` for `/`; nobody means either.
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(TargetFault::NoUrl);
        }
        let url = Url::parse(text).map_err(|_| TargetFault::NoUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(TargetFault::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetFault::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(TargetFault::Fragment);
        }
        if url.as_str().len() > URL_OCTETS_MAX {
            return Err(TargetFault::TooLong);
        }
        let (host, port) = (url.host_str().ok_or(TargetFault::NoUrl)?, url.port_or_known_default().unwrap_or(0));
        if port == 0 || (!allow_private && port < PORT_MIN && !matches!(port, 80 | 443)) {
            return Err(TargetFault::Port);
        }
        if !allow_private {
            check_host(host)?;
        }
        Ok(Target { url })
    }

    /// The URL as it was understood.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Its host.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}

/// Refuses hosts that are not the Internet's. By now every spelling of an address is the plain one.
fn check_host(host: &str) -> Result<(), TargetFault> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return if is_public(address) { Ok(()) } else { Err(TargetFault::PrivateAddress) };
    }
    let name = host.trim_end_matches('.');
    let is_private = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if !name.contains('.') || PRIVATE_ENDS.into_iter().any(is_private) {
        return Err(TargetFault::PrivateName);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(why: &str, url: &str, expected: Result<&str, TargetFault>) {
        let read = Target::parse(url, false);
        assert_eq!(read.as_ref().map(Target::as_str).map_err(|fault| *fault), expected, "{why}: {url}");
    }

    #[test]
    fn a_url_is_taken_as_it_was_understood() {
        check("plain", "https://hooks.example.com/dns?a=1", Ok("https://hooks.example.com/dns?a=1"));
        check("capitals", "HTTPS://Hooks.Example.COM", Ok("https://hooks.example.com/"));
        check("plain HTTP", "http://hooks.example.com:8080/", Ok("http://hooks.example.com:8080/"));
        check("a port that goes without saying", "https://a.example:443/", Ok("https://a.example/"));
        check("Unicode", "https://bücher.example/", Ok("https://xn--bcher-kva.example/"));
        check("a public address", "https://1.1.1.1/", Ok("https://1.1.1.1/"));
        check("a public IPv6 address", "https://[2606:4700::1]/", Ok("https://[2606:4700::1]/"));
        check("a name that only ends alike", "https://notlocalhost.example/", Ok("https://notlocalhost.example/"));
        check("and here", "https://my-internal.example/", Ok("https://my-internal.example/"));
    }

    #[test]
    fn an_address_that_is_not_public_is_refused_however_it_is_spelled() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://127.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0X7F.0.0.0x1/",
            "http://017700000001/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://127%2e0%2e0%2e1/",
            "http://１２７.0.0.1/",
            "http://①②⑦.⓪.⓪.①/",
            "http://127。0。0。1/",
            "http://0/",
            "http://0.0.0.0/",
            "http://10.1.2.3/",
            "http://100.64.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://172.16.0.1/",
            "http://192.168.0.1/",
            "http://198.18.0.1/",
            "http://192.0.2.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[::]/",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[ff02::1]/",
            "http://[2001:db8::1]/",
        ] {
            check("not public", url, Err(TargetFault::PrivateAddress));
            assert!(Target::parse(url, true).is_ok(), "for development: {url}");
        }
    }

    #[test]
    fn everything_else_that_nobody_should_post_to_is_refused() {
        check("this machine", "http://localhost:8080/", Err(TargetFault::PrivateName));
        check("with a dot", "http://LOCALHOST./", Err(TargetFault::PrivateName));
        check("below it", "http://a.localhost/", Err(TargetFault::PrivateName));
        check("a single label", "http://intranet/", Err(TargetFault::PrivateName));
        check("the metadata of a cloud", "http://metadata.google.internal/", Err(TargetFault::PrivateName));
        check("the local link", "http://printer.local/", Err(TargetFault::PrivateName));
        check("the home", "http://nas.home.arpa/", Err(TargetFault::PrivateName));
        check("another scheme", "ftp://a.example/", Err(TargetFault::Scheme));
        check("a file", "file:///etc/passwd", Err(TargetFault::Scheme));
        check("data", "data:,x", Err(TargetFault::Scheme));
        check("a script", "javascript:alert(1)", Err(TargetFault::Scheme));
        check("a user", "https://user@a.example/", Err(TargetFault::UserInfo));
        check("a password", "https://:secret@a.example/", Err(TargetFault::UserInfo));
        check("a host that looks like another", "https://a.example@127.0.0.1/", Err(TargetFault::UserInfo));
        check("a fragment", "https://a.example/#x", Err(TargetFault::Fragment));
        check("mail", "http://a.example:25/", Err(TargetFault::Port));
        check("no port", "http://a.example:0/", Err(TargetFault::Port));
        check("a port beyond", "http://a.example:65536/", Err(TargetFault::NoUrl));
        check("no host", "https:///path", Err(TargetFault::PrivateName));
        check("no host at all", "https://", Err(TargetFault::NoUrl));
        check("a relative one", "/hooks", Err(TargetFault::NoUrl));
        check("nothing", "", Err(TargetFault::NoUrl));
        check("a space", "https://a.example/ b", Err(TargetFault::NoUrl));
        check("a line's end", "https://a.example/\r\nx: y", Err(TargetFault::NoUrl));
        check("a backslash", "https://a.example\\@127.0.0.1/", Err(TargetFault::NoUrl));
        check("a bad address", "http://256.0.0.1/", Err(TargetFault::NoUrl));
        check("a zone", "http://[fe80::1%25eth0]/", Err(TargetFault::NoUrl));
        check("long", &format!("https://a.example/{}", "a".repeat(2_048)), Err(TargetFault::TooLong));
        check("long once it is escaped", &format!("https://a.example/{}", "é".repeat(500)), Err(TargetFault::TooLong));
        assert_eq!(Target::parse("http://u@127.0.0.1/", true), Err(TargetFault::UserInfo), "also for development");
        assert!(Target::parse("http://localhost:81/", true).is_ok());
    }
}
