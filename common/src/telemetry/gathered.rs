//! Log lines gathered for a moment and written together by a thread of their own: a system call a line would cost a busy
//! process more than the line itself, and a slow reader of the log must not stop the work at every line.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// How long lines gather.
const GATHER: Duration = Duration::from_millis(25);
/// How soon a target that had no room is asked again.
const AGAIN: Duration = Duration::from_millis(5);
/// Bytes that may wait; who logs more waits for the thread, as he would for the system call.
const MOST: usize = 1024 * 1024;
/// How long a flush waits at most.
const FLUSH: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    // All bytes since the beginning: those that were pushed, and those of them that the target has, or that it refused.
    pushed: u64,
    written: u64,
}

/// Where lines gather.
#[derive(Default)]
pub(super) struct Lines {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

static LINES: OnceLock<Arc<Lines>> = OnceLock::new();

/// The process's lines to standard error; starts the thread that writes them.
///
/// # Errors
/// If the thread can't be started.
pub(super) fn to_stderr() -> io::Result<Arc<Lines>> {
    if let Some(lines) = LINES.get() {
        return Ok(lines.clone());
    }
    let lines = Arc::new(Lines::default());
    let own = lines.clone();
    thread::Builder::new().name("log".to_owned()).spawn(move || own.write_to(&mut io::stderr()))?;
    Ok(LINES.get_or_init(|| lines).clone())
}

/// Waits until the lines that this process has logged so far are written, at most two seconds.
pub(super) fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, target: &mut impl Write) {
        let mut batch = Vec::new();
        loop {
            drop(self.changed.wait_while(self.lock(), |waiting| waiting.bytes.is_empty()));
            thread::sleep(GATHER);
            std::mem::swap(&mut self.lock().bytes, &mut batch);
            // Those who wait for room have it.
            self.changed.notify_all();
            write_whole(target, &batch);
            self.lock().written += size(&batch);
            self.changed.notify_all();
            batch.clear();
        }
    }

    fn flush(&self) {
        let waiting = self.lock();
        // Not until nothing waits: others may go on logging.
        let upto = waiting.pushed;
        drop(self.changed.wait_timeout_while(waiting, FLUSH, |waiting| waiting.written < upto));
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        while waiting.bytes.len() > MOST {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        waiting.pushed += size(line);
        if first {
            self.changed.notify_all();
        }
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Writes all of it, however often the target must be asked. What it refuses is lost: nobody is left to tell that the log can't be written.
fn write_whole(target: &mut impl Write, batch: &[u8]) {
    let mut rest = batch;
    while !rest.is_empty() {
        match target.write(rest) {
            Ok(0) => return,
            Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A pipe that is full and does not block its writer.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(AGAIN),
            Err(_) => return,
        }
    }
    let _ = target.flush();
}

/// One line's writer.
pub(super) struct LineWriter<'a>(&'a Lines);

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For the subscriber.
pub(super) struct Gathered(pub Arc<Lines>);

impl<'a> MakeWriter<'a> for Gathered {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{
            atomic::{AtomicBool, Ordering},
            mpsc::{self, Receiver, RecvTimeoutError, Sender},
        },
        time::Instant,
    };

    use super::*;

    /// How long something may take that must happen.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// How long is looked at what must not happen.
    const MOMENT: Duration = Duration::from_millis(100);

    /// Takes what is written, after these outcomes: errors, or only so many bytes.
    #[derive(Clone, Default)]
    struct Target {
        taken: Arc<Mutex<Vec<u8>>>,
        outcomes: Arc<Mutex<VecDeque<io::Result<usize>>>>,
    }

    impl Target {
        fn that(outcomes: impl IntoIterator<Item = io::Result<usize>>) -> Self {
            Self { outcomes: Arc::new(Mutex::new(outcomes.into_iter().collect())), ..Self::default() }
        }

        fn text(&self) -> String {
            String::from_utf8(self.taken.lock().expect("not poisoned").clone()).expect("UTF-8")
        }

        /// Lines that a thread writes here.
        fn lines(&self) -> Arc<Lines> {
            let lines = Arc::new(Lines::default());
            let (own, mut out) = (lines.clone(), self.clone());
            thread::spawn(move || own.write_to(&mut out));
            lines
        }
    }

    impl Write for Target {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let outcome = self.outcomes.lock().expect("not poisoned").pop_front();
            let size = outcome.unwrap_or(Ok(bytes.len()))?.min(bytes.len());
            self.taken.lock().expect("not poisoned").extend_from_slice(&bytes[..size]);
            Ok(size)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Takes something only after it was let.
    struct Slow {
        target: Target,
        let_on: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Disconnected: nobody holds it up any more.
            let _ = self.let_on.recv();
            self.target.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Does it in a thread of its own, and tells when it is done.
    fn begin(work: impl FnOnce() + Send + 'static) -> Receiver<()> {
        let (done, told): (Sender<()>, Receiver<()>) = mpsc::channel();
        thread::spawn(move || {
            work();
            let _ = done.send(());
        });
        told
    }

    #[test]
    fn lines_of_many_threads_arrive_whole_and_a_flush_waits_for_them() {
        let target = Target::default();
        let lines = target.lines();
        thread::scope(|scope| {
            for n in 0..4 {
                let lines = &lines;
                scope.spawn(move || {
                    (0..500).for_each(|_| LineWriter(lines).write_all(format!("line of {n}\n").as_bytes()).expect("it is taken"))
                });
            }
        });
        lines.flush();
        let written = target.text();
        assert_eq!(written.lines().count(), 2000);
        for n in 0..4 {
            assert_eq!(written.lines().filter(|line| *line == format!("line of {n}")).count(), 500);
        }
    }

    #[test]
    fn one_who_logs_past_the_bound_waits_for_the_writer() {
        let (lines, target) = (Arc::new(Lines::default()), Target::default());
        lines.push(&vec![b'x'; MOST + 1]);
        let own = lines.clone();
        let pushed = begin(move || own.push(b"end"));
        assert_eq!(pushed.recv_timeout(MOMENT), Err(RecvTimeoutError::Timeout), "there is no room");
        let (own, mut out) = (lines.clone(), target.clone());
        thread::spawn(move || own.write_to(&mut out));
        assert_eq!(pushed.recv_timeout(PATIENCE), Ok(()), "there is room");
        lines.flush();
        let written = target.text();
        assert_eq!((written.len(), written.ends_with("xend")), (MOST + 4, true));
    }

    #[test]
    fn a_flush_waits_for_what_a_slow_target_is_at() {
        let (target, lines) = (Target::default(), Arc::new(Lines::default()));
        let (let_on, held) = mpsc::channel();
        let (own, mut slow) = (lines.clone(), Slow { target: target.clone(), let_on: held });
        thread::spawn(move || own.write_to(&mut slow));
        lines.push(b"first\n");
        let own = lines.clone();
        let flushed = begin(move || own.flush());
        assert_eq!(flushed.recv_timeout(MOMENT), Err(RecvTimeoutError::Timeout), "nothing is written yet");
        assert_eq!(target.text(), "");
        let_on.send(()).expect("the writer is there");
        assert_eq!(flushed.recv_timeout(PATIENCE), Ok(()));
        assert_eq!(target.text(), "first\n");
    }

    #[test]
    fn a_flush_waits_for_what_was_there_and_not_for_those_who_go_on_logging() {
        let target = Target::default();
        let lines = target.lines();
        let (stop, own) = (Arc::new(AtomicBool::new(false)), lines.clone());
        let stopped = stop.clone();
        let others = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                own.push(b"noise\n");
                thread::sleep(Duration::from_micros(50));
            }
        });
        lines.push(b"mine\n");
        let began = Instant::now();
        lines.flush();
        let (took, written) = (began.elapsed(), target.text());
        stop.store(true, Ordering::Relaxed);
        others.join().expect("it does not panic");
        assert!(written.lines().any(|line| line == "mine"), "{written}");
        assert!(took < FLUSH / 2, "it took {took:?}");
    }

    #[test]
    fn a_target_that_is_full_for_a_while_loses_nothing() {
        let for_now = |kind: io::ErrorKind| Err(io::Error::from(kind));
        let target = Target::that([
            for_now(io::ErrorKind::WouldBlock),
            Ok(3),
            for_now(io::ErrorKind::Interrupted),
            Ok(1),
            for_now(io::ErrorKind::WouldBlock),
            for_now(io::ErrorKind::WouldBlock),
        ]);
        let lines = target.lines();
        lines.push(b"first\nsecond\n");
        lines.flush();
        assert_eq!(target.text(), "first\nsecond\n");
    }

    #[test]
    fn a_target_that_refuses_a_batch_is_asked_again_with_the_next() {
        let target = Target::that([Err(io::Error::from(io::ErrorKind::StorageFull)), Ok(0)]);
        let lines = target.lines();
        for (line, written) in [("lost\n", ""), ("lost too\n", ""), ("kept\n", "kept\n")] {
            lines.push(line.as_bytes());
            let began = Instant::now();
            lines.flush();
            assert!(began.elapsed() < FLUSH, "a flush does not wait for what is lost");
            assert_eq!(target.text(), written);
        }
    }
}
