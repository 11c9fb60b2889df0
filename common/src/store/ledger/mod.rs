//! `jobs`, `job_attempts`: the ledger. What a job's state means and who may change it:
//!
//! - [`intake`]: a job comes into being, in one commit with what it is about.
//! - [`admit`]: of what waits, each owner's next jobs are let in as his window has room.
//! - [`claim`]: a worker takes it for one attempt, keeps its lease alive, gives it back.
//! - [`finish`], [`finish_many`]: the attempt's end, fenced by its lease: one terminal state, one terminal event.
//! - [`sweep`]: the scheduler rings again what was not heard, and rescues what a dead worker left.
//! - [`view`]: reading jobs; [`queues`] counts them.
//! - [`cancel`], [`dead`], [`rerun`], [`pauses`]: stopping jobs, asking once more for dead ones and for answers that are gone, keeping a lane or a kind from being claimed.

pub mod admit;
pub mod cancel;
pub mod claim;
pub mod dead;
pub mod finish;
pub mod finish_many;
pub mod intake;
pub mod pauses;
pub mod queues;
pub mod rerun;
pub mod sweep;
pub mod view;

pub use admit::Flow;
pub use claim::{Beat, Claimed, Lease};
pub use finish::Outcome;
pub use intake::{NewJob, NewQuestion, Submitted};

use crate::{ids::JobId, jobs::JobKind, model::jobs::Lane};

/// A bell to ring: what a broker's message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Which job.
    pub job_id: JobId,
    /// Of which kind.
    pub kind: JobKind,
    /// In which lane.
    pub lane: Lane,
    /// The trace that it continues.
    pub traceparent: Option<String>,
}
