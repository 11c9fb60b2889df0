//! How much one address may ask without saying who it is: requests without a token that is valid, whatever they ask for. Counted by each
//! process for itself, since those who are counted here are to cost next to nothing.
//!
//! Addresses are many, and whoever has many of them must not make us remember each. So every address has a place in each of a few rows, by
//! a hash that nobody knows who does not read our memory, and shares each of them with others. It is counted in all of its places, and the
//! lowest says how it stands (a count-min sketch with conservative updates): it waits for another one's sake only where all of them are
//! shared with such as ask too much.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use axum::http::Method;
use datagenie_common::{
    settings::{Api, IpNetwork},
    store::addresses::household,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::told::Told;
use crate::error::{ApiError, Code, Result};

const ROWS: usize = 4;
/// Places of a row: a megabyte in all.
const PLACES: usize = 1 << 15;
/// Microseconds in which an empty bucket fills.
const WINDOW: u64 = 60_000_000;
/// Tokens that are looked up at once for addresses that have asked too much: others at the same address, with tokens that are valid, are
/// served, and the database is not kept busy by those who guess.
const LOOKS: usize = 8;
/// How long such a token waits for its turn to be looked up.
const PATIENCE: Duration = Duration::from_secs(1);

/// What addresses have asked for without a token.
pub struct Strangers {
    /// Requests a minute; 0: no limit.
    quota: u64,
    /// Behind these are many clients.
    proxies: Vec<IpNetwork>,
    began: Instant,
    hashes: [RandomState; ROWS],
    /// When each is full again, in microseconds since `began`.
    places: Vec<AtomicU64>,
    looks: Semaphore,
}

/// An address that has asked too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded {
    quota: u64,
    /// Until it may ask again.
    wait: Duration,
}

/// Whether it is answered and not counted, however much an address asks: a probe that is refused takes the process out of service, a
/// preflight asks for nothing, and of sign-ins those that fail are slowed down, which keeps nobody out who lives where others guess.
#[must_use]
pub fn is_spared(method: &Method, route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz" | "/v1/auth/login") || *method == Method::OPTIONS
}

/// Marks the answer to a request whose sender is known.
#[derive(Clone, Copy, Debug)]
pub struct Known;

impl Strangers {
    /// By the settings.
    #[must_use]
    pub fn new(api: &Api) -> Self {
        Self::of(api.anonymous_per_minute, api.trusted_proxies.clone())
    }

    fn of(quota: u64, proxies: Vec<IpNetwork>) -> Self {
        let places = if quota == 0 { 0 } else { ROWS * PLACES };
        Self {
            quota,
            proxies,
            began: Instant::now(),
            hashes: std::array::from_fn(|_| RandomState::new()),
            places: (0..places).map(|_| AtomicU64::new(0)).collect(),
            looks: Semaphore::new(LOOKS),
        }
    }

    /// Whether an address has asked too much.
    #[must_use]
    pub fn look(&self, address: IpAddr) -> Option<Crowded> {
        self.is_limited(address).then(|| self.look_at(address, self.now())).flatten()
    }

    /// Counts a request of nobody in particular.
    pub fn count(&self, address: IpAddr) {
        if self.is_limited(address) {
            self.count_at(address, self.now());
        }
    }

    /// A turn to look a token up that comes from an address which has asked too much.
    ///
    /// # Errors
    /// 429 where too many do.
    pub async fn turn(&self, crowded: Crowded) -> Result<SemaphorePermit<'_>> {
        match tokio::time::timeout(PATIENCE, self.looks.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(crowded.refused()),
        }
    }

    fn is_limited(&self, address: IpAddr) -> bool {
        self.quota > 0 && !self.proxies.iter().any(|network| network.contains(address.to_canonical()))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn places(&self, address: IpAddr) -> impl Iterator<Item = &AtomicU64> {
        let household = household(address);
        self.hashes.iter().zip(self.places.chunks(PLACES)).filter_map(move |(hash, row)| {
            let hashed = usize::try_from(hash.hash_one(household) % row.len() as u64).unwrap_or_default();
            row.get(hashed)
        })
    }

    /// When the address's bucket is full after one more request.
    fn next(&self, address: IpAddr, now: u64) -> u64 {
        let full = self.places(address).map(|place| place.load(Ordering::Relaxed)).min().unwrap_or_default();
        full.max(now).saturating_add(WINDOW / self.quota.max(1))
    }

    fn look_at(&self, address: IpAddr, now: u64) -> Option<Crowded> {
        let wait = self.next(address, now).saturating_sub(now.saturating_add(WINDOW));
        (wait > 0).then_some(Crowded { quota: self.quota, wait: Duration::from_micros(wait) })
    }

    fn count_at(&self, address: IpAddr, now: u64) {
        // What was let in while it was full costs no more than an empty bucket.
        let next = self.next(address, now).min(now.saturating_add(WINDOW));
        for place in self.places(address) {
            place.fetch_max(next, Ordering::Relaxed);
        }
    }
}

impl Crowded {
    /// What is answered.
    #[must_use]
    pub fn refused(self) -> ApiError {
        let detail = "this address has sent too many requests without a valid token (api.anonymous_per_minute); sign in, or wait";
        let mut told = Told::default();
        told.add(format_args!("\"anonymous\";q={};w=60", self.quota), "anonymous", 0, self.wait);
        let seconds = Duration::from_secs(self.wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX));
        told.with(ApiError::new(Code::TooManyRequests, detail).retry_after(seconds))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::http::StatusCode;

    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_its_quota_at_once_and_then_as_it_fills() {
        let strangers = Strangers::of(60, vec!["10.0.0.0/8".parse().expect("a network")]);
        for _ in 0..60 {
            assert_eq!(strangers.look_at(at("192.0.2.1"), 5), None);
            strangers.count_at(at("::ffff:192.0.2.1"), 5);
        }
        let crowded = strangers.look_at(at("192.0.2.1"), 5).expect("nothing is left");
        assert_eq!(crowded.wait, Duration::from_secs(1));
        assert_eq!(strangers.look_at(at("192.0.2.2"), 5), None, "another one has his own");
        assert_eq!(strangers.look_at(at("192.0.2.1"), 1_000_005), None);
        strangers.count_at(at("192.0.2.1"), 1_000_005);
        assert!(strangers.look_at(at("192.0.2.1"), 1_000_005).is_some());
        for _ in 0..1_000 {
            strangers.count_at(at("192.0.2.1"), 1_000_005);
        }
        assert_eq!(strangers.look_at(at("192.0.2.1"), 2_000_005), None, "more than all can't be used up");
        for _ in 0..200 {
            strangers.count(at("10.1.2.3"));
        }
        assert_eq!(strangers.look(at("::ffff:10.1.2.3")), None, "behind a proxy are many");
    }

    #[test]
    fn a_household_of_ipv6_is_one_address() {
        let strangers = Strangers::of(10, Vec::new());
        for last in 0..10_u128 {
            strangers.count_at(IpAddr::V6((0x2001_0db8_0001_0002_u128 << 64 | last).into()), 0);
        }
        assert!(strangers.look_at(at("2001:db8:1:2:ffff::1"), 0).is_some());
        assert_eq!(strangers.look_at(at("2001:db8:1:3::1"), 0), None);
    }

    #[test]
    fn thousands_of_addresses_that_ask_too_much_hold_up_next_to_nobody() {
        let strangers = Strangers::of(20, Vec::new());
        for number in 0..5_000 {
            for _ in 0..20 {
                strangers.count_at(Ipv4Addr::from_bits(number).into(), 0);
            }
        }
        let held_up = (5_000..15_000).filter(|&number| strangers.look_at(Ipv4Addr::from_bits(number).into(), 0).is_some()).count();
        assert!(held_up < 100, "{held_up} of 10000");
        assert!((0..5_000).all(|number| strangers.look_at(Ipv4Addr::from_bits(number).into(), 0).is_some()));
    }

    #[test]
    fn none_is_no_limit() {
        let strangers = Strangers::of(0, Vec::new());
        for _ in 0..10_000 {
            strangers.count(at("192.0.2.1"));
        }
        assert_eq!(strangers.look(at("192.0.2.1")), None);
        assert_eq!(Crowded { quota: 5, wait: Duration::from_millis(1_200) }.refused().code.status(), StatusCode::TOO_MANY_REQUESTS);
    }
}
