//! Takes a statement's rows as they come: masks them, keeps the first of them for chart and summary, and writes all of them out as
//! JSON lines, in memory while they are few and to a file when they are not.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    time::Duration,
};

use datagenie_common::{
    files::{FilesError, ObjectPath},
    model::{
        jobs::JobError,
        policies::MaskKind,
        results::{Column, Row},
    },
    store::answers::{Rows, RowsFile},
};

use tokio::io::AsyncReadExt;
use tracing::Instrument;

use super::{failures, masking, target::Target};
use crate::{
    guard::Guarded,
    run::Context,
    sources::{Flow, RowSink, SinkError, Statement},
};

/// Rows of the first page.
pub const FIRST_PAGE: usize = 100;
/// What chart and summary may look at: enough for every result within the default limits of most users, and a bound for the rest.
const SAMPLE_ROWS: usize = 10_000;
const SAMPLE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes copied at once into storage.
const CHUNK: usize = 256 * 1024;
/// Rows between two noted offsets of a file.
const STRIDE: u64 = 500;

/// A result, masked.
#[derive(Clone, Debug)]
pub struct Collected {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its first rows.
    pub sample: Vec<Row>,
    /// Whether `sample` holds all rows.
    pub complete: bool,
    /// How many rows it has.
    pub row_count: u64,
    /// Whether a limit cut it off.
    pub truncated: bool,
    /// All rows.
    pub rows: Rows,
    /// Time on the customer's database.
    pub elapsed: Duration,
}

/// Runs a guarded statement and takes its rows.
pub async fn collect(context: &Context, target: &Target, guarded: &Guarded, statement: &Statement) -> Result<Collected, JobError> {
    let mut sink = Collector::new(guarded.masked.clone(), context.env.settings.query.inline_bytes);
    let span = tracing::info_span!("source.query", db_type = target.policy.db_type.as_str(), connection_id = %target.id);
    let end = async {
        let ran = target.source.run(context.turn_of(), statement, &target.policy.limits, &mut sink, &context.stop).await;
        if let Ok(end) = &ran {
            let elapsed_ms = u64::try_from(end.elapsed.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(rows = end.rows, truncated = end.truncated.is_some(), elapsed_ms, "query ran");
        }
        ran
    }
    .instrument(span)
    .await
    .map_err(|error| failures::source(context, &error))?;
    sink.finish(context, end.elapsed, end.truncated.is_some()).await
}

enum Spool {
    Memory(Vec<u8>),
    File(SpoolFile),
}

/// A temporary file without a name.
struct SpoolFile {
    writer: BufWriter<File>,
    bytes: u64,
}

impl SpoolFile {
    fn create() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("datagenie-rows-{}.jsonl", uuid::Uuid::new_v4().simple()));
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        // Customers' rows are nobody else's on this machine.
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        // Its name goes at once: the rows go with the process, however that ends.
        std::fs::remove_file(&path)?;
        Ok(Self { writer: BufWriter::new(file), bytes: 0 })
    }
}

struct Collector {
    masks: Vec<Option<MaskKind>>,
    columns: Vec<Column>,
    sample: Vec<Row>,
    sample_bytes: usize,
    sample_full: bool,
    row_count: u64,
    spool: Spool,
    inline_bytes: usize,
    offsets: Vec<u64>,
    line: Vec<u8>,
}

impl Collector {
    fn new(masks: Vec<Option<MaskKind>>, inline_bytes: usize) -> Self {
        Self {
            masks,
            columns: Vec::new(),
            sample: Vec::new(),
            sample_bytes: 0,
            sample_full: false,
            row_count: 0,
            spool: Spool::Memory(Vec::new()),
            inline_bytes,
            offsets: Vec::new(),
            line: Vec::new(),
        }
    }

    fn position(&self) -> u64 {
        match &self.spool {
            Spool::Memory(bytes) => bytes.len() as u64,
            Spool::File(file) => file.bytes,
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if let Spool::Memory(bytes) = &mut self.spool {
            if bytes.len() + self.line.len() <= self.inline_bytes {
                bytes.extend_from_slice(&self.line);
                return Ok(());
            }
            let mut file = SpoolFile::create()?;
            file.writer.write_all(bytes)?;
            file.bytes = bytes.len() as u64;
            self.spool = Spool::File(file);
        }
        if let Spool::File(file) = &mut self.spool {
            file.writer.write_all(&self.line)?;
            file.bytes += self.line.len() as u64;
        }
        Ok(())
    }

    async fn finish(self, context: &Context, elapsed: Duration, truncated: bool) -> Result<Collected, JobError> {
        let rows = match self.spool {
            Spool::Memory(bytes) => Rows::Inline(bytes),
            Spool::File(file) => {
                let lease = context.hold.lease;
                let path = ObjectPath::Rows { job: lease.job_id, lease: lease.lease_id };
                let bytes = file.bytes;
                publish(context, file, path).await?;
                Rows::File(RowsFile { path: path.to_string(), bytes, offsets: self.offsets, stride: STRIDE })
            }
        };
        Ok(Collected {
            columns: self.columns,
            sample: self.sample,
            complete: !self.sample_full,
            row_count: self.row_count,
            truncated,
            rows,
            elapsed,
        })
    }
}

// Below results/{job}/{lease}: the fenced commit makes it the result, or nobody ever hears of it. (What is left by lost attempts is removed with the keeping of files.)
async fn publish(context: &Context, file: SpoolFile, path: ObjectPath) -> Result<(), JobError> {
    let local = |error: &io::Error| failures::local_files(context, error);
    let stored = |error: &FilesError| failures::storage(context, error);
    let mut rows = file.writer.into_inner().map_err(|error| local(error.error()))?;
    rows.seek(SeekFrom::Start(0)).map_err(|error| local(&error))?;
    let mut reader = tokio::fs::File::from_std(rows);
    let mut writer = context.env.files.writer(path);
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        if (&mut reader).take(CHUNK as u64).read_to_end(&mut chunk).await.map_err(|error| local(&error))? == 0 {
            break;
        }
        writer.write(chunk).await.map_err(|error| stored(&error))?;
    }
    writer.finish().await.map(drop).map_err(|error| stored(&error))
}

// SQLite's text may hold it, PostgreSQL's and JSON columns may not: a result that could not be stored would fail its question.
fn replace_nul(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{FFFD}");
    }
}

fn without_nul(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => replace_nul(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nul),
        serde_json::Value::Object(fields) => {
            if fields.keys().any(|name| name.contains('\0')) {
                *fields = std::mem::take(fields).into_iter().map(|(name, value)| (name.replace('\0', "\u{FFFD}"), value)).collect();
            }
            fields.values_mut().for_each(without_nul);
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

impl RowSink for Collector {
    fn start(&mut self, columns: Vec<Column>) -> Result<(), SinkError> {
        self.columns = columns;
        for column in &mut self.columns {
            replace_nul(&mut column.name);
        }
        Ok(())
    }

    fn row(&mut self, mut row: Row) -> Result<Flow, SinkError> {
        if !self.masks.is_empty() && self.masks.len() != row.len() {
            // Guard and database disagree about the columns: nothing may pass unmasked.
            return Err(SinkError("the result has other columns than the statement that was checked".into()));
        }
        row.iter_mut().for_each(without_nul);
        for (value, kind) in row.iter_mut().zip(&self.masks) {
            if let Some(kind) = kind {
                *value = masking::mask(*kind, value);
            }
        }
        if self.row_count.is_multiple_of(STRIDE) {
            self.offsets.push(self.position());
        }
        self.line.clear();
        serde_json::to_writer(&mut self.line, &row).map_err(|error| SinkError(Box::new(error)))?;
        self.line.push(b'\n');
        self.write().map_err(|error| SinkError(Box::new(error)))?;
        self.row_count += 1;
        if self.sample.len() < SAMPLE_ROWS && self.sample_bytes + self.line.len() <= SAMPLE_BYTES && !self.sample_full {
            self.sample_bytes += self.line.len();
            self.sample.push(row);
        } else {
            self.sample_full = true;
        }
        Ok(Flow::Continue)
    }
}
