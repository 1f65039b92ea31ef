//! What replicas tell each other through the database.

use std::time::Duration;

use sendready::sending::tier::Tier;
use sendready::store::notice::Line;
use sendready::store::webhook_word::Announced;
use sendready::store::{CheckReason, Settled, StoreError, Transferred};
use tokio::time::timeout;
use uuid::Uuid;

use crate::store::ownership::transfer;
use crate::store::settle::settlement;
use crate::store::world::{Place, World, add, at, id};

/// How long a notice may take on a busy machine. What users are promised is a second.
const SOON: Duration = Duration::from_secs(20);

/// The next notice: whether something is due, and which domains.
async fn next(line: &mut Line) -> (bool, Vec<Uuid>) {
    let notice = timeout(SOON, line.next()).await.expect("a notice").unwrap();
    (notice.is_due, notice.domains)
}

#[tokio::test]
async fn each_change_is_told_once_it_is_so() {
    let world = World::postgres().await;
    let other = world.replica().await;
    let mut line = other.listen().await.unwrap().expect("PostgreSQL has lines");
    let mut own = world.store.listen().await.unwrap().unwrap();
    let client = world.client(1, Tier::Dominance).await;
    for number in 10..13 {
        add(&world.store, number, client, &format!("d{number}.example"), 0).await;
        assert_eq!(next(&mut line).await, (true, vec![id(number)]), "registered");
    }
    let claims = world.store.domain_claim_due(at(0), at(60), id(7), 10).await.unwrap();
    let settlements: Vec<_> = (0..3).map(|number| settlement(100 + number, 1, false)).collect();
    let results: Vec<_> = claims.iter().zip(&settlements).collect();
    assert_eq!(world.store.domain_settle_all(&results, at(1)).await.unwrap(), [Settled::Done; 3]);
    let (is_due, mut told) = next(&mut line).await;
    told.sort();
    assert_eq!((is_due, told), (false, vec![id(10), id(11), id(12)]), "settled, with one word for all");

    for (number, second) in [(10, 2), (12, 30)] {
        let interval = Duration::from_secs(15);
        world.store.domain_advance(id(number), CheckReason::Poll, at(second), interval, at(second)).await.unwrap();
    }
    assert_eq!(next(&mut line).await, (true, vec![id(12)]), "only what is due at once");
    let names = ["d11.example".to_owned(), "d12.example".to_owned()];
    let announced = Announced { names: &names, client_id: None, min_interval: Duration::ZERO };
    assert_eq!(world.store.domain_announce(&announced, at(40)).await.unwrap().len(), 2);
    assert_eq!(next(&mut line).await, (true, vec![]), "one word for a thousand");
    let other_client = world.client(2, Tier::Dominance).await;
    let row = world.store.domain_get(id(10)).await.unwrap().unwrap();
    let transfer = transfer(&row, other_client, 500);
    assert!(matches!(world.store.domain_transfer(&transfer, at(45)).await.unwrap(), Transferred::Done(_)));
    assert_eq!(next(&mut line).await, (true, vec![id(10)]), "transferred");
    assert!(world.store.domain_delete(id(11), at(50)).await.unwrap());
    assert_eq!(next(&mut line).await, (false, vec![id(11)]));

    // Nobody listens to himself: the first that our own line hears is the other's.
    assert!(other.domain_delete(id(12), at(60)).await.unwrap());
    assert_eq!(next(&mut own).await, (false, vec![id(12)]));
}

#[tokio::test]
async fn a_cut_line_says_so_and_another_hears_again() {
    let world = World::postgres().await;
    let client = world.client(1, Tier::Velocity).await;
    let other = world.replica().await;
    let mut line = other.listen().await.unwrap().unwrap();
    let Place::Postgres(database) = &world.place else { panic!("the worlds are swapped") };
    database.cut_connections().await;
    let cut = timeout(SOON, line.next()).await.expect("a word of the cut").unwrap_err();
    assert!(matches!(cut, StoreError::Unavailable { .. }), "{cut:?}");
    let mut line = other.listen().await.unwrap().unwrap();
    add(&world.store, 10, client, "a.example", 0).await;
    assert_eq!(next(&mut line).await, (true, vec![id(10)]));
}

#[tokio::test]
async fn sqlite_has_one_process_and_no_lines() {
    let world = World::sqlite().await;
    assert!(world.store.listen().await.unwrap().is_none());
    assert_eq!(world.store.time().await.unwrap(), None, "and no clock but ours");
}
