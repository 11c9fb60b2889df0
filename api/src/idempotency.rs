//! `Idempotency-Key`: a POST that is sent again makes nothing twice. A handler looks first what the key has made (whatever may have
//! changed since), and takes it in the transaction that makes something, for those who send at the same time.

use datagenie_common::store::idempotency::{self, Earlier};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Idempotency,
};

/// What an earlier, equal request with the caller's key made.
///
/// # Errors
/// 422 where the key was used for another request.
pub async fn find(app: &App, caller: &Caller, key: &Idempotency) -> Result<Option<Uuid>> {
    let Some(key) = &key.0 else { return Ok(None) };
    same(idempotency::find(&app.pool, caller.user_id, key).await?)
}

/// Takes the caller's key for a resource about to be made, in its transaction; or says what it has made.
///
/// # Errors
/// 422 where the key was used for another request, 409 while the first one is not committed.
pub async fn take(conn: &mut PgConnection, caller: &Caller, key: &Idempotency, resource: Uuid) -> Result<Option<Uuid>> {
    let Some(key) = &key.0 else { return Ok(None) };
    same(idempotency::take(conn, caller.user_id, key, resource).await?)
}

/// Says what the caller's key, taken in this transaction for the nil id, has made: of things whose id is known only once they are made.
///
/// # Errors
/// If the database fails.
pub async fn made(conn: &mut PgConnection, caller: &Caller, key: &Idempotency, resource: Uuid) -> Result<()> {
    let Some(key) = &key.0 else { return Ok(()) };
    Ok(idempotency::made(conn, caller.user_id, key, resource).await?)
}

fn same(earlier: Option<Earlier>) -> Result<Option<Uuid>> {
    match earlier {
        Some(Earlier::Same(id)) => Ok(Some(id)),
        Some(Earlier::Different) => Err(reused()),
        None => Ok(None),
    }
}

/// The key was used for another request.
#[must_use]
pub fn reused() -> ApiError {
    ApiError::new(Code::IdempotencyKeyReused, "use a new Idempotency-Key for another request")
}
