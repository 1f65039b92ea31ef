//! Replicas hear each other, and again after the line was cut.

use std::time::Duration;

use sendready::clock::Clock;
use sendready::jobs::replicas;
use sendready::service::checks::Due;
use sendready::store::CheckReason;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::chaos::real::world::{SOON, World, zones};

const LEASE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_wakes_the_other_and_tells_it_what_settled() {
    let world = World::new().await;
    world.domains(1).await;
    let (here, there) = (world.replica(Clock::System, LEASE).await, world.replica(Clock::System, LEASE).await);
    let stop = CancellationToken::new();
    let hearing = tokio::spawn(replicas::hear(there.clone(), stop.clone()));
    // No worker runs there, so nothing but a notice can wake it; it is woken once when the line stands.
    timeout(SOON, there.woken()).await.expect("the line stands");

    let id = sqlx::query_scalar("SELECT id FROM email_domains").fetch_one(&world.pool).await.unwrap();
    let now = here.clock().now();
    // Due already, and for the sweep; asked for, it gains its turn.
    here.store().domain_advance(id, CheckReason::Verify, now, Duration::ZERO, now).await.unwrap().unwrap();
    timeout(SOON, there.woken()).await.expect("the other's advance wakes");

    let mut watched = there.watch(id);
    let claims = here.due(Due::Any, 10).await.unwrap();
    let examined = here.run(&zones(1), &claims[0]).await.unwrap();
    here.settle(&claims[0], &examined).await.unwrap();
    timeout(SOON, watched.changed()).await.expect("the other's settlement is told").unwrap();

    // Cut off, it hears again by itself, and whoever waits is told to look.
    world.database.cut_connections().await;
    timeout(SOON, watched.changed()).await.expect("something may have been missed").unwrap();
    assert!(here.store().domain_delete(id, here.clock().now()).await.unwrap());
    timeout(SOON, watched.changed()).await.expect("and a change after that, too").unwrap();
    stop.cancel();
    timeout(SOON, hearing).await.expect("it stops when told").unwrap();
}
