//! `audit_logs`: who did what. A change's row is written in the commit of the change.

pub mod search;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Result;
use crate::ids::{RequestId, UserId};

/// Where a call came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The request, as answered in `X-Request-Id`; none for work of our own.
    pub request_id: Option<RequestId>,
    /// The caller's address.
    pub ip: Option<IpAddr>,
    /// The caller's `User-Agent`, cut to 500 characters.
    pub user_agent: Option<String>,
}

impl Origin {
    /// The address as the column wants it.
    #[must_use]
    pub fn network(&self) -> Option<IpNetwork> {
        self.ip.map(IpNetwork::from)
    }
}

/// One line of the audit log.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Who; none: somebody unknown (a failed login).
    pub user_id: Option<UserId>,
    /// What was done, such as `connection.created`.
    pub action: &'a str,
    /// To what kind of thing.
    pub resource_type: &'a str,
    /// To which one.
    pub resource_id: Option<String>,
    /// Whether it worked.
    pub success: bool,
    /// More; never a secret.
    pub details: Value,
}

/// Writes a line.
///
/// # Errors
/// If the database fails; the caller's transaction then fails with it.
pub async fn insert(conn: &mut PgConnection, origin: &Origin, entry: Entry<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO audit_logs (user_id, action, resource_type, resource_id, ip_address, user_agent, request_id, details, result)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        entry.user_id.map(|id| id.0),
        entry.action,
        entry.resource_type,
        entry.resource_id,
        origin.network(),
        origin.user_agent,
        origin.request_id.map(|id| id.0),
        entry.details,
        word(entry.success),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A line that is written a moment after what it tells of, together with others: of something read. Its id and time are of the reading,
/// so that it may be sent again when it is not known whether it was stored.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// From where.
    pub origin: Origin,
    /// Who.
    pub user_id: UserId,
    /// What was read, such as `result.read`.
    pub action: &'static str,
    /// Of what kind of thing.
    pub resource_type: &'static str,
    /// Of which one.
    pub resource_id: Option<String>,
    /// Whether it was shown; false: refused.
    pub success: bool,
    /// More; never a secret.
    pub details: Value,
}

/// Writes lines, all or none. Those that are there already stay as they are.
///
/// # Errors
/// If the database fails, or one of them can't be stored.
pub async fn insert_lines(executor: impl PgExecutor<'_>, lines: &[Line]) -> Result<()> {
    let mut c = Columns::default();
    lines.iter().for_each(|line| c.push(line));
    // A user who is gone leaves his lines.
    sqlx::query!(
        "INSERT INTO audit_logs (id, created_at, user_id, action, resource_type, resource_id, ip_address, user_agent, request_id, details, result)
         SELECT t.id, t.at, u.id, t.action, t.resource_type, t.resource_id, t.ip_address, t.user_agent, t.request_id, t.details, t.result
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::inet[], $8::text[], $9::uuid[],
                     $10::jsonb[], $11::text[])
             AS t(id, at, user_id, action, resource_type, resource_id, ip_address, user_agent, request_id, details, result)
         LEFT JOIN users u ON u.id = t.user_id
         ON CONFLICT (id, created_at) DO NOTHING",
        &c.ids,
        &c.times,
        &c.users,
        &c.actions as &[&str],
        &c.types as &[&str],
        &c.resources as &[Option<&str>],
        &c.networks as &[Option<IpNetwork>],
        &c.agents as &[Option<&str>],
        &c.requests as &[Option<Uuid>],
        &c.details,
        &c.results as &[&str],
    )
    .execute(executor)
    .await?;
    Ok(())
}

// Parallel arrays, as UNNEST wants them.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    times: Vec<DateTime<Utc>>,
    users: Vec<Uuid>,
    actions: Vec<&'a str>,
    types: Vec<&'a str>,
    resources: Vec<Option<&'a str>>,
    networks: Vec<Option<IpNetwork>>,
    agents: Vec<Option<&'a str>>,
    requests: Vec<Option<Uuid>>,
    details: Vec<Value>,
    results: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, line: &'a Line) {
        self.ids.push(line.id);
        self.times.push(line.at);
        self.users.push(line.user_id.0);
        self.actions.push(line.action);
        self.types.push(line.resource_type);
        self.resources.push(line.resource_id.as_deref());
        self.networks.push(line.origin.network());
        self.agents.push(line.origin.user_agent.as_deref());
        self.requests.push(line.origin.request_id.map(|id| id.0));
        self.details.push(line.details.clone());
        self.results.push(word(line.success));
    }
}

fn word(success: bool) -> &'static str {
    if success { "success" } else { "failure" }
}
