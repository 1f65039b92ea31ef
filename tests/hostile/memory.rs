//! How much memory a check takes from somebody who wants it to take much.
//!
//! Measured from outside, as the operator sees it: the most memory that the binary ever held while it made so many hostile
//! checks at once, beyond what it held for a single harmless one, for each check. It counts all that a check causes:
//! messages, evidence, judging, the report and what the allocator does not give back.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sendready::verify::evidence::{Question, RecordData, RecordType, Txt};

use super::worlds::{everything, found, long, text};
use crate::support::dns_server::{DnsServer, Scripted};

/// How many checks are made at once.
const CHECK_COUNT: usize = 40;

/// The most memory of one check, in KiB.
const CHECK_KIB_MAX: u64 = 2 * 1_024;

#[test]
fn a_check_takes_less_than_2_mib() {
    let idle = peak_kib(&DnsServer::zones(""), 1);
    let worlds = [
        ("58 KB of terms", DnsServer::script(terms)),
        ("1,000 records everywhere", DnsServer::script(records)),
        ("the worst to every question", DnsServer::script(everything)),
    ];
    for (why, server) in worlds {
        let peak = peak_kib(&server, CHECK_COUNT);
        let each = peak.saturating_sub(idle) / CHECK_COUNT as u64;
        eprintln!("{why}: {each} KiB a check; {peak} KiB for {CHECK_COUNT}, {idle} KiB for none");
        assert!(each <= CHECK_KIB_MAX, "{why}: {each} KiB a check");
    }
}

fn terms(question: &Question) -> Scripted {
    match question.record_type {
        RecordType::Txt => found(question, vec![text(&long("v=spf1", " ip6:::"))]),
        _ => records(question),
    }
}

fn records(question: &Question) -> Scripted {
    let record = |n: u16| match question.record_type {
        RecordType::Txt => RecordData::Txt(Txt::of(format!("v=spf1 a:{n}.test"))),
        RecordType::Mx => super::worlds::mx(n, &format!("{n}.test")),
        RecordType::A => RecordData::A(std::net::Ipv4Addr::from(0xc000_0200 + u32::from(n))),
        _ => RecordData::Ns(super::name(&format!("{n}.test"))),
    };
    match question.record_type {
        RecordType::Txt | RecordType::Mx | RecordType::A | RecordType::Ns => {
            found(question, (0..1_000).map(record).collect())
        }
        _ => Scripted::Drop,
    }
}

/// The most memory that the binary held while it checked so many domains at once, in KiB.
fn peak_kib(server: &DnsServer, count: usize) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sendready"))
        .args(["check", "--file", "-", "--format", "json", "--dkim", "s1", "--timeout", "20s", "--concurrency"])
        .args([&count.to_string(), "--resolver", &server.address().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let domains: String = (0..count).map(|n| format!("d{n}.example.test\n")).collect();
    child.stdin.take().unwrap().write_all(domains.as_bytes()).unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(high_water_kib(Path::new(&status)).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(peak > 0, "nothing was measured");
    peak
}

/// `VmHWM`: what the system says was the most that a process held.
fn high_water_kib(status: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
