//! A real recursive server: unbound, unprivileged, on loopback, that asks given servers for given zones.
//!
//! ```text
//! let unbound = Unbound::start(&["example.test"], knot.address);
//! unbound.flush("example.test");                                       // forgets, "no" included
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Daemon, START_TIME_MAX, answers, free_port};

/// A running unbound; stops when dropped.
pub struct Unbound {
    daemon: Option<Daemon>,
    directory: tempfile::TempDir,
    /// Where it listens, UDP and TCP.
    pub address: SocketAddr,
}

impl Unbound {
    /// Starts it so that it asks `authority` about `zones`, and waits until it answers.
    #[track_caller]
    pub fn start(zones: &[&str], authority: SocketAddr) -> Unbound {
        Unbound::start_with(zones, authority, " module-config: \"iterator\"\n")
    }

    /// The same, but it expects a key (RFC 4509) that no server of these zones has: all it learns is bogus.
    #[track_caller]
    pub fn start_distrusting(zones: &[&str], authority: SocketAddr) -> Unbound {
        let digest = "1234567890abcdef".repeat(4);
        let anchors = zones.iter().map(|zone| format!(" trust-anchor: \"{zone}. DS 12345 13 2 {digest}\"\n"));
        let options = format!(" module-config: \"validator iterator\"\n ede: yes\n{}", anchors.collect::<String>());
        Unbound::start_with(zones, authority, &options)
    }

    /// The same, but it checks the signatures of the one zone against this DS record.
    #[track_caller]
    pub fn start_trusting(zone: &str, ds: &str, authority: SocketAddr) -> Unbound {
        let options = format!(" module-config: \"validator iterator\"\n ede: yes\n trust-anchor: \"{ds}\"\n");
        Unbound::start_with(&[zone], authority, &options)
    }

    #[track_caller]
    fn start_with(zones: &[&str], authority: SocketAddr, options: &str) -> Unbound {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let port = free_port();
        let mut configuration = format!(
            "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{0}\"\n \
             pidfile: \"\"\n use-syslog: no\n num-threads: 1\n do-not-query-localhost: no\n \
             local-zone: \"test.\" nodefault\n{options}remote-control:\n control-enable: yes\n control-interface: {0}/control\n \
             control-use-cert: no\n",
            path.display()
        );
        for zone in zones {
            configuration +=
                &format!("stub-zone:\n name: \"{zone}\"\n stub-addr: {}@{}\n", authority.ip(), authority.port());
        }
        fs::write(path.join("unbound.conf"), configuration).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Unbound { daemon: Some(run(path, address)), directory, address }
    }

    /// Ends it: nobody is at its port any more.
    pub fn stop(&mut self) {
        self.daemon = None;
    }

    /// Starts it again where it was, with nothing in its memory.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.daemon = Some(run(self.directory.path(), self.address));
    }

    /// Answers nothing from now on, as a resolver does that hangs.
    pub fn pause(&self) {
        self.daemon.iter().for_each(Daemon::pause);
    }

    /// Answers again.
    pub fn resume(&self) {
        self.daemon.iter().for_each(Daemon::resume);
    }

    /// Makes it forget all it knows about `zone`.
    #[track_caller]
    pub fn flush(&self, zone: &str) {
        let mut command = Command::new("/usr/sbin/unbound-control");
        command.arg("-c").arg(self.directory.path().join("unbound.conf")).args(["flush_zone", zone]);
        assert!(
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success(),
            "{zone} is not flushed"
        );
    }
}

/// Starts it with the configuration in `path`, and waits until it answers.
#[track_caller]
fn run(path: &Path, address: SocketAddr) -> Daemon {
    let file = path.join("unbound.conf");
    let mut daemon = Daemon::start("/usr/sbin/unbound", "unbound", path, &["-c", file.to_str().unwrap()]);
    let begin = Instant::now();
    while !answers(address) {
        daemon.check(path);
        assert!(begin.elapsed() < START_TIME_MAX, "unbound does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon
}
