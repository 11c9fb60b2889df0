//! What may be asked of the connections and files that the lines of a batch name.

use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    batches::{Verdict, Verdicts},
    ids::UserId,
    model::connections::ConnectionState,
    store::{Result, connections::Viewer},
};

/// Judges connections and files as a question of this user would be judged. `usable` limits the connections: those that his key may use.
///
/// # Errors
/// If the database fails.
pub async fn verdicts(pool: &PgPool, viewer: Viewer, usable: Option<&[Uuid]>, connections: &[Uuid], files: &[Uuid]) -> Result<Verdicts> {
    let mut found = Verdicts::default();
    if !connections.is_empty() {
        let rows = sqlx::query!(
            r#"SELECT c.id, c.is_active, c.state, p.can_query AS "can_query?"
               FROM database_connections c LEFT JOIN connection_permissions p ON p.connection_id = c.id AND p.user_id = $1
               WHERE c.id = ANY($2) AND ($3::uuid[] IS NULL OR c.id = ANY($3))"#,
            viewer.user_id.0,
            connections,
            usable
        )
        .fetch_all(pool)
        .await?;
        for row in rows {
            let ready = row.is_active && row.state != ConnectionState::Refused.as_str();
            let verdict = match (viewer.is_admin, row.can_query) {
                (false, None) => Verdict::Unknown,
                (false, Some(false)) => Verdict::Denied,
                _ if !ready => Verdict::NotReady,
                _ => Verdict::Askable,
            };
            found.connections.insert(row.id, verdict);
        }
    }
    if !files.is_empty() {
        found.files.extend(owned_files(pool, viewer.user_id, files).await?);
    }
    Ok(found)
}

async fn owned_files(pool: &PgPool, owner: UserId, files: &[Uuid]) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!("SELECT id FROM files WHERE user_id = $1 AND id = ANY($2)", owner.0, files).fetch_all(pool).await?)
}
