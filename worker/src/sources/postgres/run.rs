//! Running one guarded statement: a cursor in a read-only transaction, its rows as text.
//!
//! The beginning of the transaction, the cursor, its columns, its rows and, where no more rows than the first ones can be wanted, the
//! rollback go out together: one round trip. Memory holds one row at a time, as the wire brings it, and no row that is larger than a
//! result may be (all rows of the first batch, up to the byte limit, where a type must be looked up).

use datagenie_common::{
    ids::UserId,
    model::{policies::Limits, results::Row},
};
use postgres_protocol::message::backend::DataRowBody;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    connect::Sessions,
    errors::{self, Ran},
    session::GRACE,
    types::{self, Described, TypedColumn, Types},
    wire::{Answer, Batch, DECLARE, Wire, WireError},
};
use crate::sources::{Flow, RowSink, RunEnd, SourceError, Statement, Truncation, metered::MeteredSink, values::encoded_size};

/// Rows asked for at once: the default limit of rows fits in, and what a result that ends early leaves on the wire is bounded.
const BATCH: u64 = 20_000;
/// Bytes of rows that are read and dropped so that the connection can be asked for a type: what is more is not worth the type's name.
const DROPPED: u64 = 16 * 1024 * 1024;
/// Bytes of a message that are no value: lengths, names of columns.
const SLACK: u64 = 64 * 1024;

pub(super) async fn run(
    sessions: &Sessions,
    types: &Types,
    user: UserId,
    statement: &Statement,
    limits: &Limits,
    sink: &mut dyn RowSink,
    cancel: &CancellationToken,
) -> Result<RunEnd, SourceError> {
    let started = Instant::now();
    let mut metered = MeteredSink::new(sink, limits);
    let asked = metered.wanted().min(BATCH);
    let mut batch = Batch::default();
    batch.cursor(statement.sql(), rows(asked))?;
    if asked == metered.wanted() {
        batch.rollback()?;
    }
    let mut session = sessions.begin(limits.max_time(), user, &batch, cancel).await?;
    session.spend_on(statement);
    let ran = Ran { sql: statement.sql(), prefix: DECLARE.len(), seconds: limits.max_seconds };
    let mut reading = Reading { types, ran, limits, metered: &mut metered, rows: Rows::Undescribed, cut: None };
    let read = cancel.run_until_cancelled(timeout(limits.max_time() + GRACE, reading.read(session.wire()?))).await;
    let cut = reading.cut;
    let elapsed = started.elapsed();
    session.end(read, limits).await?;
    Ok(RunEnd { rows: metered.rows(), truncated: metered.truncated().or(cut), elapsed })
}

fn rows(asked: u64) -> u32 {
    u32::try_from(asked).unwrap_or(u32::MAX)
}

/// A statement whose answers are being read.
struct Reading<'a, 's> {
    types: &'a Types,
    ran: Ran<'a>,
    limits: &'a Limits,
    metered: &'a mut MeteredSink<'s>,
    rows: Rows,
    /// What ended the result besides the meter.
    cut: Option<Truncation>,
}

/// What happens to the rows.
enum Rows {
    /// The server has not described them yet.
    Undescribed,
    /// They are passed on.
    Passed(Vec<TypedColumn>),
    /// They wait until the types of their columns are known.
    Held(Held),
}

impl Rows {
    fn take_held(&mut self) -> Option<Held> {
        match std::mem::replace(self, Self::Undescribed) {
            Self::Held(held) => Some(held),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// The rows of a first batch with a type that must be looked up, for which the connection must be between two answers.
struct Held {
    described: Vec<Described>,
    columns: Vec<TypedColumn>,
    unknown: Vec<u32>,
    rows: Vec<Row>,
    bytes: u64,
    /// Bytes of rows that were not held any more.
    dropped: u64,
}

impl Held {
    fn new(described: Vec<Described>, columns: Vec<TypedColumn>, unknown: Vec<u32>) -> Self {
        Self { described, columns, unknown, rows: Vec::new(), bytes: 0, dropped: 0 }
    }

    /// Holds one more row. Past the limit the rest is dropped: the result ends there. It stops where too much would be dropped.
    fn hold(&mut self, row: &DataRowBody, max_bytes: u64) -> Result<Flow, WireError> {
        if self.bytes <= max_bytes {
            let row = types::decode_row(row, &self.columns)?;
            self.bytes += encoded_size(&row);
            self.rows.push(row);
        } else {
            self.dropped += row.buffer().len() as u64;
        }
        Ok(if self.dropped > DROPPED { Flow::Stop } else { Flow::Continue })
    }
}

/// How a batch of rows ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All rows that there are have come.
    All,
    /// There may be more.
    More,
    /// No more are of use.
    Enough,
}

impl Reading<'_, '_> {
    async fn read(&mut self, wire: &mut Wire) -> Result<(), SourceError> {
        loop {
            wire.allow(largest_message(self.limits));
            let mut end = self.batch(wire).await?;
            if let Some(held) = self.rows.take_held() {
                // What is too large or too much for us still lies on the wire: nothing can be asked any more.
                let may_ask = end != End::Enough;
                if self.resolve(held, may_ask, wire).await? == Flow::Stop {
                    end = End::Enough;
                }
            }
            if end != End::More {
                return Ok(());
            }
            let mut more = Batch::default();
            more.more(rows(self.metered.wanted().min(BATCH)))?;
            wire.send(&more).await.map_err(|error| errors::running(&error, &self.ran))?;
        }
    }

    /// Reads one answer.
    async fn batch(&mut self, wire: &mut Wire) -> Result<End, SourceError> {
        let mut end = End::All;
        loop {
            match wire.next().await {
                Ok(Answer::Columns(columns)) => self.describe(types::described(&columns))?,
                Ok(Answer::Row(row)) => {
                    if self.row(&row)? == Flow::Stop {
                        return Ok(End::Enough);
                    }
                }
                Ok(Answer::Suspended) => end = End::More,
                Ok(Answer::Failed(error)) => return Err(errors::running(&WireError::Server(error), &self.ran)),
                Ok(Answer::Ready) => return Ok(end),
                Err(WireError::TooLarge) => {
                    self.cut_off()?;
                    return Ok(End::Enough);
                }
                Err(error) => return Err(errors::running(&error, &self.ran)),
            }
        }
    }

    fn describe(&mut self, described: Result<Vec<Described>, WireError>) -> Result<(), SourceError> {
        let described = described.map_err(|error| errors::running(&error, &self.ran))?;
        let (columns, unknown) = self.types.columns(&described);
        if unknown.is_empty() {
            return self.start(columns);
        }
        self.rows = Rows::Held(Held::new(described, columns, unknown));
        Ok(())
    }

    fn start(&mut self, columns: Vec<TypedColumn>) -> Result<(), SourceError> {
        self.metered.start(columns.iter().map(|typed| typed.column.clone()).collect())?;
        self.rows = Rows::Passed(columns);
        Ok(())
    }

    fn row(&mut self, row: &DataRowBody) -> Result<Flow, SourceError> {
        let failed = |error: WireError| errors::running(&error, &self.ran);
        match &mut self.rows {
            Rows::Passed(columns) => self.metered.row(types::decode_row(row, columns).map_err(failed)?),
            Rows::Held(held) => held.hold(row, self.limits.max_bytes).map_err(failed),
            Rows::Undescribed => Err(failed(WireError::Protocol)),
        }
    }

    /// A row came that is larger than any result may be.
    fn cut_off(&mut self) -> Result<(), SourceError> {
        let held = if let Rows::Held(held) = &self.rows { held.rows.len() as u64 } else { 0 };
        let before = self.metered.rows() + held;
        if before == 0 {
            // Cut off here, the result would look as if nothing matched.
            return Err(SourceError::RowTooLarge { limit: self.limits.max_bytes });
        }
        self.cut = Some(if before == self.limits.max_rows { Truncation::Rows } else { Truncation::Bytes });
        Ok(())
    }

    /// Passes on what was held, with the types of its columns as far as they can be found out.
    async fn resolve(&mut self, held: Held, may_ask: bool, wire: &mut Wire) -> Result<Flow, SourceError> {
        if may_ask {
            // The rollback's answer may be to come.
            while !wire.is_answered() {
                wire.done().await.map_err(|error| errors::running(&error, &self.ran))?;
            }
            self.types.look_up(&held.unknown, wire).await?;
        }
        let (columns, _) = self.types.columns(&held.described);
        self.start(columns)?;
        for row in held.rows {
            if self.metered.row(row)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }
}

/// A row that takes more bytes on the wire than twice a result's may be is not read. Twice, since bytes go over the wire as two digits
/// each.
fn largest_message(limits: &Limits) -> usize {
    let most = limits.max_bytes.saturating_mul(2).max(1024 * 1024).saturating_add(SLACK);
    usize::try_from(most).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use postgres_protocol::message::backend::Message;

    use super::*;

    #[test]
    fn a_message_is_bounded_by_the_result() {
        let limits = |max_bytes| Limits { max_rows: 10, max_bytes, max_seconds: 1 };
        assert_eq!(largest_message(&limits(1_000)), 1024 * 1024 + 64 * 1024);
        assert_eq!(largest_message(&limits(16 * 1024 * 1024)), 32 * 1024 * 1024 + 64 * 1024);
        assert_eq!(largest_message(&limits(u64::MAX)), usize::MAX);
    }

    #[test]
    fn what_is_held_is_bounded_by_the_result() {
        let row = |value: &[u8]| {
            let (whole, length) = (value.len() as u32 + 10, value.len() as u32);
            let bytes = [b"D".as_slice(), &whole.to_be_bytes(), &[0, 1], &length.to_be_bytes(), value].concat();
            match Message::parse(&mut BytesMut::from(bytes.as_slice())) {
                Ok(Some(Message::DataRow(row))) => row,
                _ => unreachable!("it is a row"),
            }
        };
        let (columns, unknown) = Types::default().columns(&[("x".to_owned(), 70_000)]);
        let mut held = Held::new(Vec::new(), columns, unknown);
        for _ in 0..10 {
            assert_eq!(held.hold(&row(b"x"), 12).expect("it is a row"), Flow::Continue);
        }
        // `["x"]` and its separator are 6 bytes: the one that goes past the limit is held, for the meter to see it.
        assert_eq!((held.rows.len(), held.bytes, held.unknown.as_slice()), (3, 18, [70_000].as_slice()));
        let large = row(&vec![b'x'; 9 * 1024 * 1024]);
        let flows = [(); 2].map(|()| held.hold(&large, 12).expect("it is a row"));
        assert_eq!((flows, held.rows.len()), ([Flow::Continue, Flow::Stop], 3), "so much is not read for the name of a type");
    }
}
