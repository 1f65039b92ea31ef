//! Asks a server many times at once, and says how many answers came in a second. It speaks no more HTTP/1.1 than it must,
//! so that it takes as little as it can of the processor that the server is measured on.
//!
//! ```text
//! load empty                                              serves an empty axum handler, and prints where
//! load root      ADDRESS CONNECTIONS SECONDS              GET /
//! load records   ADDRESS CONNECTIONS SECONDS KEY DOMAINS  GET the records of a domain of 1..=DOMAINS
//! load unchanged ADDRESS CONNECTIONS SECONDS KEY DOMAINS  the same by somebody who has them: 304
//! load sends     ADDRESS CONNECTIONS SECONDS KEY BOXES    POST 1 send of a mailbox of 1..=BOXES, each with a new key
//! load waiters   ADDRESS COUNT KEY PID                    COUNT long polls and COUNT streams on as many domains
//! ```
//!
//! Domains are `00000000-0000-0000-0000-0000000000NN`, mailboxes `00000000-0000-0000-0001-0000000000NN`, in hexadecimal.

mod connection;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::connection::{Connection, Fault};

/// Numbers that look random enough (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }
}

fn domain(number: u64) -> String {
    format!("00000000-0000-0000-0000-{number:012x}")
}

fn records(key: &str, number: u64, more: &str) -> String {
    format!("GET /v1/domains/{}/records{more} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n", domain(number))
}

/// Asks over so many connections for so long; answers in a second, and how many of each status.
async fn measure(
    address: &str,
    connections: u64,
    seconds: u64,
    request: impl Fn(&mut Numbers) -> String + Send + Sync + 'static,
) -> Result<(u64, BTreeMap<u16, u64>), Fault> {
    let request = Arc::new(request);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for number in 0..connections {
        let mut connection = Connection::new(address).await?;
        let request = Arc::clone(&request);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ (number + 1) << 20);
        tasks.push(tokio::spawn(async move {
            let mut statuses = BTreeMap::new();
            while Instant::now() < until {
                connection.ask(&request(&mut numbers)).await?;
                *statuses.entry(connection.head().await?.0).or_insert(0u64) += 1;
            }
            Ok::<_, Fault>(statuses)
        }));
    }
    let mut all = BTreeMap::new();
    for task in tasks {
        for (status, count) in task.await?? {
            *all.entry(status).or_insert(0) += count;
        }
    }
    Ok((all.values().sum::<u64>() / seconds.max(1), all))
}

/// The tags of all domains' records.
async fn tags(address: &str, key: &str, count: u64) -> Result<Vec<String>, Fault> {
    let mut connection = Connection::new(address).await?;
    let mut tags = Vec::new();
    for number in 1..=count {
        connection.ask(&format!("{}\r\n", records(key, number, ""))).await?;
        let (status, tag) = connection.head().await?;
        if status != 200 {
            return Err(
                format!("{status} for {}: {}", domain(number), String::from_utf8_lossy(&connection.body)).into()
            );
        }
        tags.push(tag);
    }
    Ok(tags)
}

/// Processor time of a process, in ticks.
fn ticks(pid: &str) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// Waits until a process does nearly nothing any more.
async fn at_rest(pid: &str) {
    let mut before = ticks(pid);
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = ticks(pid);
        if now.zip(before).is_some_and(|(now, before)| now - before <= 2) {
            return;
        }
        before = now;
    }
}

/// Opens long polls and streams, says so, and reads from its input when the change was made, in nanoseconds since 1970.
async fn waiters(address: &str, count: u64, key: &str, pid: &str) -> Result<(), Fault> {
    let tags = tags(address, key, count).await?;
    let (woken, mut wakes) = mpsc::unbounded_channel();
    for (number, tag) in (1..=count).zip(&tags) {
        let mut poll = Connection::new(address).await?;
        poll.ask(&format!("{}if-none-match: {tag}\r\n\r\n", records(key, number, "?wait=30"))).await?;
        let told = woken.clone();
        tokio::spawn(async move {
            let status = poll.head().await.map(|head| head.0);
            let _ = told.send((SystemNow::now(), matches!(status, Ok(200))));
        });
        let mut stream = Connection::new(address).await?;
        let path = format!("GET /v1/domains/{}/events/stream HTTP/1.1\r\n", domain(number));
        stream.ask(&format!("{path}host: x\r\nauthorization: Bearer {key}\r\nlast-event-id: {tag}\r\n\r\n")).await?;
        let (status, _) = stream.head().await?;
        if status != 200 {
            return Err(format!("{status} for a stream").into());
        }
        let told = woken.clone();
        tokio::spawn(async move {
            let line = stream.line_of("id: ").await;
            let _ = told.send((SystemNow::now(), line.is_ok()));
        });
    }
    at_rest(pid).await;
    let early = wakes.len();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("?").trim().to_owned();
    println!("waiting {early} {resident}");
    let mut line = String::new();
    BufReader::new(tokio::io::stdin()).read_line(&mut line).await?;
    let changed: u128 = line.trim().parse()?;
    let (mut last, mut good) = (0, 0);
    for _ in 0..count * 2 {
        let (at, is_good) = wakes.recv().await.ok_or("the waiters are gone")?;
        last = last.max(at.0.saturating_sub(changed));
        good += u64::from(is_good);
    }
    println!("woken {good} {}", last / 1_000_000);
    Ok(())
}

/// Nanoseconds since 1970.
struct SystemNow(u128);

impl SystemNow {
    fn now() -> SystemNow {
        SystemNow(std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos()))
    }
}

async fn run(arguments: &[String]) -> Result<(), Fault> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (rate, statuses) = match *arguments.as_slice() {
        ["empty"] => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?);
            let router = axum::Router::new().route("/", axum::routing::get(|| async {}));
            return Ok(axum::serve(listener, router).await?);
        }
        ["waiters", address, count, key, pid] => return waiters(address, count.parse()?, key, pid).await,
        ["root", address, connections, seconds] => {
            let request = |_: &mut Numbers| "GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();
            measure(address, connections.parse()?, seconds.parse()?, request).await?
        }
        ["records", address, connections, seconds, key, domains] => {
            let (key, domains) = (key.to_owned(), domains.parse()?);
            let request = move |numbers: &mut Numbers| format!("{}\r\n", records(&key, numbers.next(domains) + 1, ""));
            measure(address, connections.parse()?, seconds.parse()?, request).await?
        }
        ["unchanged", address, connections, seconds, key, domains] => {
            let count: u64 = domains.parse()?;
            let tags = tags(address, key, count).await?;
            let with_tag = |(number, tag)| format!("{}if-none-match: {tag}\r\n\r\n", records(key, number, ""));
            let requests: Vec<String> = (1..=count).zip(&tags).map(with_tag).collect();
            let at = move |numbers: &mut Numbers| usize::try_from(numbers.next(count)).unwrap_or(0);
            let request = move |numbers: &mut Numbers| requests.get(at(numbers)).cloned().unwrap_or_default();
            measure(address, connections.parse()?, seconds.parse()?, request).await?
        }
        ["sends", address, connections, seconds, key, boxes] => {
            let (key, boxes, count) = (key.to_owned(), boxes.parse()?, AtomicU64::new(0));
            let begun = SystemNow::now().0;
            let request = move |numbers: &mut Numbers| {
                let id = format!("00000000-0000-0000-0001-{:012x}", numbers.next(boxes) + 1);
                let once = format!("{begun}-{}", count.fetch_add(1, Ordering::Relaxed));
                format!(
                    "POST /v1/mailboxes/{id}/sends HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
                     idempotency-key: {once}\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{{\"count\":1}}"
                )
            };
            measure(address, connections.parse()?, seconds.parse()?, request).await?
        }
        _ => return Err("see the head of benches/load/src/main.rs for what it takes".into()),
    };
    println!("{rate} {statuses:?}");
    Ok(())
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(fault) = run(&arguments).await {
        eprintln!("load: {fault}");
        std::process::exit(1);
    }
}
