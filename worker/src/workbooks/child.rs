//! `datagenie-worker read-workbook`: the process that reads one workbook. It knows no settings, no database and no secret; it is told what
//! to read on its standard input, and ends when that closes, which is when its worker ends.

use std::{
    fs::File,
    io::{self, BufRead, BufWriter, Read as _, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use datagenie_common::{
    files::{self, MAX_WHOLE_BYTES},
    model::questions::FailureCode,
};
use datagenie_sheets::{
    error::ReadError,
    run::{self, Found},
};
use rustix::process::Signal;

use super::{
    confine::{self, Bounds, ConfineError},
    messages::{Line, Order, Read, Refusal},
};

const MIB: u64 = 1_048_576;
/// Bytes of each file that is written.
const LARGEST_FILE: u64 = 2 * 1024 * MIB;
/// Bytes of an order: some paths and numbers.
const LONGEST_ORDER: u64 = 64 * 1024;
/// Between two lines about progress.
const BETWEEN: Duration = Duration::from_millis(200);

/// Its arguments. The limits come with them, so that they hold before anything is read.
#[derive(Clone, Debug, clap::Args)]
pub struct ReadWorkbook {
    /// MiB of memory that it may take beside its own program.
    #[arg(long)]
    pub memory_mb: u64,
    /// Seconds that it has; on the processor all its threads together may take twice that.
    #[arg(long)]
    pub seconds: u64,
}

/// Reads the workbook of the order on standard input.
#[must_use]
pub fn main(args: &ReadWorkbook) -> ExitCode {
    // Where a reader panics, without its words, which may quote the workbook.
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(io::stderr(), "panicked at {}", panic.location().map(ToString::to_string).unwrap_or_default());
    }));
    let line = match confined(args) {
        Ok(()) => match order() {
            Ok(order) => catch_unwind(AssertUnwindSafe(|| read(&order))).unwrap_or_else(|_| Line::Error(panicked())),
            Err(error) => internal(&format!("the order can't be read: {error}")),
        },
        Err(error) => internal(&match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
    };
    if say(&line).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn confined(args: &ReadWorkbook) -> Result<(), ConfineError> {
    confine::close_others();
    let memory = args.memory_mb.saturating_mul(MIB);
    confine::bound(&Bounds { memory, cpu_seconds: args.seconds.saturating_mul(2), file: LARGEST_FILE })?;
    // Its worker has said whether the kernel knows how.
    confine::shut_in(Path::new("."))?;
    confine::lock()
}

fn internal(message: &str) -> Line {
    Line::Error(Refusal { code: FailureCode::Internal, message: message.to_owned(), is_full: false })
}

fn panicked() -> Refusal {
    let message = "the workbook is damaged: what is in it can't be understood".to_owned();
    Refusal { code: FailureCode::WorkbookCorrupt, message, is_full: false }
}

/// The order, and from then on a look-out for the end of whoever gave it.
fn order() -> io::Result<Order> {
    let mut line = Vec::new();
    io::stdin().lock().take(LONGEST_ORDER).read_until(b'\n', &mut line)?;
    let order = serde_json::from_slice(&line)?;
    std::thread::Builder::new().name("orphan".to_owned()).stack_size(256 * 1024).spawn(end_with_the_worker)?;
    Ok(order)
}

fn end_with_the_worker() {
    let mut rest = [0; 64];
    while io::stdin().lock().read(&mut rest).is_ok_and(|bytes| bytes > 0) {}
    // Nobody waits for what would come; in the middle of a reader nothing gentler ends it.
    let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
}

fn read(order: &Order) -> Line {
    let mut told = Instant::now();
    let mut progress = |rows| {
        if told.elapsed() >= BETWEEN {
            told = Instant::now();
            // A worker that does not listen any more ends this process soon.
            let _ = say(&Line::Rows(rows));
        }
    };
    match run::run(&order.request, &mut progress) {
        Ok(found) => match write_analysis(order, &found) {
            Ok(()) => Line::Found(Read { prepared: found.prepared, language: found.language }),
            Err(error) => Line::Error(refusal(&error)),
        },
        Err(error) => Line::Error(refusal(&error)),
    }
}

fn write_analysis(order: &Order, found: &Found) -> Result<(), ReadError> {
    let file = File::create_new(&order.analysis).map_err(ReadError::Io)?;
    let mut writer = BufWriter::new(file);
    serde_json::to_writer(&mut writer, &found.analysis).map_err(|error| ReadError::Io(error.into()))?;
    let file = writer.into_inner().map_err(|error| ReadError::Io(error.into_error()))?;
    if file.metadata().map_err(ReadError::Io)?.len() > MAX_WHOLE_BYTES {
        return Err(ReadError::TooLarge("it has too many columns to be described".to_owned()));
    }
    Ok(())
}

fn refusal(error: &ReadError) -> Refusal {
    if is_out_of_memory(error) {
        let message = ReadError::TooLarge("it takes more memory than may be spent on it".to_owned()).to_string();
        return Refusal { code: FailureCode::WorkbookTooLarge, message, is_full: false };
    }
    let code = error.code().parse().unwrap_or(FailureCode::Internal);
    let mut message = error.to_string();
    // What went wrong with our own files is the operators' to know, and tells nothing of the workbook.
    if code == FailureCode::Internal
        && let Some(source) = std::error::Error::source(error)
    {
        message = format!("{message}: {source}");
    }
    Refusal { code, message, is_full: is_full(error) }
}

fn is_out_of_memory(error: &ReadError) -> bool {
    match error {
        ReadError::Database(rusqlite::Error::SqliteFailure(failure, _)) => failure.code == rusqlite::ErrorCode::OutOfMemory,
        ReadError::Io(error) => error.kind() == io::ErrorKind::OutOfMemory,
        _ => false,
    }
}

fn is_full(error: &ReadError) -> bool {
    match error {
        ReadError::Database(rusqlite::Error::SqliteFailure(failure, _)) => failure.code == rusqlite::ErrorCode::DiskFull,
        ReadError::Io(error) => files::is_full(error),
        _ => false,
    }
}

fn say(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()
}
