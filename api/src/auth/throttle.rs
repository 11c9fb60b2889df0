//! Who may try a password now. Failures cost a wait that grows, of a name at an address and of an address; nobody is ever locked out:
//! strangers who guess somebody's password from elsewhere do not hold him up where he has signed in before, and leave him one try free
//! at every other address. Counted in Redis for all processes; while that is away, by each process for itself.

mod neighbours;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use datagenie_common::{
    cache::{Attempt, Rules, Verdict},
    model::usernames::folded,
    store::addresses::household,
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use self::neighbours::Neighbours;
use crate::{
    app::App,
    error::{ApiError, Code, Result},
};

const RULES: Rules = Rules {
    free_of_pair: 10,
    free_of_address: 30,
    siege: 20,
    first_wait: Duration::from_secs(1),
    longest_of_pair: Duration::from_secs(900),
    longest_of_known: Duration::from_secs(60),
    longest_of_address: Duration::from_secs(300),
    window: Duration::from_secs(3_600),
};

/// An attempt that may be made. It counts as a failure, unless it is [`forgiven`](Self::forgiven) or [`taken back`](Self::taken_back).
pub struct Try {
    keys: Keys,
    /// Where it comes from.
    address: Option<IpAddr>,
}

/// Turned away.
pub struct TurnedAway {
    /// To be answered.
    pub error: ApiError,
    /// Whether it is the first since the last one that was tried: then it is worth a line in the audit log.
    pub first: bool,
}

struct Keys {
    address: String,
    pair: String,
    name: String,
}

impl Keys {
    fn of(name: &str, address: Option<IpAddr>) -> Self {
        let address = address.map(household).map_or_else(String::new, |address| address.to_string());
        Self { pair: hashed(&[name, &address]), name: hashed(&[name]), address: hashed(&[&address]) }
    }

    fn attempt(&self, known: bool) -> Attempt<'_> {
        Attempt { address: &self.address, pair: &self.pair, name: &self.name, known }
    }
}

fn hashed(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Asks to try the password of this user name from this address.
///
/// # Errors
/// [`TurnedAway`] with 429 and `Retry-After`.
pub async fn login(app: &App, username: &str, address: Option<IpAddr>) -> std::result::Result<Try, TurnedAway> {
    let name = folded(username);
    let keys = Keys::of(&name, address);
    match ask(app, &keys, false).await {
        Verdict::Enter => Ok(Try { keys, address }),
        Verdict::Wait { wait, first } if app.attempts.neighbours.knows(&app.pool, &name, address).await => {
            match ask(app, &keys, true).await {
                Verdict::Enter => Ok(Try { keys, address }),
                // The shorter one: who is known waits less.
                Verdict::Wait { wait: shorter, .. } => Err(turned_away(wait.min(shorter), first)),
            }
        }
        Verdict::Wait { wait, first } => Err(turned_away(wait, first)),
    }
}

/// Asks to try the old password of somebody who is signed in: a stolen session must not be the way to find it out.
///
/// # Errors
/// 429 with `Retry-After`.
pub async fn change(app: &App, user: &str, address: Option<IpAddr>) -> Result<Try> {
    let keys = Keys::of(&format!("\u{1}{user}"), address);
    match ask(app, &keys, false).await {
        Verdict::Enter => Ok(Try { keys, address }),
        Verdict::Wait { wait, first } => Err(turned_away(wait, first).error),
    }
}

impl Try {
    /// It succeeded: the failures before it are forgotten too.
    pub async fn forgiven(&self, app: &App) {
        let attempt = self.keys.attempt(false);
        app.cache.forgive(&attempt).await;
        app.attempts.forgive(&attempt);
        if let Some(address) = self.address {
            app.attempts.neighbours.forget(address);
        }
    }

    /// The password was not looked at: the attempt is none. What failed before stays, or whoever keeps the service busy could guess on.
    pub async fn taken_back(&self, app: &App) {
        let attempt = self.keys.attempt(false);
        app.cache.take_back(&attempt).await;
        app.attempts.take_back(&attempt);
    }
}

fn turned_away(wait: Duration, first: bool) -> TurnedAway {
    let detail = "too many attempts failed; wait for Retry-After, then try again";
    let seconds = Duration::from_secs(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX));
    TurnedAway {
        error: ApiError::new(Code::TooManyRequests, detail).limit("sign-ins", RULES.free_of_pair.into()).retry_after(seconds),
        first,
    }
}

async fn ask(app: &App, keys: &Keys, known: bool) -> Verdict {
    let attempt = keys.attempt(known);
    match app.cache.attempt(&attempt, &RULES).await {
        Some(Verdict::Enter) => {
            // The net knows what this process has let through.
            app.attempts.count(&attempt, Instant::now());
            Verdict::Enter
        }
        Some(turned_away) => turned_away,
        None => app.attempts.ask(&attempt, &RULES, Instant::now()),
    }
}

/// What this process remembers. Bounded.
#[derive(Default)]
pub struct Attempts {
    /// The net for when Redis is away: the same counting, of this process alone.
    memory: Mutex<Memory>,
    neighbours: Neighbours,
}

#[derive(Default)]
struct Memory {
    /// What was written lately, and what before: the older half goes when the newer one is full.
    new: HashMap<String, Failures>,
    old: HashMap<String, Failures>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    told: bool,
}

const HELD: usize = 20_000;

impl Memory {
    fn get(&self, key: &str, now: Instant) -> Option<Failures> {
        let found = self.new.get(key).or_else(|| self.old.get(key)).copied();
        found.filter(|failures| now.saturating_duration_since(failures.last) < RULES.window)
    }

    fn put(&mut self, key: &str, failures: Failures) {
        if self.new.len() >= HELD {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key.to_owned(), failures);
    }

    fn one_less(&mut self, key: &str) {
        if let Some(failures) = self.get(key, Instant::now()) {
            self.put(key, Failures { count: failures.count.saturating_sub(1), ..failures });
        }
    }

    fn remove(&mut self, key: &str) {
        self.new.remove(key);
        self.old.remove(key);
    }
}

impl Attempts {
    fn count(&self, attempt: &Attempt<'_>, now: Instant) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys_of(attempt) {
            let count = memory.get(&key, now).map_or(0, |failures| failures.count).saturating_add(1);
            memory.put(&key, Failures { count, last: now, told: false });
        }
    }

    fn ask(&self, attempt: &Attempt<'_>, rules: &Rules, now: Instant) -> Verdict {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys_of(attempt);
        let [of_address, of_pair, of_name] = [0, 1, 2].map(|index| memory.get(&keys[index], now));
        let count = |failures: Option<Failures>| failures.map_or(0, |failures| failures.count);
        let left = |failures: Option<Failures>, free, longest| {
            let Some(failures) = failures else { return Duration::ZERO };
            (failures.last + rules.wait(failures.count, free, longest)).saturating_duration_since(now)
        };
        let (free, longest) = rules.of_pair(attempt.known, count(of_name));
        let pair_wait = left(of_pair, free, longest);
        let excused = attempt.known && count(of_pair) < free;
        let address_wait = if excused { Duration::ZERO } else { left(of_address, rules.free_of_address, rules.longest_of_address) };
        let wait = pair_wait.max(address_wait);
        if !wait.is_zero() {
            let (key, failures) = if pair_wait >= address_wait { (&keys[1], of_pair) } else { (&keys[0], of_address) };
            let first = failures.is_some_and(|failures| !failures.told);
            if let Some(failures) = failures {
                memory.put(key, Failures { told: true, ..failures });
            }
            return Verdict::Wait { wait, first };
        }
        for (key, failures) in keys.iter().zip([of_address, of_pair, of_name]) {
            memory.put(key, Failures { count: count(failures).saturating_add(1), last: now, told: false });
        }
        Verdict::Enter
    }

    fn forgive(&self, attempt: &Attempt<'_>) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.remove(&format!("p{}", attempt.pair));
        for key in [format!("a{}", attempt.address), format!("n{}", attempt.name)] {
            memory.one_less(&key);
        }
    }

    fn take_back(&self, attempt: &Attempt<'_>) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys_of(attempt) {
            memory.one_less(&key);
        }
    }
}

fn keys_of(attempt: &Attempt<'_>) -> [String; 3] {
    [format!("a{}", attempt.address), format!("p{}", attempt.pair), format!("n{}", attempt.name)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(keys: &Keys, known: bool, attempts: &Attempts, now: Instant) -> Verdict {
        attempts.ask(&keys.attempt(known), &RULES, now)
    }

    fn from(name: &str, address: &str) -> Keys {
        Keys::of(name, Some(address.parse().expect("an address")))
    }

    #[test]
    fn failures_cost_a_wait_that_grows_and_a_success_forgives_them() {
        let (attempts, keys, now) = (Attempts::default(), from("alice", "192.0.2.1"), Instant::now());
        for _ in 0..RULES.free_of_pair {
            assert_eq!(at(&keys, false, &attempts, now), Verdict::Enter);
        }
        let second = Duration::from_secs(1);
        assert_eq!(at(&keys, false, &attempts, now), Verdict::Wait { wait: second, first: true });
        assert_eq!(at(&keys, false, &attempts, now), Verdict::Wait { wait: second, first: false });
        assert_eq!(at(&keys, false, &attempts, now + second), Verdict::Enter, "what is turned away does not count");
        assert_eq!(at(&keys, false, &attempts, now + second), Verdict::Wait { wait: 2 * second, first: true });
        attempts.forgive(&keys.attempt(false));
        assert_eq!(at(&keys, false, &attempts, now + second), Verdict::Enter);
        assert_eq!(at(&keys, false, &attempts, now + RULES.window), Verdict::Enter);
    }

    #[test]
    fn what_was_not_looked_at_counts_for_nothing_and_forgives_nothing() {
        let (attempts, keys, now) = (Attempts::default(), from("alice", "192.0.2.1"), Instant::now());
        for _ in 1..RULES.free_of_pair {
            assert_eq!(at(&keys, false, &attempts, now), Verdict::Enter);
        }
        for _ in 0..5 {
            assert_eq!(at(&keys, false, &attempts, now), Verdict::Enter);
            attempts.take_back(&keys.attempt(false));
        }
        assert_eq!(at(&keys, false, &attempts, now), Verdict::Enter);
        assert!(matches!(at(&keys, false, &attempts, now), Verdict::Wait { .. }), "the failures before are counted still");
    }

    #[test]
    fn many_who_guess_from_elsewhere_do_not_hold_the_owner_up() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..200 {
            let _ = at(&from("alice", &format!("198.51.100.{number}")), false, &attempts, now);
        }
        let stranger = from("alice", "203.0.113.1");
        assert_eq!(at(&stranger, false, &attempts, now), Verdict::Enter, "one is free at a new address");
        assert!(matches!(at(&stranger, false, &attempts, now), Verdict::Wait { .. }), "and no more under siege");
        let home = from("alice", "192.0.2.1");
        for _ in 0..RULES.free_of_pair {
            assert_eq!(at(&home, true, &attempts, now), Verdict::Enter);
        }
    }

    #[test]
    fn an_address_that_tries_many_names_waits_and_who_is_known_there_does_not() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..RULES.free_of_address {
            assert_eq!(at(&from(&format!("user{number}"), "192.0.2.1"), false, &attempts, now), Verdict::Enter);
        }
        assert!(matches!(at(&from("one more", "192.0.2.1"), false, &attempts, now), Verdict::Wait { .. }));
        assert_eq!(at(&from("alice", "192.0.2.1"), true, &attempts, now), Verdict::Enter);
        assert_eq!(at(&from("alice", "192.0.2.2"), false, &attempts, now), Verdict::Enter);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..u32::try_from(HELD).expect("it is small") {
            let address = std::net::Ipv4Addr::from_bits(number).to_string();
            let _ = at(&from(&format!("name{number}"), &address), false, &attempts, now);
        }
        let memory = attempts.memory.lock().expect("nobody panicked");
        assert!(memory.new.len() + memory.old.len() <= 2 * HELD);
    }
}
