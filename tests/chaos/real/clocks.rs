//! Two replicas whose clocks are a minute apart, half a minute to either side of the truth.

use std::time::Duration;

use chrono::TimeDelta;
use sendready::clock::{Clock, Hand};
use sendready::service::Service;
use sendready::service::checks::{Due, Settled};
use sendready::store::CheckReason;
use uuid::Uuid;

use crate::chaos::real::world::{World, zones};

const LEASE: Duration = Duration::from_secs(60);

const MIN_INTERVAL: TimeDelta = TimeDelta::seconds(15);

/// A replica whose own clock is so many seconds wrong.
async fn off_by(world: &World, seconds: i64) -> Service {
    let wrong = Hand::new(world.now().await + TimeDelta::seconds(seconds)).clock();
    let replica = world.replica(wrong.ruled(), LEASE).await;
    assert!(replica.follow_database_time().await.unwrap());
    replica
}

/// Checks the one domain that is due.
async fn check(replica: &Service) -> Settled {
    let claims = replica.due(Due::Any, 10).await.unwrap();
    assert_eq!(claims.len(), 1, "{claims:?}");
    let examined = replica.run(&zones(1), &claims[0]).await.unwrap();
    replica.settle(&claims[0], &examined).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_between_two_clocks_does_no_harm() {
    let world = World::new().await;
    world.domains(1).await;
    let (slow, fast) = (off_by(&world, -30).await, off_by(&world, 30).await);

    // The slow one's lease is not over for the fast one, and it is not lost.
    let claims = slow.due(Due::Any, 10).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(fast.due(Due::Any, 10).await.unwrap(), []);
    let examined = slow.run(&zones(1), &claims[0]).await.unwrap();
    assert_eq!(slow.settle(&claims[0], &examined).await.unwrap(), Settled::Done);
    let id = claims[0].domain.id;
    let row = fast.store().domain_get(id).await.unwrap().unwrap();
    let last = row.last_checked_at.unwrap();
    assert!((world.now().await - last).abs() < TimeDelta::seconds(20), "{last} is the database's time");
    let wait = row.next_check_at.unwrap() - last;
    assert!(wait >= TimeDelta::minutes(648) && wait <= TimeDelta::minutes(792), "12 h and a tenth: {wait}");

    // The least interval counts from what the other wrote, neither shorter nor longer.
    let now = fast.clock().now();
    let interval = MIN_INTERVAL.to_std().unwrap();
    let advanced = fast.store().domain_advance(id, CheckReason::Verify, now, interval, now).await.unwrap().unwrap();
    assert_eq!(advanced.next_check_at, (last + MIN_INTERVAL).max(now));

    // In whatever order they check, the history is in the order of the checks, and no page leaves one out.
    for replica in [&fast, &slow, &fast, &fast, &slow] {
        make_due(&world).await;
        assert_eq!(check(replica).await, Settled::Done);
        let newest = replica.store().check_list(id, None, 1).await.unwrap().remove(0);
        let settled = replica.store().domain_get(id).await.unwrap().unwrap();
        assert_eq!(Some(newest.at), settled.last_checked_at, "the newest is the one that was made last");
    }
    assert_eq!(paged(&slow, id).await, 6);
}

/// A clock that was set back by an hour, on a replica that nobody rules: the next check is the newest all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_does_not_turn_the_history_round() {
    let world = World::new().await;
    world.domains(1).await;
    let hand = Hand::new(world.now().await);
    let replica = world.replica(Clock::Hand(hand.clone()), LEASE).await;
    check(&replica).await;
    let row = sqlx::query_scalar("SELECT id FROM email_domains").fetch_one(&world.pool).await.unwrap();
    hand.set(hand.now() - TimeDelta::hours(1));
    for _ in 0..2 {
        sqlx::query("UPDATE email_domains SET next_check_at = $1").bind(hand.now()).execute(&world.pool).await.unwrap();
        assert_eq!(check(&replica).await, Settled::Done);
        let newest = replica.store().check_list(row, None, 1).await.unwrap().remove(0);
        assert_eq!(newest.at, hand.now());
    }
    assert_eq!(paged(&replica, row).await, 3);
}

async fn make_due(world: &World) {
    sqlx::query("UPDATE email_domains SET next_check_at = clock_timestamp() - interval '1 min'")
        .execute(&world.pool)
        .await
        .unwrap();
}

/// How many checks pages of two show.
async fn paged(replica: &Service, id: Uuid) -> usize {
    let (mut count, mut before) = (0, None);
    loop {
        let page = replica.store().check_list(id, before, 2).await.unwrap();
        let Some(last) = page.last() else { return count };
        before = Some(last.id);
        count += page.len();
    }
}
