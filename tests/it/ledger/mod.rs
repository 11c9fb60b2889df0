//! The ledger on a real database, without workers: every promise of invariants 1 to 6 that the store alone has to keep.

mod admit;
mod cancel;
mod claim;
mod clock;
mod events;
mod finish;
mod finish_many;
mod hot;
mod intake;
mod outages;
mod release;
mod replay;
mod rescue;
mod ring_again;
mod strangers;

use datagenie_common::{
    ids::{JobId, QuestionId, UserId},
    jobs::{AnswerQuestion, CacheMode, PAYLOAD_VERSION},
    model::{
        jobs::Lane,
        questions::{Failure, FailureCode, QueryType},
        users::Role,
    },
    store::{
        answers::{Answer, Rows},
        audit::Origin,
        idempotency::IdempotencyKey,
        ledger::{Claimed, NewQuestion, Outcome, Submitted, claim as claims, intake as intakes},
        questions::Ending,
        users::{self, NewUser},
    },
};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::bare::BareDatabase;

/// A lease that has run out as soon as it is given.
const SPENT: f64 = -1.0;
/// A window that lets everything in.
const WIDE: u32 = 10_000;
/// A lease that outlives the test.
const LONG: f64 = 600.0;

/// A migrated database with one user.
struct Ledger {
    pool: PgPool,
    database: BareDatabase,
    user: UserId,
}

impl Ledger {
    async fn new() -> Self {
        let database = BareDatabase::migrated().await;
        let pool = database.pool.clone();
        let user = add_user(&pool, "asker").await;
        Self { pool, database, user }
    }

    /// A question of this user that nobody has submitted yet.
    fn question(&self) -> NewQuestion {
        question_of(self.user)
    }

    /// A submitted question.
    async fn asked(&self) -> NewQuestion {
        let question = self.question();
        self.submit(std::slice::from_ref(&question)).await;
        question
    }

    async fn submit(&self, slice: &[NewQuestion]) -> Vec<Submitted> {
        intakes::submit(&self.pool, slice, WIDE).await.expect("the slice is stored").outcomes
    }

    async fn claim(&self, job: JobId, lease_seconds: f64) -> Option<Claimed> {
        claims::claim(&self.pool, job, "worker-1", lease_seconds).await.expect("the claim is decided")
    }

    /// Makes a job that waits for a backoff due now.
    async fn make_due(&self, job: JobId) {
        sqlx::query("UPDATE jobs SET run_at = dg_now() WHERE id = $1").bind(job.0).execute(&self.pool).await.expect("the job is made due");
    }

    /// Pretends that a job's bell was rung so many seconds ago.
    async fn rung_ago(&self, job: JobId, seconds: f64) {
        sqlx::query("UPDATE jobs SET rung_at = dg_now() - $2 * interval '1 second' WHERE id = $1")
            .bind(job.0)
            .bind(seconds)
            .execute(&self.pool)
            .await
            .expect("the bell is set back");
    }

    /// Everything that is stored of a job: its row, its question, its attempts, events and answers.
    async fn everything(&self, job: JobId) -> Value {
        sqlx::query_scalar(
            "SELECT jsonb_build_object(
                 'job', to_jsonb(j),
                 'question', (SELECT to_jsonb(q) FROM query_history q WHERE q.id = j.subject_id),
                 'attempts', (SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.ended_at, a.lease_id), '[]') FROM job_attempts a WHERE a.job_id = j.id),
                 'events', (SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.seq), '[]') FROM events e WHERE e.job_id = j.id),
                 'answers', (SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.id), '[]') FROM analysis_results r WHERE r.job_id = j.id))
             FROM jobs j WHERE j.id = $1",
        )
        .bind(job.0)
        .fetch_one(&self.pool)
        .await
        .expect("the job exists")
    }

    /// The outcomes of a job's attempts that are over, oldest first.
    async fn outcomes(&self, job: JobId) -> Vec<String> {
        let attempts = datagenie_common::store::ledger::view::attempts(&self.pool, job).await.expect("the attempts are read");
        attempts.into_iter().map(|attempt| attempt.outcome).collect()
    }

    /// How many rows a table has.
    async fn count(&self, table: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&self.pool)
            .await
            .expect("the table is counted")
    }

    async fn add_connection(&self) -> Uuid {
        sqlx::query_scalar(
            "INSERT INTO database_connections (name, display_name, db_type, connection_config)
             VALUES ('shop-' || gen_random_uuid(), 'Shop', 'postgresql', '{}') RETURNING id",
        )
        .fetch_one(&self.pool)
        .await
        .expect("the connection is stored")
    }
}

async fn add_user(pool: &PgPool, username: &str) -> UserId {
    let mut conn = pool.acquire().await.expect("a connection");
    let email = format!("{username}@example.com");
    let user = NewUser { username, email: &email, password_hash: "unused", full_name: None, role: Role::User, must_change_password: false };
    users::insert(&mut conn, &user).await.expect("the user is stored").id
}

fn question_of(user_id: UserId) -> NewQuestion {
    let id = QuestionId::new();
    let payload = AnswerQuestion {
        api_key_id: None,
        v: PAYLOAD_VERSION,
        question_id: id,
        question: "How many orders are there?".to_owned(),
        connection_id: None,
        file_id: None,
        sql: None,
        follows: None,
        cache: CacheMode::Use,
    };
    NewQuestion {
        id,
        job_id: JobId::new(),
        user_id,
        is_admin: false,
        connection_id: None,
        file_id: None,
        question: payload.question.clone(),
        query_type: QueryType::General,
        follows: None,
        callback_url: None,
        deadline_seconds: 600.0,
        run_seconds: None,
        max_attempts: 3,
        payload: serde_json::to_value(&payload).expect("a payload is JSON"),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        idempotency: None,
        origin: Origin::default(),
    }
}

fn with_key(mut question: NewQuestion, key: &str, body: &[u8]) -> NewQuestion {
    question.idempotency = Some(IdempotencyKey { key: key.to_owned(), request_hash: body.to_vec(), other_hashes: Vec::new() });
    question
}

/// An answer of one row.
fn answered() -> Outcome {
    let ending = Ending {
        sql: Some("SELECT 1".to_owned()),
        dialect: Some("postgresql".to_owned()),
        row_count: Some(1),
        provenance: json!({ "model": "given", "tables": [], "attempts": [] }),
        usage: json!({}),
        timings: json!({}),
        ..Ending::default()
    };
    let answer = Answer {
        columns: Vec::new(),
        first_rows: vec![vec![json!(1)]],
        rows: Rows::Inline(b"[1]\n".to_vec()),
        chart_type: None,
        chart: None,
        chart_spec: None,
        summary: "There is one.".to_owned(),
        insights: Vec::new(),
    };
    Outcome::Answered { ending: Box::new(ending), answer: Box::new(answer) }
}

fn failed(code: FailureCode, dead: bool) -> Outcome {
    Outcome::Failed { failure: Failure::new(code, "it went wrong"), dead, ending: None }
}

const INTERACTIVE: Lane = Lane::Interactive;
