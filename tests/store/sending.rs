//! Sends and warm-up in the rows: never over a limit, once for each key, and right after a long sleep.

use chrono::{DateTime, TimeDelta, Utc};
use sendready::sending::health::Bounds;
use sendready::sending::limit::Counter;
use sendready::sending::mailbox::MailboxStatus;
use sendready::sending::tier::Tier;
use sendready::store::{GateRules, KeyAdded, MailboxRow, NewKey, Role, Send, SendKey, Sent, Settled, Store};
use sendready::verify::standing::{Flags, Patience, Standing, Status};
use tokio::task::JoinSet;

use crate::store::mailboxes::{change, mailbox};
use crate::store::settle::settlement;
use crate::store::world::{World, at, id, on_both};

on_both!(
    parallel_sends_stop_at_the_limit,
    the_domain_s_limit_holds_over_its_mailboxes,
    one_key_takes_once,
    a_key_takes_once_also_when_nothing_is_left,
    counters_belong_to_a_day,
    a_clock_that_lags_takes_nothing_back,
    a_closed_gate_takes_nothing,
    nothing_is_taken_of_a_mailbox_of_others,
    warm_up_begins_with_the_first_dns_configured,
    what_is_reckoned_otherwise_is_an_update,
    a_number_of_the_platform_is_of_the_day_on_which_it_is_found,
    a_week_of_sleep,
    a_domain_that_fails_stops_the_warm_up,
    adopted_mailboxes_go_on,
);

const DAY: i64 = 86_400;

/// A verified domain `a.example` of client 1.
pub async fn verified(world: &World) {
    let client = world.client(1, Tier::Dominance).await;
    world.domain(10, client, "a.example", 0).await;
    world
        .run(
            "UPDATE email_domains SET status = 'active', dns_configured = TRUE, spf_valid = TRUE, dkim_valid = TRUE, \
              dmarc_valid = TRUE, mx_valid = TRUE, daily_send_limit = 1000",
        )
        .await;
}

const RULES: GateRules = GateRules {
    patience: Patience { grace: HOUR, recovery_hold: HOUR, stale_limit: TimeDelta::hours(72) },
    bounds: Bounds { bounce_max: 0.05, spam_max: 0.001 },
};

const HOUR: TimeDelta = TimeDelta::hours(1);

/// Sends, and reckons the warm-up first where that is wanted.
pub async fn sent(store: &Store, send: Send, key: Option<SendKey<'_>>, now: DateTime<Utc>) -> Sent {
    match store.mailbox_send(&send, key, now).await.unwrap() {
        Sent::Unreckoned => {
            store.mailbox_reckon(send.mailbox_id, TimeDelta::hours(72), now).await.unwrap();
            store.mailbox_send(&send, key, now).await.unwrap()
        }
        sent => sent,
    }
}

pub fn send(row: &MailboxRow, count: i32) -> Send {
    Send { mailbox_id: row.id, client_id: None, count, rules: RULES }
}

fn is_refused(sent: &Sent) -> bool {
    matches!(sent, Sent::Refused(_))
}

pub async fn key(world: &World) {
    let new =
        NewKey { id: id(900), role: Role::Operator, client_id: None, name: None, hash: [9; 32], expires_at: None };
    assert!(matches!(world.store.key_add(&new, at(0)).await.unwrap(), KeyAdded::Added(_)));
}

/// Sends `times` times 1 at once over three replicas; how many were granted.
async fn race(world: &World, rows: &[MailboxRow], times: usize, keyed: bool) -> (usize, usize) {
    let stores = [world.replica().await, world.replica().await, world.replica().await];
    let mut tasks = JoinSet::new();
    for number in 0..times {
        let (store, row): (Store, MailboxRow) = (stores[number % 3].clone(), rows[number % rows.len()].clone());
        let key = SendKey { key_id: id(900), idem_key: "k" };
        tasks.spawn(async move { sent(&store, send(&row, 1), keyed.then_some(key), at(10)).await });
    }
    let done = tasks.join_all().await;
    let granted = done.iter().filter(|sent| matches!(sent, Sent::Granted(_))).count();
    let refused = done.iter().filter(|sent| is_refused(sent)).count();
    (granted, refused)
}

async fn parallel_sends_stop_at_the_limit(world: World) {
    verified(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    assert_eq!((row.warmup_stage, row.daily_send_limit), (1, 10), "the domain was configured before");
    assert_eq!(race(&world, &[row], 100, false).await, (10, 90));
    assert_eq!(world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_mailboxes").await, 10);
    assert_eq!(world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_domains").await, 10);
}

async fn the_domain_s_limit_holds_over_its_mailboxes(world: World) {
    verified(&world).await;
    world.run("UPDATE email_domains SET daily_send_limit = 25").await;
    let mut rows = Vec::new();
    for number in 0..4 {
        rows.push(mailbox(&world, 20 + number, id(10), &format!("box{number}@a.example"), 1).await);
    }
    assert_eq!(race(&world, &rows, 60, false).await, (25, 35));
    assert_eq!(world.count("SELECT CAST(SUM(current_daily_sends) AS BIGINT) FROM email_mailboxes").await, 25);
    assert_eq!(world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_domains").await, 25);
}

async fn one_key_takes_once(world: World) {
    verified(&world).await;
    key(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    assert_eq!(race(&world, &[row], 20, true).await, (1, 0));
    assert_eq!(world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_mailboxes").await, 1);
    assert_eq!(world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_domains").await, 1);
}

async fn a_key_takes_once_also_when_nothing_is_left(world: World) {
    verified(&world).await;
    key(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    let keyed = async |idem_key, count, second| {
        let key = SendKey { key_id: id(900), idem_key };
        sent(&world.store, send(&row, count), Some(key), at(second)).await
    };
    let Sent::Granted(first) = keyed("a", 10, 2).await else { panic!("there was room") };
    assert_eq!((first.granted, first.mailbox), (10, Counter { used: 10, limit: 10 }));
    assert_eq!(first.domain, Counter { used: 10, limit: 1000 });
    assert_eq!(keyed("a", 10, 3).await, Sent::Again(first), "its answer may have been lost");
    assert!(is_refused(&keyed("b", 1, 3).await));
    assert_eq!(keyed("a", 10, 2 * DAY - 1).await, Sent::Again(first), "for 48 hours, also on a new day");
    let Sent::Granted(later) = keyed("a", 10, 3 * DAY).await else { panic!("the key is nobody's by then") };
    assert_eq!(later.mailbox.used, 10);
    assert_eq!(world.store.send_prune(at(4 * DAY), 10).await.unwrap(), 0);
    assert_eq!(world.store.send_prune(at(6 * DAY), 10).await.unwrap(), 1);
}

async fn counters_belong_to_a_day(world: World) {
    verified(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    let sent = async |count, second| sent(&world.store, send(&row, count), None, at(second)).await;
    assert!(matches!(sent(9, 2).await, Sent::Granted(_)));
    assert!(is_refused(&sent(2, 3).await));
    assert_eq!(world.store.send_zero(at(4), 10).await.unwrap(), 0, "the day is not over");
    let Sent::Granted(grant) = sent(2, DAY).await else { panic!("a new day, and nobody has zeroed anything") };
    assert_eq!((grant.mailbox.used, grant.domain.used), (2, 2));
    let read = world.store.mailbox_get(row.id).await.unwrap().unwrap();
    assert_eq!(read.counter(at(DAY).date_naive()).used, 2);
    assert_eq!(read.counter(at(2 * DAY).date_naive()).used, 0, "yesterday's counts nothing");
    assert_eq!(world.store.send_zero(at(2 * DAY), 10).await.unwrap(), 2);
    assert_eq!(world.count("SELECT COUNT(*) FROM email_mailboxes WHERE current_daily_sends = 0").await, 1);
    // The platform counts by itself, without a day.
    world.run("UPDATE email_mailboxes SET current_daily_sends = 8").await;
    assert!(is_refused(&sent(3, 2 * DAY).await), "what it wrote is of today");
    assert_eq!(world.store.send_stamp(at(2 * DAY), 10).await.unwrap(), 1);
    assert_eq!(world.store.send_zero(at(2 * DAY), 10).await.unwrap(), 0);
    assert_eq!(world.store.send_zero(at(3 * DAY), 10).await.unwrap(), 1);
    world.run("UPDATE email_mailboxes SET sends_day = '2999-01-01', current_daily_sends = 10").await;
    assert_eq!(world.store.send_zero(at(3 * DAY), 10).await.unwrap(), 1, "a day that nobody can have seen");
}

async fn a_clock_that_lags_takes_nothing_back(world: World) {
    verified(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    let sent = async |count, second| sent(&world.store, send(&row, count), None, at(second)).await;
    assert!(matches!(sent(9, DAY).await, Sent::Granted(_)), "a replica for which tomorrow has begun");
    assert!(is_refused(&sent(2, 2).await), "one for which it has not");
    assert!(matches!(sent(1, 2).await, Sent::Granted(_)));
    assert!(is_refused(&sent(1, DAY).await));
}

async fn a_closed_gate_takes_nothing(world: World) {
    verified(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    let sent = async || sent(&world.store, send(&row, 1), None, at(5)).await;
    for (close, open, code) in [
        (
            "UPDATE email_domains SET dkim_valid = FALSE",
            "UPDATE email_domains SET dkim_valid = TRUE",
            "dns.dkim-missing",
        ),
        ("UPDATE email_domains SET mx_valid = NULL", "UPDATE email_domains SET mx_valid = TRUE", "dns.mx-missing"),
        (
            "UPDATE email_domains SET status = 'suspended'",
            "UPDATE email_domains SET status = 'active'",
            "domain.suspended",
        ),
        (
            "UPDATE email_domains SET deleted_at = updated_at",
            "UPDATE email_domains SET deleted_at = NULL",
            "domain.deleted",
        ),
        (
            "UPDATE email_domains SET stale_since = '2026-01-01T00:00:00+00:00'",
            "UPDATE email_domains SET stale_since = NULL",
            "dns.stale",
        ),
        (
            "UPDATE email_mailboxes SET status = 'paused'",
            "UPDATE email_mailboxes SET status = 'warming'",
            "mailbox.paused",
        ),
        (
            "UPDATE email_domains SET daily_send_limit = 0",
            "UPDATE email_domains SET daily_send_limit = 1000",
            "daily-limit-reached",
        ),
        (
            "UPDATE email_mailboxes SET deleted_at = updated_at",
            "UPDATE email_mailboxes SET deleted_at = NULL",
            "mailbox.deleted",
        ),
    ] {
        world.run(close).await;
        let Sent::Refused(readiness) = sent().await else { panic!("{close}") };
        let codes: Vec<&str> = readiness.reasons.iter().map(|reason| reason.code()).collect();
        assert!(codes.contains(&code), "{close}: {codes:?}");
        world.run(open).await;
    }
    assert_eq!(
        world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_domains").await,
        0,
        "nothing is taken"
    );
    assert!(matches!(sent().await, Sent::Granted(_)));
}

async fn nothing_is_taken_of_a_mailbox_of_others(world: World) {
    verified(&world).await;
    let row = mailbox(&world, 20, id(10), "max@a.example", 1).await;
    let sent = async |mailbox_id, client_id| {
        let send = Send { mailbox_id, client_id, ..send(&row, 1) };
        sent(&world.store, send, None, at(5)).await
    };
    assert_eq!(sent(row.id, Some(id(2))).await, Sent::Missing);
    assert_eq!(sent(id(999), None).await, Sent::Missing);
    assert_eq!(world.count("SELECT CAST(current_daily_sends AS BIGINT) FROM email_mailboxes").await, 0);
    assert!(matches!(sent(row.id, Some(row.client_id)).await, Sent::Granted(_)));
}

/// Settles the domain's next check at a second, with these flags and this status.
async fn settle(world: &World, second: i64, number: u128, status: Status, flags: Flags) {
    world.run("UPDATE email_domains SET next_check_at = created_at").await;
    let claim = world.claim_one(second, number).await;
    let mut settlement = settlement(number, second, flags.all());
    let before = claim.domain.standing();
    settlement.standing = Standing { status, flags, verified_at: before.verified_at.or(Some(at(second))), ..before };
    settlement.dns_configured = flags.all();
    settlement.events = Vec::new();
    assert_eq!(world.store.domain_settle(&claim, &settlement, at(second)).await.unwrap(), Settled::Done);
}

const GOOD: Flags = Flags { spf: true, dkim: true, dmarc: true, mx: true };

async fn reckoned(world: &World, second: i64) -> MailboxRow {
    world.store.mailbox_reckon(id(20), TimeDelta::hours(72), at(second)).await.unwrap().unwrap()
}

async fn warm_up_begins_with_the_first_dns_configured(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    mailbox(&world, 20, id(10), "max@a.example", 1).await;
    assert_eq!(reckoned(&world, DAY).await.warmup_day_one, None, "it waits");
    settle(&world, 3 * DAY, 701, Status::Active, GOOD).await;
    let row = world.store.mailbox_get(id(20)).await.unwrap().unwrap();
    assert_eq!(row.warmup_day_one, Some(at(3 * DAY).date_naive()), "in the transaction of the flags");
    assert_eq!((row.warmup_started_at, row.warmup_stage), (Some(at(3 * DAY)), 1));
    settle(&world, 5 * DAY, 702, Status::Active, Flags { mx: false, ..GOOD }).await;
    settle(&world, 6 * DAY, 703, Status::Active, GOOD).await;
    let row = reckoned(&world, 6 * DAY).await;
    assert_eq!((row.warmup_started_at, row.warmup_stage), (Some(at(3 * DAY)), 4), "once, and MX does not count");
}

async fn what_is_reckoned_otherwise_is_an_update(world: World) {
    verified(&world).await;
    mailbox(&world, 20, id(10), "max@a.example", 1).await;
    let same_day = reckoned(&world, 3_600).await;
    assert_eq!(same_day.updated_at, Some(at(1)), "it says what it said");
    let sixth = reckoned(&world, 5 * DAY).await;
    assert_eq!((sixth.warmup_stage, sixth.updated_at), (6, Some(at(5 * DAY))));
}

async fn a_number_of_the_platform_is_of_the_day_on_which_it_is_found(world: World) {
    verified(&world).await;
    mailbox(&world, 20, id(10), "max@a.example", 1).await;
    world.run("UPDATE email_domains SET current_daily_sends = 7").await;
    world.run("UPDATE email_mailboxes SET current_daily_sends = 7").await;
    assert_eq!(world.store.send_stamp(at(10), 100).await.unwrap(), 2);
    assert_eq!(world.store.send_stamp(at(10), 100).await.unwrap(), 0, "twice is the same as once");
    assert_eq!(world.store.send_zero(at(20), 100).await.unwrap(), 0, "the day is not over");
    assert_eq!(world.store.send_zero(at(DAY), 100).await.unwrap(), 2);
    for table in ["email_domains", "email_mailboxes"] {
        let sum = format!("SELECT CAST(SUM(current_daily_sends) AS BIGINT) FROM {table}");
        assert_eq!(world.count(&sum).await, 0, "{table}");
    }
}

async fn a_week_of_sleep(world: World) {
    verified(&world).await;
    mailbox(&world, 20, id(10), "max@a.example", 0).await;
    assert_eq!(reckoned(&world, 7 * DAY).await.warmup_stage, 8, "nobody looked for a week");
    let twice = (reckoned(&world, 7 * DAY).await, reckoned(&world, 7 * DAY).await);
    assert_eq!(twice.0, twice.1);
    change(&world.store, 20, 8 * DAY, Vec::new(), |row| {
        row.status = MailboxStatus::Paused;
        row.resumes_as = Some(MailboxStatus::Warming);
    })
    .await;
    let paused = reckoned(&world, 20 * DAY).await;
    assert_eq!((paused.status, paused.warmup_stage, paused.daily_send_limit), (MailboxStatus::Paused, 9, 20));
    change(&world.store, 20, 20 * DAY, Vec::new(), |row| {
        row.status = MailboxStatus::Warming;
        row.resumes_as = None;
    })
    .await;
    assert_eq!(reckoned(&world, 20 * DAY).await.warmup_stage, 9);
    world.run("UPDATE email_mailboxes SET warmup_stage = 3, daily_send_limit = 999").await;
    let row = reckoned(&world, 20 * DAY).await;
    assert_eq!((row.warmup_stage, row.daily_send_limit), (9, 20), "the columns are a copy");
    let over = reckoned(&world, 60 * DAY).await;
    assert_eq!((over.status, over.warmup_stage, over.daily_send_limit), (MailboxStatus::Active, 30, 75));
    let midnight = at(42 * DAY).date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    assert_eq!(over.warmup_completed_at, Some(midnight), "when it was so");
    change(&world.store, 20, 61 * DAY, Vec::new(), |row| row.daily_send_limit = 40).await;
    assert_eq!(reckoned(&world, 62 * DAY).await.daily_send_limit, 40, "what is over says nothing any more");
}

async fn a_domain_that_fails_stops_the_warm_up(world: World) {
    let client = world.client(1, Tier::Velocity).await;
    world.domain(10, client, "a.example", 0).await;
    mailbox(&world, 20, id(10), "max@a.example", 1).await;
    settle(&world, 0, 701, Status::Active, GOOD).await;
    settle(&world, 11 * DAY, 702, Status::Active, Flags { dkim: false, ..GOOD }).await;
    assert_eq!(reckoned(&world, 13 * DAY).await.warmup_stage, 12);
    settle(&world, 14 * DAY, 703, Status::Active, GOOD).await;
    assert_eq!(reckoned(&world, 14 * DAY).await.warmup_stage, 12);
    assert_eq!(reckoned(&world, 15 * DAY).await.warmup_stage, 13);
    // Down and up on one day: the end of no day lies in it.
    settle(&world, 15 * DAY + 60, 704, Status::Active, Flags { spf: false, ..GOOD }).await;
    settle(&world, 15 * DAY + 120, 705, Status::Active, GOOD).await;
    assert_eq!(world.count("SELECT COUNT(*) FROM sendready_domain_closures").await, 1);
    assert_eq!(reckoned(&world, 16 * DAY).await.warmup_stage, 14);
    // Nobody can tell: from the limit on, no day counts.
    world.run(&format!("UPDATE email_domains SET stale_since = '{}'", at(17 * DAY).to_rfc3339())).await;
    assert_eq!(reckoned(&world, 25 * DAY).await.warmup_stage, 18, "three days hold, 17, 18 and 19");
    world.store.warmup_note_stale(id(10), at(20 * DAY), at(26 * DAY)).await.unwrap();
    world.run("UPDATE email_domains SET stale_since = NULL").await;
    assert_eq!(reckoned(&world, 27 * DAY).await.warmup_stage, 19);
}

async fn adopted_mailboxes_go_on(world: World) {
    verified(&world).await;
    mailbox(&world, 20, id(10), "max@a.example", 0).await;
    world
        .run(
            "UPDATE email_mailboxes SET warmup_day_one = NULL, warmup_day = NULL, warmup_reckoned_on = NULL, \
              warmup_stage = 12, daily_send_limit = 5, warmup_started_at = NULL",
        )
        .await;
    let row = reckoned(&world, 0).await;
    assert_eq!((row.warmup_stage, row.daily_send_limit), (12, 30));
    assert_eq!(row.warmup_day_one, Some(at(-11 * DAY).date_naive()));
    assert_eq!(reckoned(&world, 18 * DAY).await.warmup_stage, 30);
    assert_eq!(reckoned(&world, 19 * DAY).await.status, MailboxStatus::Active);
}
