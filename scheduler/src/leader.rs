//! Who leads: whoever holds an advisory lock of the database, on a session of its own that is pinged every second.
//!
//! A leader that is stopped or cut off loses the session, and with it the lock: the server ends a session that has been idle for five
//! seconds. A leader that comes back from a stop finds its ping failing before it does anything else.

use std::time::Duration;

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Any number that nothing else in the database uses for advisory locks.
const LOCK: i64 = 0x6461_7461_6765_6e69;
const PING: Duration = Duration::from_secs(1);
/// After so long without a word the server ends a session, and gives its lock to who asks next.
const IDLE_LIMIT: Duration = Duration::from_secs(5);
/// A ping unanswered for so long is a lost session.
const PATIENCE: Duration = Duration::from_secs(4);
/// How soon a leader that stands still is replaced: once its session has ended and the next one has asked.
const REPLACED: Duration = Duration::from_secs(10);
const _: () = assert!(IDLE_LIMIT.as_secs() + PING.as_secs() < REPLACED.as_secs() && PATIENCE.as_secs() < IDLE_LIMIT.as_secs());

/// Waits to lead, leads, and waits again, until `stop`. `lead` is dropped when the lock is lost.
pub async fn run<F, L>(options: &PgConnectOptions, stop: &CancellationToken, lead: F)
where
    F: Fn() -> L,
    L: Future<Output = ()>,
{
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            session = acquire(options) => match session {
                Ok(mut session) => {
                    tracing::info!("leading");
                    metrics::gauge!("datagenie_scheduler_leading").set(1.0);
                    tokio::select! {
                        () = lead() => {}
                        () = hold(&mut session) => tracing::warn!("the lead was lost"),
                        () = stop.cancelled() => {}
                    }
                    metrics::gauge!("datagenie_scheduler_leading").set(0.0);
                    // Closing gives the lock to the next one at once.
                    let _ = timeout(PING, session.close()).await;
                }
                Err(error) => {
                    tracing::warn!(error = %error, "no session to lead on; trying again");
                    sleep(PING).await;
                }
            },
        }
    }
}

/// Opens a session and waits for the lock, asking each second: a blocked wait would be ended by the idle limit of others' making.
async fn acquire(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let limit = format!("{}s", IDLE_LIMIT.as_secs());
    let options = options.clone().application_name("datagenie-scheduler-lead").options([
        ("idle_session_timeout", limit.as_str()),
        ("tcp_user_timeout", limit.as_str()),
        ("statement_timeout", limit.as_str()),
    ]);
    let mut session = answered(PgConnection::connect_with(&options)).await?;
    loop {
        let held: bool = answered(sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut session)).await?;
        if held {
            return Ok(session);
        }
        sleep(PING).await;
    }
}

/// A server that vanished without a word must not keep a follower from asking its successor.
async fn answered<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(PATIENCE, call).await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// Returns when the session is lost.
async fn hold(session: &mut PgConnection) {
    loop {
        let asleep = Instant::now();
        sleep(PING).await;
        // Stopped for longer than the server waits: the lock is somebody else's, whatever the socket says.
        if asleep.elapsed() > PATIENCE {
            return;
        }
        match timeout(PATIENCE, session.ping()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
