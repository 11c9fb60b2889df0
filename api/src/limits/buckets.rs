//! Buckets that fill evenly and overflow at a window's worth (the generic cell rate algorithm): in Redis for all processes together, and
//! in this process while Redis is away. What is stored of a bucket is the time at which it would be full again.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use datagenie_common::cache::Cache;
use redis::Script;

/// Buckets that this process keeps while Redis is away.
const KEPT: usize = 20_000;

/// Something to be taken out of a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// The name of the limit, as clients are told.
    pub name: &'static str,
    /// Which bucket, behind `datagenie:limit:`. What is taken together is in one Redis slot: by the user in braces.
    pub bucket: String,
    /// What it holds when it is full.
    pub quota: u64,
    /// In how many seconds it fills.
    pub window: u32,
    /// How much is taken; negative: given back. Zero only looks.
    pub amount: f64,
    /// It was used before it could be asked for: taken in any case, down to an empty bucket.
    pub is_owed: bool,
}

/// How a bucket stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// What can be taken now.
    pub left: u64,
    /// Until it is full; of an empty one: until there is something in it.
    pub more_in: Duration,
}

/// What came of taking: the level of each bucket, in their order, and how long it is until all of them hold enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// None: taken. Else nothing was taken, from none of them.
    pub wait: Option<Duration>,
    /// How they stand.
    pub levels: Vec<Level>,
}

// The rules of `settle`, at one time and in one step. Times are milliseconds of Redis' clock.
const TAKE: &str = r"
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local wait = 0
local full, next_full = {}, {}
for i, key in ipairs(KEYS) do
    local quota, window, amount = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2]) * 1000, tonumber(ARGV[4 * i - 1])
    full[i] = math.max(tonumber(redis.call('GET', key)) or 0, now)
    next_full[i] = math.max(full[i] + amount * window / quota, now)
    if ARGV[4 * i] == 'true' then
        next_full[i] = math.min(next_full[i], math.max(full[i], now + window))
    elseif amount > 0 then
        wait = math.max(wait, next_full[i] - now - window)
    end
end
local answer = { tostring(wait) }
for i, key in ipairs(KEYS) do
    if wait <= 0 and next_full[i] ~= full[i] then
        full[i] = next_full[i]
        redis.call('SET', key, string.format('%.3f', full[i]), 'PX', math.max(math.ceil(full[i] - now), 1))
    end
    answer[i + 1] = tostring(full[i] - now)
end
return answer
";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(TAKE));

/// All buckets.
pub struct Buckets {
    cache: Cache,
    began: Instant,
    /// While Redis is away: when each is full, in milliseconds since `began`.
    kept: Mutex<HashMap<String, f64>>,
}

impl Buckets {
    /// In this Redis.
    #[must_use]
    pub fn new(cache: &Cache) -> Self {
        Self { cache: cache.clone(), began: Instant::now(), kept: Mutex::default() }
    }

    /// Takes from all of these buckets, or from none of them: one call of Redis, which may be away.
    pub async fn take(&self, takes: &[Take]) -> Taken {
        let keys: Vec<String> = takes.iter().map(|take| format!("datagenie:limit:{}", take.bucket)).collect();
        let arguments: Vec<String> = takes
            .iter()
            .flat_map(|take| [take.quota.to_string(), take.window.to_string(), take.amount.to_string(), take.is_owed.to_string()])
            .collect();
        let answer = self.cache.evaluate::<Vec<String>>(&SCRIPT, &keys, &arguments).await;
        match answer.and_then(|answer| read(&answer, takes)) {
            Some(taken) => taken,
            None => self.take_here(takes, self.began.elapsed().as_secs_f64() * 1e3),
        }
    }

    fn take_here(&self, takes: &[Take], now: f64) -> Taken {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + takes.len() > KEPT {
            kept.retain(|_, full| *full > now);
            if kept.len() + takes.len() > KEPT {
                kept.clear();
            }
        }
        let mut full: Vec<f64> = takes.iter().map(|take| kept.get(&take.bucket).copied().unwrap_or_default().max(now)).collect();
        let wait = settle(takes, &mut full, now);
        if wait <= 0.0 {
            kept.extend(takes.iter().zip(&full).map(|(take, full)| (take.bucket.clone(), *full)));
        }
        let debts: Vec<f64> = full.iter().map(|full| full - now).collect();
        Taken::of(takes, wait, &debts)
    }
}

/// Moves the times at which buckets are full by what is taken, if all of them hold enough; else how many milliseconds that takes.
fn settle(takes: &[Take], full: &mut [f64], now: f64) -> f64 {
    let after = |(take, full): (&Take, &f64)| {
        let next = (full + take.amount * interval(take)).max(now);
        if take.is_owed { next.min(full.max(now + window(take))) } else { next }
    };
    let next: Vec<f64> = takes.iter().zip(&*full).map(after).collect();
    let asked = takes.iter().zip(&next).filter(|(take, _)| take.amount > 0.0 && !take.is_owed);
    let waits = asked.map(|(take, next)| next - now - window(take));
    let wait = waits.fold(0.0, f64::max);
    if wait <= 0.0 {
        full.copy_from_slice(&next);
    }
    wait
}

fn window(take: &Take) -> f64 {
    f64::from(take.window) * 1e3
}

/// Milliseconds in which one unit comes in.
#[expect(clippy::cast_precision_loss, reason = "quotas are far below 2^52")]
fn interval(take: &Take) -> f64 {
    window(take) / take.quota.max(1) as f64
}

fn read(answer: &[String], takes: &[Take]) -> Option<Taken> {
    let numbers: Vec<f64> = answer.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
    let (wait, debts) = numbers.split_first()?;
    (debts.len() == takes.len()).then(|| Taken::of(takes, *wait, debts))
}

impl Taken {
    fn of(takes: &[Take], wait: f64, debts: &[f64]) -> Self {
        let levels = takes.iter().zip(debts).map(|(take, &debt)| Level::of(take, debt)).collect();
        Self { wait: (wait > 0.0).then(|| milliseconds(wait)), levels }
    }
}

impl Level {
    /// Of a bucket that is full in so many milliseconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the quota")]
    fn of(take: &Take, debt: f64) -> Self {
        // Times are kept to a thousandth of a millisecond: a hair's breadth is no unit.
        let left = ((window(take) - debt) / interval(take) + 1e-3).floor().max(0.0) as u64;
        let more_in = if left == 0 { debt - window(take) + interval(take) } else { debt };
        Self { left: left.min(take.quota), more_in: milliseconds(more_in) }
    }
}

fn milliseconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number.max(0.0) / 1e3).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(amount: f64) -> Take {
        Take { name: "requests", bucket: "a".to_owned(), quota: 60, window: 60, amount, is_owed: false }
    }

    fn buckets() -> Buckets {
        // Nobody listens there: what is asked of Redis is answered here.
        Buckets::new(&Cache::connect("redis://127.0.0.1:1", Duration::from_secs(1)).expect("a URL for Redis"))
    }

    #[tokio::test]
    async fn a_bucket_gives_its_quota_at_once_and_then_as_it_fills() {
        let buckets = buckets();
        for n in 1..=60_u64 {
            let taken = buckets.take_here(&[take(1.0)], 0.0);
            assert_eq!((taken.wait, taken.levels[0].left), (None, 60 - n));
        }
        let refused = buckets.take_here(&[take(1.0)], 250.0);
        assert_eq!(refused.wait, Some(Duration::from_millis(750)));
        assert_eq!(refused.levels, [Level { left: 0, more_in: Duration::from_millis(750) }]);
        assert_eq!(buckets.take_here(&[take(1.0)], 1_000.0).wait, None);
        let later = buckets.take_here(&[take(0.0)], 31_000.0);
        assert_eq!(later.levels, [Level { left: 30, more_in: Duration::from_secs(30) }], "looking takes nothing");
    }

    #[tokio::test]
    async fn all_or_none_is_taken_and_what_is_given_back_is_there() {
        let buckets = buckets();
        let small = Take { name: "questions", bucket: "b".to_owned(), quota: 2, window: 3_600, ..take(2.0) };
        assert_eq!(buckets.take_here(&[take(1.0), small.clone()], 0.0).wait, None);
        let refused = buckets.take_here(&[take(1.0), Take { amount: 1.0, ..small.clone() }], 0.0);
        assert_eq!((refused.wait, refused.levels[0].left), (Some(Duration::from_secs(1_800)), 59), "nothing was taken of the other");
        let back = buckets.take_here(&[Take { amount: -5.0, ..small.clone() }], 0.0);
        assert_eq!((back.wait, back.levels[0].left), (None, 2), "and not more than there was");
    }

    #[tokio::test]
    async fn what_is_owed_is_taken_from_a_bucket_that_does_not_hold_it_and_no_more_than_all_of_it() {
        let buckets = buckets();
        assert_eq!(buckets.take_here(&[take(50.0)], 0.0).levels[0].left, 10);
        let owed = buckets.take_here(&[Take { is_owed: true, ..take(1_000.0) }], 0.0);
        assert_eq!((owed.wait, owed.levels[0].left), (None, 0));
        assert_eq!(buckets.take_here(&[take(1.0)], 0.0).wait, Some(Duration::from_secs(1)), "it fills again from nothing, not from less");
        assert_eq!(buckets.take_here(&[take(0.0)], 30_000.0).levels[0].left, 30);
    }

    #[tokio::test]
    async fn redis_away_is_no_error_and_what_is_kept_is_bounded() {
        let buckets = buckets();
        assert_eq!(buckets.take(&[take(1.0)]).await.wait, None);
        for n in 0..KEPT + 100 {
            buckets.take_here(&[Take { bucket: n.to_string(), ..take(1.0) }], 0.0);
        }
        assert!(buckets.kept.lock().expect("a lock").len() <= KEPT);
    }

    #[test]
    fn what_redis_answers_is_read_and_nonsense_is_not() {
        let answer = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let taken = read(&answer(&["0", "2000"]), &[take(1.0)]).expect("it is right");
        assert_eq!((taken.wait, taken.levels[0].left), (None, 58));
        assert_eq!(read(&answer(&["0"]), &[take(1.0)]), None);
        assert_eq!(read(&answer(&["x", "1"]), &[take(1.0)]), None);
    }
}
