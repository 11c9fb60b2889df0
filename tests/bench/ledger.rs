//! What the benchmark reads from the system database, over one connection of its own.

use anyhow::Context;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

/// All that questions leave behind; users, keys and connections stay. Not every version has every table.
const EMPTY: &str = "
DO $$
DECLARE found text;
BEGIN
    SELECT string_agg(quote_ident(relname), ', ') INTO found FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND relname IN ('query_history', 'analysis_results', 'jobs', 'job_attempts', 'events', 'idempotency_keys', 'capacity_leases',
                      'rate_windows', 'workers');
    EXECUTE 'TRUNCATE ' || found || ' CASCADE';
END $$";

/// The reader.
pub struct Ledger(PgConnection);

impl Ledger {
    /// Connects. The URL is a superuser's.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        Ok(Self(PgConnection::connect(url).await.context("the system database")?))
    }

    /// Removes all questions and jobs, while no program runs, and writes everything to the disk, so that each phase begins alike.
    pub async fn empty(&mut self) -> anyhow::Result<()> {
        sqlx::raw_sql(EMPTY).execute(&mut self.0).await.context("emptying the ledger")?;
        // On its own: it can't be part of a transaction, and several statements sent at once are one.
        sqlx::raw_sql("CHECKPOINT").execute(&mut self.0).await.context("a checkpoint")?;
        Ok(())
    }

    /// How many questions ended well, and how many otherwise.
    pub async fn ended(&mut self) -> anyhow::Result<(i64, i64)> {
        let sql = "SELECT count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status NOT IN ('success', 'pending'))
                   FROM query_history";
        Ok(sqlx::query_as(sql).fetch_one(&mut self.0).await?)
    }

    /// How many results there are. As many as questions that ended well, but nothing of a backlog is read for it.
    pub async fn results(&mut self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM analysis_results").fetch_one(&mut self.0).await?)
    }

    /// How many jobs have not ended.
    pub async fn open_jobs(&mut self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM jobs WHERE finished_at IS NULL").fetch_one(&mut self.0).await?)
    }

    /// A question's status.
    pub async fn status(&mut self, question: Uuid) -> anyhow::Result<String> {
        Ok(sqlx::query_scalar("SELECT status FROM query_history WHERE id = $1").bind(question).fetch_one(&mut self.0).await?)
    }

    /// Makes so many more of the one schedule that there is.
    pub async fn copy_schedules(&mut self, count: i64) -> anyhow::Result<()> {
        // As a table of one row each: what is written `(f(x)).*` is computed anew for each of its columns.
        let sql = "INSERT INTO schedules SELECT made.* FROM schedules s, generate_series(1, $1),
                       LATERAL jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid())) made";
        sqlx::query(sql).bind(count).execute(&mut self.0).await.context("copies of a schedule")?;
        sqlx::query("UPDATE schedules SET next_run_at = date_trunc('minute', dg_now()) + interval '1 day'").execute(&mut self.0).await?;
        sqlx::query("VACUUM schedules").execute(&mut self.0).await?;
        sqlx::query("ANALYZE schedules").execute(&mut self.0).await?;
        Ok(())
    }

    /// Has the time of so many schedules come.
    pub async fn make_due(&mut self, count: i64) -> anyhow::Result<()> {
        let sql = "UPDATE schedules SET next_run_at = date_trunc('minute', dg_now()) WHERE id IN (SELECT id FROM schedules LIMIT $1)";
        sqlx::query(sql).bind(count).execute(&mut self.0).await?;
        Ok(())
    }

    /// How often schedules were fired.
    pub async fn schedule_runs(&mut self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM schedule_runs WHERE state = 'fired'").fetch_one(&mut self.0).await?)
    }

    /// Removes all schedules with their runs.
    pub async fn remove_schedules(&mut self) -> anyhow::Result<()> {
        sqlx::query("TRUNCATE schedules CASCADE").execute(&mut self.0).await?;
        Ok(())
    }

    /// Makes so many questions with answers of more than a hundred days ago, like one that was answered.
    pub async fn copy_old_questions(&mut self, count: i64) -> anyhow::Result<()> {
        // Ids are of their times, and one a millisecond: the upkeep walks by them.
        let at = "dg_now() - interval '100 days' - n * interval '1 millisecond'";
        // The one row is there once, in its own type, and only what differs is filled in, once a copy: written `(f(x)).*` it would be
        // computed anew for each of its columns, which takes an hour for a million.
        let questions = format!(
            "INSERT INTO query_history SELECT made.*
             FROM (SELECT q FROM query_history q WHERE status = 'success' LIMIT 1) one(q), generate_series(1, $1) n,
                 LATERAL jsonb_populate_record(one.q, jsonb_build_object('id', uuid7_at({at}), 'created_at', {at}, 'finished_at', {at},
                     'job_id', uuid7_at({at}))) made"
        );
        sqlx::query(sqlx::AssertSqlSafe(questions)).bind(count).execute(&mut self.0).await.context("old questions")?;
        let answers = "INSERT INTO analysis_results SELECT made.*
             FROM (SELECT a FROM analysis_results a LIMIT 1) one(a), query_history q,
                 LATERAL jsonb_populate_record(one.a, jsonb_build_object('id', gen_random_uuid(), 'query_history_id', q.id,
                     'created_at', q.created_at, 'job_id', q.job_id)) made
             WHERE q.created_at < dg_now() - interval '100 days'";
        sqlx::query(answers).execute(&mut self.0).await.context("old answers")?;
        // As a table is that was filled over months: no vacuum of a million new rows falls into what is measured.
        for sql in ["VACUUM (ANALYZE) query_history, analysis_results", "CHECKPOINT"] {
            sqlx::query(sql).execute(&mut self.0).await?;
        }
        Ok(())
    }

    /// The oldest question, which is the first to be removed: one look into an index, where counting a million rows takes the cores from
    /// who removes them.
    pub async fn oldest_question(&mut self) -> anyhow::Result<Option<Uuid>> {
        Ok(sqlx::query_scalar("SELECT id FROM query_history ORDER BY id LIMIT 1").fetch_optional(&mut self.0).await?)
    }

    /// How many of them are left.
    pub async fn old_questions(&mut self) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM query_history WHERE id < uuid7_at(dg_now() - interval '100 days')";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut self.0).await?)
    }

    /// Forgets when the upkeep ran, so that all of it is due.
    pub async fn forget_upkeep(&mut self) -> anyhow::Result<()> {
        sqlx::query("TRUNCATE upkeep_runs CASCADE").execute(&mut self.0).await?;
        Ok(())
    }

    /// How long one INSERT in a commit of its own takes, in milliseconds, so many times.
    pub async fn single_commits(&mut self, count: usize) -> anyhow::Result<Vec<f64>> {
        let make = "CREATE TABLE IF NOT EXISTS bench_commits (id bigserial PRIMARY KEY, at timestamptz DEFAULT now())";
        sqlx::query(make).execute(&mut self.0).await?;
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            sqlx::query("INSERT INTO bench_commits DEFAULT VALUES").execute(&mut self.0).await?;
            samples.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        sqlx::query("DROP TABLE bench_commits").execute(&mut self.0).await?;
        Ok(samples)
    }
}
