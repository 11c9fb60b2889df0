//! What keeps the tables in shape. Every removal takes a bounded number of rows, passes over those that somebody else has locked, and is
//! a commit of its own: it can be ended anywhere, and goes on at its next run.

mod batches;
mod objects;
mod questions;
mod retention;
mod rows;
mod runs;
mod walk;

pub use self::{
    batches::{Strays, old_batches, stray_lines},
    objects::{Gone, Named, answers_with_files, drop_answers, forget_pictures, forget_readings, named, readings_with_files},
    questions::{Page, expired_results, old_questions, old_questions_by_time, question_is_past},
    retention::{Kept, Unusable},
    rows::{
        drop_audit_partition, empty_workbooks, ensure_audit_partitions, expired_idempotency_keys, expired_sessions, finished_deliveries,
        finished_jobs, old_audit_rows, old_catalogues, old_events, old_runs, stale_schemas,
    },
    runs::{Run, ask, begin, due, end, list, seen},
};

use uuid::Uuid;

/// What a step of a walk over a table in the order of its ids did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<P = Uuid> {
    /// Rows removed.
    pub removed: u64,
    /// Where the next step goes on; none: the walk is over.
    pub next: Option<P>,
}
