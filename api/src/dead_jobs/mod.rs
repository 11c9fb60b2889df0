//! Dead jobs, for admins: those whose attempts are spent, to be looked at, replayed or discarded.

pub mod discard;
pub mod discard_many;
pub mod list;
pub mod replay;
pub mod replay_many;

use std::time::Duration;

use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{ConnectionId, JobId, UserId},
    jobs::JobKind,
    model::questions::FailureCode,
    store::{
        self,
        audit::{self, Entry},
        ledger::dead::{self, DeadFilter, DeadJob},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    access::Caller,
    error::{ApiError, Result},
    extract::moment,
    frame::Framed,
};

/// Jobs that one call takes when it names no limit.
const DEFAULT_LIMIT: usize = 1_000;
/// The most jobs that one call takes.
const MAX_LIMIT: usize = 10_000;
/// How long one call goes on.
const LIMIT: Duration = Duration::from_secs(20);

/// Which dead jobs; what is not given does not matter, but something must be.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DeadJobsRequest {
    /// Of this kind.
    #[schema(value_type = Option<crate::openapi::words::JobKind>)]
    kind: Option<JobKind>,
    /// Of this user.
    user_id: Option<Uuid>,
    /// On this connection.
    connection_id: Option<Uuid>,
    /// That failed with this code.
    #[schema(value_type = Option<crate::openapi::words::FailureCode>)]
    code: Option<FailureCode>,
    /// That died before this time.
    #[serde(default, deserialize_with = "moment")]
    before: Option<DateTime<Utc>>,
    /// Says that all are meant where nothing else is given.
    #[serde(default)]
    all: bool,
    /// How many this call takes, the oldest first: 1 to 10,000; 1,000 if not given.
    #[schema(minimum = 1, maximum = 10000)]
    limit: Option<usize>,
}

impl DeadJobsRequest {
    fn filter(&self, caller: &Caller) -> Result<DeadFilter> {
        let given =
            self.kind.is_some() || self.user_id.is_some() || self.connection_id.is_some() || self.code.is_some() || self.before.is_some();
        if !given && !self.all {
            let message = "say {\"all\": true} to mean every dead job, or name a kind, user_id, connection_id, code or before";
            return Err(ApiError::field("all", message));
        }
        Ok(DeadFilter {
            kind: self.kind,
            user_id: self.user_id.map(UserId),
            connection_id: self.connection_id.map(ConnectionId),
            code: self.code,
            before: self.before,
            usable: caller.limited_to(),
        })
    }

    fn limit(&self) -> Result<usize> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(ApiError::field("limit", format!("must be 1 to {MAX_LIMIT}"))),
        }
    }
}

/// A call's walk over the dead jobs that fit, oldest first: only among those that were there when it began.
struct Walk {
    after: JobId,
    upto: JobId,
    is_over: bool,
    // Those that somebody else had locked.
    passed: Vec<JobId>,
}

impl Walk {
    async fn begin(pool: &PgPool) -> store::Result<Self> {
        let newest = dead::newest(pool).await?;
        let (after, upto) = (JobId(Uuid::nil()), newest.unwrap_or(JobId(Uuid::nil())));
        Ok(Self { after, upto, is_over: newest.is_none(), passed: Vec::new() })
    }

    /// The next ones, at most `size`.
    async fn next(&mut self, pool: &PgPool, filter: &DeadFilter, to_replay: bool, size: usize) -> store::Result<Vec<DeadJob>> {
        // One more, which tells whether there are more.
        let one_more = i64::try_from(size + 1).unwrap_or(i64::MAX);
        let mut found = dead::find(pool, filter, self.after, self.upto, to_replay, one_more).await?;
        self.is_over = found.len() <= size;
        found.truncate(size);
        self.after = found.last().map_or(self.after, |job| job.id);
        Ok(found)
    }

    /// Goes back to this job: those after it were not taken.
    fn back_to(&mut self, job: JobId) {
        self.after = job;
        self.is_over = false;
    }

    /// Whether the same call would find more: what it did not come to, and what was locked.
    async fn is_left(&self, pool: &PgPool) -> store::Result<bool> {
        Ok(!self.is_over || (!self.passed.is_empty() && dead::is_any_dead(pool, &self.passed).await?))
    }
}

async fn record(
    conn: &mut PgConnection,
    framed: &Framed,
    caller: &Caller,
    action: &str,
    request: &DeadJobsRequest,
    jobs: &[JobId],
) -> store::Result<()> {
    let entry = Entry {
        user_id: Some(caller.user_id),
        action,
        resource_type: "job",
        resource_id: None,
        success: true,
        details: json!({ "filter": request, "jobs": jobs }),
    };
    audit::insert(conn, &framed.origin, entry).await
}
