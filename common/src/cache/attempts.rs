//! Attempts at passwords, counted in Redis for all processes together: who may try now, and who has to wait how long.

use std::time::Duration;

use redis::cmd;

use super::Cache;

/// What an attempt is counted by. Texts that are no secret: hashes of names and addresses.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Of the address that it comes from.
    pub address: &'a str,
    /// Of the name at that address.
    pub pair: &'a str,
    /// Of the name, wherever it is tried.
    pub name: &'a str,
    /// Whether the name has been signed in with from that address lately.
    pub known: bool,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be tried, and is counted as a failure until it is forgiven.
    Enter,
    /// Not now.
    Wait {
        /// How long.
        wait: Duration,
        /// Whether this is the first one turned away since the last that was tried.
        first: bool,
    },
}

/// How many failures are free, and how the wait grows.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Failures of a name at an address before the first wait.
    pub free_of_pair: u32,
    /// Likewise for an address, whatever the names.
    pub free_of_address: u32,
    /// Failures of a name, wherever, from which on an address it is not known at has a single free one.
    pub siege: u32,
    /// The first wait; it doubles with every failure.
    pub first_wait: Duration,
    /// The longest wait of a name at an address.
    pub longest_of_pair: Duration,
    /// The same where the name is known.
    pub longest_of_known: Duration,
    /// The longest wait of an address.
    pub longest_of_address: Duration,
    /// After how long without an attempt all is forgotten.
    pub window: Duration,
}

impl Rules {
    /// The free failures and the longest wait of a name at an address, with so many failures of it everywhere.
    #[must_use]
    pub fn of_pair(&self, known: bool, failures_of_name: u32) -> (u32, Duration) {
        if known {
            return (self.free_of_pair, self.longest_of_known);
        }
        let free = if failures_of_name >= self.siege { 1 } else { self.free_of_pair };
        (free, self.longest_of_pair)
    }

    /// How long after the last of so many failures nothing is tried.
    #[must_use]
    pub fn wait(&self, failures: u32, free: u32, longest: Duration) -> Duration {
        match failures.checked_sub(free) {
            None => Duration::ZERO,
            Some(over) => self.first_wait.saturating_mul(1 << over.min(20)).min(longest),
        }
    }
}

// The rules of `Rules::of_pair` and `Rules::wait`, at one time and in one step, so that of a hundred attempts sent at once no more are
// tried than of a hundred sent one after the other.
const ENTER: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local free_pair, free_address, siege, first = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local longest_pair, longest_known, longest_address = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local window, known = ARGV[8], ARGV[9] == '1'
local function read(key)
    local v = redis.call('HMGET', key, 'n', 't')
    return tonumber(v[1] or '0'), tonumber(v[2] or '0')
end
local function wait(n, at, free, longest)
    if n < free then return 0 end
    return at + math.min(first * 2 ^ math.min(n - free, 20), longest) - now
end
local an, at = read(KEYS[1])
local pn, pt = read(KEYS[2])
local un = read(KEYS[3])
local longest = known and longest_known or longest_pair
local free = (not known and un >= siege) and 1 or free_pair
local of_pair = wait(pn, pt, free, longest)
local of_address = wait(an, at, free_address, longest_address)
if known and pn < free then of_address = 0 end
local w = math.max(of_pair, of_address)
if w > 0 then
    local key = of_pair >= of_address and KEYS[2] or KEYS[1]
    return {math.ceil(w), redis.call('HSETNX', key, 'r', '1')}
end
for _, key in ipairs(KEYS) do
    redis.call('HINCRBY', key, 'n', 1)
    redis.call('HSET', key, 't', now)
    redis.call('HDEL', key, 'r')
    redis.call('PEXPIRE', key, window)
end
return {0, 0}";

// With '1' the failures of the name at that address go, else only the last one.
const FORGIVE: &str = r"
if ARGV[1] == '1' then redis.call('DEL', KEYS[2]) end
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 and redis.call('HINCRBY', key, 'n', -1) <= 0 then redis.call('DEL', key) end
end
return 1";

impl Attempt<'_> {
    fn keys(&self) -> [String; 3] {
        [
            format!("datagenie:attempts:address:{}", self.address),
            format!("datagenie:attempts:pair:{}", self.pair),
            format!("datagenie:attempts:name:{}", self.name),
        ]
    }
}

impl Cache {
    /// Asks whether a password may be tried now, and counts it if so; none if Redis is away.
    pub async fn attempt(&self, attempt: &Attempt<'_>, rules: &Rules) -> Option<Verdict> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut command = cmd("EVAL");
        command.arg(ENTER).arg(3).arg(&attempt.keys()[..]);
        command.arg(rules.free_of_pair).arg(rules.free_of_address).arg(rules.siege).arg(ms(rules.first_wait));
        command.arg(ms(rules.longest_of_pair)).arg(ms(rules.longest_of_known)).arg(ms(rules.longest_of_address));
        command.arg(ms(rules.window)).arg(u8::from(attempt.known));
        let (wait, first) = self.run::<(u64, u8)>(&command).await?;
        Some(if wait == 0 { Verdict::Enter } else { Verdict::Wait { wait: Duration::from_millis(wait), first: first == 1 } })
    }

    /// Takes an attempt back that succeeded, and the failures before it at that address. Says whether Redis confirmed.
    pub async fn forgive(&self, attempt: &Attempt<'_>) -> bool {
        self.run::<i64>(cmd("EVAL").arg(FORGIVE).arg(3).arg(&attempt.keys()[..]).arg("1")).await.is_some()
    }

    /// Takes an attempt back of which nothing came, and no failure before it. Says whether Redis confirmed.
    pub async fn take_back(&self, attempt: &Attempt<'_>) -> bool {
        self.run::<i64>(cmd("EVAL").arg(FORGIVE).arg(3).arg(&attempt.keys()[..]).arg("0")).await.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_begins_after_the_free_failures_and_doubles_up_to_the_longest() {
        let s = Duration::from_secs;
        let rules = Rules {
            free_of_pair: 3,
            free_of_address: 9,
            siege: 5,
            first_wait: s(1),
            longest_of_pair: s(60),
            longest_of_known: s(10),
            longest_of_address: s(30),
            window: s(3_600),
        };
        let (free, longest) = rules.of_pair(false, 4);
        assert_eq!([2, 3, 4, 8, 9, 1_000].map(|n| rules.wait(n, free, longest)), [s(0), s(1), s(2), s(32), s(60), s(60)]);
        assert_eq!(rules.of_pair(false, 5), (1, s(60)), "under siege a stranger has one");
        assert_eq!(rules.of_pair(true, 5_000), (3, s(10)), "who is known is not held up by strangers");
    }
}
