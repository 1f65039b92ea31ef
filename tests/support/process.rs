//! The binary itself, as people run it.
//!
//! ```text
//! let folder = tempfile::tempdir().unwrap();
//! let mut serve = Serve::start(folder.path(), "sqlite:test.db", &["--resolver", "127.0.0.1:5353"], &[("SENDREADY_CHECKS__MIN_INTERVAL", "1s")]);
//! let (status, body) = serve.api("GET", "/v1/tiers", None).await;
//! serve.kill();                                   // SIGKILL, and what it held is gone with it
//! ```

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

/// How long the binary may take to listen, or to stop, on a busy machine. What users are promised is measured elsewhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `sendready serve`. Killed when dropped.
pub struct Serve {
    child: Child,
    client: reqwest::Client,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: String,
    /// The operator's key: what this start printed, or what an earlier one did.
    pub key: String,
    /// Whether this start printed a key.
    pub printed_key: bool,
}

impl Serve {
    /// Starts the binary in `folder` on a free port and waits until it listens.
    #[track_caller]
    pub fn start(folder: &Path, database: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Serve {
        Serve::start_as(Command::new(env!("CARGO_BIN_EXE_sendready")), folder, database, arguments, settings)
    }

    /// The same, but a write past the limit of a file's size fails, as on a full disk, and does not end the process.
    #[track_caller]
    pub fn start_on_a_bounded_disk(
        folder: &Path,
        database: &str,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> Serve {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_sendready")]);
        Serve::start_as(shell, folder, database, arguments, settings)
    }

    #[track_caller]
    fn start_as(
        mut command: Command,
        folder: &Path,
        database: &str,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> Serve {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--database-url", database])
            .args(arguments)
            .envs(settings.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::options().create(true).append(true).open(folder.join("serve.log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap_or_else(|| panic!("the process ended: {}", log(folder))).unwrap();
        let url = url.strip_prefix("listening on ").unwrap_or_else(|| panic!("it says `{url}`")).to_owned();
        let key_file = folder.join("key");
        // A key is printed straight behind the address or not at all; the log's first line comes after both.
        let printed = if key_file.exists() { None } else { lines.next().map(|line| line.unwrap()) };
        let key = match &printed {
            Some(line) => {
                let key = line.strip_prefix("operator key: ").unwrap_or_else(|| panic!("it says `{line}`")).to_owned();
                std::fs::write(&key_file, &key).unwrap();
                key
            }
            None => std::fs::read_to_string(&key_file).unwrap(),
        };
        // The pipe is read to its end, or the process would stand still at a full one.
        std::thread::spawn(move || lines.for_each(drop));
        // Whoever asks in plain HTTP needs one all the same; a second time it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Serve { child, client, url, key, printed_key: printed.is_some() }
    }

    /// One request with the operator's key: status and JSON (null where the body is none).
    #[track_caller]
    pub fn api(&self, method: &str, path: &str, body: Option<Value>) -> impl Future<Output = (u16, Value)> {
        self.api_as(&self.key, method, path, body)
    }

    /// The same with another key.
    #[track_caller]
    pub fn api_as(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> impl Future<Output = (u16, Value)> + use<> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        async move {
            let response = request.send().await.expect("the service answers");
            let status = response.status().as_u16();
            (status, response.json().await.unwrap_or(Value::Null))
        }
    }

    /// Asks again and again until `done` likes the answer.
    pub async fn until(&self, path: &str, what: &str, done: impl Fn(u16, &Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let (status, body) = self.api("GET", path, None).await;
            if done(status, &body) {
                return body;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} did not come about: {status} {body:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// From now on no file can be written past so many octets; nothing: as far as the disk goes.
    pub fn bound_files(&self, octets: Option<u64>) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let limit = Rlimit { current: octets, maximum: None };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    }

    /// Resident memory, in KiB, as the kernel counts it.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// What of it is no file's, the program's own among them, in KiB.
    pub fn anonymous_kib(&self) -> u64 {
        self.memory_kib("RssAnon:")
    }

    fn memory_kib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("serve.log")).unwrap_or_default()
}
