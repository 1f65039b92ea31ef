//! `domains`, `clients`, `mailboxes` and `breaker`: the binary against a service that is served, and against servers
//! that are none.

mod strangers;

use std::path::Path;

use serde_json::{Value, json};

use crate::process::run;
use crate::support::dns_server::DnsServer;
use crate::support::process::Serve;

/// A domain that does all, one that lacks DMARC and has a hostile text, and one of which nobody can tell.
fn zone() -> String {
    let key = include_str!("../fixtures/keys/rsa-2048.b64").trim();
    let own = [
        (
            "good",
            "_dmarc 60 TXT \"v=DMARC1; p=reject\"\nmx 60 A 192.0.2.1\n_spf 60 TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n",
        ),
        ("bad", "_dmarc 60 TXT \"v=DMARC1; p=\\027[31mred\\007\"\n"),
        ("dark", ";@ servfail _dmarc.dark.example. TXT\n"),
    ];
    let zone = |(name, own): &(&str, &str)| {
        format!(
            "$ORIGIN {name}.example.\n@ 60 SOA ns h 1 1 1 1 60\n@ 60 NS ns\n@ 60 MX 10 mx.good.example.\n\
             @ 60 TXT \"v=spf1 include:_spf.good.example ~all\"\n\
             s1._domainkey 60 TXT \"v=DKIM1; k=rsa; p={}\" \"{}\"\n{own}",
            &key[..200],
            &key[200..]
        )
    };
    own.iter().map(zone).collect()
}

/// A service with one client and the three domains of [`zone`].
struct Desk {
    serve: Serve,
    folder: tempfile::TempDir,
    client: String,
    _dns: DnsServer,
}

impl Desk {
    async fn new() -> Desk {
        let dns = DnsServer::zones(&zone());
        let folder = tempfile::tempdir().unwrap();
        let resolver = dns.address().to_string();
        let serve = Serve::start(
            folder.path(),
            "sqlite:desk.db",
            &["--resolver", &resolver],
            &[("SENDREADY_DNS__TIMEOUT", "1s")],
        );
        let (status, client) =
            serve.api("POST", "/v1/clients", Some(json!({"name": "A\u{1b}[31mB", "tier": "dominance"}))).await;
        // Names with control characters are refused, so a harmless one it is.
        assert_eq!(status, 422, "{client:#}");
        let (_, client) = serve.api("POST", "/v1/clients", Some(json!({"name": "Example", "tier": "dominance"}))).await;
        let client = client["id"].as_str().unwrap().to_owned();
        let desk = Desk { serve, folder, client, _dns: dns };
        for domain in ["good.example", "bad.example", "dark.example"] {
            desk.register(domain).await;
        }
        desk
    }

    async fn register(&self, domain: &str) {
        let body = json!({"client_id": self.client, "domain": domain, "provider": "manual",
            "spf": {"includes": ["_spf.good.example"]}, "mx": [{"host": "mx.good.example", "preference": 10}],
            "dkim": [{"selector": "s1", "public_key": include_str!("../fixtures/keys/rsa-2048.b64").trim()}]});
        let (status, made) = self.serve.api("POST", "/v1/domains", Some(body)).await;
        assert_eq!(status, 201, "{made:#}");
    }

    /// Runs a command with the operator's key in the environment: exit code, standard output, standard error.
    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let settings = [("SENDREADY_URL", self.serve.url.as_str()), ("SENDREADY_KEY", self.serve.key.as_str())];
        command(self.folder.path(), arguments, &settings).await
    }

    /// The same, as JSON lines.
    #[track_caller]
    fn lines(&self, arguments: &[&str], code: i32) -> impl Future<Output = Vec<Value>> {
        let shown = format!("{arguments:?}");
        async move {
            let (ended, out, told) = self.run(arguments).await;
            assert_eq!(ended, code, "{shown}: {out}{told}");
            assert!(!told.contains(&self.serve.key), "{shown}");
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }
}

/// Runs the binary beside the service's tasks.
pub(crate) async fn command(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> (i32, String, String) {
    let folder = folder.to_owned();
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let settings: Vec<(String, String)> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let output = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run(&folder, &arguments, &settings, "")
    });
    let output = output.await.unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn domains_are_verified_shown_and_listed() {
    let desk = Desk::new().await;
    let good = desk.lines(&["domains", "verify", "GOOD.example.", "--wait"], 0).await;
    assert_eq!((good[0]["domain"].as_str(), good[0]["dns_configured"].as_bool()), (Some("good.example"), Some(true)));
    let bad = desk.lines(&["domains", "verify", "bad.example", "--wait"], 1).await;
    assert_eq!(bad[0]["dmarc_valid"], false, "{:#}", bad[0]);
    desk.lines(&["domains", "verify", "dark.example", "--wait"], 3).await;
    let id = good[0]["id"].as_str().unwrap();
    let all = desk.lines(&["domains", "verify", id, "nothing.example", "bad.example", "--wait"], 2).await;
    assert_eq!(all.len(), 2, "one that is not there keeps nobody from the others");

    let shown = desk.lines(&["domains", "show", id], 0).await;
    assert!(shown[0]["records"].is_array() && shown[0]["last_success_at"].is_string(), "{:#}", shown[0]);
    let (code, table, _) = desk.run(&["domains", "show", "bad.example", "--format", "table"]).await;
    assert_eq!(code, 1, "{table}");
    for said in [
        "bad.example: pending, not valid: dmarc",
        "dmarc.",
        "    → ",
        "s1._domainkey",
        "publish: _dmarc.bad.example TXT v=DMARC1",
    ] {
        assert!(table.contains(said), "`{said}` is not in: {table}");
    }
    assert!(!table.chars().any(|letter| letter.is_control() && letter != '\n'), "{table:?}");

    let failing = desk.lines(&["domains", "list", "--failing", "any", "--client", &desk.client], 0).await;
    let mut failing: Vec<&str> = failing.iter().map(|line| line["domain"].as_str().unwrap()).collect();
    failing.sort_unstable();
    assert_eq!(failing, ["bad.example", "dark.example"]);
    assert_eq!(desk.lines(&["domains", "list", "--q", "go"], 0).await.len(), 1);
    assert_eq!(desk.lines(&["domains", "list", "--status", "deleted"], 0).await.len(), 0);
    let (code, out, told) = desk.run(&["domains", "list", "--limit", "2"]).await;
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    assert!(told.contains("--all"), "{told}");
    let (_, table, _) = desk.run(&["domains", "list", "--all", "--format", "table"]).await;
    assert!(table.contains("good.example") && table.contains("dark.example"), "{table}");
}

#[tokio::test]
async fn a_list_follows_its_pages_to_the_end() {
    let desk = Desk::new().await;
    // More clients than a page holds.
    for number in 0..205 {
        let (status, made) = desk
            .serve
            .api("POST", "/v1/clients", Some(json!({"name": format!("c{number}"), "tier": "ignition"})))
            .await;
        assert_eq!(status, 201, "{made:#}");
    }
    assert_eq!(desk.lines(&["clients", "list", "--all"], 0).await.len(), 206);
    assert_eq!(desk.lines(&["clients", "list", "--limit", "203"], 0).await.len(), 203);
    assert_eq!(desk.lines(&["clients", "list"], 0).await.len(), 50);
}

#[tokio::test]
async fn a_check_that_is_only_asked_for_is_not_waited_for() {
    let desk = Desk::new().await;
    let asked = desk.lines(&["domains", "verify", "good.example"], 0).await;
    assert_eq!(asked[0]["domain"], "good.example", "{:#}", asked[0]);
    assert!(matches!(asked[0]["state"].as_str(), Some("queued" | "running")), "{:#}", asked[0]);
}

#[tokio::test]
async fn clients_and_mailboxes_are_kept() {
    let desk = Desk::new().await;
    let made = desk.lines(&["clients", "add", "Second", "--tier", "ignition"], 0).await;
    assert_eq!(made[0]["allocation"]["domains"], json!({"used": 0, "limit": 2}), "{:#}", made[0]);
    let id = made[0]["id"].as_str().unwrap();
    let moved = desk.lines(&["clients", "tier", id, "velocity"], 0).await;
    assert_eq!(moved[0]["tier"], "velocity");
    let (code, _, told) = desk.run(&["clients", "tier", &desk.client, "ignition"]).await;
    assert_eq!(code, 2);
    assert!(told.contains("allocation-exceeded"), "{told}");
    let (_, table, _) = desk.run(&["clients", "show", &desk.client, "--format", "table"]).await;
    assert!(table.contains("Example") && table.contains("domains: 3 of "), "{table}");

    let good = desk.lines(&["domains", "verify", "good.example", "--wait"], 0).await;
    let path = format!("/v1/domains/{}/mailboxes", good[0]["id"].as_str().unwrap());
    let (status, mailbox) = desk.serve.api("POST", &path, Some(json!({"email_address": "max@good.example"}))).await;
    assert_eq!(status, 201, "{mailbox:#}");
    let id = mailbox["id"].as_str().unwrap();
    assert_eq!(desk.lines(&["mailboxes", "list", "good.example"], 0).await[0]["id"], id);
    assert_eq!(desk.lines(&["mailboxes", "show", "Max@GOOD.example"], 0).await[0]["id"], id);
    let ready = desk.lines(&["mailboxes", "readiness", id], 0).await;
    assert_eq!(ready[0]["may_send"], true, "{:#}", ready[0]);
    assert_eq!(desk.lines(&["mailboxes", "pause", "max@good.example"], 0).await[0]["status"], "paused");
    let (code, table, _) = desk.run(&["mailboxes", "readiness", id, "--format", "table"]).await;
    assert_eq!(code, 1, "{table}");
    assert!(table.contains("mailbox.paused") && table.contains("    → "), "{table}");
    assert_ne!(desk.lines(&["mailboxes", "resume", id], 0).await[0]["status"], "paused");
    assert_eq!(desk.lines(&["mailboxes", "suspend", id], 0).await[0]["status"], "suspended");
    let (code, _, told) = desk.run(&["mailboxes", "show", "nobody@good.example"]).await;
    assert_eq!(code, 2);
    assert!(told.contains("mailboxes list good.example"), "{told}");
}

#[tokio::test]
async fn the_breaker_is_told_and_accepted() {
    let desk = Desk::new().await;
    let status = desk.lines(&["breaker", "status"], 0).await;
    assert_eq!((status[0]["breaker"].as_str(), status[0]["ready"].as_bool()), (Some("closed"), Some(true)));
    assert_eq!(desk.lines(&["breaker", "accept"], 0).await[0]["accepted"], false);
    let (code, _, _) = command(desk.folder.path(), &["breaker", "status", "--url", &desk.serve.url], &[]).await;
    assert_eq!(code, 0, "it needs no key");
}

#[tokio::test]
async fn the_key_comes_from_the_file_or_the_environment_and_is_never_shown() {
    let desk = Desk::new().await;
    let folder = desk.folder.path();
    let url = ("SENDREADY_URL", desk.serve.url.as_str());
    std::fs::write(folder.join("operator"), format!("{}\n", desk.serve.key)).unwrap();
    let (code, _, told) = command(folder, &["clients", "list", "--key-file", "operator"], &[url]).await;
    assert_eq!(code, 0, "{told}");
    let both = [url, ("SENDREADY_KEY", "sr_of_nobody")];
    let (code, _, _) = command(folder, &["clients", "list", "--key", &desk.serve.key], &both).await;
    assert_eq!(code, 0, "an option goes before the environment");
    for (settings, said) in [
        (&both[..], "SENDREADY_KEY"),
        (&both[..1], "SENDREADY_KEY"),
        (&[url, ("SENDREADY_KEY", "sr_of nobody")][..], "the key holds spaces"),
    ] {
        let (code, _, told) = command(folder, &["clients", "list"], settings).await;
        assert_eq!(code, 2, "{told}");
        assert!(told.contains(said) && !told.contains("nobody"), "{told}");
    }
    let (code, _, told) = command(folder, &["clients", "list", "--key-file", "nothing"], &[url]).await;
    assert_eq!((code, told.contains("--key-file nothing")), (2, true), "{told}");
    // The configuration is strict about keys that nobody knows; these two are none of it.
    let both = [("SENDREADY_URL", "http://a.example"), ("SENDREADY_KEY", "sr_x")];
    let (code, _, told) = command(folder, &["records", "good.example"], &both).await;
    assert_eq!(code, 0, "{told}");
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there.
    let url = format!("http://127.0.0.1:{}", crate::support::free_port());
    for (arguments, said) in [
        (&["domains", "show", "localhost"][..], "a single label"),
        (&["domains", "verify", "good.example", "x@y.example"], "e-mail address"),
        (&["mailboxes", "show", "nobody"], "nobody"),
        (&["clients", "show", "Example"], "ID"),
        (&["domains", "list", "--limit", "0"], "--limit"),
        (&["domains", "list", "--url", "127.0.0.1:8080"], "is no URL"),
        (&["domains", "list"], "is `sendready serve` running"),
    ] {
        let (code, _, told) = command(folder.path(), arguments, &[("SENDREADY_URL", &url)]).await;
        assert_eq!(code, 2, "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: `{said}` is not in: {told}");
    }
}
