//! The worker against a SQLite file and a DNS made of text.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::dns::Resolver;
use crate::dns::zone_text::ZoneText;
use crate::jobs::checks::{LOOK_INTERVAL, Pulse, Running, Worker, is_sweep, run};
use crate::jobs::prune;
use crate::sending::tier::Tier;
use crate::service::Caller;
use crate::service::tests::{World, good, registration};
use crate::store::Role;
use crate::verify::evidence::{Question, Reply};
use crate::verify::standing::Status;

/// How long a test waits for what must happen soon, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A DNS that answers only when it is let, and says how often it was asked.
#[derive(Clone)]
struct Gate {
    zones: ZoneText,
    open: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
}

impl Gate {
    fn of(zones: ZoneText, answers: usize) -> Gate {
        Gate { zones, open: Arc::new(Semaphore::new(answers)), asked: Arc::default() }
    }
}

impl Resolver for Gate {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Vec<Reply>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.open.acquire().await.unwrap().forget();
            self.zones.ask(question).await
        })
    }
}

/// A DNS that answers after fifty seconds.
struct Tarpit;

impl Resolver for Tarpit {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Vec<Reply>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(50)).await;
            good("example.test").ask(question).await
        })
    }
}

/// A DNS with a fault of ours.
struct Panics;

impl Resolver for Panics {
    fn ask<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Vec<Reply>> {
        Box::pin(async { panic!("a fault of ours") })
    }
}

struct Started {
    soft: CancellationToken,
    hard: CancellationToken,
    handle: JoinHandle<()>,
}

fn start(world: &World, resolver: impl Resolver + 'static) -> Started {
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let work = run(world.service.clone(), Arc::new(resolver), soft.clone(), hard.clone(), |_| {});
    Started { handle: tokio::spawn(work), soft, hard }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("{what} did not happen in {SOON:?}"));
}

async fn many(world: &World, count: usize) -> (Vec<Uuid>, ZoneText) {
    let (mut ids, mut zones) = (Vec::new(), String::new());
    for number in 0..count {
        let name = format!("example{number}.test");
        ids.push(world.domain(&name).await.id);
        zones.push_str(&crate::service::tests::zone(&name, ""));
    }
    (ids, zones.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_check_everything_and_nothing_twice() {
    let world = World::with(|settings| settings.concurrency = 5).await;
    let (ids, zones) = many(&world, 40).await;
    let workers = [start(&world, zones.clone()), start(&world, zones)];
    until("every domain's first check", async || {
        let mut all = true;
        for id in &ids {
            all &= world.row(*id).await.status == Status::Active;
        }
        all
    })
    .await;
    for worker in workers {
        worker.soft.cancel();
        timeout(SOON, worker.handle).await.unwrap().unwrap();
    }
    for id in ids {
        assert_eq!(world.check_count(id).await, 1);
        assert_eq!(world.events(id).await, ["domain.verified"]);
    }
}

#[tokio::test]
async fn a_registration_wakes_the_worker() {
    let world = World::new().await;
    let worker = start(&world, good("example.test"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut settled = world.service.settled();
    let row = world.domain("example.test").await;
    assert_eq!(timeout(SOON, settled.recv()).await.unwrap(), Ok(row.id));
    assert_eq!(world.row(row.id).await.status, Status::Active);
    worker.soft.cancel();
    timeout(SOON, worker.handle).await.unwrap().unwrap();
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_it_has_and_takes_nothing_more() {
    let world = World::with(|settings| settings.concurrency = 1).await;
    let (ids, zones) = many(&world, 2).await;
    let gate = Gate::of(zones, 0);
    let worker = start(&world, gate.clone());
    until("a question", async || gate.asked.load(Ordering::SeqCst) > 0).await;
    worker.soft.cancel();
    gate.open.add_permits(1_000);
    timeout(SOON, worker.handle).await.unwrap().unwrap();
    let mut checks = Vec::new();
    for id in ids {
        checks.push(world.check_count(id).await);
    }
    checks.sort_unstable();
    assert_eq!(checks, [0, 1]);
}

#[tokio::test]
async fn told_to_drop_everything_it_gives_back_what_it_has() {
    let world = World::new().await;
    let (ids, zones) = many(&world, 3).await;
    let gate = Gate::of(zones.clone(), 0);
    let worker = start(&world, gate.clone());
    until("questions", async || gate.asked.load(Ordering::SeqCst) >= 3).await;
    assert!(world.check_due(&zones).await.is_empty(), "all are held");
    worker.soft.cancel();
    worker.hard.cancel();
    timeout(SOON, worker.handle).await.unwrap().unwrap();
    assert_eq!(world.check_due(&zones).await.len(), ids.len(), "due at once, without waiting for the lease");
}

#[tokio::test]
async fn a_tarpit_s_check_ends_before_its_lease_and_settles() {
    let world = World::with(|settings| settings.lease = Duration::from_secs(2)).await;
    let row = world.domain("example.test").await;
    let worker = start(&world, Tarpit);
    // The lease is by a clock that stands still: were it not settled, it would stay so.
    until("a settlement", async || world.check_count(row.id).await > 0).await;
    let row = world.row(row.id).await;
    assert_eq!((row.status, row.lease_until), (Status::Pending, None));
    let took = world.service.store().check_list(row.id, None, 1).await.unwrap()[0].took_ms;
    assert!((1_000..2_000).contains(&took), "{took} ms of a lease of 2 s, whatever DNS does");
    worker.soft.cancel();
    timeout(SOON, worker.handle).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_in_a_check_ends_the_worker() {
    let world = World::new().await;
    world.domain("example.test").await;
    let worker = start(&world, Panics);
    let fault = timeout(SOON, worker.handle).await.unwrap().unwrap_err();
    assert!(fault.is_panic());
}

#[tokio::test]
async fn it_says_when_the_database_is_away() {
    let world = World::new().await;
    let told: Arc<Mutex<Vec<Pulse>>> = Arc::default();
    let (soft, listener) = (CancellationToken::new(), Arc::clone(&told));
    world.sql("ALTER TABLE email_domains RENAME TO away").await;
    let tell = move |pulse| listener.lock().unwrap().push(pulse);
    let resolver = Arc::new(good("example.test"));
    let handle = tokio::spawn(run(world.service.clone(), resolver, soft.clone(), CancellationToken::new(), tell));
    until("a word of it", async || told.lock().unwrap().contains(&Pulse::Stalled)).await;
    world.sql("ALTER TABLE away RENAME TO email_domains").await;
    until("a word of its return", async || told.lock().unwrap().last() == Some(&Pulse::Working)).await;
    let row = world.domain("example.test").await;
    until("a check", async || world.row(row.id).await.status == Status::Active).await;
    soft.cancel();
    timeout(SOON, handle).await.unwrap().unwrap();
}

#[tokio::test]
async fn old_history_is_forgotten_but_never_the_latest() {
    let world = World::new().await;
    let row = world.domain("example.test").await;
    let silent = world.client(Tier::Ignition).await;
    let silent = world.service.domain_register(&world.operator, &registration(silent.id, "b.test")).await.unwrap().row;
    let zones: ZoneText =
        format!("{}{}", crate::service::tests::zone("example.test", ""), crate::service::tests::zone("b.test", ""))
            .parse()
            .unwrap();
    world.check_due(&zones).await;
    world.pass(TimeDelta::days(91));
    let without = crate::service::tests::without("example.test", "s1._domainkey");
    let claim = world.service.due(crate::service::checks::Due::Any, 10).await.unwrap();
    for claim in claim.into_iter().filter(|claim| claim.domain.id == row.id) {
        let examined = world.service.run(&without, &claim).await.unwrap();
        world.service.settle(&claim, &examined).await.unwrap();
    }
    assert_eq!((world.check_count(row.id).await, world.events(row.id).await.len()), (2, 3));
    prune::prune(&world.service).await.unwrap();
    assert_eq!(world.check_count(row.id).await, 1, "the old one is forgotten");
    assert_eq!(world.events(row.id).await, ["domain.at_risk", "domain.records_changed"]);
    assert_eq!(world.check_count(silent.id).await, 1, "the only one stays, however old");
    assert!(world.service.store().evidence_latest(silent.id).await.unwrap().is_some());
    assert!(world.service.store().evidence_latest(row.id).await.unwrap().is_some());
    assert_eq!(world.service.store().check_prune(world.hand.now(), 10).await.unwrap(), 0, "nothing more");
}

/// Takes all that it can get. What runs then: asked for, and by schedule.
async fn filled(worker: &Worker, running: &mut Running) -> (usize, usize) {
    while worker.fill(running).await.unwrap() {}
    let sweep = running.leased.held().filter(|claim| is_sweep(claim)).count();
    (running.leased.count() - sweep, sweep)
}

fn idle(world: &World, resolver: impl Resolver + 'static) -> (Worker, Running) {
    let mut running = Running::default();
    (Worker::new(world.service.clone(), Arc::new(resolver), &mut running), running)
}

#[tokio::test]
async fn a_quarter_is_for_the_sweep_and_the_rest_for_people_first() {
    for (concurrency, expected) in [(2, (1, 1)), (3, (2, 1)), (4, (3, 1)), (5, (3, 2)), (8, (6, 2)), (20, (9, 3))] {
        let world = World::with(|settings| settings.concurrency = concurrency).await;
        let (_, zones) = many(&world, 12).await;
        world
            .sql("UPDATE email_domains SET check_reason = 'schedule' WHERE substr(domain, 8, 1) IN ('2', '3', '4')")
            .await;
        let (worker, mut running) = idle(&world, Gate::of(zones, 0));
        assert_eq!(filled(&worker, &mut running).await, expected, "{concurrency} slots");
    }
}

#[tokio::test]
async fn the_one_slot_goes_round() {
    let world = World::with(|settings| settings.concurrency = 1).await;
    let (_, zones) = many(&world, 6).await;
    world.sql("UPDATE email_domains SET check_reason = 'schedule' WHERE domain >= 'example4'").await;
    let (worker, mut running) = idle(&world, zones);
    let mut turns = Vec::new();
    for _ in 0..6 {
        turns.push(filled(&worker, &mut running).await);
        running.leased.next().await;
    }
    let (asked, sweep) = ((1, 0), (0, 1));
    assert_eq!(turns, [asked, asked, asked, sweep, asked, sweep]);
}

#[tokio::test]
async fn one_client_holds_a_quarter_and_keeps_nobody_waiting() {
    let world = World::with(|settings| settings.concurrency = 8).await;
    let greedy = world.client(Tier::Dominance).await;
    for number in 0..5 {
        let new = registration(greedy.id, &format!("greedy{number}.test"));
        world.service.domain_register(&world.operator, &new).await.unwrap();
    }
    world.pass(TimeDelta::seconds(1));
    let gate = Gate::of(good("example.test"), 0);
    let (worker, mut running) = idle(&world, gate.clone());
    assert_eq!(filled(&worker, &mut running).await, (2, 0), "also while nobody else wants the slots");
    assert!(running.leased.backlog, "whatever ends is a reason to look again");
    let other = world.domain("example.test").await;
    assert_eq!(filled(&worker, &mut running).await, (3, 0));
    assert_eq!(running.asked_count(other.client_id), 1);
    world.sql("UPDATE email_domains SET check_reason = 'schedule' WHERE domain = 'greedy4.test'").await;
    assert_eq!(filled(&worker, &mut running).await, (3, 1), "the sweep knows no clients");
    gate.open.add_permits(10_000);
    while running.leased.count() > 0 {
        running.leased.next().await;
    }
    assert_eq!(filled(&worker, &mut running).await, (2, 0), "those held back, in their turn");
}

#[tokio::test]
async fn a_look_while_all_slots_are_taken_forgets_nothing() {
    let world = World::with(|settings| settings.concurrency = 8).await;
    let (_, zones) = many(&world, 12).await;
    let (worker, mut running) = idle(&world, Gate::of(zones, 0));
    assert_eq!(filled(&worker, &mut running).await, (8, 0));
    assert!(running.leased.backlog);
    assert!(!worker.fill(&mut running).await.unwrap(), "there is no room");
    assert!(running.leased.backlog, "and more is due than there was room for");
}

/// Deleted domains that others claim get a quarter of the slots, and no look of their own sooner than after a second.
#[tokio::test]
async fn deleted_domains_that_are_claimed_have_their_share() {
    let world = World::with(|settings| settings.concurrency = 8).await;
    let (holder, other) = (world.client(Tier::Dominance).await, world.client(Tier::Dominance).await);
    for number in 0..4 {
        let name = format!("claimed{number}.test");
        let held = world.service.domain_register(&of_client(holder.id), &registration(holder.id, &name)).await.unwrap();
        world.service.domain_delete(&world.operator, held.row.id).await.unwrap();
        let refused = world.service.domain_register(&of_client(other.id), &registration(other.id, &name)).await;
        assert!(refused.unwrap_err().to_string().contains("publish `ownership`"));
    }
    let (_, zones) = many(&world, 12).await;
    let gate = Gate::of(zones, 0);
    let (worker, mut running) = idle(&world, gate.clone());
    worker.fill(&mut running).await.unwrap();
    assert_eq!((running.abandoned_count(), running.leased.count()), (2, 8), "the others are checks");
    assert!(running.leased.backlog);
    gate.open.add_permits(10_000);
    while running.leased.count() > 0 {
        running.leased.next().await;
    }
    running.abandoned_at = Some(Instant::now() + SOON);
    worker.fill(&mut running).await.unwrap();
    assert_eq!(running.abandoned_count(), 0, "not yet");
    while running.leased.count() > 0 {
        running.leased.next().await;
    }
    running.abandoned_at = Instant::now().checked_sub(LOOK_INTERVAL);
    worker.fill(&mut running).await.unwrap();
    assert_eq!((running.abandoned_count(), running.leased.count()), (2, 2), "the other two");
    while running.leased.count() > 0 {
        running.leased.next().await;
    }
}

fn of_client(client_id: Uuid) -> Caller {
    Caller { key_id: Uuid::nil(), role: Role::Client, client_id: Some(client_id), domain_id: None }
}
