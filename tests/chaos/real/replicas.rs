//! Three replicas of the binary on one PostgreSQL, one of them killed.

use std::time::{Duration, Instant};

use sendready::dns::zone_text::ZoneText;

use crate::chaos::real::world::{PROVIDER, World, zone_text};
use crate::support::dns_server::{DnsServer, Scripted};
use crate::support::process::Serve;

const DOMAINS: i32 = 1_000;

/// What a replica may hold at once: more leases than two of them can hold say that the third has some.
const CONCURRENCY: i64 = 24;

/// How long a stop may take. Issue 4.
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

const UNDER_WAY: &str = "SELECT count(*) FROM email_domains WHERE lease_until > clock_timestamp()";

const SETTLED: &str =
    "SELECT count(*) FROM email_domains WHERE last_checked_at IS NOT NULL AND next_check_at > clock_timestamp()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_killed_and_nothing_is_lost() {
    let world = World::new().await;
    let zones: ZoneText = zone_text(usize::try_from(DOMAINS).unwrap()).parse().unwrap();
    // Slow enough that checks are under way when one is killed.
    let slow = Duration::from_millis(150);
    let dns = DnsServer::script(move |question| Scripted::Answer(zones.answer(question)).after(slow));
    let folder = tempfile::tempdir().unwrap();
    let (resolver, concurrency) = (dns.address().to_string(), CONCURRENCY.to_string());
    let settings = [
        ("SENDREADY_CHECKS__LEASE", "15s"),
        ("SENDREADY_CHECKS__CONCURRENCY", concurrency.as_str()),
        ("SENDREADY_PROVIDERS__CHAOS__SPF_INCLUDES", "_spf.provider.test"),
        ("SENDREADY_PROVIDERS__CHAOS__DKIM_SELECTORS", "s1"),
    ];
    assert_eq!(PROVIDER, "chaos");
    let start =
        || Serve::start(folder.path(), &world.database.url, &["--resolver", &resolver, "--timeout", "4s"], &settings);
    let (mut one, mut other, mut third) = (start(), start(), start());
    // Only now, so that all three take their part.
    let verified = domains(&world).await;
    world.until(UNDER_WAY, |count| count > 2 * CONCURRENCY).await;
    third.kill();
    world.until(SETTLED, |count| count == i64::from(DOMAINS)).await;

    for replica in [&mut one, &mut other] {
        let told = Instant::now();
        assert!(replica.terminate().success(), "SIGTERM ends with 0");
        assert!(told.elapsed() < STOP_TIME_MAX, "{:?}", told.elapsed());
    }
    assert_eq!(world.count("SELECT count(*) FROM sendready_checks").await, i64::from(DOMAINS), "each was settled once");
    assert_eq!(world.count("SELECT count(DISTINCT domain_id) FROM sendready_checks").await, i64::from(DOMAINS));
    let well = "SELECT count(*) FROM email_domains WHERE dns_configured AND status = 'active' AND lease_token IS NULL";
    assert_eq!(world.count(well).await, i64::from(DOMAINS), "no flag is lost, and nobody holds anything");
    let events = "SELECT count(*) FROM sendready_events WHERE kind = 'domain.verified'";
    assert_eq!(world.count(events).await, i64::from(DOMAINS) - verified, "each told once");
    assert_eq!(world.count("SELECT count(*) FROM sendready_events WHERE kind <> 'domain.verified'").await, 0);
}

/// Every second one was verified long ago, and may lose no flag; how many those are.
async fn domains(world: &World) -> i64 {
    sqlx::query(
        "INSERT INTO email_domains (client_id, domain, provider, status, dns_configured, spf_valid, dkim_valid, \
         dmarc_valid, mx_valid, verified_at, next_check_at, check_reason) \
         SELECT $1, 'd' || n || '.example.test', $2, CASE WHEN n % 2 = 0 THEN 'active' ELSE 'pending' END, \
         n % 2 = 0, n % 2 = 0, n % 2 = 0, n % 2 = 0, n % 2 = 0, CASE WHEN n % 2 = 0 THEN now() END, \
         CASE WHEN n % 2 = 0 THEN now() END, CASE WHEN n % 2 = 0 THEN 'schedule' END \
         FROM generate_series(0, $3 - 1) AS n",
    )
    .bind(world.client)
    .bind(PROVIDER)
    .bind(DOMAINS)
    .execute(&world.pool)
    .await
    .unwrap();
    i64::from(DOMAINS) / 2
}
