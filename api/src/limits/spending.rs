//! What a user's questions of today have used up, looked up when it may matter: a day's sum costs more than a request.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use datagenie_common::{
    ids::{ApiKeyId, UserId},
    model::limits::UserLimits,
    store::limits::{self, Spent},
};
use sqlx::PgPool;
use tokio::time::timeout;

/// How long a sum is good that is far from the limit, and one that is near.
const FAR: Duration = Duration::from_secs(10);
const NEAR: Duration = Duration::from_secs(1);
/// A sum is good for so many times as long as it took.
const REST: u32 = 20;
/// A sum that takes longer is given up: what was known before holds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Users whose sums are known.
const KNOWN: usize = 10_000;

/// A user, and where it is what one of his keys has used up, that.
type Whose = (UserId, Option<ApiKeyId>);

#[derive(Clone, Copy)]
struct Sum {
    spent: Spent,
    day: DateTime<Utc>,
    at: Instant,
    took: Duration,
}

/// The sums of today, as far as they were asked for.
#[derive(Default)]
pub struct Spending {
    sums: Mutex<HashMap<Whose, Sum>>,
}

/// Today's share, as far as the day has limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Today {
    /// What is used up.
    pub spent: Spent,
    /// Until midnight (UTC).
    pub rest: Duration,
}

impl Spending {
    /// What a user, or a key of his, has used up today, if there is a limit to it. Questions that are under way are not in it.
    pub async fn today(&self, pool: &PgPool, whose: Whose, limits: &UserLimits, now: DateTime<Utc>) -> Option<Today> {
        if !limits.has_day() {
            return None;
        }
        let day = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let rest = (day + TimeDelta::days(1) - now).to_std().unwrap_or_default();
        let known = self.sums.lock().unwrap_or_else(PoisonError::into_inner).get(&whose).copied().filter(|sum| sum.day == day);
        if let Some(sum) = known {
            let good_for = if limits.share(sum.spent.tokens, sum.spent.cost) < 0.5 { FAR } else { NEAR };
            if sum.at.elapsed() < good_for.max(sum.took * REST) {
                return Some(Today { spent: sum.spent, rest });
            }
        }
        let began = Instant::now();
        let spent = match timeout(PATIENCE, limits::spent(pool, whose.0, whose.1, day)).await {
            Ok(Ok(spent)) => spent,
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("what a user has used up today can't be summed; what was known before holds");
                known.map(|sum| sum.spent).unwrap_or_default()
            }
        };
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        if sums.len() >= KNOWN && !sums.contains_key(&whose) {
            sums.clear();
        }
        sums.insert(whose, Sum { spent, day, at: Instant::now(), took: began.elapsed() });
        Some(Today { spent, rest })
    }
}
