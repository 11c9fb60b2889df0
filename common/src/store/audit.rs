//! `audit_logs`: who did what. A change's row is written in the commit of the change.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde_json::Value;
use sqlx::PgConnection;

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
        if entry.success { "success" } else { "failure" },
    )
    .execute(conn)
    .await?;
    Ok(())
}
