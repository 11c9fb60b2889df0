//! Running one guarded statement on a blocking thread. Its rows come through a short channel, so memory holds a few batches whatever the
//! reader does, and no row that is larger than a result may be; the thread ends by its deadline, by the token, or when nobody takes the
//! rows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use datagenie_common::model::{
    policies::Limits,
    results::{Column, Row},
};
use rusqlite::types::Type;
use tokio::{sync::mpsc, task, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    DatabaseFile,
    authorise::Confined,
    errors,
    open::{self, Watch},
    values::Declared,
};
use crate::{
    capacity::Permit,
    sources::{Flow, RowSink, RunEnd, SourceError, Statement, metered::MeteredSink, values::json_size},
};

/// Batches on their way to the reader.
const CHANNEL: usize = 2;
/// A batch is sent with this many rows or bytes.
const BATCH_ROWS: usize = 64;
const BATCH_BYTES: u64 = 256 * 1024;
/// How long the client waits beyond the statement's time, for a thread that hangs in the file system.
const GRACE: Duration = Duration::from_secs(2);

enum Message {
    Start(Vec<Column>),
    Rows(Vec<Row>),
    /// The next row is larger than any result may be.
    TooLarge,
}

/// The work of the thread.
struct Reading {
    file: Arc<DatabaseFile>,
    statement: Statement,
    seconds: u64,
    max_bytes: u64,
    deadline: Instant,
    stop: CancellationToken,
}

pub(super) async fn run(
    file: Arc<DatabaseFile>,
    slot: Permit,
    statement: &Statement,
    limits: &Limits,
    sink: &mut dyn RowSink,
    cancel: &CancellationToken,
) -> Result<RunEnd, SourceError> {
    let started = Instant::now();
    let stop = cancel.child_token();
    // Whatever ends this function ends the thread.
    let _stop_when_dropped = stop.clone().drop_guard();
    let (sender, mut receiver) = mpsc::channel(CHANNEL);
    let deadline = started + limits.max_time();
    let Limits { max_bytes, max_seconds: seconds, .. } = *limits;
    let reading = Reading { file, statement: statement.clone(), seconds, max_bytes, deadline, stop };
    let thread = task::spawn_blocking(move || {
        let _slot = slot;
        reading.read(sender)
    });
    let mut metered = MeteredSink::new(sink, limits);
    let fed = timeout(limits.max_time() + GRACE, feed(&mut receiver, &mut metered));
    let outcome = cancel.run_until_cancelled(fed).await;
    let flow = match outcome {
        None => return Err(SourceError::Cancelled),
        Some(Err(_elapsed)) => return Err(SourceError::Timeout { seconds: limits.max_seconds }),
        Some(Ok(fed)) => fed?,
    };
    if flow == Flow::Continue {
        // The channel is closed, so the thread is at its end: how it ended decides.
        thread.await.map_err(|_panicked| SourceError::internal("reading the file ended unexpectedly"))??;
    }
    Ok(RunEnd { rows: metered.rows(), truncated: metered.truncated(), elapsed: started.elapsed() })
}

async fn feed(receiver: &mut mpsc::Receiver<Message>, metered: &mut MeteredSink<'_>) -> Result<Flow, SourceError> {
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Start(columns) => metered.start(columns)?,
            Message::Rows(rows) => {
                for row in rows {
                    if metered.row(row)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Message::TooLarge => {
                metered.cut_off()?;
                return Ok(Flow::Stop);
            }
        }
    }
    Ok(Flow::Continue)
}

impl Reading {
    fn read(&self, sender: mpsc::Sender<Message>) -> Result<(), SourceError> {
        let watch = Watch { deadline: self.deadline, stop: self.stop.clone() };
        let connection = open::limited(&self.file, watch)?;
        let confined = Confined::new(connection, &self.statement).map_err(|error| self.failed(&error))?;
        let mut statement = confined.prepare(self.statement.sql()).map_err(|error| self.failed(&error))?;
        if statement.column_count() == 0 || !statement.readonly() {
            return Err(SourceError::invalid("the statement is not one that reads rows"));
        }
        let declared = statement.columns().iter().map(|column| Declared::new(column.name(), column.decl_type())).collect();
        let mut outlet = Outlet::new(declared, self.max_bytes, sender);
        let mut rows = statement.query([]).map_err(|error| self.failed(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.failed(&error))? {
            if outlet.push(row).map_err(|error| self.failed(&error))? == Flow::Stop {
                return Ok(());
            }
        }
        outlet.finish();
        Ok(())
    }

    fn failed(&self, error: &rusqlite::Error) -> SourceError {
        if !errors::is_interrupted(error) {
            errors::running(error, self.statement.sql())
        } else if self.stop.is_cancelled() {
            SourceError::Cancelled
        } else {
            SourceError::Timeout { seconds: self.seconds }
        }
    }
}

/// Gathers rows into batches. The columns go out before the first batch, when it has shown the classes of their values.
struct Outlet {
    declared: Vec<Declared>,
    classes: Vec<Option<Type>>,
    /// Bytes that a row may have.
    max_bytes: u64,
    started: bool,
    batch: Vec<Row>,
    bytes: u64,
    sender: mpsc::Sender<Message>,
}

impl Outlet {
    fn new(declared: Vec<Declared>, max_bytes: u64, sender: mpsc::Sender<Message>) -> Self {
        let classes = vec![None; declared.len()];
        Self { declared, classes, max_bytes, started: false, batch: Vec::new(), bytes: 0, sender }
    }

    fn push(&mut self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Flow> {
        let mut values = Row::with_capacity(self.declared.len());
        // The brackets, and a separator behind each value and the row.
        let mut size = 2 + self.declared.len() as u64;
        for (index, (declared, class)) in self.declared.iter().zip(&mut self.classes).enumerate() {
            let value = row.get_ref(index)?;
            if class.is_none() && value.data_type() != Type::Null {
                *class = Some(value.data_type());
            }
            let value = declared.value(value);
            size = size.saturating_add(json_size(&value));
            if size > self.max_bytes {
                // The columns behind it are not even looked at.
                return Ok(self.cut_off());
            }
            values.push(value);
        }
        self.bytes += size;
        self.batch.push(values);
        let full = self.batch.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES;
        Ok(if full { self.flush() } else { Flow::Continue })
    }

    /// Sends what is gathered; also the columns of a statement without rows.
    fn finish(mut self) {
        self.flush();
    }

    /// Ends the result before a row that is too large.
    fn cut_off(&mut self) -> Flow {
        if self.flush() == Flow::Continue {
            // Whoever does not take it any more needs no end.
            let _taken_or_not = self.sender.blocking_send(Message::TooLarge);
        }
        Flow::Stop
    }

    fn flush(&mut self) -> Flow {
        if !self.started {
            self.started = true;
            let columns = self.declared.iter().zip(&self.classes).map(|(declared, class)| declared.column(*class)).collect();
            if self.sender.blocking_send(Message::Start(columns)).is_err() {
                return Flow::Stop;
            }
        }
        self.bytes = 0;
        let rows = std::mem::take(&mut self.batch);
        if !rows.is_empty() && self.sender.blocking_send(Message::Rows(rows)).is_err() {
            return Flow::Stop;
        }
        Flow::Continue
    }
}
