//! Statistics of many mailboxes as one: by domain and by client, day by day and in total.

use chrono::NaiveDate;
use sendready::sending::rollup::Sums;
use sendready::sending::tier::Tier;
use sendready::store::{MailboxAdded, WarmupRollup, WarmupStatsRow};

use crate::store::ownership::mailbox;
use crate::store::world::{Place, World, at, id, on_both};

on_both!(of_a_domain_and_of_a_client, what_is_left_of_nonsense, nobody_told);

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 9, day).unwrap()
}

/// What a mailbox tells of a day in September.
async fn tell(world: &World, number: u128, date: u32, (sent, received): (i32, i32), rates: (Option<f64>, Option<f64>)) {
    let row = WarmupStatsRow {
        date: day(date),
        emails_sent: sent,
        emails_received: received,
        inbox_rate: rates.0,
        warmup_score: rates.1,
    };
    let new = id(10_000 + number * 100 + u128::from(date));
    world.store.warmup_stats_put(new, id(number), &row, at(0)).await.unwrap();
}

/// Clients 1 and 2; domains 10 and 11 of the first, 12 of the second; mailboxes 20 and 21 in 10, 22 in 11, 23 in 12.
async fn houses(world: &World) {
    let clients = [world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await];
    for (domain, client) in [(10, clients[0]), (11, clients[0]), (12, clients[1])] {
        world.domain(domain, client, &format!("d{domain}.example"), 0).await;
    }
    for (number, client, domain) in [(20, 0, 10), (21, 0, 10), (22, 0, 11), (23, 1, 12)] {
        let address = format!("box{number}@d{domain}.example");
        let added = mailbox(&world.store, number, clients[client], id(domain), &address).await;
        assert!(matches!(added, MailboxAdded::Added(_)), "{added:?}");
    }
}

async fn of_domain(world: &World, number: u128, from: u32, to: u32) -> WarmupRollup {
    world.store.warmup_rollup_of_domain(id(number), day(from), day(to)).await.unwrap()
}

async fn of_client(world: &World, number: u128, from: u32, to: u32) -> WarmupRollup {
    world.store.warmup_rollup_of_client(id(number), day(from), day(to)).await.unwrap()
}

/// `mailboxes sent/received inbox_rate warmup_score`.
fn shown(sums: &Sums) -> String {
    let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| rate.to_string());
    let Sums { mailboxes, emails_sent, emails_received, .. } = sums;
    format!("{mailboxes} {emails_sent}/{emails_received} {} {}", rate(sums.inbox_rate()), rate(sums.warmup_score()))
}

fn days(rollup: &WarmupRollup) -> Vec<String> {
    rollup.days.iter().map(|(date, sums)| format!("{}: {}", date.format("%d"), shown(sums))).collect()
}

async fn of_a_domain_and_of_a_client(world: World) {
    houses(&world).await;
    tell(&world, 20, 1, (90, 5), (Some(100.0), Some(98.5))).await;
    tell(&world, 21, 1, (10, 1), (Some(0.0), Some(50.0))).await;
    tell(&world, 20, 2, (5, 0), (None, None)).await;
    tell(&world, 20, 5, (1, 1), (Some(100.0), None)).await;
    tell(&world, 22, 2, (20, 2), (Some(75.0), Some(80.0))).await;
    tell(&world, 23, 1, (1_000, 1_000), (Some(1.0), Some(1.0))).await;
    let domain = of_domain(&world, 10, 1, 4).await;
    assert_eq!(days(&domain), ["01: 2 100/6 90 74.25", "02: 1 5/0 - -"]);
    assert_eq!(shown(&domain.total), "2 105/6 90 74.25", "each mailbox once");
    let client = of_client(&world, 1, 1, 5).await;
    assert_eq!(days(&client), ["01: 2 100/6 90 74.25", "02: 2 25/2 75 80", "05: 1 1/1 100 -"]);
    assert_eq!(shown(&client.total), "3 126/9 87.6 76.17", "(9000 + 1500 + 100) / 121 and (98.5 + 50 + 80) / 3");
    assert_eq!(days(&of_client(&world, 1, 2, 2).await), ["02: 2 25/2 75 80"], "both ends belong to it");
    assert_eq!(days(&of_client(&world, 2, 1, 5).await), ["01: 1 1000/1000 1 1"]);

    assert!(world.store.mailbox_delete(id(21), at(1)).await.unwrap());
    assert!(world.store.domain_delete(id(11), at(1)).await.unwrap());
    assert_eq!(of_domain(&world, 10, 1, 4).await, domain, "what a deleted one sent was sent");
    assert_eq!(of_client(&world, 1, 1, 5).await, client);
    assert_eq!(days(&of_domain(&world, 11, 1, 5).await), ["02: 1 20/2 75 80"]);
}

async fn what_is_left_of_nonsense(world: World) {
    houses(&world).await;
    for number in [20, 21, 22] {
        tell(&world, number, 1, (10, 4), (Some(60.0), Some(40.0))).await;
    }
    let only = |number: u128, set: &str| {
        let mailbox = match world.place {
            Place::Postgres(_) => format!("'{}'", id(number)),
            Place::Sqlite(_) => format!("X'{}'", id(number).simple()),
        };
        format!("UPDATE warmup_stats SET {set} WHERE mailbox_id = {mailbox}")
    };
    world.run(&only(21, "emails_sent = -7, emails_received = NULL, warmup_score = -0.5")).await;
    world.run(&only(22, "inbox_rate = 100.5, warmup_score = NULL")).await;
    assert_eq!(days(&of_domain(&world, 10, 1, 1).await), ["01: 2 10/4 60 40"], "below zero is zero");
    assert_eq!(days(&of_domain(&world, 11, 1, 1).await), ["01: 1 10/4 - -"], "what is no rate was not given");
    world.run(&only(22, "emails_sent = 2147483647, emails_received = 2147483647, inbox_rate = 50")).await;
    world.run(&only(20, "emails_sent = 2147483647, emails_received = 2147483647, inbox_rate = 50")).await;
    assert_eq!(
        shown(&of_client(&world, 1, 1, 1).await.total),
        "3 4294967294/4294967294 50 40",
        "more than fits into 32 bits"
    );
    if matches!(world.place, Place::Postgres(_)) {
        world.run(&only(22, "inbox_rate = 'NaN', warmup_score = 'Infinity'")).await;
        assert_eq!(days(&of_domain(&world, 11, 1, 1).await), ["01: 1 2147483647/2147483647 - -"]);
    }
}

async fn nobody_told(world: World) {
    houses(&world).await;
    tell(&world, 20, 9, (1, 1), (None, None)).await;
    let nothing = WarmupRollup { days: Vec::new(), total: Sums::default() };
    assert_eq!(of_domain(&world, 10, 1, 8).await, nothing);
    assert_eq!(of_domain(&world, 99, 1, 30).await, nothing, "there is no such domain");
    assert_eq!(of_client(&world, 2, 1, 30).await, nothing);
}
