//! Reading the audit log: newest first, by filters, a page at a time, and only in the months that may hold what is looked for.

use chrono::{DateTime, TimeDelta, Utc};
use ipnetwork::IpNetwork;
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::store::{Result, StoreError};

/// What is looked for; none: everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this user.
    pub user_id: Option<Uuid>,
    /// What the action begins with: `login`, `connection.`.
    pub action: Option<String>,
    /// The kind of thing.
    pub resource_type: Option<String>,
    /// The thing.
    pub resource_id: Option<String>,
    /// `success`, `failure` or `partial`.
    pub result: Option<String>,
    /// From within this network.
    pub address: Option<IpNetwork>,
    /// Of this request.
    pub request_id: Option<Uuid>,
    /// A text that stands in the action, the thing, the program or the details, whatever its case.
    pub text: Option<String>,
}

/// A place in the log: what is older than it comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When.
    pub at: DateTime<Utc>,
    /// The line; the nil id: before all of that time.
    pub id: Uuid,
}

/// A line as read.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Who.
    pub user_id: Option<Uuid>,
    /// His name now.
    pub username: Option<String>,
    /// What.
    pub action: String,
    /// Of what kind of thing.
    pub resource_type: String,
    /// Of which one.
    pub resource_id: Option<String>,
    /// From where.
    pub ip_address: Option<IpNetwork>,
    /// By which program.
    pub user_agent: Option<String>,
    /// In which request.
    pub request_id: Option<Uuid>,
    /// More.
    pub details: Option<Value>,
    /// `success`, `failure` or `partial`.
    pub result: Option<String>,
}

impl Found {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { at: self.created_at, id: self.id }
    }
}

/// The first step back in time, and by what each next one is longer: the log may hold millions of lines of a day, and few of a user.
const FIRST_STEP: TimeDelta = TimeDelta::seconds(30);
const LONGER: i32 = 8;

/// No step is shorter: of a log that is so full, or so large, that even this takes too long, nothing is read.
const SHORTEST_STEP: TimeDelta = TimeDelta::seconds(1);

/// At most so many lines that are older than `before` and not older than `from`, newest first. None: the database took too long to look
/// through all that is asked for.
///
/// # Errors
/// If the database fails.
pub async fn page(pool: &PgPool, filter: &Filter, from: DateTime<Utc>, before: Place, limit: i64) -> Result<Option<Vec<Found>>> {
    let mut tx = begin(pool).await?;
    let found = walk_back(&mut tx, filter, from, before, limit).await;
    tx.rollback().await?;
    in_time(found)
}

/// How far a reading of all that is found has come. However many lines there are, and however far apart, each step of it reads few and
/// is short.
#[derive(Clone, Debug)]
pub struct Walk {
    filter: Filter,
    from: DateTime<Utc>,
    before: Place,
    step: TimeDelta,
    /// A longer step has taken too long.
    longest: TimeDelta,
    is_over: bool,
}

impl Walk {
    /// From `before` back to `from`.
    #[must_use]
    pub fn new(filter: Filter, from: DateTime<Utc>, before: Place) -> Self {
        Self { filter, from, before, step: FIRST_STEP, longest: TimeDelta::MAX, is_over: false }
    }

    /// The next lines, at most so many, newest first; empty: that was all. None: the database took too long even for a second of the log.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn next(&mut self, pool: &PgPool, limit: i64) -> Result<Option<Vec<Found>>> {
        while !self.is_over {
            let least = self.before.at.checked_sub_signed(self.step).map_or(self.from, |least| least.max(self.from));
            let mut tx = begin(pool).await?;
            let found = between(&mut tx, &self.filter, least, self.before, limit).await;
            tx.rollback().await?;
            let Some(found) = in_time(found)? else {
                if self.step <= SHORTEST_STEP {
                    return Ok(None);
                }
                self.longest = (self.step / LONGER).max(SHORTEST_STEP);
                self.step = self.longest;
                continue;
            };
            self.passed(least, found.last().map(Found::place), i64::try_from(found.len()).is_ok_and(|count| count >= limit));
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
        Ok(Some(Vec::new()))
    }

    fn passed(&mut self, least: DateTime<Utc>, last: Option<Place>, is_full: bool) {
        match last.filter(|_| is_full) {
            // As much again will be about as long: a longer step would order more lines than are taken.
            Some(last) => {
                self.step = ((self.before.at - last.at) * 2).clamp(SHORTEST_STEP, self.step.max(SHORTEST_STEP));
                self.before = last;
            }
            None => {
                self.is_over = least <= self.from;
                self.before = Place { at: least, id: Uuid::nil() };
                self.step = (self.step * LONGER).min(self.longest);
            }
        }
    }
}

/// A transaction whose statements take ten seconds at most, and are planned for what they look for: a plan for any filter uses the index
/// of none.
async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>> {
    let mut tx = pool.begin().await?;
    sqlx::query!("SET LOCAL statement_timeout = '10s'").execute(&mut *tx).await?;
    sqlx::query!("SET LOCAL plan_cache_mode = force_custom_plan").execute(&mut *tx).await?;
    Ok(tx)
}

/// None where the database took too long.
fn in_time<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Err(StoreError::Database(sqlx::Error::Database(error))) if error.code().as_deref() == Some("57014") => Ok(None),
        found => found.map(Some),
    }
}

// In steps back in time, each of which looks at its own months alone. Ordering all the log by time would read all of it: its index on the
// time says only roughly where what lies.
async fn walk_back(conn: &mut PgConnection, filter: &Filter, from: DateTime<Utc>, before: Place, limit: i64) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    let (mut before, mut step) = (before, FIRST_STEP);
    loop {
        let least = before.at.checked_sub_signed(step).map_or(from, |least| least.max(from));
        let wanted = limit - i64::try_from(found.len()).unwrap_or(limit);
        found.extend(between(&mut *conn, filter, least, before, wanted).await?);
        if least <= from || i64::try_from(found.len()).is_ok_and(|count| count >= limit) {
            return Ok(found);
        }
        // Older than all that has been looked at.
        before = Place { at: least, id: Uuid::nil() };
        step = step * LONGER;
    }
}

async fn between(conn: &mut PgConnection, filter: &Filter, from: DateTime<Utc>, before: Place, limit: i64) -> Result<Vec<Found>> {
    let rows = sqlx::query_as!(
        Found,
        r#"SELECT a.id, a.created_at, a.user_id, u.username AS "username?", a.action, a.resource_type, a.resource_id, a.ip_address,
               a.user_agent, a.request_id, a.details, a.result
           FROM audit_logs a LEFT JOIN users u ON u.id = a.user_id
           WHERE a.created_at >= $1 AND a.created_at <= $2 AND (a.created_at, a.id) < ($2, $3)
             AND ($5::uuid IS NULL OR a.user_id = $5)
             AND ($6::text IS NULL OR starts_with(a.action, $6))
             AND ($7::text IS NULL OR a.resource_type = $7)
             AND ($8::text IS NULL OR a.resource_id = $8)
             AND ($9::text IS NULL OR a.result = $9)
             AND ($10::inet IS NULL OR a.ip_address <<= $10)
             AND ($11::uuid IS NULL OR a.request_id = $11)
             AND ($12::text IS NULL OR strpos(lower(concat_ws(' ', a.action, a.resource_id, a.user_agent, a.details::text)), lower($12)) > 0)
           ORDER BY a.created_at DESC, a.id DESC LIMIT $4"#,
        from,
        before.at,
        before.id,
        limit,
        filter.user_id,
        filter.action,
        filter.resource_type,
        filter.resource_id,
        filter.result,
        filter.address,
        filter.request_id,
        filter.text,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
