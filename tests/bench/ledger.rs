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
