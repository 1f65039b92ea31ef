//! What several test modules stand on: servers of our own, and real ones.

pub mod browser;
pub mod dns_server;
pub mod knot;
pub mod postgres;
pub mod process;
pub mod receiver;
pub mod shown;
pub mod unbound;
pub mod vantages;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

/// The user and group `nobody`, for servers that refuse to run as root or should not.
const NOBODY: u32 = 65_534;

/// How long a server's start may take, on a busy machine.
const START_TIME_MAX: Duration = Duration::from_secs(30);

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

    /// Stops it where it stands: it answers nothing, and keeps what it has.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
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
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Whether anything comes back from there: a question for the root's NS without RD, which nobody is asked about.
fn answers(address: SocketAddr) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let question = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    socket.send_to(&question, address).is_ok() && socket.recv_from(&mut [0; 512]).is_ok()
}
