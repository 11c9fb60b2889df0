//! A job comes into being: nothing is accepted that can be lost (invariant 2).

use std::collections::HashMap;

use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Flow, Ring, admit};
use crate::{
    ids::{BatchId, ConnectionId, FileId, JobId, QuestionId, UserId},
    jobs::JobKind,
    model::{jobs::Lane, questions::QueryType},
    store::{
        Result,
        audit::Origin,
        connections::Askable,
        idempotency::{Earlier, IdempotencyKey},
    },
};

/// A job other than a question's.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Minted before the commit, so that an unknown outcome can be resent.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// For whom.
    pub user_id: UserId,
    /// On which connection.
    pub connection_id: Option<ConnectionId>,
    /// In which batch; of a delivery that is repeated: with which others it shares a window.
    pub batch_id: Option<BatchId>,
    /// What it is about.
    pub subject_id: Option<Uuid>,
    /// The job that it repeats.
    pub replay_of: Option<JobId>,
    /// Seconds until it is given up.
    pub deadline_seconds: f64,
    /// Seconds from its first attempt on until it is given up; none: only the deadline counts.
    pub run_seconds: Option<f32>,
    /// Attempts that it may cost.
    pub max_attempts: i16,
    /// What it needs.
    pub payload: Value,
    /// The trace that it continues.
    pub traceparent: Option<String>,
}

impl NewJob {
    /// Where it waits: what repeats an item of a batch, with the other items.
    #[must_use]
    pub fn lane(&self) -> Lane {
        // What a delivery has there is its target.
        let is_item = self.batch_id.is_some() && self.kind != JobKind::DeliverWebhook;
        if is_item { Lane::Bulk } else { self.kind.lane() }
    }

    /// Whose turn it waits for.
    #[must_use]
    pub fn flow(&self) -> Flow {
        Flow { lane: self.lane(), user_id: self.user_id }
    }
}

/// Adds a job, in the transaction of the change that causes it. It waits for its turn: after the commit the caller asks the
/// dispatcher to let its owner's next jobs in.
///
/// # Errors
/// If the database fails.
pub async fn insert(conn: &mut PgConnection, job: &NewJob) -> Result<()> {
    sqlx::query!(
        "INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, connection_id, batch_id, subject_id, replay_of, deadline, run_seconds,
                           max_attempts, payload, traceparent)
         VALUES ($1, $2, $3, 'waiting', false, $4, $5, $6, $7, $8, dg_now() + $9 * interval '1 second', $10, $11, $12, $13)",
        job.id.0,
        job.kind.as_str(),
        job.lane().as_str(),
        job.user_id.0,
        job.connection_id.map(|id| id.0),
        job.batch_id.map(|id| id.0),
        job.subject_id,
        job.replay_of.map(|id| id.0),
        job.deadline_seconds,
        job.run_seconds,
        job.max_attempts,
        job.payload,
        job.traceparent
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A question as submitted.
#[derive(Clone, Debug)]
pub struct NewQuestion {
    /// Minted before the commit, so that an unknown outcome can be resent.
    pub id: QuestionId,
    /// Likewise.
    pub job_id: JobId,
    /// Who asks.
    pub user_id: UserId,
    /// Whether he is an admin, who may ask connections without a permission.
    pub is_admin: bool,
    /// The database it is asked of.
    pub connection_id: Option<ConnectionId>,
    /// The file it is asked of.
    pub file_id: Option<FileId>,
    /// In the asker's words; empty where only a statement is given.
    pub question: String,
    /// What it is asked of.
    pub query_type: QueryType,
    /// The question it refers to.
    pub follows: Option<QuestionId>,
    /// Called once at its end.
    pub callback_url: Option<String>,
    /// Seconds until it is given up.
    pub deadline_seconds: f64,
    /// Seconds from its first attempt on until it is given up; none: only the deadline counts.
    pub run_seconds: Option<f32>,
    /// Attempts that it may cost.
    pub max_attempts: i16,
    /// The job's payload.
    pub payload: Value,
    /// The trace that it continues.
    pub traceparent: Option<String>,
    /// The caller's `Idempotency-Key`.
    pub idempotency: Option<IdempotencyKey>,
    /// Where the call came from, for the audit log.
    pub origin: Origin,
}

impl NewQuestion {
    /// The bell to ring after the commit.
    #[must_use]
    pub fn ring(&self) -> Ring {
        let kind = JobKind::AnswerQuestion;
        Ring { job_id: self.job_id, kind, lane: kind.lane(), traceparent: self.traceparent.clone() }
    }
}

/// How a submission ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It is in the ledger.
    New {
        /// It was let in at once: ring. Else it waits for its turn.
        rung: bool,
    },
    /// The same request was made before: this question.
    Earlier(QuestionId),
    /// The key was used for another request.
    KeyReused,
    /// Nothing was stored: the connection can't be asked, or not by him. None: there is no such connection, or no such file of his.
    Refused(Option<Askable>),
}

/// What came of a slice of submissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// One for each submission, in their order.
    pub outcomes: Vec<Submitted>,
    /// Owners some of whose questions wait although there is room, since somebody else was at their window or earlier ones wait:
    /// let their next jobs in.
    pub let_in: Vec<UserId>,
}

/// Puts a slice of submissions into the ledger in one statement, and so in one commit: question, job, idempotency key and audit
/// line of each, or nothing of any. Of each owner's questions as many are let in at once as his window (jobs rung or running) has
/// room for; the others wait.
///
/// Safe to send again with the same ids when the outcome of a first try is unknown.
///
/// # Errors
/// If the database fails, or one of the slice can't be stored: then none is, and the caller sends them one by one.
pub async fn submit(pool: &PgPool, slice: &[NewQuestion], window: u32) -> Result<Taken> {
    let mut connection = pool.acquire().await?;
    submit_on(&mut connection, slice, window).await
}

/// The same, on a connection.
///
/// # Errors
/// As [`submit`].
pub async fn submit_on(conn: &mut PgConnection, slice: &[NewQuestion], window: u32) -> Result<Taken> {
    let stored = insert_slice(&mut *conn, slice, i64::from(window)).await?;
    let mut taken = Taken::default();
    for question in slice {
        let outcome = match (stored.get(&question.id.0), &question.idempotency) {
            (Some(Entry { refused: Some(askable), .. }), _) => Submitted::Refused((**askable).clone()),
            (Some(entry), _) if entry.is_fresh => {
                if entry.let_in && !taken.let_in.contains(&question.user_id) {
                    taken.let_in.push(question.user_id);
                }
                Submitted::New { rung: entry.rung }
            }
            // Stored by an earlier send whose answer was lost: whether it was rung is not known, and a second ring changes nothing.
            (_, None) => Submitted::New { rung: true },
            (_, Some(key)) => match crate::store::idempotency::find(&mut *conn, question.user_id, key).await? {
                Some(Earlier::Same(id)) if id == question.id.0 => Submitted::New { rung: true },
                Some(Earlier::Same(id)) => Submitted::Earlier(QuestionId(id)),
                Some(Earlier::Different) | None => Submitted::KeyReused,
            },
        };
        taken.outcomes.push(outcome);
    }
    Ok(taken)
}

/// What was stored of a question.
struct Entry {
    refused: Option<Box<Option<Askable>>>,
    is_fresh: bool,
    rung: bool,
    let_in: bool,
}

// Parallel arrays, as UNNEST wants them.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    jobs: Vec<Uuid>,
    users: Vec<Uuid>,
    admins: Vec<bool>,
    connections: Vec<Option<Uuid>>,
    files: Vec<Option<Uuid>>,
    questions: Vec<String>,
    types: Vec<String>,
    follows: Vec<Option<Uuid>>,
    deadlines: Vec<f64>,
    run_seconds: Vec<Option<f32>>,
    attempts: Vec<i16>,
    payloads: Vec<Value>,
    traces: Vec<Option<String>>,
    keys: Vec<Option<String>>,
    hashes: Vec<Option<Vec<u8>>>,
    requests: Vec<Option<Uuid>>,
    networks: Vec<Option<ipnetwork::IpNetwork>>,
    agents: Vec<Option<String>>,
    callbacks: Vec<Option<String>>,
}

impl Columns {
    fn push(&mut self, q: &NewQuestion) {
        self.ids.push(q.id.0);
        self.jobs.push(q.job_id.0);
        self.users.push(q.user_id.0);
        self.admins.push(q.is_admin);
        self.connections.push(q.connection_id.map(|id| id.0));
        self.files.push(q.file_id.map(|id| id.0));
        self.questions.push(q.question.clone());
        self.types.push(q.query_type.as_str().to_owned());
        self.follows.push(q.follows.map(|id| id.0));
        self.deadlines.push(q.deadline_seconds);
        self.run_seconds.push(q.run_seconds);
        self.attempts.push(q.max_attempts);
        self.payloads.push(q.payload.clone());
        self.traces.push(q.traceparent.clone());
        self.keys.push(q.idempotency.as_ref().map(|key| key.key.clone()));
        self.hashes.push(q.idempotency.as_ref().map(|key| key.request_hash.clone()));
        self.requests.push(q.origin.request_id.map(|id| id.0));
        self.networks.push(q.origin.network());
        self.agents.push(q.origin.user_agent.clone());
        self.callbacks.push(q.callback_url.clone());
    }
}

async fn insert_slice(conn: &mut PgConnection, slice: &[NewQuestion], window: i64) -> Result<HashMap<Uuid, Entry>> {
    let mut c = Columns::default();
    slice.iter().for_each(|question| c.push(question));
    // The lock of a window is the one that the dispatcher takes to let jobs in: who does not get it lets nothing in, so that two do
    // not fill the same room.
    let rows = sqlx::query!(
        r#"WITH input AS (
               SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::float8[],
                                    $9::real[], $10::int2[], $11::jsonb[], $12::text[], $13::text[], $14::bytea[], $15::uuid[],
                                    $16::inet[], $17::text[], $20::bool[], $21::uuid[], $22::text[])
               WITH ORDINALITY
               AS t(id, job_id, user_id, connection_id, question, query_type, follows, deadline, run_seconds, max_attempts, payload,
                    traceparent, key, request_hash, request_id, ip_address, user_agent, is_admin, file_id, callback_url, n)
           ), judged AS (
               SELECT t.*, c.is_active, c.state, c.state_error, p.can_query,
                   (t.file_id IS NULL OR f.id IS NOT NULL) AND (t.connection_id IS NULL
                       OR coalesce(c.is_active AND c.state <> 'refused' AND (t.is_admin OR coalesce(p.can_query, false)), false)) AS may_ask
               FROM input t LEFT JOIN database_connections c ON c.id = t.connection_id
               LEFT JOIN connection_permissions p ON p.user_id = t.user_id AND p.connection_id = t.connection_id
               LEFT JOIN files f ON f.id = t.file_id AND f.user_id = t.user_id
           ), keys AS (
               INSERT INTO idempotency_keys AS k (user_id, key, request_hash, resource_id, expires_at)
               SELECT DISTINCT ON (user_id, key) user_id, key, request_hash, id, dg_now() + interval '24 hours' FROM judged
               WHERE key IS NOT NULL AND may_ask ORDER BY user_id, key, id
               ON CONFLICT (user_id, key) DO UPDATE
                   SET request_hash = EXCLUDED.request_hash, resource_id = EXCLUDED.resource_id, expires_at = EXCLUDED.expires_at
                   WHERE k.expires_at < dg_now()
               RETURNING resource_id
           ), fresh AS (
               SELECT * FROM judged WHERE may_ask AND (key IS NULL OR id IN (SELECT resource_id FROM keys))
           ), windows AS MATERIALIZED (
               SELECT u.user_id, w.room, w.others_wait,
                   EXISTS (SELECT FROM queue_pauses WHERE name IN ('interactive', 'answer_question')) AS paused
               FROM (SELECT DISTINCT user_id FROM fresh) u
               LEFT JOIN LATERAL window_room($19, 'interactive', u.user_id, $18) w ON true
           ), turns AS (
               SELECT f.*, NOT paused AND coalesce(NOT others_wait AND row_number() OVER (PARTITION BY f.user_id ORDER BY n) <= room, false) AS rung,
                   NOT paused AND coalesce(room > 0, true) AS let_in
               FROM fresh f JOIN windows w ON w.user_id = f.user_id
           ), asked AS (
               INSERT INTO query_history (id, user_id, connection_id, file_id, question, query_type, job_id, follows, callback_url)
               SELECT id, user_id, connection_id, file_id, question, query_type, job_id, follows, callback_url FROM fresh
               ON CONFLICT (id) DO NOTHING
               RETURNING id
           ), queued AS (
               INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, connection_id, subject_id, deadline, run_seconds, max_attempts,
                                 rung_at, payload, traceparent)
               SELECT job_id, 'answer_question', 'interactive', CASE WHEN rung THEN 'queued' ELSE 'waiting' END, rung, user_id,
                      connection_id, id, dg_now() + deadline * interval '1 second', run_seconds, max_attempts,
                      CASE WHEN rung THEN dg_now() END, payload, traceparent
               FROM turns
               ON CONFLICT (id) DO NOTHING
           ), audited AS (
               -- By the question's own id, which is ordered by time: a random one would go to another page of the index each time.
               INSERT INTO audit_logs (id, user_id, action, resource_type, resource_id, ip_address, user_agent, request_id, details, result)
               SELECT fresh.id, user_id, 'question.asked', 'question', fresh.id::text, ip_address, user_agent, request_id,
                      jsonb_build_object('connection_id', connection_id, 'job_id', job_id)
                          || CASE WHEN file_id IS NULL THEN '{}' ELSE jsonb_build_object('file_id', file_id) END, 'success'
               FROM fresh JOIN asked ON asked.id = fresh.id
           )
           -- What an earlier send has stored is not refused, whatever has changed since.
           SELECT j.id AS "id!", t.id IS NOT NULL AS "is_fresh!", coalesce(t.rung, false) AS "rung!",
               coalesce(NOT t.rung AND t.let_in, false) AS "let_in!",
               NOT j.may_ask AND (SELECT q.id FROM query_history q WHERE q.id = j.id) IS NULL AS "is_refused!", j.is_active AS "is_active?",
               j.state AS "state?", CASE WHEN NOT j.may_ask THEN j.state_error END AS state_error, j.can_query AS "can_query?"
           FROM judged j LEFT JOIN turns t ON t.id = j.id"#,
        &c.ids,
        &c.jobs,
        &c.users,
        &c.connections as &[Option<Uuid>],
        &c.questions,
        &c.types,
        &c.follows as &[Option<Uuid>],
        &c.deadlines,
        &c.run_seconds as &[Option<f32>],
        &c.attempts,
        &c.payloads,
        &c.traces as &[Option<String>],
        &c.keys as &[Option<String>],
        &c.hashes as &[Option<Vec<u8>>],
        &c.requests as &[Option<Uuid>],
        &c.networks as &[Option<ipnetwork::IpNetwork>],
        &c.agents as &[Option<String>],
        window,
        admit::lock_class(Lane::Interactive),
        &c.admins,
        &c.files as &[Option<Uuid>],
        &c.callbacks as &[Option<String>]
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let refused = if row.is_refused {
                Some(Box::new(Askable::read(row.is_active, row.state.as_deref(), row.state_error, row.can_query)?))
            } else {
                None
            };
            Ok((row.id, Entry { refused, is_fresh: row.is_fresh, rung: row.rung, let_in: row.let_in }))
        })
        .collect()
}
