//! What every program does before it begins: settings from all sources, a usable key, a database of its own schema.

use std::path::Path;

use secrecy::ExposeSecret;

use crate::{
    crypto::{Keyring, SealingError},
    live_settings,
    settings::{Settings, SettingsError, Sources},
    store::{
        self, StoreError,
        migrations::{self, MigrationError},
        sealing_check::{self, SealingCheckError},
        system_settings,
    },
};

/// Why a program can't begin. Each says what is wrong and what to do; none holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Settings are missing or wrong, all of them listed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is no usable sealing key.
    #[error("sealing.key (DATAGENIE_SEALING__KEY) can't be used: {0}; `datagenie-api keygen` makes one")]
    Sealing(SealingError),
    /// The database's schema is not this program's.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The key is not the database's.
    #[error(transparent)]
    SealingCheck(#[from] SealingCheckError),
    /// The database does not answer.
    #[error("the system database (database.url) does not answer")]
    Store(#[from] StoreError),
}

/// Reads the settings, checks the key's form, the database's schema and that the key is its, and reads the settings that are stored there,
/// as far as they can be used.
///
/// # Errors
/// [`BootError`].
pub async fn settings(config: Option<&Path>, application: &str) -> Result<Settings, BootError> {
    let sources = Sources::from_process(config)?;
    let settings = Settings::load(&sources)?;
    // Before anything is reached: a service without a key must not even begin.
    let keyring = Keyring::from_setting(settings.sealing.key.expose_secret()).map_err(BootError::Sealing)?;
    let pool = store::connect(settings.database.url.expose(), 1, application)?;
    migrations::check(&pool).await?;
    sealing_check::check(&pool, &keyring).await?;
    let rows = system_settings::all(&pool).await?;
    pool.close().await;
    // A row that can't be used must not keep the service down, whose api is where it is put right: what stands below it holds. The look
    // that `LiveSettings` begins with says so in the log, and nothing is removed by a keeping time that is none.
    let (stored, _unusable) = live_settings::usable(&rows, &keyring);
    Ok(Settings::load(&sources.with_stored(stored))?)
}

/// A process's name in the ledger and the logs: unique, also among the processes of a container with the same number.
#[must_use]
pub fn instance(service: &str) -> String {
    format!("{service}-{}-{}", std::process::id(), &uuid::Uuid::new_v4().simple().to_string()[..8])
}
