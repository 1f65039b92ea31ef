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

/// How a panel wants the host of a record at the zone itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApexHabit {
    /// As `@`.
    At,
    /// As an empty field; `@` would make a record of that name, or is refused.
    Empty,
}

/// What is known of a provider's panel. Every panel in the table takes the host relative to the zone and appends the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panel {
    /// The provider's own name, for people.
    pub title: &'static str,
    /// Where it is.
    pub url: &'static str,
    /// How it wants the value of a TXT record.
    pub text: TextHabit,
    /// How it wants the host of a record at the zone itself.
    pub apex: ApexHabit,
    /// Whether an MX record's preference and host are typed into one field.
    pub preference_in_value: bool,
}

/// One provider.
#[derive(Debug, Clone, Copy)]
struct Provider {
    name: &'static str,
    /// Suffixes of the servers' names; a `*` stands for the rest of one label.
    servers: &'static [&'static str],
    panel: Panel,
}

impl Provider {
    const fn empty_apex(self) -> Provider {
        Provider { panel: Panel { apex: ApexHabit::Empty, ..self.panel }, ..self }
    }

    const fn preference_in_value(self) -> Provider {
        Provider { panel: Panel { preference_in_value: true, ..self.panel }, ..self }
    }
}

const fn plain(
    name: &'static str,
    title: &'static str,
    servers: &'static [&'static str],
    url: &'static str,
) -> Provider {
    let panel = Panel { title, url, text: TextHabit::Plain, apex: ApexHabit::At, preference_in_value: false };
    Provider { name, servers, panel }
}

const fn quoted(
    name: &'static str,
    title: &'static str,
    servers: &'static [&'static str],
    url: &'static str,
) -> Provider {
    let plain = plain(name, title, servers, url);
    Provider { panel: Panel { text: TextHabit::Quoted, ..plain.panel }, ..plain }
}

const PROVIDERS: &[Provider] = &[
    plain("cloudflare", "Cloudflare", &["ns.cloudflare.com"], "https://dash.cloudflare.com/"),
    quoted(
        "route53",
        "Amazon Route 53",
        &["awsdns-*.com", "awsdns-*.net", "awsdns-*.org", "awsdns-*.co.uk"],
        "https://console.aws.amazon.com/route53/",
    )
    .empty_apex()
    .preference_in_value(),
    plain("godaddy", "GoDaddy", &["domaincontrol.com"], "https://dcc.godaddy.com/"),
    plain("namecheap", "Namecheap", &["registrar-servers.com"], "https://ap.www.namecheap.com/"),
    quoted(
        "google-cloud-dns",
        "Google Cloud DNS",
        &["ns-cloud-*.googledomains.com"],
        "https://console.cloud.google.com/net-services/dns",
    )
    .empty_apex(),
    plain(
        "squarespace",
        "Squarespace",
        &["squarespacedns.com", "googledomains.com"],
        "https://account.squarespace.com/domains",
    ),
    plain(
        "azure-dns",
        "Azure DNS",
        &["azure-dns.com", "azure-dns.net", "azure-dns.org", "azure-dns.info"],
        "https://portal.azure.com/",
    ),
    plain("digitalocean", "DigitalOcean", &["digitalocean.com"], "https://cloud.digitalocean.com/networking/domains"),
    plain(
        "hetzner",
        "Hetzner",
        &["ns.hetzner.com", "ns.hetzner.de", "first-ns.de", "second-ns.de", "second-ns.com"],
        "https://dns.hetzner.com/",
    ),
    plain("ovh", "OVHcloud", &["ovh.net", "anycast.me"], "https://www.ovh.com/manager/").empty_apex(),
    plain("gandi", "Gandi", &["gandi.net"], "https://admin.gandi.net/"),
    plain("ionos", "IONOS", &["ui-dns.com", "ui-dns.de", "ui-dns.org", "ui-dns.biz"], "https://my.ionos.com/"),
    plain("strato", "STRATO", &["rzone.de"], "https://www.strato.de/apps/CustomerService"),
    plain(
        "dnsimple",
        "DNSimple",
        &["dnsimple.com", "dnsimple-edge.net", "dnsimple-edge.org"],
        "https://dnsimple.com/dashboard",
    )
    .empty_apex(),
    plain("ns1", "NS1", &["nsone.net"], "https://my.nsone.net/"),
    plain("dnsmadeeasy", "DNS Made Easy", &["dnsmadeeasy.com"], "https://cp.dnsmadeeasy.com/").empty_apex(),
    plain("name-com", "Name.com", &["name.com"], "https://www.name.com/account/domain"),
    plain("porkbun", "Porkbun", &["ns.porkbun.com"], "https://porkbun.com/account/domains").empty_apex(),
    plain("dreamhost", "DreamHost", &["dreamhost.com"], "https://panel.dreamhost.com/"),
    plain("bluehost", "Bluehost", &["bluehost.com"], "https://my.bluehost.com/"),
    plain("hostgator", "HostGator", &["hostgator.com"], "https://portal.hostgator.com/"),
    plain("siteground", "SiteGround", &["siteground.net"], "https://my.siteground.com/"),
    plain("wix", "Wix", &["wixdns.net"], "https://manage.wix.com/"),
    plain("shopify", "Shopify", &["shopifydns.com"], "https://admin.shopify.com/"),
    plain("wordpress-com", "WordPress.com", &["wordpress.com"], "https://wordpress.com/domains/manage"),
    plain("vercel", "Vercel", &["vercel-dns.com"], "https://vercel.com/dashboard/domains"),
    plain("netlify", "Netlify", &["nsone.netlify.com", "netlifydns.com"], "https://app.netlify.com/"),
    plain("linode", "Linode", &["linode.com"], "https://cloud.linode.com/domains"),
    plain("vultr", "Vultr", &["vultr.com"], "https://my.vultr.com/dns/"),
    plain("hostinger", "Hostinger", &["dns-parking.com"], "https://hpanel.hostinger.com/"),
    plain("one-com", "one.com", &["one.com"], "https://www.one.com/admin/"),
    plain("infomaniak", "Infomaniak", &["infomaniak.ch", "infomaniak.com"], "https://manager.infomaniak.com/"),
    plain("inwx", "INWX", &["inwx.de", "inwx.eu", "inwx.net", "domrobot.com"], "https://www.inwx.com/"),
    plain("transip", "TransIP", &["transip.nl", "transip.net", "transip.eu"], "https://www.transip.nl/cp/"),
    plain("desec", "deSEC", &["desec.io", "desec.org"], "https://desec.io/domains"),
    plain("easydns", "easyDNS", &["easydns.com", "easydns.net", "easydns.org"], "https://cp.easydns.com/"),
    plain("akamai", "Akamai", &["akam.net"], "https://control.akamai.com/"),
    plain("alibaba", "Alibaba Cloud", &["hichina.com", "alidns.com"], "https://dns.console.aliyun.com/"),
    plain("dnspod", "DNSPod", &["dnspod.net", "dnspod.com"], "https://console.dnspod.cn/"),
    plain("yandex", "Yandex Cloud", &["yandexcloud.net", "yandex.net"], "https://console.yandex.cloud/"),
];

/// The provider that runs the server of this name.
pub fn of_server(server: &Name) -> Option<DnsProvider> {
    let text = server.to_string();
    let provider = PROVIDERS.iter().find(|p| p.servers.iter().any(|pattern| matches(&text, pattern)))?;
    Some(DnsProvider { name: provider.name.to_owned(), panel_url: Some(provider.panel.url.to_owned()) })
}

/// The panel of the provider of this short name.
pub fn panel(provider: &str) -> Option<Panel> {
    PROVIDERS.iter().find(|p| p.name == provider).map(|p| p.panel)
}

/// How the panel of the provider of this short name wants the value of a TXT record.
pub fn text_habit(provider: &str) -> TextHabit {
    panel(provider).map_or(TextHabit::Plain, |panel| panel.text)
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
    fn panels_and_their_habits() {
        let habits = |name| panel(name).map(|p| (p.title, p.text, p.apex, p.preference_in_value));
        assert_eq!(habits("cloudflare"), Some(("Cloudflare", TextHabit::Plain, ApexHabit::At, false)));
        assert_eq!(habits("route53"), Some(("Amazon Route 53", TextHabit::Quoted, ApexHabit::Empty, true)));
        assert_eq!(habits("porkbun"), Some(("Porkbun", TextHabit::Plain, ApexHabit::Empty, false)));
        assert_eq!(habits("nobody"), None);
        for provider in PROVIDERS {
            assert!(
                provider.panel.url.starts_with("https://"),
                "{}: nobody types a password in the clear",
                provider.name
            );
        }
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
