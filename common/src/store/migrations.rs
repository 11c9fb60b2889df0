//! The schema of the system database: making it, and refusing to run on one that this program does not know.

use sqlx::{Connection, PgConnection, PgPool, migrate::Migrator};

use super::{Result, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Why a schema is not usable.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// It was made by a newer program.
    #[error(
        "the database's schema (migration {found}) is newer than this program (migration {known}): run a newer DataGenie, or restore a backup of before its upgrade"
    )]
    Newer {
        /// The database's newest migration.
        found: i64,
        /// The program's newest.
        known: i64,
    },
    /// It lacks migrations.
    #[error("the database's schema (migration {found}) is older than this program (migration {known}): run `datagenie-api migrate`")]
    Older {
        /// The database's newest migration; 0: none.
        found: i64,
        /// The program's newest.
        known: i64,
    },
    /// A migration failed; its transaction is rolled back.
    #[error("a migration failed; nothing of it was kept")]
    Failed(#[source] sqlx::migrate::MigrateError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The newest migration that this program knows.
#[must_use]
pub fn newest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Brings the schema up to this program's.
///
/// # Errors
/// [`MigrationError::Newer`] and [`MigrationError::Failed`]; the database is as before.
pub async fn up(url: &str) -> std::result::Result<(), MigrationError> {
    let mut conn = PgConnection::connect(url).await.map_err(StoreError::from)?;
    let known = newest();
    match installed(&mut conn).await? {
        found if found > known => return Err(MigrationError::Newer { found, known }),
        _ => MIGRATOR.run(&mut conn).await.map_err(MigrationError::Failed)?,
    }
    Ok(())
}

/// Takes the schema back to a version; 0: to nothing.
///
/// # Errors
/// [`MigrationError::Failed`].
pub async fn down(url: &str, target: i64) -> std::result::Result<(), MigrationError> {
    let mut conn = PgConnection::connect(url).await.map_err(StoreError::from)?;
    MIGRATOR.undo(&mut conn, target).await.map_err(MigrationError::Failed)
}

/// Whether the database has exactly this program's schema.
///
/// # Errors
/// [`MigrationError::Newer`] or [`MigrationError::Older`] if not.
pub async fn check(pool: &PgPool) -> std::result::Result<(), MigrationError> {
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    let (found, known) = (installed(&mut conn).await?, newest());
    match found.cmp(&known) {
        std::cmp::Ordering::Greater => Err(MigrationError::Newer { found, known }),
        std::cmp::Ordering::Less => Err(MigrationError::Older { found, known }),
        std::cmp::Ordering::Equal => Ok(()),
    }
}

// Not a checked query: the table is sqlx's own and may not exist yet.
async fn installed(conn: &mut PgConnection) -> Result<i64> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *conn).await?;
    if !exists {
        return Ok(0);
    }
    let newest: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(conn).await?;
    Ok(newest.unwrap_or(0))
}
