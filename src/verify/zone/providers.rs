//! DNS providers, told from the names of their name servers.
//!
//! One table: a provider's short name, the pattern of its servers' names, how its panel wants a host
//! and a text, and where the panel is. The patterns are those which each provider documents for its
//! customers' delegations; a zone on vanity names is simply not recognised.

use crate::protocol::name::Name;
use crate::verify::report::DnsProvider;

/// How a panel wants the value of a TXT record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextHabit {
    /// As it stands, without quotes; the panel adds them.
    Plain,
    /// In double quotes, each string of at most 255 octets in its own; without them it cuts at spaces or refuses.
    Quoted,
}

/// One provider. Every panel in the table takes the host relative to the zone and appends the rest.
struct Provider {
    name: &'static str,
    /// Suffixes of the servers' names; a `*` stands for the rest of one label.
    servers: &'static [&'static str],
    panel_url: &'static str,
    text: TextHabit,
}

const fn plain(name: &'static str, servers: &'static [&'static str], panel_url: &'static str) -> Provider {
    Provider { name, servers, panel_url, text: TextHabit::Plain }
}

const fn quoted(name: &'static str, servers: &'static [&'static str], panel_url: &'static str) -> Provider {
    Provider { name, servers, panel_url, text: TextHabit::Quoted }
}

const PROVIDERS: &[Provider] = &[
    plain("cloudflare", &["ns.cloudflare.com"], "https://dash.cloudflare.com/"),
    quoted(
        "route53",
        &["awsdns-*.com", "awsdns-*.net", "awsdns-*.org", "awsdns-*.co.uk"],
        "https://console.aws.amazon.com/route53/",
    ),
    plain("godaddy", &["domaincontrol.com"], "https://dcc.godaddy.com/"),
    plain("namecheap", &["registrar-servers.com"], "https://ap.www.namecheap.com/"),
    quoted("google-cloud-dns", &["ns-cloud-*.googledomains.com"], "https://console.cloud.google.com/net-services/dns"),
    plain("squarespace", &["squarespacedns.com", "googledomains.com"], "https://account.squarespace.com/domains"),
    plain(
        "azure-dns",
        &["azure-dns.com", "azure-dns.net", "azure-dns.org", "azure-dns.info"],
        "https://portal.azure.com/",
    ),
    plain("digitalocean", &["digitalocean.com"], "https://cloud.digitalocean.com/networking/domains"),
    plain(
        "hetzner",
        &["ns.hetzner.com", "ns.hetzner.de", "first-ns.de", "second-ns.de", "second-ns.com"],
        "https://dns.hetzner.com/",
    ),
    plain("ovh", &["ovh.net", "anycast.me"], "https://www.ovh.com/manager/"),
    plain("gandi", &["gandi.net"], "https://admin.gandi.net/"),
    plain("ionos", &["ui-dns.com", "ui-dns.de", "ui-dns.org", "ui-dns.biz"], "https://my.ionos.com/"),
    plain("strato", &["rzone.de"], "https://www.strato.de/apps/CustomerService"),
    plain("dnsimple", &["dnsimple.com", "dnsimple-edge.net", "dnsimple-edge.org"], "https://dnsimple.com/dashboard"),
    plain("ns1", &["nsone.net"], "https://my.nsone.net/"),
    plain("dnsmadeeasy", &["dnsmadeeasy.com"], "https://cp.dnsmadeeasy.com/"),
    plain("name-com", &["name.com"], "https://www.name.com/account/domain"),
    plain("porkbun", &["ns.porkbun.com"], "https://porkbun.com/account/domains"),
    plain("dreamhost", &["dreamhost.com"], "https://panel.dreamhost.com/"),
    plain("bluehost", &["bluehost.com"], "https://my.bluehost.com/"),
    plain("hostgator", &["hostgator.com"], "https://portal.hostgator.com/"),
    plain("siteground", &["siteground.net"], "https://my.siteground.com/"),
    plain("wix", &["wixdns.net"], "https://manage.wix.com/"),
    plain("shopify", &["shopifydns.com"], "https://admin.shopify.com/"),
    plain("wordpress-com", &["wordpress.com"], "https://wordpress.com/domains/manage"),
    plain("vercel", &["vercel-dns.com"], "https://vercel.com/dashboard/domains"),
    plain("netlify", &["nsone.netlify.com", "netlifydns.com"], "https://app.netlify.com/"),
    plain("linode", &["linode.com"], "https://cloud.linode.com/domains"),
    plain("vultr", &["vultr.com"], "https://my.vultr.com/dns/"),
    plain("hostinger", &["dns-parking.com"], "https://hpanel.hostinger.com/"),
    plain("one-com", &["one.com"], "https://www.one.com/admin/"),
    plain("infomaniak", &["infomaniak.ch", "infomaniak.com"], "https://manager.infomaniak.com/"),
    plain("inwx", &["inwx.de", "inwx.eu", "inwx.net", "domrobot.com"], "https://www.inwx.com/"),
    plain("transip", &["transip.nl", "transip.net", "transip.eu"], "https://www.transip.nl/cp/"),
    plain("desec", &["desec.io", "desec.org"], "https://desec.io/domains"),
    plain("easydns", &["easydns.com", "easydns.net", "easydns.org"], "https://cp.easydns.com/"),
    plain("akamai", &["akam.net"], "https://control.akamai.com/"),
    plain("alibaba", &["hichina.com", "alidns.com"], "https://dns.console.aliyun.com/"),
    plain("dnspod", &["dnspod.net", "dnspod.com"], "https://console.dnspod.cn/"),
    plain("yandex", &["yandexcloud.net", "yandex.net"], "https://console.yandex.cloud/"),
];

/// The provider that runs the server of this name.
pub fn of_server(server: &Name) -> Option<DnsProvider> {
    let text = server.to_string();
    let provider = PROVIDERS.iter().find(|p| p.servers.iter().any(|pattern| matches(&text, pattern)))?;
    Some(DnsProvider { name: provider.name.to_owned(), panel_url: Some(provider.panel_url.to_owned()) })
}

/// How the panel of the provider of this short name wants the value of a TXT record.
pub fn text_habit(provider: &str) -> TextHabit {
    PROVIDERS.iter().find(|p| p.name == provider).map_or(TextHabit::Plain, |p| p.text)
}

/// Whether the name ends in the pattern, at a label's beginning.
fn matches(name: &str, pattern: &str) -> bool {
    let mut names = name.rsplit('.');
    pattern.rsplit('.').all(|label| match (names.next(), label.strip_suffix('*')) {
        (Some(own), Some(start)) => own.starts_with(start),
        (Some(own), None) => own == label,
        (None, _) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(server: &str, expected: &str) {
        let found = of_server(&Name::parse(server).unwrap()).map_or("-".to_owned(), |p| p.name);
        assert_eq!(found, expected, "{server}");
    }

    #[test]
    fn servers_and_their_providers() {
        check("ada.ns.cloudflare.com", "cloudflare");
        check("ns-1.awsdns-00.com", "route53");
        check("ns-1.awsdns-00.co.uk", "route53");
        check("ns-cloud-a1.googledomains.com", "google-cloud-dns");
        check("ns1.googledomains.com", "squarespace");
        check("ns01.domaincontrol.com", "godaddy");
        check("evildomaincontrol.com", "-");
        check("cloudflare.com.example.net", "-");
        check("com", "-");
        assert!(PROVIDERS.len() >= 25, "the 25 most used, at least");
    }

    #[test]
    fn every_provider_is_reached_by_its_own_pattern() {
        for provider in PROVIDERS {
            for pattern in provider.servers {
                check(&format!("ns1.{}", pattern.replace('*', "1")), provider.name);
            }
        }
    }
}
