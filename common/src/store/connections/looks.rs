//! What looks at connections (probes and syncs) find out, and which connections ought to be looked at again.

use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};

use super::catalogues::{self, Look};
use crate::{
    events::CONNECTION_DRIFTED,
    ids::{ConnectionId, UserId},
    model::{connections::ConnectionState, drift, policies::ColumnMask, questions::Failure, schemas::SourceSchema},
    store::{Result, events, schemas},
};

/// What a probe or a sync found.
#[derive(Clone, Debug)]
pub enum Found {
    /// It may be used.
    Ready {
        /// What the server says it is.
        server_version: String,
        /// What its role could change, in words.
        role_warnings: Vec<String>,
        /// What an administrator should know besides, in words.
        notes: Vec<String>,
        /// Its catalogue.
        schema: SourceSchema,
        /// Columns that look personal and are not masked.
        proposed_masks: Vec<ColumnMask>,
    },
    /// It may not, or can't.
    Unusable {
        /// `refused` or `unreachable`.
        state: ConnectionState,
        /// Why.
        error: Failure,
        /// What its role could change, in words; none: nobody could look, and what was known of it stays.
        role_warnings: Option<Vec<String>>,
    },
}

/// Stores what a probe or sync of this configuration found; false: the configuration has changed since, and nothing was stored.
/// A catalogue that is not what the last look of the same configuration found is told in an event: to who registered the connection,
/// or to `owner`, whose job it is, where he is gone.
///
/// # Errors
/// If the database fails.
pub async fn found(conn: &mut PgConnection, id: ConnectionId, config_version: i64, owner: UserId, found: &Found) -> Result<bool> {
    match found {
        Found::Ready { server_version, role_warnings, notes, schema, proposed_masks } => {
            let Some(told) = lock(conn, id, config_version).await? else { return Ok(false) };
            // Read after the lock: a mask that was set while the job looked takes its column's values out of what the job brings.
            let schema = catalogues::without_masked(schema, &catalogues::masked(conn, id).await?);
            let look = Look { id, config_version, server_version, role_warnings, notes, schema: &schema, proposed_masks };
            let (schema_version, earlier) = look.store(conn).await?;
            schemas::replace(conn, id, &schema).await?;
            if let Some(drift) = earlier.and_then(|earlier| drift::between(&earlier, &schema)) {
                let data = json!({ "connection_id": id, "drift": drift, "schema_version": schema_version });
                // Without the job: its terminal event is another one, and the only one that it has.
                events::insert(conn, CONNECTION_DRIFTED, &id.to_string(), told.unwrap_or(owner), None, &data).await?;
            }
            Ok(true)
        }
        Found::Unusable { state, error, role_warnings } => {
            let error = serde_json::to_value(error).unwrap_or(Value::Null);
            let done = sqlx::query!(
                "UPDATE database_connections SET state = $3, state_error = $4,
                     role_warnings = coalesce($5::text[], role_warnings),
                     is_readonly = (cardinality(coalesce($5::text[], role_warnings)) = 0), looked_at = dg_now()
                 WHERE id = $1 AND config_version = $2",
                id.0,
                config_version,
                state.as_str(),
                error,
                role_warnings.as_deref()
            )
            .execute(conn)
            .await?;
            Ok(done.rows_affected() > 0)
        }
    }
}

/// Locks the connection, if this still is its configuration; gives who registered it. The lock leaves the key free: a large catalogue
/// takes seconds to store, and a question on this connection that had to wait for it would keep the intake of all others waiting.
async fn lock(conn: &mut PgConnection, id: ConnectionId, config_version: i64) -> Result<Option<Option<UserId>>> {
    let row = sqlx::query!(
        "SELECT created_by FROM database_connections WHERE id = $1 AND config_version = $2 FOR NO KEY UPDATE",
        id.0,
        config_version
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| row.created_by.map(UserId)))
}

/// Notes that a probe found nothing out, so that questions do not wait for ever; one that stands already is kept.
///
/// # Errors
/// If the database fails.
pub async fn probe_failed(conn: &mut PgConnection, id: ConnectionId, failure: &Failure) -> Result<()> {
    let error = serde_json::to_value(failure).unwrap_or(Value::Null);
    sqlx::query!(
        "UPDATE database_connections SET state = 'unreachable', state_error = $2, looked_at = dg_now() WHERE id = $1 AND state = 'probing'",
        id.0,
        error
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Connections that ought to be looked at again, and for whom: those that did not answer (every 15 seconds at first, every ten minutes
/// when it has been long), and those being probed whose probe is lost. None that has such a job already.
///
/// # Errors
/// If the database fails.
pub async fn to_look_at(pool: &PgPool, limit: i64) -> Result<Vec<(ConnectionId, UserId)>> {
    let rows = sqlx::query!(
        r#"SELECT c.id, owner.id AS "user_id!"
           FROM database_connections c
           CROSS JOIN LATERAL (SELECT u.id FROM users u WHERE u.id = c.created_by OR u.role = 'admin'
                               ORDER BY (u.id = c.created_by) DESC NULLS LAST, u.created_at LIMIT 1) owner
           WHERE c.is_active AND c.state IN ('unreachable', 'probing')
             AND coalesce(c.looked_at, c.created_at) < dg_now() - CASE WHEN c.state_since > dg_now() - interval '10 minutes'
                 THEN interval '15 seconds' ELSE interval '10 minutes' END
             AND NOT EXISTS (SELECT FROM jobs j WHERE j.connection_id = c.id AND j.kind IN ('probe_connection', 'sync_schema')
                             AND j.lane = 'maintenance' AND NOT j.in_flight)
             AND NOT EXISTS (SELECT FROM jobs j WHERE j.connection_id = c.id AND j.kind IN ('probe_connection', 'sync_schema')
                             AND j.lane = 'maintenance' AND j.in_flight)
           ORDER BY c.looked_at NULLS FIRST LIMIT $1"#,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (ConnectionId(row.id), UserId(row.user_id))).collect())
}
