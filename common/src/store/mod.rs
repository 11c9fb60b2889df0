//! The only SQL on the system database: one file a table or view, query functions over a connection or a pool.
//! The user whose rows are read is always an argument; look-ups return `Option`.

pub mod addresses;
pub mod answers;
pub mod api_keys;
pub mod audit;
pub mod batches;
pub mod capacity;
pub mod connections;
pub mod events;
pub mod files;
pub mod idempotency;
pub mod ledger;
pub mod limits;
pub mod line;
pub mod migrations;
pub mod permissions;
pub mod questions;
pub mod rates;
pub mod schedules;
pub mod schemas;
pub mod sealed;
pub mod sealing_check;
pub mod sessions;
pub mod shares;
pub mod stats;
pub mod system_settings;
pub mod upkeep;
pub mod users;
pub mod webhooks;
pub mod workers;

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Why the system database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A constraint said no; its name says which.
    #[error("the database's constraint {0} was not met")]
    Constraint(String),
    /// A lock was not to be had in time: somebody else is at the same row.
    #[error("another request holds the same row")]
    Locked,
    /// Not reachable, restarting, or out of connections: try again.
    #[error("the system database is not reachable")]
    Unavailable(#[source] sqlx::Error),
    /// The URL can't be understood; it is not shown, since it holds a password.
    #[error("database.url is not a PostgreSQL URL")]
    BadUrl,
    /// A stored value that this program can't read.
    #[error("a stored {what} can't be read: {detail}")]
    Unreadable {
        /// Which column.
        what: &'static str,
        /// Why.
        detail: String,
    },
    /// Anything else.
    #[error("a statement on the system database failed")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the constraint of this name was not met.
    #[must_use]
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Constraint(found) if found == name)
    }

    /// Whether a value can't be stored as it is: too long, a character that no text of PostgreSQL has, a number or a time out of its range.
    #[must_use]
    pub fn is_of_a_value(&self) -> bool {
        let Self::Database(sqlx::Error::Database(database)) = self else { return false };
        matches!(database.code().as_deref(), Some("22001" | "22003" | "22008" | "22021" | "22P05" | "54000"))
    }

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether only this try failed, although the database answers: a lock was not to be had in time, or the statement was cancelled (by
    /// a time limit of the server's own, or by its administrator). The same one may well succeed.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Locked => true,
            Self::Database(sqlx::Error::Database(error)) => error.code().as_deref() == Some("57014"),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            if let Some(name) = database.constraint() {
                return Self::Constraint(name.to_owned());
            }
            return match database.code().as_deref() {
                Some("55P03" | "40P01") => Self::Locked,
                // Class 08: connection; 53: out of resources; 57P: shut down or restarting; 25006: a standby; 25P03 and 25P04: the session
                // was ended, since this process stood still in the middle of a transaction.
                Some(code) if ["08", "53", "57P", "25006", "25P03", "25P04"].iter().any(|class| code.starts_with(class)) => {
                    Self::Unavailable(error)
                }
                _ => Self::Database(error),
            };
        }
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(error)
            }
            sqlx::Error::Protocol(_) => Self::Unavailable(error),
            other => Self::Database(other),
        }
    }
}

/// What a query function returns.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Opens a pool. Connects on first use, so that a program can start before its database; `ready` tells when it is there.
///
/// # Errors
/// [`StoreError::BadUrl`].
pub fn connect(url: &str, size: u32, application: &str) -> Result<PgPool> {
    open(url, size, application, STRICT)
}

/// Opens a pool whose commits do not wait for the disk: for claims and for letting jobs in, which lose nothing with a crash of the
/// database but time.
///
/// # Errors
/// [`StoreError::BadUrl`].
pub fn connect_relaxed(url: &str, size: u32, application: &str) -> Result<PgPool> {
    open(url, size, application, RELAXED)
}

/// A connection of one's own; `relaxed` as [`connect_relaxed`]'s. Opened on first use.
///
/// # Errors
/// [`StoreError::BadUrl`].
pub fn line(url: &str, application: &str, relaxed: bool) -> Result<line::Line> {
    Ok(line::Line::new(options(url, application, if relaxed { RELAXED } else { STRICT })?.options(LINE.iter().copied())))
}

const STRICT: &[(&str, &str)] = &[("idle_in_transaction_session_timeout", "30s")];
/// Its transactions hold the locks of windows and limits: one whose process stands still must not keep them. And its plans are made
/// while the ledger is empty, when reading all of a table looks cheap.
const RELAXED: &[(&str, &str)] = &[("synchronous_commit", "off"), ("idle_in_transaction_session_timeout", "2s"), ("enable_seqscan", "off")];

/// A line sends the same few statements over and over: each is planned once, whatever its arrays hold. Planning one of them anew takes
/// as long as running it; and, as above, the plan is made while the ledger may be empty.
const LINE: &[(&str, &str)] = &[("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")];

fn options(url: &str, application: &str, parameters: &[(&str, &str)]) -> Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse().map_err(|_| StoreError::BadUrl)?;
    Ok(options
        .application_name(application)
        // Compiling a plan takes longer than any statement of ours runs.
        .options([("lock_timeout", "5s"), ("jit", "off")])
        .options(parameters.iter().copied()))
}

fn open(url: &str, size: u32, application: &str, parameters: &[(&str, &str)]) -> Result<PgPool> {
    let options = options(url, application, parameters)?;
    Ok(PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(5))
        // A pre-ping would double the round trips of the hot path; a broken connection is found by its use, and retried.
        .test_before_acquire(false)
        .connect_lazy_with(options))
}

/// Whether the database answers.
///
/// # Errors
/// If it does not.
pub async fn ready(pool: &PgPool) -> Result<()> {
    sqlx::query_scalar!("SELECT 1").fetch_one(pool).await?;
    Ok(())
}
