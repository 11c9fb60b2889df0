//! Reading the audit log: newest first, by filters, a page at a time, and only in the months that may hold what is looked for.

use chrono::{DateTime, TimeDelta, Utc};
use ipnetwork::IpNetwork;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
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

/// At most so many lines that are older than `before` and not older than `from`, newest first. None: the database took too long to look
/// through all that is asked for.
///
/// # Errors
/// If the database fails.
pub async fn page(pool: &PgPool, filter: &Filter, from: DateTime<Utc>, before: Place, limit: i64) -> Result<Option<Vec<Found>>> {
    let mut tx = pool.begin().await?;
    sqlx::query!("SET LOCAL statement_timeout = '10s'").execute(&mut *tx).await?;
    let found = walk_back(&mut tx, filter, from, before, limit).await;
    tx.rollback().await?;
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
