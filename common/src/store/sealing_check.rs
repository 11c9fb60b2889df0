//! Whether the service's keys are those that this database's secrets were sealed with: found at the start, not at the first
//! connection that does not open.

use sqlx::PgPool;

use super::{StoreError, sealed, system_settings};
use crate::crypto::{Keyring, SealingError};

/// Why the keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SealingCheckError {
    /// They are others.
    #[error("sealing.key (DATAGENIE_SEALING__KEY) is not the key that this database's secrets were sealed with")]
    OtherKey(#[source] SealingError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks the keys against what was sealed by the first start, or seals it now.
///
/// # Errors
/// [`SealingCheckError`].
pub async fn check(pool: &PgPool, keyring: &Keyring) -> Result<(), SealingCheckError> {
    let verifier = keyring.verifier().map_err(SealingCheckError::OtherKey)?;
    let stored = system_settings::get_or_insert(pool, sealed::CHECK, &verifier, "security", true).await?;
    keyring.verify(&stored).map_err(SealingCheckError::OtherKey)?;
    // A key that was taken away too early: what it sealed is lost to the service until it comes back.
    let unreadable = sealed::left(pool, &keyring.all_ids()).await?;
    if unreadable > 0 {
        tracing::error!(
            unreadable,
            "values are sealed with keys that are not among the configured ones; bring the keys back and run `datagenie-api rotate-keys`"
        );
    }
    Ok(())
}
