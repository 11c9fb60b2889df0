//! `datagenie-api rotate-keys`: puts everything that is sealed under the first key of the ring, while the service runs.
//!
//! What is still to do is told by the values themselves (each names its key), so a run that was killed is gone on with by the next one.
//! Each step is a short transaction; a value that somebody changes at the same moment is left as he made it, and looked at again.
//!
//! The word by which programs find a wrong key at their start goes last: as long as anything that opens is under an older key, no program
//! starts without that one, so that nobody takes it away too early.

use std::collections::BTreeMap;

use datagenie_common::{
    crypto::Keyring,
    store::{
        StoreError,
        audit::{self, Entry, Origin},
        sealed::{self, Place, Sealed},
    },
};
use serde_json::{Value, json};
use sqlx::PgPool;

/// Values of one step, which is one transaction.
const STEP: i64 = 50;
/// How often everything is gone through, at most: who seals with another key meanwhile would keep it going for ever.
const ROUNDS: usize = 5;

/// What a rotation did.
#[derive(Debug, Default)]
pub struct Report {
    /// Values put under the first key, by their places.
    pub resealed: BTreeMap<Place, u64>,
    /// Values that do not open, each with its place, its row and why. They are left as they are.
    pub broken: Vec<String>,
    /// Values that are still under another key, the broken ones included.
    pub left: i64,
}

impl Report {
    /// Whether all that is sealed is under the first key, and opens.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left == 0 && self.broken.is_empty()
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Values put under the first key by this run.
    pub done: u64,
    /// Values under another key when it began.
    pub of: i64,
}

/// Puts everything under the first key, in steps; then looks whether nothing is left under another one and whether all of it opens.
///
/// # Errors
/// If the database fails: what was done is done, and the next run goes on.
pub async fn rotate(pool: &PgPool, keyring: &Keyring, mut tell: impl FnMut(Progress)) -> Result<Report, StoreError> {
    let ids = keyring.sealing_ids();
    let of = sealed::left(pool, &ids).await?;
    let mut report = Report::default();
    if of > 0 {
        note(pool, keyring, "sealing.rotation_started", true, json!({ "left": of })).await?;
    }
    let mut told = |report: &Report| tell(Progress { done: report.resealed.values().sum(), of });
    for _ in 0..ROUNDS {
        let (mut last, mut check, mut broken) = (None::<Sealed>, None::<Sealed>, 0);
        loop {
            let page = sealed::page(pool, &ids, last.as_ref(), STEP).await?;
            if page.is_empty() {
                break;
            }
            last = page.last().cloned();
            let (checks, values): (Vec<Sealed>, Vec<Sealed>) = page.into_iter().partition(Sealed::is_check);
            check = checks.into_iter().next().or(check);
            broken += step(pool, keyring, &values, &mut report).await?;
            told(&report);
        }
        report.left = sealed::left(pool, &ids).await?;
        if let Some(check) = check.filter(|_| report.left <= broken + 1) {
            broken += step(pool, keyring, &[check], &mut report).await?;
            told(&report);
            report.left = sealed::left(pool, &ids).await?;
        }
        if report.left <= broken {
            break;
        }
    }
    report.broken = broken_values(pool, keyring).await?;
    if of > 0 {
        let resealed: BTreeMap<&str, u64> = report.resealed.iter().map(|(place, count)| (place.as_str(), *count)).collect();
        let details = json!({ "resealed": resealed, "left": report.left, "broken": report.broken.len() });
        note(pool, keyring, "sealing.rotated", report.is_complete(), details).await?;
    }
    Ok(report)
}

/// Looks only: how much is under another key than the first, and what does not open.
///
/// # Errors
/// If the database fails.
pub async fn check(pool: &PgPool, keyring: &Keyring) -> Result<Report, StoreError> {
    let left = sealed::left(pool, &keyring.sealing_ids()).await?;
    Ok(Report { left, broken: broken_values(pool, keyring).await?, ..Report::default() })
}

/// One step; how many of its values do not open.
async fn step(pool: &PgPool, keyring: &Keyring, page: &[Sealed], report: &mut Report) -> Result<i64, StoreError> {
    let mut broken = 0;
    let mut resealed: BTreeMap<Place, u64> = BTreeMap::new();
    let mut tx = pool.begin().await?;
    sealed::begin_resealing(&mut tx, page).await?;
    for old in page {
        match old.reseal(keyring) {
            // One that was changed since is looked at again in the next round, if it needs it.
            Ok(new) => {
                if sealed::replace(&mut tx, old, &new).await? {
                    *resealed.entry(old.place).or_default() += 1;
                }
            }
            Err(_) => broken += 1,
        }
    }
    tx.commit().await?;
    for (place, count) in resealed {
        *report.resealed.entry(place).or_default() += count;
    }
    Ok(broken)
}

/// Opens everything once.
async fn broken_values(pool: &PgPool, keyring: &Keyring) -> Result<Vec<String>, StoreError> {
    let mut broken = Vec::new();
    let mut last = None::<Sealed>;
    loop {
        let page = sealed::page(pool, &[], last.as_ref(), STEP * 10).await?;
        if page.is_empty() {
            return Ok(broken);
        }
        for value in &page {
            if let Err(error) = value.opens(keyring) {
                broken.push(format!("{} {}: {error}", value.place, value.id));
            }
        }
        last = page.into_iter().next_back();
    }
}

async fn note(pool: &PgPool, keyring: &Keyring, action: &str, success: bool, details: Value) -> Result<(), StoreError> {
    let entry = Entry {
        user_id: None,
        action,
        resource_type: "sealing_key",
        resource_id: keyring.key_ids().first().map(|&id| id.to_owned()),
        success,
        details,
    };
    let mut conn = pool.acquire().await?;
    audit::insert(&mut conn, &Origin::default(), entry).await
}
