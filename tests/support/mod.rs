//! What several test modules stand on: servers of our own, and real ones.

pub mod dns_server;
pub mod knot;
pub mod process;
pub mod shown;
pub mod unbound;

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The user and group `nobody`, for servers that refuse to run as root or should not.
const NOBODY: u32 = 65_534;

/// A child process that is killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts `program`, which Debian has in `package`, in `directory`. Under root it runs as nobody, who gets the directory.
    #[track_caller]
    pub fn start(program: &str, package: &str, directory: &Path, arguments: &[&str]) -> Daemon {
        assert!(Path::new(program).exists(), "{program} is missing; install the Debian package `{package}`");
        let mut command = Command::new(program);
        let log = fs::File::create(directory.join("log")).unwrap();
        command.current_dir(directory).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
            for entry in fs::read_dir(directory).unwrap() {
                chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
            }
            chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Daemon { child: command.spawn().unwrap() }
    }

    /// Panics with the log if the process has ended.
    #[track_caller]
    pub fn check(&mut self, directory: &Path) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the server ended with {status}: {}", fs::read_to_string(directory.join("log")).unwrap_or_default());
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Nothing it holds is worth a slow end: its directory goes with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback port that is free for both UDP and TCP now; somebody else may still take it.
pub fn free_port() -> u16 {
    loop {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
