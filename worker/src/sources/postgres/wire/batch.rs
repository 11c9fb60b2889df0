//! What is sent: messages that go out in one write and are answered in their order, so that a statement with all that surrounds it costs
//! one round trip.
//!
//! Two protocols carry SQL. The simple one takes several statements in one text, so it carries only the texts of this file. What a user
//! asked goes by the extended one, which takes exactly one statement, and there only as the query of a cursor or of an explanation of
//! one (invariant 9).

use std::{error::Error, iter, time::Duration};

use bytes::{BufMut as _, BytesMut};
use postgres_protocol::{
    IsNull,
    message::frontend::{self, BindError},
};

use crate::sources::SourceError;

/// What the user's SQL stands behind. Error positions count from its beginning.
/// A cursor's query can only read: the server takes no data-modifying statement there, also not below a WITH.
pub const DECLARE: &str = "DECLARE dg_cursor NO SCROLL CURSOR FOR ";
/// The same for an explanation, which plans and does not run it.
pub const EXPLAIN: &str = "EXPLAIN (VERBOSE, FORMAT JSON) DECLARE dg_cursor NO SCROLL CURSOR FOR ";
const CURSOR: &str = "dg_cursor";
/// A statement waits this long for a lock, in milliseconds: a reader waits only for somebody who changes the table itself.
const LOCK_TIMEOUT_MS: u64 = 3_000;
/// How long a transaction may wait for us beyond the statement's time, in milliseconds; after that the server ends it.
const IDLE_TIMEOUT_MS: u64 = 30_000;

/// Begins the transaction and sets what holds for it, in one message of text that is ours alone. The settings are also the
/// transaction's first query: after it READ ONLY can't be flipped back. Its isolation is told, because a database may have another default:
/// what a serializable transaction reads can make those of others fail.
/// `pg_catalog` stands first and `pg_temp` last in the path, so nobody's function or temporary table passes for a system one.
/// NOTICEs carry data into logs, hence `client_min_messages`. With strings not conforming to the standard the server would read
/// literals otherwise than the guard did. A cursor is planned for its first rows unless told that all are wanted. A database without an
/// encoding holds bytes, which its server would refuse to hand out as UTF-8 where they are none: there it is asked for them as they are.
fn beginning(statement_ms: u64) -> String {
    let idle_ms = statement_ms + IDLE_TIMEOUT_MS;
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SELECT \
         set_config('statement_timeout', '{statement_ms}', true), \
         set_config('lock_timeout', '{LOCK_TIMEOUT_MS}', true), \
         set_config('idle_in_transaction_session_timeout', '{idle_ms}', true), \
         set_config('search_path', 'pg_catalog, public, pg_temp', true), \
         set_config('standard_conforming_strings', 'on', true), \
         set_config('client_min_messages', 'error', true), \
         set_config('cursor_tuple_fraction', '1', true), \
         set_config('DateStyle', 'ISO, MDY', true), \
         set_config('IntervalStyle', 'postgres', true), \
         set_config('TimeZone', 'UTC', true), \
         set_config('bytea_output', 'hex', true), \
         set_config('extra_float_digits', '3', true), \
         set_config('client_encoding', CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true)"
    )
}

/// Messages, and how many times the server will say that it is ready again.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(super) bytes: BytesMut,
    pub(super) answers: u32,
}

impl Batch {
    /// Begins a read-only transaction whose statements may take `max_time` each. One answer.
    pub fn begin(max_time: Duration) -> Result<Self, SourceError> {
        let mut batch = Self::default();
        // At least 1: 0 means no limit.
        let statement_ms = u64::try_from(max_time.as_millis()).unwrap_or(u64::MAX).clamp(1, i32::MAX as u64 - IDLE_TIMEOUT_MS);
        batch.simple(&beginning(statement_ms))?;
        Ok(batch)
    }

    /// Ends the transaction. One answer.
    pub fn rollback(&mut self) -> Result<(), SourceError> {
        self.simple("ROLLBACK")
    }

    /// Opens a cursor on a user's SQL, asks for its columns and for so many of its rows. One answer.
    ///
    /// The rows come from the cursor's portal itself. A FETCH would bring the same ones, but the server writes all that a FETCH asks for
    /// aside, to its disk if need be, before it sends the first.
    pub fn cursor(&mut self, sql: &str, rows: u32) -> Result<(), SourceError> {
        self.statement(&format!("{DECLARE}{sql}"), &[])?;
        frontend::describe(b'P', CURSOR, &mut self.bytes).map_err(|_nul| unsendable())?;
        self.rows_of_cursor(rows)
    }

    /// Asks for so many more rows of the cursor. One answer.
    pub fn more(&mut self, rows: u32) -> Result<(), SourceError> {
        self.rows_of_cursor(rows)
    }

    /// Asks how a user's SQL would run. One answer, with one row.
    pub fn explain(&mut self, sql: &str) -> Result<(), SourceError> {
        self.query(&format!("{EXPLAIN}{sql}"), &[])
    }

    /// A query of our own, with its parameters as text. One answer.
    pub fn query(&mut self, sql: &str, parameters: &[&str]) -> Result<(), SourceError> {
        self.statement(sql, parameters)?;
        self.sync();
        Ok(())
    }

    /// Sends another batch after this one.
    pub fn append(&mut self, other: &Self) {
        self.bytes.put_slice(&other.bytes);
        self.answers += other.answers;
    }

    fn simple(&mut self, ours: &str) -> Result<(), SourceError> {
        frontend::query(ours, &mut self.bytes).map_err(|_nul| unsendable())?;
        self.answers += 1;
        Ok(())
    }

    /// Unnamed, so that nothing is left on the server and poolers are content.
    fn statement(&mut self, sql: &str, parameters: &[&str]) -> Result<(), SourceError> {
        frontend::parse("", sql, iter::empty(), &mut self.bytes).map_err(|_nul| unsendable())?;
        let text = |value: &&str, buffer: &mut BytesMut| -> Result<IsNull, Box<dyn Error + Send + Sync>> {
            buffer.put_slice(value.as_bytes());
            Ok(IsNull::No)
        };
        let bound = frontend::bind("", "", iter::empty(), parameters, text, iter::empty(), &mut self.bytes);
        bound.map_err(|_: BindError| unsendable())?;
        frontend::execute("", 0, &mut self.bytes).map_err(|_nul| unsendable())
    }

    fn rows_of_cursor(&mut self, rows: u32) -> Result<(), SourceError> {
        // At least 1: 0 means all.
        let rows = i32::try_from(rows).unwrap_or(i32::MAX).max(1);
        frontend::execute(CURSOR, rows, &mut self.bytes).map_err(|_nul| unsendable())?;
        self.sync();
        Ok(())
    }

    fn sync(&mut self) {
        frontend::sync(&mut self.bytes);
        self.answers += 1;
    }
}

fn unsendable() -> SourceError {
    SourceError::invalid("the statement holds a NUL character, or is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tags of the messages, and their bodies.
    fn messages(batch: &Batch) -> Vec<(char, String)> {
        let mut rest = &batch.bytes[..];
        let mut found = Vec::new();
        while let [tag, a, b, c, d, body @ ..] = rest {
            let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).expect("a length") - 4;
            found.push((char::from(*tag), String::from_utf8_lossy(&body[..length]).into_owned()));
            rest = &body[length..];
        }
        found
    }

    #[test]
    fn a_users_sql_goes_by_the_extended_protocol_only() {
        let sql = "SELECT 1; COMMIT; BEGIN; DROP TABLE customers";
        let mut batch = Batch::begin(Duration::from_secs(30)).expect("it is sendable");
        let (mut cursor, mut explanation) = (Batch::default(), Batch::default());
        cursor.cursor(sql, 10).expect("it is sendable");
        explanation.explain(sql).expect("it is sendable");
        batch.append(&cursor);
        batch.append(&explanation);
        batch.rollback().expect("it is sendable");
        let messages = messages(&batch);
        let tags: String = messages.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, "QPBEDESPBESQ");
        assert_eq!(batch.answers, 4);
        for (tag, body) in messages {
            assert!(tag == 'P' || !body.contains("SELECT 1"), "{tag} {body}");
        }
    }

    #[test]
    fn times_are_within_what_the_server_takes() {
        for (time, expected) in [(Duration::ZERO, "'1'"), (Duration::from_millis(1_500), "'1500'"), (Duration::MAX, "'2147453647'")] {
            let batch = Batch::begin(time).expect("it is sendable");
            assert!(messages(&batch)[0].1.contains(&format!("set_config('statement_timeout', {expected}, true)")), "{time:?}");
        }
    }

    #[test]
    fn a_nul_is_not_sent() {
        let refused = Batch::default().cursor("SELECT '\0'", 1);
        assert!(refused.is_err_and(|error| error.is_about_the_statement()));
    }
}
