//! Ten thousand domains against a real name server: every line answered, memory bounded.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::support::knot::Knot;

const DOMAINS: usize = 10_000;

/// The zone above, which the walk for a DMARC policy asks too.
const TOP: &str = "$TTL 60\n@ SOA ns1 h 1 3600 600 86400 30\n@ NS ns1\nns1 A 127.0.0.1\nexample NS ns1\n";

/// The most memory that the command may take, in KiB.
const RESIDENT_KIB_MAX: u64 = 200 * 1_024;

#[test]
fn ten_thousand_domains_are_all_answered() {
    let mut zone = String::from(
        "$TTL 60\n@ SOA ns1 h 1 3600 600 86400 30\n@ NS ns1\nns1 A 127.0.0.1\nmx1 A 192.0.2.25\n_dmarc TXT \"v=DMARC1; p=reject\"\n",
    );
    for number in 0..DOMAINS {
        zone.push_str(&format!("d{number} TXT \"v=spf1 -all\"\nd{number} MX 10 mx1\n"));
    }
    let knot = Knot::start(&[("test", TOP), ("example.test", &zone)]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_sendready"))
        .args([
            "check",
            "--file",
            "-",
            "--format",
            "json",
            "--concurrency",
            "64",
            // Neither the bound nor the count is about how busy this machine is.
            "--timeout",
            "15s",
            "--resolver",
            &knot.address.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for number in 0..DOMAINS {
            writeln!(stdin, "d{number}.example.test").unwrap();
        }
    });
    let mut seen = vec![false; DOMAINS];
    let mut resident = 0;
    for (count, line) in BufReader::new(child.stdout.take().unwrap()).lines().enumerate() {
        let report: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let domain = report["domain"].as_str().unwrap();
        let number: usize = domain.trim_start_matches('d').split('.').next().unwrap().parse().unwrap();
        assert!(!std::mem::replace(&mut seen[number], true), "{domain} is answered twice");
        assert_eq!(report["spf_valid"], true, "{domain}: {report:#}");
        if count % 500 == 0 {
            resident = resident.max(resident_kib(child.id()));
        }
    }
    writer.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "all is valid");
    assert!(seen.iter().all(|seen| *seen), "every domain is answered");
    assert!(resident > 0 && resident < RESIDENT_KIB_MAX, "{resident} KiB");
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}
