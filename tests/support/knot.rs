//! A real authoritative server: knotd, unprivileged, on loopback.
//!
//! ```text
//! let knot = Knot::start(&[("example.test", "@ SOA ns h 1 3600 600 86400 30\n@ NS ns\nns A 127.0.0.1\n")]);
//! knot.edit("example.test", &[&["zone-set", "@", "60", "TXT", "\"v=spf1 -all\""]]);   // text needs its own quotes
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Daemon, START_TIME_MAX, answers, free_port};

/// A running knotd; stops when dropped.
pub struct Knot {
    _daemon: Daemon,
    directory: tempfile::TempDir,
    /// Where it listens, UDP and TCP.
    pub address: SocketAddr,
}

impl Knot {
    /// Starts it with these zones, each its name and its master file, and waits until it serves.
    #[track_caller]
    pub fn start(zones: &[(&str, &str)]) -> Knot {
        Knot::start_with(here(), zones, "")
    }

    /// The same at a given address: the servers of one zone share a port and differ in their addresses.
    #[track_caller]
    pub fn start_at(address: SocketAddr, zones: &[(&str, &str)]) -> Knot {
        Knot::start_with(address, zones, "")
    }

    /// The same, each zone signed with a key of its own.
    #[track_caller]
    pub fn start_signed(zones: &[(&str, &str)]) -> Knot {
        Knot::start_with(here(), zones, "    dnssec-signing: on\n")
    }

    #[track_caller]
    fn start_with(address: SocketAddr, zones: &[(&str, &str)], options: &str) -> Knot {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (ip, port) = (address.ip(), address.port());
        let mut configuration = format!(
            "server:\n  rundir: \"{0}\"\n  listen: \"{ip}@{port}\"\n  udp-workers: 1\n  tcp-workers: 1\n  \
             background-workers: 1\nlog:\n  - target: stderr\n    any: info\ndatabase:\n  storage: \"{0}\"\ntemplate:\n  - id: default\n    \
             storage: \"{0}\"\n    file: \"%s.zone\"\n    zonefile-sync: -1\n    zonefile-load: difference\n    \
             journal-content: changes\n{options}zone:\n",
            path.display()
        );
        for (zone, text) in zones {
            // The root is `.`, and no folder has a file of such a name.
            let origin = if *zone == "." { ".".to_owned() } else { format!("{zone}.") };
            let file = if *zone == "." { "root" } else { zone };
            fs::write(path.join(format!("{file}.zone")), format!("$ORIGIN {origin}\n$TTL 60\n{text}")).unwrap();
            configuration += &format!("  - domain: {zone}\n    file: \"{file}.zone\"\n");
        }
        fs::write(path.join("knot.conf"), configuration).unwrap();
        let file = path.join("knot.conf");
        let mut daemon = Daemon::start("/usr/sbin/knotd", "knot", path, &["-c", file.to_str().unwrap()]);
        let begin = Instant::now();
        // The control socket is there before the port is.
        while !(answers(address) && zones.iter().all(|(zone, _)| control(path, &["zone-read", zone, "@", "SOA"]))) {
            daemon.check(path);
            assert!(begin.elapsed() < START_TIME_MAX, "knotd does not serve {zones:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Knot { _daemon: daemon, directory, address }
    }

    /// The DS record (RFC 4034 §5) of a signed zone, as a master file writes it.
    #[track_caller]
    pub fn ds(&self, zone: &str) -> String {
        let mut command = Command::new("/usr/sbin/keymgr");
        let output =
            command.arg("-c").arg(self.directory.path().join("knot.conf")).args([zone, "ds"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().unwrap_or_else(|| panic!("{zone} has no key: {output:?}")).to_owned()
    }

    /// Changes a live zone at once: each operation is knotc's command and what follows the zone's name.
    #[track_caller]
    pub fn edit(&self, zone: &str, operations: &[&[&str]]) {
        let path = self.directory.path();
        assert!(control(path, &["zone-begin", zone]), "no transaction on {zone}");
        for operation in operations {
            let (command, rest) = operation.split_first().unwrap();
            let arguments: Vec<&str> = [*command, zone].into_iter().chain(rest.iter().copied()).collect();
            assert!(control(path, &arguments), "{arguments:?} failed");
        }
        assert!(control(path, &["zone-commit", zone]), "{zone} was not changed");
    }
}

/// An address of our own that nobody listens on.
fn here() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}

fn control(directory: &std::path::Path, arguments: &[&str]) -> bool {
    let mut command = Command::new("/usr/sbin/knotc");
    command.arg("-s").arg(directory.join("knot.sock")).args(["-b"]).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}
