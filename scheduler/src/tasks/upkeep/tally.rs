//! What a run has removed so far, and its pace: it rests longer than it works, so that it never takes the database from others.

use std::{collections::BTreeMap, time::Duration};

use datagenie_common::{
    model::upkeep::UpkeepTask,
    store::{Result, upkeep},
};
use serde_json::json;
use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How often the record says how far the run is.
const WORD: Duration = Duration::from_secs(5);
/// Times as long as a step took are rested after it.
const REST: u32 = 3;
const SHORTEST_REST: Duration = Duration::from_millis(5);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// The tally of a run.
pub struct Tally {
    pool: PgPool,
    id: Uuid,
    began: Instant,
    step: Instant,
    told: Instant,
    removed: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Of the run with this record.
    pub fn new(pool: PgPool, id: Uuid) -> Self {
        let now = Instant::now();
        Self { pool, id, began: now, step: now, told: now, removed: BTreeMap::new() }
    }

    /// Counts what was removed, or made.
    pub fn add(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            *self.removed.entry(what).or_default() += count;
        }
    }

    /// After a step: tells how far it is, and rests.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rest(&mut self) -> Result<()> {
        if self.told.elapsed() > WORD {
            upkeep::seen(&self.pool, self.id, &json!(self.removed)).await?;
            self.told = Instant::now();
        }
        sleep((self.step.elapsed() * REST).clamp(SHORTEST_REST, LONGEST_REST)).await;
        self.step = Instant::now();
        Ok(())
    }

    /// Writes the record's end.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn end(self, task: UpkeepTask, error: Option<&str>) -> Result<()> {
        if !self.removed.is_empty() {
            let removed = json!(self.removed).to_string();
            tracing::info!(task = task.as_str(), removed, seconds = self.began.elapsed().as_secs_f64(), "kept the tables");
        }
        upkeep::end(&self.pool, self.id, &json!(self.removed), error).await
    }
}
