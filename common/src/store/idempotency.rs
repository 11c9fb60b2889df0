//! `idempotency_keys`: which resource a retried POST made. Kept 24 hours, per user; written in the resource's own commit.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Result;
use crate::ids::UserId;

/// A caller's `Idempotency-Key` and the SHA-256 of his request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// 1 to 255 characters.
    pub key: String,
    /// A keyed hash of method, path and body.
    pub request_hash: Vec<u8>,
    /// The same under other keys of the ring, with one of which the request may have been hashed before a rotation.
    pub other_hashes: Vec<Vec<u8>>,
}

impl IdempotencyKey {
    fn earlier(&self, hash: &Vec<u8>, resource: Uuid) -> Earlier {
        if *hash == self.request_hash || self.other_hashes.contains(hash) { Earlier::Same(resource) } else { Earlier::Different }
    }
}

/// What an earlier request with the same key made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// The same request: this resource.
    Same(Uuid),
    /// Another request.
    Different,
}

/// Takes a key for a resource about to be made, in its transaction; or says what it was taken for.
/// Waits for a concurrent request with the same key until that commits or the lock time-out comes.
///
/// # Errors
/// [`super::StoreError::Locked`] while the first request has not been committed.
pub async fn take(conn: &mut PgConnection, user: UserId, key: &IdempotencyKey, resource: Uuid) -> Result<Option<Earlier>> {
    let taken = sqlx::query_scalar!(
        "INSERT INTO idempotency_keys AS k (user_id, key, request_hash, resource_id, expires_at)
         VALUES ($1, $2, $3, $4, dg_now() + interval '24 hours')
         ON CONFLICT (user_id, key) DO UPDATE
             SET request_hash = EXCLUDED.request_hash, resource_id = EXCLUDED.resource_id, expires_at = EXCLUDED.expires_at
             WHERE k.expires_at < dg_now()
         RETURNING resource_id",
        user.0,
        key.key,
        key.request_hash,
        resource
    )
    .fetch_optional(&mut *conn)
    .await?;
    if taken.is_some() {
        return Ok(None);
    }
    let row = sqlx::query!("SELECT request_hash, resource_id FROM idempotency_keys WHERE user_id = $1 AND key = $2", user.0, key.key)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| key.earlier(&row.request_hash, row.resource_id)))
}

/// Says which resource a key was taken for, where its id is known only once it is made; in the transaction that took it.
///
/// # Errors
/// If the database fails.
pub async fn made(conn: &mut PgConnection, user: UserId, key: &IdempotencyKey, resource: Uuid) -> Result<()> {
    sqlx::query!("UPDATE idempotency_keys SET resource_id = $3 WHERE user_id = $1 AND key = $2", user.0, key.key, resource)
        .execute(conn)
        .await?;
    Ok(())
}

/// What a key was taken for, if it was.
///
/// # Errors
/// If the database fails.
pub async fn find(executor: impl PgExecutor<'_>, user: UserId, key: &IdempotencyKey) -> Result<Option<Earlier>> {
    let row = sqlx::query!(
        "SELECT request_hash, resource_id FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND expires_at >= dg_now()",
        user.0,
        key.key
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| key.earlier(&row.request_hash, row.resource_id)))
}
