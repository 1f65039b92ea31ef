//! A real recursive server: unbound, unprivileged, on loopback, that asks given servers for given zones.
//!
//! ```text
//! let unbound = Unbound::start(&["example.test"], knot.address);
//! unbound.flush("example.test");                                       // forgets, "no" included
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Daemon, free_port};

/// How long a start may take, on a busy machine.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// A running unbound; stops when dropped.
pub struct Unbound {
    _daemon: Daemon,
    directory: tempfile::TempDir,
    /// Where it listens, UDP and TCP.
    pub address: SocketAddr,
}

impl Unbound {
    /// Starts it so that it asks `authority` about `zones`, and waits until it answers.
    #[track_caller]
    pub fn start(zones: &[&str], authority: SocketAddr) -> Unbound {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let port = free_port();
        let mut configuration = format!(
            "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{0}\"\n \
             pidfile: \"\"\n use-syslog: no\n num-threads: 1\n module-config: \"iterator\"\n do-not-query-localhost: no\n \
             local-zone: \"test.\" nodefault\nremote-control:\n control-enable: yes\n control-interface: {0}/control\n \
             control-use-cert: no\n",
            path.display()
        );
        for zone in zones {
            configuration +=
                &format!("stub-zone:\n name: \"{zone}\"\n stub-addr: {}@{}\n", authority.ip(), authority.port());
        }
        fs::write(path.join("unbound.conf"), configuration).unwrap();
        let file = path.join("unbound.conf");
        let mut daemon = Daemon::start("/usr/sbin/unbound", "unbound", path, &["-c", file.to_str().unwrap()]);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let begin = Instant::now();
        while !answers(address) {
            daemon.check(path);
            assert!(begin.elapsed() < START_TIME_MAX, "unbound does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Unbound { _daemon: daemon, directory, address }
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

/// Whether anything comes back from there: a question for the root's NS without RD, which nobody is asked about.
fn answers(address: SocketAddr) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let question = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    socket.send_to(&question, address).is_ok() && socket.recv_from(&mut [0; 512]).is_ok()
}
