//! Has a workbook read by a process of its own, and says what came of it: whatever becomes of that process becomes of nobody else.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use datagenie_common::model::questions::{Failure, FailureCode};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::messages::{Line, Order, Read, Refusal};

/// Bytes that a reader may say in all: its lines of progress, and what it found. All of it may be in memory at once.
const LONGEST_ANSWER: u64 = 16 * 1_048_576;
/// Between two words about progress.
const BETWEEN: Duration = Duration::from_millis(100);
/// Bytes of its complaints that are looked at.
const LONGEST_COMPLAINT: u64 = 4 * 1024;

/// Why a workbook was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The workbook is refused, or breaks whoever reads it: final.
    #[error("{}", .0.message)]
    Refused(Failure),
    /// The reading process was killed by somebody else, most likely for the machine's memory.
    #[error("the process that read the workbook was killed")]
    Killed,
    /// Our own files or processes failed.
    #[error("a workbook can't be read here")]
    Io(#[from] io::Error),
    /// The reading process failed without a fault of the workbook's.
    #[error("the process that read the workbook failed: {0}")]
    Failed(String),
    /// The attempt must stop.
    #[error("the reading was stopped")]
    Stopped,
}

/// Starts reading processes, so many at once.
#[derive(Debug)]
pub struct Reader {
    program: PathBuf,
    memory_mb: u64,
    seconds: u64,
    places: Semaphore,
}

impl Reader {
    /// Processes of this program, so many at once, each with so many MiB of memory and seconds.
    #[must_use]
    pub fn new(program: PathBuf, memory_mb: u64, seconds: u64, at_once: usize) -> Self {
        Self { program, memory_mb, seconds, places: Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)) }
    }

    /// A place among those that read at once.
    ///
    /// # Errors
    /// [`ReaderError::Stopped`].
    pub async fn place(&self, stop: &CancellationToken) -> Result<SemaphorePermit<'_>, ReaderError> {
        // Nobody closes it.
        stop.run_until_cancelled(self.places.acquire()).await.and_then(Result::ok).ok_or(ReaderError::Stopped)
    }

    /// Reads a workbook in a process of its own, which works in `folder`. `progress` is told of rows.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn read(
        &self,
        folder: &Path,
        order: &Order,
        stop: &CancellationToken,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Read, ReaderError> {
        let began = Instant::now();
        let mut child = self.command(folder).spawn()?;
        tracing::info!(pid = child.id(), "a process reads a workbook");
        let heard = tokio::select! {
            heard = timeout(Duration::from_secs(self.seconds), hear(&mut child, order, progress)) => heard.ok(),
            () = stop.cancelled() => {
                end(&mut child).await;
                self.note("stopped", began);
                return Err(ReaderError::Stopped);
            }
        };
        let result = match heard {
            Some(heard) => match heard {
                Ok(heard) => self.judge(heard),
                Err(error) => {
                    end(&mut child).await;
                    Err(ReaderError::Io(error))
                }
            },
            None => {
                end(&mut child).await;
                Err(self.too_slow())
            }
        };
        self.note(outcome(&result), began);
        result
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0("datagenie-worker").arg("read-workbook");
        command.args(["--memory-mb", &self.memory_mb.to_string(), "--seconds", &self.seconds.to_string()]);
        // The worker's environment holds its secrets. One heap for all threads: each of its own would take address space that is counted.
        command.env_clear().env("MALLOC_ARENA_MAX", "1");
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn note(&self, outcome: &'static str, began: Instant) {
        metrics::counter!("datagenie_workbook_reads_total", "outcome" => outcome).increment(1);
        metrics::histogram!("datagenie_workbook_read_seconds").record(began.elapsed().as_secs_f64());
        tracing::info!(outcome, elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), "a workbook's reader ended");
    }

    fn judge(&self, heard: Heard) -> Result<Read, ReaderError> {
        match heard.end {
            Some(Ok(read)) if heard.status.success() => return Ok(read),
            Some(Err(Refusal { is_full: true, .. })) => return Err(ReaderError::Io(io::ErrorKind::StorageFull.into())),
            Some(Err(Refusal { code: FailureCode::Internal, message, .. })) => return Err(ReaderError::Failed(message)),
            Some(Err(Refusal { code, message, .. })) => return Err(ReaderError::Refused(Failure::new(code, message))),
            Some(Ok(_)) | None => {}
        }
        if heard.is_cut {
            return Err(too_large("the workbook is too large: it has too many columns to be described"));
        }
        tracing::warn!(status = %heard.status, complaint = %heard.complaint, "a workbook's reader broke");
        match heard.status.signal() {
            Some(libc::SIGKILL) => Err(ReaderError::Killed),
            Some(libc::SIGXCPU) => Err(self.too_slow()),
            Some(libc::SIGXFSZ) => Err(too_large("the workbook is too large: its tables take more room than they may")),
            Some(_) if heard.complaint.contains("memory allocation") => Err(self.too_much_memory()),
            Some(_) => {
                Err(ReaderError::Refused(Failure::new(FailureCode::WorkbookCorrupt, "the workbook is damaged: whatever reads it breaks")))
            }
            None => Err(ReaderError::Failed(format!("it ended with {} and said nothing", heard.status))),
        }
    }

    fn too_much_memory(&self) -> ReaderError {
        let limit = self.memory_mb;
        too_large(&format!("the workbook is too large: reading it takes more than {limit} MiB of memory"))
    }

    fn too_slow(&self) -> ReaderError {
        too_large(&format!("the workbook is too large: reading it takes longer than {} s", self.seconds))
    }
}

fn too_large(message: &str) -> ReaderError {
    let hint =
        "split it, or take out sheets that are not needed; an administrator can raise files.reader_memory_mb and files.reader_seconds";
    ReaderError::Refused(Failure::new(FailureCode::WorkbookTooLarge, message).hint(hint))
}

fn outcome(result: &Result<Read, ReaderError>) -> &'static str {
    match result {
        Ok(_) => "read",
        Err(ReaderError::Refused(failure)) => failure.code.as_str(),
        Err(ReaderError::Killed) => "killed",
        Err(ReaderError::Stopped) => "stopped",
        Err(ReaderError::Io(_) | ReaderError::Failed(_)) => "failed",
    }
}

async fn end(child: &mut Child) {
    if let Err(error) = child.kill().await {
        tracing::warn!(error = %error, "a workbook's reader could not be ended");
    }
}

/// All that a reading process said, and how it ended.
struct Heard {
    end: Option<Result<Read, Refusal>>,
    /// It said more than it may, and the rest was not heard.
    is_cut: bool,
    complaint: String,
    status: ExitStatus,
}

async fn hear(child: &mut Child, order: &Order, progress: &mut (dyn FnMut(u64) + Send)) -> io::Result<Heard> {
    let missing = || io::Error::other("the process has no pipes");
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    send(&mut stdin, order).await;
    let (said, complaint) = tokio::join!(lines(stdout, progress), complaint(stderr));
    // Open until here: when it closes, the process ends itself.
    let status = child.wait().await?;
    drop(stdin);
    let (end, is_cut) = said?;
    Ok(Heard { end, is_cut, complaint, status })
}

// A process that ended before it took its order says by its end why.
async fn send(stdin: &mut ChildStdin, order: &Order) {
    let mut line = serde_json::to_vec(order).unwrap_or_default();
    line.push(b'\n');
    if let Err(error) = stdin.write_all(&line).await {
        tracing::debug!(error = %error, "a workbook's reader took no order");
    }
}

/// Its lines until the last one that counts, and whether there were more than are heard. What can't be understood is no answer: a workbook
/// may have taken the process over.
async fn lines(stdout: ChildStdout, progress: &mut (dyn FnMut(u64) + Send)) -> io::Result<(Option<Result<Read, Refusal>>, bool)> {
    let mut stdout = BufReader::new(stdout.take(LONGEST_ANSWER));
    let (mut line, mut end, mut told) = (Vec::new(), None, None::<Instant>);
    while stdout.read_until(b'\n', &mut line).await? > 0 {
        match serde_json::from_slice(&line) {
            // More often than a reader says it, it is not passed on to anybody.
            Ok(Line::Rows(rows)) if told.is_none_or(|told| told.elapsed() >= BETWEEN) => {
                told = Some(Instant::now());
                progress(rows);
            }
            Ok(Line::Rows(_)) => {}
            Ok(Line::Found(read)) => end = Some(Ok(read)),
            Ok(Line::Error(refusal)) => end = Some(Err(refusal)),
            Err(_) => end = None,
        }
        line.clear();
    }
    let is_cut = stdout.get_ref().limit() == 0;
    // Of a line that was cut nothing counts, and of those before it only what is not the end.
    Ok(if is_cut { (None, true) } else { (end, false) })
}

async fn complaint(mut stderr: ChildStderr) -> String {
    let mut text = Vec::new();
    // What can't be read of it is not missed; the rest is taken, so that the process does not wait for a reader.
    let _ = (&mut stderr).take(LONGEST_COMPLAINT).read_to_end(&mut text).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader {
        Reader::new(PathBuf::from("/nothing"), 64, 3, 1)
    }

    fn heard(signal: i32, complaint: &str) -> Heard {
        Heard { end: None, is_cut: false, complaint: complaint.to_owned(), status: ExitStatus::from_raw(signal) }
    }

    fn code(result: Result<Read, ReaderError>) -> Option<FailureCode> {
        match result {
            Err(ReaderError::Refused(failure)) => Some(failure.code),
            _ => None,
        }
    }

    #[test]
    fn how_a_process_ends_says_what_is_wrong_with_the_workbook() {
        let reader = reader();
        let oom = "memory allocation of 9223372036854775807 bytes failed";
        assert_eq!(code(reader.judge(heard(libc::SIGABRT, oom))), Some(FailureCode::WorkbookTooLarge));
        assert_eq!(code(reader.judge(heard(libc::SIGABRT, "thread 'main' has overflowed its stack"))), Some(FailureCode::WorkbookCorrupt));
        assert_eq!(code(reader.judge(heard(libc::SIGSEGV, ""))), Some(FailureCode::WorkbookCorrupt));
        assert_eq!(code(reader.judge(heard(libc::SIGXCPU, ""))), Some(FailureCode::WorkbookTooLarge));
        assert_eq!(code(reader.judge(heard(libc::SIGXFSZ, ""))), Some(FailureCode::WorkbookTooLarge));
        assert!(matches!(reader.judge(heard(libc::SIGKILL, "")), Err(ReaderError::Killed)));
        assert!(matches!(reader.judge(heard(0, "")), Err(ReaderError::Failed(_))));
        let full = Refusal { code: FailureCode::Internal, message: String::new(), is_full: true };
        let full = reader.judge(Heard { end: Some(Err(full)), ..heard(0, "") });
        assert!(matches!(full, Err(ReaderError::Io(error)) if error.kind() == io::ErrorKind::StorageFull), "the disk is to blame");
        let cut = Heard { is_cut: true, ..heard(0x100, "") };
        assert_eq!(code(reader.judge(cut)), Some(FailureCode::WorkbookTooLarge));
    }

    #[test]
    fn what_a_broken_process_found_does_not_count() {
        let read = Read { prepared: datagenie_common::model::workbooks::Prepared::default(), language: "ko".parse().expect("a language") };
        let heard = Heard { end: Some(Ok(read)), ..heard(libc::SIGSEGV, "") };
        assert_eq!(code(reader().judge(heard)), Some(FailureCode::WorkbookCorrupt));
    }
}
