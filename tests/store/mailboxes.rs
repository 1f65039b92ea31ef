//! Mailboxes: added, found, changed and deleted, whoever wrote the rows, and never beyond a tier.

use sendready::protocol::mail_address::MailAddress;
use sendready::sending::mailbox::{MailboxStatus, PausedReason};
use sendready::sending::tier::Tier;
use sendready::store::{MailboxAdded, MailboxRow, MailboxUpdate, NewEvent, NewMailbox, Store, WarmupStatsRow};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::store::world::{Place, World, at, id, on_both};

on_both!(
    added_and_found,
    refused,
    races_do_not_exceed_a_tier,
    races_for_one_address,
    changed_and_told,
    revived_with_its_history,
    days_without_a_mailbox_do_not_count_for_its_warm_up,
    odd_rows_of_the_platform,
    listed,
    statistics,
);

/// Adds a mailbox to a domain of client 1.
pub async fn add(store: &Store, number: u128, domain_id: Uuid, address: &str, second: i64) -> MailboxAdded {
    let address = MailAddress::parse(address).unwrap();
    let new = NewMailbox {
        id: id(number),
        client_id: id(1),
        domain_id,
        address: &address,
        display_name: Some("Max"),
        infraforge_mailbox_id: None,
        smartlead_account_id: Some("sl-1"),
        warmup_enabled: true,
    };
    store.mailbox_add(&new, at(second)).await.unwrap()
}

/// A mailbox of a domain of client 1.
pub async fn mailbox(world: &World, number: u128, domain_id: Uuid, address: &str, second: i64) -> MailboxRow {
    match add(&world.store, number, domain_id, address, second).await {
        MailboxAdded::Added(row) => *row,
        other => panic!("{address}: {other:?}"),
    }
}

/// Changes a mailbox.
pub async fn change(
    store: &Store,
    number: u128,
    second: i64,
    events: Vec<NewEvent>,
    change: impl FnOnce(&mut MailboxRow) + Send,
) -> MailboxRow {
    let decide = |before: &MailboxRow| {
        let mut row = before.clone();
        change(&mut row);
        let closes_warm_up = row.status.is_stopped();
        Ok::<_, ()>(MailboxUpdate { row, closes_warm_up, events })
    };
    store.mailbox_change(id(number), at(second), decide).await.unwrap().unwrap().unwrap()
}

async fn added_and_found(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let domain = world.domain(10, client, "bücher.example", 0).await;
    let row = mailbox(&world, 20, domain.id, "Max@Bücher.example", 3).await;
    assert_eq!(row.email_address, "max@xn--bcher-kva.example");
    assert_eq!((row.id, row.domain_id, row.client_id), (id(20), id(10), id(1)));
    assert_eq!((row.status, row.warmup_stage, row.daily_send_limit), (MailboxStatus::Warming, 0, 10));
    assert_eq!((row.created_at, row.warmup_day_one, row.warmup_started_at), (Some(at(3)), None, None));
    assert_eq!((row.display_name.as_deref(), row.smartlead_account_id.as_deref()), (Some("Max"), Some("sl-1")));
    assert_eq!(world.store.mailbox_get(id(20)).await.unwrap(), Some(row));
    assert_eq!(world.store.mailbox_get(id(21)).await.unwrap(), None);
    assert!(world.store.mailbox_delete(id(20), at(4)).await.unwrap());
    assert!(!world.store.mailbox_delete(id(20), at(5)).await.unwrap(), "it is deleted");
    assert_eq!(world.store.mailbox_get(id(20)).await.unwrap().unwrap().deleted_at, Some(at(4)));
}

async fn refused(world: World) {
    let (client, other) = (world.client(1, Tier::Velocity).await, world.client(2, Tier::Velocity).await);
    world.domain(10, client, "a.example", 0).await;
    world.domain(11, other, "b.example", 0).await;
    mailbox(&world, 20, id(10), "max@a.example", 1).await;
    assert_eq!(add(&world.store, 21, id(10), "MAX@a.example", 2).await, MailboxAdded::Own, "the same by case");
    assert_eq!(add(&world.store, 21, id(11), "max@b.example", 2).await, MailboxAdded::NoSuchDomain, "another's domain");
    assert_eq!(add(&world.store, 21, id(99), "max@a.example", 2).await, MailboxAdded::NoSuchDomain);
    world.domain(12, client, "c.example", 0).await;
    assert_eq!(add(&world.store, 21, id(12), "max@a.example", 2).await, MailboxAdded::Taken, "another domain's");
    assert!(world.store.domain_delete(id(10), at(3)).await.unwrap());
    assert_eq!(add(&world.store, 21, id(10), "eva@a.example", 4).await, MailboxAdded::NoSuchDomain, "it is deleted");
}

async fn races_do_not_exceed_a_tier(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let domain = world.domain(10, client, "a.example", 0).await.id;
    let stores = [world.replica().await, world.replica().await, world.replica().await];
    let mut tasks = JoinSet::new();
    for number in 0..50_u128 {
        let store = stores[usize::try_from(number % 3).unwrap()].clone();
        tasks.spawn(async move { add(&store, 100 + number, domain, &format!("box{number}@a.example"), 1).await });
    }
    let done = tasks.join_all().await;
    assert_eq!(done.iter().filter(|added| matches!(added, MailboxAdded::Added(_))).count(), 6);
    let refused = MailboxAdded::AllocationExceeded { tier: Tier::Velocity, used: 6, limit: 6 };
    assert_eq!(done.iter().filter(|added| **added == refused).count(), 44);
    assert_eq!(world.count("SELECT COUNT(*) FROM email_mailboxes").await, 6);
}

async fn races_for_one_address(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    let domain = world.domain(10, client, "a.example", 0).await.id;
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let store = world.replica().await;
        tasks.spawn(async move { add(&store, 100 + number, domain, "max@a.example", 1).await });
    }
    let done = tasks.join_all().await;
    assert_eq!(done.iter().filter(|added| matches!(added, MailboxAdded::Added(_))).count(), 1);
    assert_eq!(done.iter().filter(|added| **added == MailboxAdded::Own).count(), 7);
}

async fn changed_and_told(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let domain = world.domain(10, client, "a.example", 0).await.id;
    mailbox(&world, 20, domain, "max@a.example", 1).await;
    let event = NewEvent { id: id(500), kind: "mailbox.paused", body: json!({"reason": "bounce"}) };
    let after = change(&world.store, 20, 5, vec![event], |row| {
        row.status = MailboxStatus::Paused;
        row.paused_reason = Some(PausedReason::Bounce);
        row.resumes_as = Some(MailboxStatus::Warming);
        row.bounce_rate = 0.07;
        row.health_sample = Some(100);
    })
    .await;
    assert_eq!((after.status, after.paused_reason), (MailboxStatus::Paused, Some(PausedReason::Bounce)));
    assert_eq!((after.bounce_rate, after.health_sample, after.updated_at), (0.07, Some(100), Some(at(5))));
    let events = world.store.event_list(domain, None, 10).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.at)).collect();
    assert_eq!(told, [("mailbox.paused", at(5))]);
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_mailbox_closures WHERE reopened_at IS NULL").await, 1);
    let same = change(&world.store, 20, 9, Vec::new(), |_| {}).await;
    assert_eq!(same.updated_at, Some(at(5)), "what changes nothing changes nothing");
    let refused = world.store.mailbox_change(id(20), at(9), |_| Err("no")).await.unwrap();
    assert_eq!(refused, Some(Err("no")));
    let nobody = world.store.mailbox_change(id(99), at(9), |_| Err("no")).await.unwrap();
    assert_eq!(nobody, None);
}

async fn revived_with_its_history(world: World) {
    let client = world.client(1, Tier::Ignition).await;
    let domain = world.domain(10, client, "a.example", 0).await.id;
    mailbox(&world, 20, domain, "max@a.example", 1).await;
    change(&world.store, 20, 2, Vec::new(), |row| {
        row.status = MailboxStatus::Suspended;
        row.resumes_as = Some(MailboxStatus::Active);
    })
    .await;
    world.run("UPDATE email_mailboxes SET current_daily_sends = 7").await;
    assert!(world.store.mailbox_delete(id(20), at(3)).await.unwrap());
    for number in 0..3 {
        mailbox(&world, 30 + number, domain, &format!("box{number}@a.example"), 4).await;
    }
    let refused = MailboxAdded::AllocationExceeded { tier: Tier::Ignition, used: 3, limit: 3 };
    assert_eq!(add(&world.store, 21, domain, "max@a.example", 5).await, refused, "also for what was there before");
    assert!(world.store.mailbox_delete(id(30), at(5)).await.unwrap());
    let revived = add(&world.store, 21, domain, "max@a.example", 86_400).await;
    let MailboxAdded::Revived(row) = revived else { panic!("{revived:?}") };
    assert_eq!((row.id, row.deleted_at, row.created_at), (id(20), None, Some(at(1))));
    assert_eq!((row.status, row.resumes_as), (MailboxStatus::Suspended, Some(MailboxStatus::Active)));
    assert_eq!(row.current_daily_sends, 7);
}

async fn days_without_a_mailbox_do_not_count_for_its_warm_up(world: World) {
    const DAY: i64 = 86_400;
    let client = world.client(1, Tier::Velocity).await;
    let domain = world.domain(10, client, "a.example", 0).await.id;
    world.run("UPDATE email_domains SET status = 'active', dns_configured = TRUE").await;
    assert_eq!(mailbox(&world, 20, domain, "max@a.example", 1).await.warmup_stage, 1);
    assert!(world.store.mailbox_delete(id(20), at(2 * DAY)).await.unwrap());
    let revived = add(&world.store, 21, domain, "max@a.example", 9 * DAY).await;
    let MailboxAdded::Revived(row) = revived else { panic!("{revived:?}") };
    assert_eq!(row.warmup_stage, 3, "two days lay behind it when it was deleted");
}

async fn odd_rows_of_the_platform(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    let literal = |number: u128| match &world.place {
        Place::Postgres(_) => format!("'{}'", id(number)),
        Place::Sqlite(_) => format!("X'{}'", id(number).simple()),
    };
    world
        .run(&format!(
            "INSERT INTO email_mailboxes (id, domain_id, client_id, email_address, warmup_enabled, warmup_stage, \
             daily_send_limit, current_daily_sends, bounce_rate, spam_rate, reply_rate, status, created_at, updated_at) \
             VALUES ({}, {}, {}, 'Max@A.example', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
            literal(20),
            literal(10),
            literal(1)
        ))
        .await;
    let row = world.store.mailbox_get(id(20)).await.unwrap().unwrap();
    assert_eq!((row.status, row.warmup_enabled, row.daily_send_limit), (MailboxStatus::Warming, true, 10));
    assert_eq!((row.bounce_rate, row.current_daily_sends, row.created_at), (0.0, 0, None));
    assert_eq!(add(&world.store, 21, id(10), "max@a.example", 1).await, MailboxAdded::Own, "in any spelling");
    if matches!(world.place, Place::Postgres(_)) {
        world.run("UPDATE email_mailboxes SET created_at = 'infinity', warmup_started_at = '-infinity', bounce_rate = 'NaN'").await;
        let row = world.store.mailbox_get(id(20)).await.unwrap().unwrap();
        assert!(row.bounce_rate.is_nan() && row.created_at.is_some() && row.warmup_started_at.is_some());
    }
}

async fn listed(world: World) {
    let client = world.client(1, Tier::Dominance).await;
    let domain = world.domain(10, client, "a.example", 0).await.id;
    let other = world.domain(11, client, "b.example", 0).await.id;
    for number in 0..4 {
        mailbox(&world, 20 + number, domain, &format!("box{number}@a.example"), 1).await;
    }
    mailbox(&world, 30, other, "box@b.example", 1).await;
    assert!(world.store.mailbox_delete(id(21), at(2)).await.unwrap());
    let ids = |rows: Vec<MailboxRow>| rows.iter().map(|row| row.id.as_u128()).collect::<Vec<_>>();
    assert_eq!(ids(world.store.mailbox_list(domain, None, 10).await.unwrap()), [20, 22, 23]);
    assert_eq!(ids(world.store.mailbox_list(domain, Some(id(20)), 1).await.unwrap()), [22]);
    assert_eq!(world.store.mailbox_limit_sum(domain).await.unwrap(), 30);
    change(&world.store, 22, 3, Vec::new(), |row| row.status = MailboxStatus::Paused).await;
    world.run("UPDATE email_mailboxes SET daily_send_limit = -5 WHERE email_address = 'box3@a.example'").await;
    assert_eq!(world.store.mailbox_limit_sum(domain).await.unwrap(), 10, "neither what is stopped nor nonsense");
    let walked = world.store.mailbox_walk(Uuid::nil(), 10).await.unwrap();
    let shown: Vec<_> = walked.iter().map(|watch| (watch.row.id.as_u128(), watch.is_closed)).collect();
    assert_eq!(shown, [(20, false), (22, true), (23, false), (30, false)]);
}

async fn statistics(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    let domain = world.domain(10, client, "a.example", 0).await.id;
    mailbox(&world, 20, domain, "max@a.example", 1).await;
    let day = |date: &str, emails_sent| WarmupStatsRow {
        date: date.parse().unwrap(),
        emails_sent,
        emails_received: 2,
        warmup_score: Some(97.5),
        inbox_rate: None,
    };
    for (number, row) in [day("2028-02-29", 1), day("2028-03-01", 2), day("2028-02-28", 3)].iter().enumerate() {
        world.store.warmup_stats_put(id(50 + number as u128), id(20), row, at(1)).await.unwrap();
    }
    world.store.warmup_stats_put(id(60), id(20), &day("2028-02-29", 9), at(2)).await.unwrap();
    let range = |from: &str, to: &str| (from.parse().unwrap(), to.parse().unwrap());
    let (from, to) = range("2028-02-29", "2028-03-31");
    let rows = world.store.warmup_stats_list(id(20), from, to, 10).await.unwrap();
    assert_eq!(rows, [day("2028-02-29", 9), day("2028-03-01", 2)], "the later word stands");
    let (from, to) = range("2028-02-01", "2028-02-28");
    assert_eq!(world.store.warmup_stats_list(id(20), from, to, 10).await.unwrap(), [day("2028-02-28", 3)]);
    assert_eq!(world.store.warmup_stats_list(id(99), from, to, 10).await.unwrap(), []);
}
