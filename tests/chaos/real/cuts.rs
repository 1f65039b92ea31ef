//! Connections to the database cut again and again while results are being written.

use std::sync::Arc;
use std::time::Duration;

use sendready::clock::Clock;
use sendready::jobs::checks;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::chaos::real::world::{SOON, World, zones};

const DOMAINS: i32 = 300;

/// Short, so that what was lent in a statement whose answer was cut off soon falls due again.
const LEASE: Duration = Duration::from_secs(8);

const SETTLED: &str = "SELECT count(*) FROM email_domains WHERE last_checked_at IS NOT NULL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_is_written_twice() {
    let world = World::new().await;
    world.domains(DOMAINS).await;
    let replica = world.replica(Clock::System.ruled(), LEASE).await;
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let resolver = Arc::new(zones(usize::try_from(DOMAINS).unwrap()));
    let worker = tokio::spawn(checks::run(replica, resolver, soft.clone(), hard.clone(), |_| {}));
    // Each time a part is settled, in the middle of the next.
    for cut in 1..=4 {
        world.until(SETTLED, |count| count >= i64::from(cut * DOMAINS / 6)).await;
        world.database.cut_connections().await;
    }
    world.until(SETTLED, |count| count == i64::from(DOMAINS)).await;
    soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap();
    let all = i64::from(DOMAINS);
    assert_eq!(world.count("SELECT count(*) FROM sendready_checks").await, all, "each check once");
    assert_eq!(world.count("SELECT count(DISTINCT domain_id) FROM sendready_checks").await, all);
    assert_eq!(world.count("SELECT count(*) FROM sendready_events").await, all, "each event once");
    let active =
        "SELECT count(*) FROM email_domains WHERE status = 'active' AND dns_configured AND lease_token IS NULL";
    assert_eq!(world.count(active).await, all);
}
