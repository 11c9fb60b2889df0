//! `rate_windows`: requests and tokens within a minute, over the whole fleet, as buckets that fill evenly and overflow at a minute's
//! worth (the generic cell rate algorithm). A row holds the time at which its bucket would be full again; a debt is a time far ahead.

use sqlx::PgPool;

use super::Result;

/// What a bucket holds when it is full, in seconds of its filling.
pub const WINDOW_SECONDS: f64 = 60.0;

/// Something to be taken out of a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// Which bucket.
    pub resource: String,
    /// How many seconds of its filling.
    pub seconds: f64,
}

impl Take {
    /// So many units of a resource that gives `per_minute` of them.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of requests and tokens are far below 2^52")]
    pub fn new(resource: String, units: u64, per_minute: u64) -> Self {
        Self { resource, seconds: units as f64 * WINDOW_SECONDS / per_minute.max(1) as f64 }
    }
}

/// Takes from all of these buckets, or from none of them. None: taken; else how many seconds it is until they hold enough. What is
/// larger than a bucket is let through when the bucket is full, and its debt carried over.
///
/// # Errors
/// If the database fails.
pub async fn take(pool: &PgPool, takes: &[Take]) -> Result<Option<f64>> {
    let resources: Vec<String> = takes.iter().map(|take| take.resource.clone()).collect();
    let seconds: Vec<f64> = takes.iter().map(|take| take.seconds).collect();
    loop {
        let verdict = sqlx::query!(
            r#"WITH asked AS (
                   SELECT * FROM UNNEST($1::text[], $2::float8[]) AS a(resource, seconds)
               ), held AS (
                   SELECT w.resource, greatest(w.full_at, dg_now()) AS full_at, a.seconds
                   FROM rate_windows w JOIN asked a ON a.resource = w.resource ORDER BY w.resource FOR UPDATE OF w
               ), verdict AS (
                   SELECT count(*) AS windows,
                       coalesce(max(extract(epoch FROM full_at - dg_now())::float8 + least(seconds, $3) - $3), 0) AS wait
                   FROM held
               ), taken AS (
                   UPDATE rate_windows w SET full_at = held.full_at + held.seconds * interval '1 second'
                   FROM held, verdict
                   WHERE w.resource = held.resource AND verdict.wait <= 0 AND verdict.windows = cardinality($1)
               )
               SELECT windows AS "windows!", wait AS "wait!" FROM verdict"#,
            &resources,
            &seconds,
            WINDOW_SECONDS,
        )
        .fetch_one(pool)
        .await?;
        if usize::try_from(verdict.windows).is_ok_and(|windows| windows == takes.len()) {
            return Ok((verdict.wait > 0.0).then_some(verdict.wait));
        }
        // The first call ever.
        sqlx::query!(
            "INSERT INTO rate_windows (resource, full_at) SELECT resource, dg_now() FROM UNNEST($1::text[]) AS r(resource)
             ON CONFLICT (resource) DO NOTHING",
            &resources
        )
        .execute(pool)
        .await?;
    }
}

/// Corrects what was taken from a bucket on an estimate: more (a debt, if need be), or less (negative seconds).
///
/// # Errors
/// If the database fails.
pub async fn correct(pool: &PgPool, correction: &Take) -> Result<()> {
    sqlx::query!(
        "UPDATE rate_windows SET full_at = CASE WHEN $2::float8 < 0 THEN full_at ELSE greatest(full_at, dg_now()) END
             + $2::float8 * interval '1 second'
         WHERE resource = $1",
        correction.resource,
        correction.seconds,
    )
    .execute(pool)
    .await?;
    Ok(())
}
