//! The settings from outside: what is read from where, and every fault at once.
//!
//! `docs/configuration.md` is made here from the table of keys: `UPDATE_DOCS=1 cargo test configuration_page`.

mod page;

use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use sendready::config::database::DatabaseKind;
use sendready::config::fault::Faults;
use sendready::config::rates::RateClass;
use sendready::config::{Config, Flags};

/// What comes of a file and variables (`NAME=value`).
fn load(file: &str, variables: &[&str]) -> Result<Config, Faults> {
    load_with(&Flags::default(), file, variables)
}

fn load_with(flags: &Flags, file: &str, variables: &[&str]) -> Result<Config, Faults> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.toml");
    fs::write(&path, file).unwrap();
    let variables = variables.iter().map(|variable| {
        let (name, value) = variable.split_once('=').unwrap();
        (OsString::from(name), OsString::from(value))
    });
    let config = flags.config.clone().or_else(|| (!file.is_empty()).then_some(path));
    Config::load_with(&Flags { config, ..flags.clone() }, variables)
}

/// The faults, each as it prints, without the folder of the file.
fn faults(file: &str, variables: &[&str]) -> Vec<String> {
    let Err(Faults(faults)) = load(file, variables) else { return Vec::new() };
    faults
        .iter()
        .map(|fault| {
            let text = fault.to_string();
            match text.find("test.toml") {
                // The key, an opening bracket, the folder, the file.
                Some(at) => {
                    let from = text[..at].rfind('(').map_or(0, |bracket| bracket + 1);
                    format!("{}{}", &text[..from], &text[at..])
                }
                None => text,
            }
        })
        .collect()
}

#[test]
fn without_a_word_everything_is_as_the_contract_says() {
    let config = load("", &[]).unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(config.database.url.to_string(), "sqlite:sendready.db");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.http.public_url, None);
    assert!(config.dns.resolvers.is_empty() && !config.dns.allow_private_servers);
    assert_eq!((config.dns.timeout, config.dns.authoritative_port), (seconds(2), 53));
    assert_eq!(config.dns.max_in_flight, 128);
    let checks = &config.checks;
    assert_eq!(checks.min_interval, seconds(15));
    let ladder: Vec<_> = checks.pending_ladder.iter().map(|s| (s.younger_than.as_secs(), s.every.as_secs())).collect();
    assert_eq!(ladder, [(900, 120), (7_200, 600), (86_400, 3_600), (2_592_000, 21_600)]);
    assert_eq!((checks.active_interval, checks.degraded_interval), (seconds(43_200), seconds(900)));
    assert_eq!((checks.grace, checks.recovery_hold), (seconds(259_200), seconds(3_600)));
    assert_eq!((checks.lease, checks.check_time_max()), (seconds(60), seconds(40)));
    assert_eq!((checks.breaker.min_domains, checks.breaker.share), (20, 0.3));
    assert_eq!((checks.breaker.window, checks.stale_limit), (seconds(600), seconds(259_200)));
    assert_eq!((config.shutdown.grace, config.history.keep), (seconds(20), seconds(7_776_000)));
    assert_eq!((config.sending.bounce_max, config.sending.spam_max), (0.05, 0.003));
    let schedule: Vec<u64> = config.webhooks.retry_schedule.iter().map(Duration::as_secs).collect();
    assert_eq!(schedule, [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
    let providers: Vec<_> = config.providers.iter().map(|(name, profile)| (name, profile.is_empty())).collect();
    assert_eq!(providers, [("infraforge", true), ("manual", true)]);
}

/// A file with every key of the contract.
const EVERYTHING: &str = r#"
blocklists = ["bl.example.com"]

[database]
url = "postgres://app:hunter2@db.example.com/mail"

[http]
listen = "192.0.2.1:80"
public_url = "https://dns.example.com/base/"
rate_limits = { client = "600/1m", operator = "60/1m", failures = "unlimited" }

[dns]
resolvers = ["192.0.2.53", "[2001:db8::53]:5353", "2001:db8::54"]
timeout = "500ms"
authoritative_port = 5_300
allow_private_servers = true
max_in_flight = 64

[checks]
concurrency = 8
min_interval = "1s"
pending_ladder = [["1m", "5s"], ["1h", "1m"]]
active_interval = "1h"
degraded_interval = "1m"
grace = "1d"
recovery_hold = "0s"
lease = "10s"
breaker_min_domains = 5
breaker_share = 0.5
breaker_window = "5m"
stale_limit = "1d"

[shutdown]
grace = "5s"

[history]
keep = "30d"

[rdap]
bootstrap = "https://rdap.example.com/dns.json"
allow_private = true

[sending]
bounce_max = 0.1
spam_max = 1

[webhooks]
inbound_secrets = ["whsec_hunter2hunter2hunter2hunter2"]
retry_schedule = ["0s", "1s"]
allow_private = true

[providers.infraforge]
spf_includes = ["_spf.example.com"]
dkim_selectors = ["s1", "s2.mail"]
mx = ["10 mx1.example.com", { host = "mx2.example.com", preference = 20 }, "mx3.example.com"]
dmarc = "v=DMARC1; p=none; rua=mailto:d@example.com"
ttl = 300

[providers.acme-mail]
mx = "10 mx.example.net"
ttl = "1h"
"#;

#[test]
fn a_file_with_every_key_is_read() {
    let config = load(EVERYTHING, &[]).unwrap();
    assert_eq!(config.database.url.kind(), DatabaseKind::Postgres);
    assert_eq!(config.database.url.expose(), "postgres://app:hunter2@db.example.com/mail");
    assert_eq!(config.http.public_url.as_deref(), Some("https://dns.example.com/base"));
    let shown = |class| config.http.rate_limits.get(class).map(|rate| (rate.count, rate.per.as_secs()));
    assert_eq!(
        RateClass::ALL.map(shown),
        [Some((60, 60)), Some((600, 60)), Some((3_000, 10)), Some((300, 60)), Some((3_000, 60)), None]
    );
    let resolvers: Vec<String> = config.dns.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["192.0.2.53:53", "[2001:db8::53]:5353", "[2001:db8::54]:53"]);
    assert_eq!((config.dns.authoritative_port, config.dns.allow_private_servers), (5_300, true));
    assert_eq!((config.checks.concurrency, config.checks.pending_ladder.len()), (8, 2));
    assert_eq!((config.sending.spam_max, config.checks.breaker.share), (1.0, 0.5));
    assert_eq!(config.blocklists.len(), 1);
    let profile = config.providers.get("infraforge").unwrap();
    assert_eq!(profile.spf_includes[0].to_string(), "_spf.example.com");
    assert_eq!(profile.dkim_selectors.iter().map(ToString::to_string).collect::<Vec<_>>(), ["s1", "s2.mail"]);
    let mx: Vec<_> = profile.mx.iter().map(|mx| format!("{} {}", mx.preference, mx.host)).collect();
    assert_eq!(mx, ["10 mx1.example.com", "20 mx2.example.com", "10 mx3.example.com"]);
    assert_eq!(profile.dmarc.as_deref(), Some("v=DMARC1; p=none; rua=mailto:d@example.com"));
    assert_eq!((profile.ttl_seconds, config.providers.get("acme-mail").unwrap().ttl_seconds), (300, 3_600));
    assert!(config.providers.get("nobody").is_none());
}

#[test]
fn a_secret_never_prints() {
    let config = load(EVERYTHING, &[]).unwrap();
    let printed = format!("{config:?}");
    assert!(!printed.contains("hunter2") && printed.contains("…@db.example.com/mail"), "{printed}");
    for (file, variable) in [
        ("[database]\nurl = \"mysql://app:hunter2@db/mail\"", "A=b"),
        ("[webhooks]\ninbound_secrets = [\"hunter2\", \"\"]", "A=b"),
        ("", "DATABASE_URL=hunter2"),
        ("[http]\npublic_url = \"https://app:hunter2@db.example.com\"", "A=b"),
    ] {
        let faults = load(file, &[variable]).unwrap_err();
        assert!(!format!("{faults} {faults:?}").contains("hunter2"), "{faults}");
    }
    let flags = Flags { database_url: Some("postgres://app:hunter2@db/mail".into()), ..Flags::default() };
    assert!(!format!("{flags:?}").contains("hunter2"));
}

#[test]
fn flags_go_before_variables_and_variables_before_the_file() {
    let file = "[dns]\ntimeout = \"3s\"\nmax_in_flight = 1\n[database]\nurl = \"sqlite:file.db\"";
    let timeout = |flags: &Flags, file: &str, variables: &[&str]| {
        load_with(flags, file, variables).unwrap().dns.timeout.as_secs()
    };
    let flags = Flags { timeout: Some("5s".to_owned()), ..Flags::default() };
    assert_eq!(timeout(&Flags::default(), file, &[]), 3);
    assert_eq!(timeout(&Flags::default(), file, &["SENDREADY_DNS__TIMEOUT=4s"]), 4);
    assert_eq!(timeout(&flags, file, &["SENDREADY_DNS__TIMEOUT=4s"]), 5);
    let database =
        |flags: &Flags, variables: &[&str]| load_with(flags, file, variables).unwrap().database.url.expose().to_owned();
    let (general, ours) = ("DATABASE_URL=sqlite:general.db", "SENDREADY_DATABASE__URL=sqlite:ours.db");
    let flags = Flags { database_url: Some("sqlite:flag.db".into()), ..Flags::default() };
    assert_eq!(database(&Flags::default(), &[]), "sqlite:file.db");
    assert_eq!(database(&Flags::default(), &["DATABASE_URL="]), "sqlite:file.db");
    assert_eq!(database(&Flags::default(), &[general]), "sqlite:general.db");
    assert_eq!(database(&Flags::default(), &[ours, general]), "sqlite:ours.db");
    assert_eq!(database(&flags, &[ours, general]), "sqlite:flag.db");
}

#[test]
fn every_flag_sets_its_key() {
    let flags = Flags {
        listen: Some("[::1]:0".to_owned()),
        public_url: Some("http://example.com".to_owned()),
        resolvers: vec!["192.0.2.1:5353".to_owned(), "192.0.2.2".to_owned()],
        authoritative_port: Some("5353".to_owned()),
        allow_private_servers: true,
        concurrency: Some("7".to_owned()),
        ..Flags::default()
    };
    let config = load_with(&flags, "", &[]).unwrap();
    assert_eq!(config.http.listen.to_string(), "[::1]:0");
    assert_eq!(config.http.public_url.as_deref(), Some("http://example.com"));
    assert_eq!(config.dns.resolvers.len(), 2);
    assert_eq!((config.dns.authoritative_port, config.checks.concurrency), (5_353, 7));
    assert!(config.dns.allow_private_servers);
}

#[test]
fn a_variable_means_what_a_file_means() {
    let config = load(
        "[providers.acme-mail]\nttl = 60",
        &[
            "SENDREADY_DNS__RESOLVERS=192.0.2.1, 192.0.2.2:5353",
            "SENDREADY_DNS__ALLOW_PRIVATE_SERVERS=true",
            "SENDREADY_CHECKS__PENDING_LADDER=1m/5s,1h/1m",
            "SENDREADY_CHECKS__BREAKER_SHARE=0.25",
            "SENDREADY_HTTP__RATE_LIMITS=client=600/1m,hook=6/1s",
            "SENDREADY_BLOCKLISTS=bl.example.com",
            "SENDREADY_PROVIDERS__INFRAFORGE__SPF_INCLUDES=a.example.com,b.example.com",
            "SENDREADY_PROVIDERS__INFRAFORGE__MX=10 mx1.example.com,20 mx2.example.com",
            "SENDREADY_PROVIDERS__ACME_MAIL__DMARC=v=DMARC1; p=reject",
            // Not ours: a cluster sets these beside a service of this name, and the tests set theirs.
            "SENDREADY_PORT=tcp://192.0.2.7:80",
            "SENDREADY_SERVICE_HOST=192.0.2.7",
            "SENDREADY_TEST_POSTGRES=postgres://app@127.0.0.1/postgres",
            "OTHER__TIMEOUT=x",
        ],
    )
    .unwrap();
    assert_eq!(config.dns.resolvers.len(), 2);
    assert!(config.dns.allow_private_servers);
    assert_eq!(config.checks.pending_ladder.len(), 2);
    assert_eq!(config.checks.breaker.share, 0.25);
    let shown = |class| config.http.rate_limits.get(class).map(|rate| (rate.count, rate.per.as_secs()));
    assert_eq!(
        RateClass::ALL.map(shown),
        [None, Some((600, 60)), Some((6, 1)), Some((300, 60)), Some((3_000, 60)), Some((600, 60))]
    );
    assert_eq!(config.blocklists[0].to_string(), "bl.example.com");
    let infraforge = config.providers.get("infraforge").unwrap();
    assert_eq!((infraforge.spf_includes.len(), infraforge.mx.len()), (2, 2));
    let acme = config.providers.get("acme-mail").unwrap();
    assert_eq!((acme.ttl_seconds, acme.dmarc.as_deref()), (60, Some("v=DMARC1; p=reject")));
}

/// A file with one fault, and what is said of it.
#[track_caller]
fn check(file: &str, expected: &str) {
    let faults = faults(file, &[]);
    assert!(faults.len() == 1 && faults[0].contains(expected), "{file}\n{expected}\n{faults:#?}");
}

#[test]
fn a_fault_names_the_key_its_place_and_what_would_be_right() {
    check("\n[dns]\ntimeuot = \"1s\"", "dns.timeuot (test.toml:3): is no key; did you mean `dns.timeout`?");
    check("[checks]\ntimeout = \"1s\"", "did you mean `dns.timeout`?");
    check("[nowhere]\na.b = 1", "nowhere.a.b (test.toml:2): is no key; docs/configuration.md");
    check("[nowhere]", "nowhere (test.toml:1): is no key");
    check("dns = 3", "dns (test.toml:1): is a section: write `[dns]`");
    check("[dns]\ntimeout = 2", "dns.timeout (test.toml:2): 2 has no unit; write a duration with its unit");
    check("[dns]\ntimeout = \"2\"", "`2` has no unit");
    check("[dns]\ntimeout = \"soon\"", "`soon` is no duration");
    check("[dns]\ntimeout = \"\"", "is empty; write a duration");
    check("[dns]\ntimeout = \"49ms\"", "49ms is out of bounds; write a duration from `50ms` to `1m`");
    check("[dns]\ntimeout = \"61s\"", "1m 1s is out of bounds");
    check("[checks]\nlease = \"9s\"", "9s is out of bounds; write a duration from `10s` to `1h`");
    check("[checks]\nmin_interval = \"999ms\"", "from `1s` to `1h`");
    check("[checks]\ngrace = \"11years\"", "longer than ten years");
    check("[checks]\nconcurrency = 0", "`0` is not a whole number from 1 to 10000");
    check("[checks]\nconcurrency = 10001", "`10001` is not a whole number");
    check("[checks]\nconcurrency = -1", "`-1` is not a whole number");
    check("[checks]\nconcurrency = 1.5", "`1.5` is not a whole number");
    check("[checks]\nconcurrency = true", "is true or false; write a whole number");
    check("[checks]\nconcurrency = 1979-05-27", "is a date; write");
    check("[checks]\nbreaker_share = 1.01", "is out of bounds; write a fraction from 0 to 1");
    check("[checks]\nbreaker_share = nan", "is out of bounds");
    check("[checks]\npending_ladder = []", "has no steps");
    check("[checks]\npending_ladder = [[\"1m\"]]", "entry 1 has 1 parts; write a pair");
    check("[checks]\npending_ladder = [[\"2m\", \"5s\"], [\"2m\", \"9s\"]]", "entry 2 is not older");
    check("[checks]\npending_ladder = [[\"2m\", \"0s\"]]", "entry 1 checks more often than every second");
    check("[dns]\nallow_private_servers = \"yes\"", "`yes` is neither `true` nor `false`");
    check("[dns]\nresolvers = [\"192.0.2.1\", \"ns.example.com\"]", "entry 2 `ns.example.com` is no address");
    check("[dns]\nresolvers = [\"192.0.2.1:0\"]", "has port 0");
    check("[dns]\nauthoritative_port = 65536", "from 1 to 65535");
    check("[http]\nlisten = \"8080\"", "`8080` is no address; write `IP:PORT`");
    check("[http]\npublic_url = \"dns.example.com\"", "begins with neither");
    check("[http]\npublic_url = \"https://\"", "names no host");
    check("[http]\npublic_url = \"https://example.com/?a\"", "has a query");
    check("[http]\nrate_limits = { client = \"600\" }", "client: `600` has no `/`");
    check("[http]\nrate_limits = { clients = \"600/1m\" }", "`clients` is no class; did you mean `client`?");
    check("[http]\nrate_limits = { client = \"0/1m\" }", "client: `0` is not a whole number from 1 to 1000000");
    check("[http]\nrate_limits = { client = \"1/1ms\" }", "client: ");
    check("[database]\nurl = \"sendready.db\"", "begins with neither `sqlite:` nor `postgres://`");
    check("[providers.a]\nmx = [\"70000 a.test\"]", "`70000` is not a whole number from 0 to 65535");
    check("[providers.a]\nmx = [{ preference = 1 }]", "has no host");
    check("[providers.a]\nmx = [{ host = \"a.test\", prio = 1 }]", "has an unknown field `prio`");
    check("[providers.a]\nmx = [\"a.test\", \"5 a.test\"]", "entry 2 is there twice");
    check("[providers.a]\ndmarc = \"p=none\"", "does not begin with `v=DMARC1`");
    check("[providers.a]\nttl = 0", "from 1 to 2147483647");
    check("[providers.a]\nspf_include = \"a.test\"", "did you mean `providers.a.spf_includes`?");
    check("[providers.a]\nspf_includes = [\"a b.test\"]", "has characters that no host has");
    check("[providers.a]\nspf_includes = [\"a..test\"]", "a label between two dots is empty");
    check("[providers.A]\nttl = 1", "`A` is no provider's name");
    check("[providers.manual]\nttl = 1", "`manual` has no profile");
    check("[providers]\na = 1", "is a section: write `[providers.a]`");
    check("\n\n[dns\n", "test.toml:3: is not TOML");
    let eleven = (0..11).map(|n| format!("\"s{n}\"")).collect::<Vec<_>>().join(",");
    check(&format!("[providers.a]\ndkim_selectors = [{eleven}]"), "has 11 entries; at most 10");
}

#[test]
fn what_must_agree_across_keys_is_compared() {
    check(
        "[dns]\ntimeout = \"40s\"",
        "dns.timeout (test.toml:2): 40s is not shorter than two thirds of `checks.lease`",
    );
    check("[dns]\ntimeout = \"7s\"\n[checks]\nlease = \"10s\"", "is not shorter");
    load("[dns]\ntimeout = \"39s\"", &[]).unwrap();
}

#[test]
fn every_fault_is_told_at_once() {
    let file = "[dns]\ntimeout = 2\nresolver = \"192.0.2.1\"\n[checks]\nlease = \"1s\"\n[providers.a]\nttl = 0\n= 5\n";
    let variables = ["SENDREADY_CHECKS__GRACE=never", "SENDREADY_DNS_MAX_IN_FLIGHT=5", "SENDREADY_HTTP__LISTEN_ON=x"];
    let mut faults = faults(file, &variables);
    faults.sort();
    let expected = [
        "checks.grace (SENDREADY_CHECKS__GRACE): `never` is no duration",
        "checks.lease (test.toml:5): 1s is out of bounds",
        "dns.max_in_flight (SENDREADY_DNS_MAX_IN_FLIGHT): is written SENDREADY_DNS__MAX_IN_FLIGHT",
        "dns.resolver (test.toml:3): is no key; did you mean `dns.resolvers`?",
        "dns.timeout (test.toml:2): 2 has no unit",
        "http.listen_on (SENDREADY_HTTP__LISTEN_ON): is no key; did you mean `http.listen`?",
        "providers.a.ttl (test.toml:7): `0` is not a whole number",
        "test.toml:8: is not TOML",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}\n{expected}");
    }
    let text = load(file, &variables).unwrap_err().to_string();
    assert!(text.starts_with("the configuration has 8 faults:\n  "), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_a_fault_beside_the_others() {
    let flags = Flags { config: Some("/nowhere/a.toml".into()), timeout: Some("x".to_owned()), ..Flags::default() };
    let text = load_with(&flags, "", &[]).unwrap_err().to_string();
    assert!(text.contains("--config: /nowhere/a.toml cannot be read: "), "{text}");
    assert!(text.contains("dns.timeout (--timeout): `x` is no duration"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_a_fault_and_no_panic() {
    use std::os::unix::ffi::OsStringExt;

    let variables = [
        (OsString::from("SENDREADY_HTTP__LISTEN"), OsString::from_vec(vec![0xff])),
        (OsString::from_vec(vec![0xff]), OsString::from("a")),
    ];
    let text = Config::load_with(&Flags::default(), variables).unwrap_err().to_string();
    assert!(text.ends_with("http.listen (SENDREADY_HTTP__LISTEN): is not UTF-8"), "{text}");
}
