//! Lines of the log, handed to a thread that writes them: whoever answers a request does not wait for a disk.
//!
//! The lines of a few milliseconds go out in one write, so that a thousand requests cost a few writes. None is dropped:
//! when too many wait, whoever logs waits with them, as if he wrote himself.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How many octets wait to be written until whoever logs waits, too.
const WAITING_OCTETS_MAX: usize = 1 << 20;

/// How long more lines are waited for, once there is one.
const GATHERED: Duration = Duration::from_millis(10);

/// Where lines are put. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when there are lines again, and at the end.
    filled: Condvar,
    /// Told when what waited has been taken.
    taken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Whether the thread waits to be told.
    is_resting: bool,
    /// Whether nobody writes any more.
    is_ended: bool,
}

/// The thread that writes. All that was logged is written when this is dropped; what is logged later goes out at once.
#[derive(Debug)]
pub(super) struct Writing {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// The way of one line.
#[derive(Debug)]
pub(super) struct Line<'l> {
    shared: &'l Shared,
}

impl Lines {
    /// Starts the thread that writes them out; lines that cannot be written are lost.
    pub(super) fn written_to(out: impl Write + Send + 'static) -> io::Result<(Lines, Writing)> {
        let lines = Lines::default();
        let shared = Arc::clone(&lines.shared);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all_to(out))?;
        let writing = Writing { shared: Arc::clone(&lines.shared), thread: Some(thread) };
        Ok((lines, writing))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the end.
    fn write_all_to(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() {
                if state.is_ended {
                    return;
                }
                state.is_resting = true;
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.is_resting = false;
            }
            if !state.is_ended && state.waiting.len() < WAITING_OCTETS_MAX {
                drop(state);
                std::thread::sleep(GATHERED);
                state = self.lock();
            }
            std::mem::swap(&mut state.waiting, &mut lines);
            drop(state);
            self.taken.notify_all();
            // Nobody could be told of a fault: it would have to be logged.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
        }
    }

    fn put(&self, line: &[u8]) {
        let mut state = self.lock();
        while state.waiting.len() >= WAITING_OCTETS_MAX && !state.is_ended {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_ended {
            drop(state);
            let _ = io::stderr().write_all(line);
            return;
        }
        state.waiting.extend_from_slice(line);
        let is_resting = state.is_resting;
        drop(state);
        if is_resting {
            self.filled.notify_one();
        }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.shared.put(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = Line<'l>;

    fn make_writer(&'l self) -> Line<'l> {
        Line { shared: &self.shared }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.shared.lock().is_ended = true;
        self.shared.filled.notify_one();
        self.shared.taken.notify_all();
        if let Some(thread) = self.thread.take() {
            // It ends with what it has; a panic of its own has been logged.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands on each write as it comes.
    struct Seen(mpsc::SyncSender<Vec<u8>>);

    impl Write for Seen {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.send(octets.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_goes_out_by_itself_and_all_lines_at_the_end_in_their_order() {
        let (sender, seen) = mpsc::sync_channel(100_000);
        let (lines, writing) = Lines::written_to(Seen(sender)).unwrap();
        lines.make_writer().write_all(b"first\n").unwrap();
        assert_eq!(seen.recv().unwrap(), b"first\n", "though nothing ends");
        for number in 0..10_000 {
            lines.make_writer().write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        drop(writing);
        let writes: Vec<Vec<u8>> = seen.iter().collect();
        let wanted: String = (0..10_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(writes.concat()).unwrap(), wanted);
        assert!(writes.len() < 5_000, "{} writes for 10,000 lines", writes.len());
    }

    #[test]
    fn whoever_logs_too_much_waits_and_nothing_is_lost() {
        // Nobody takes a write until all lines are logged, or wait.
        let (sender, seen) = mpsc::sync_channel(0);
        let (lines, writing) = Lines::written_to(Seen(sender)).unwrap();
        let logging = std::thread::spawn(move || {
            let line = [b'x'; 1_000];
            for _ in 0..5_000 {
                lines.make_writer().write_all(&line).unwrap();
            }
        });
        let mut octets = 0;
        let mut most = 0;
        while octets < 5_000_000 {
            let write = seen.recv().unwrap();
            octets += write.len();
            most = most.max(write.len());
        }
        assert_eq!(octets, 5_000_000);
        assert!(most <= WAITING_OCTETS_MAX + 1_000, "{most} octets waited");
        logging.join().unwrap();
        drop(writing);
    }
}
