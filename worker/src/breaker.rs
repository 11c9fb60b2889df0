//! Leaves alone what fails: after so many failures in a row nothing is asked of it for a while, then one call tries. Where it waits,
//! a job waits in the queue and not in a slot.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// When somebody else's trial call will have shown whether it works again.
const TRIAL: Duration = Duration::from_secs(1);

/// It is left alone for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it failed several times in a row and is left alone for a while")]
pub struct Open {
    /// When to ask again, at the earliest.
    pub retry_after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It works, but for so many failures in a row.
    Closed { failures: u32 },
    /// It is left alone until then.
    Open { until: Instant },
    /// One call has been trying since then.
    HalfOpen { since: Instant },
}

/// The breaker of one model or database, in one process.
pub struct Breaker {
    /// What it is, for metrics: `model` or `source`.
    kind: &'static str,
    /// Which one, for the log.
    subject: String,
    failures: u32,
    rest: Duration,
    state: Mutex<State>,
}

impl Breaker {
    /// A closed one, that opens after so many failures in a row, for so long.
    #[must_use]
    pub fn new(kind: &'static str, subject: String, failures: u32, rest: Duration) -> Self {
        Self { kind, subject, failures: failures.max(1), rest, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Whether a call would be let through now. Changes nothing.
    ///
    /// # Errors
    /// [`Open`].
    pub fn check(&self) -> Result<(), Open> {
        self.verdict(*self.lock(), Instant::now())
    }

    /// Begins a call, which then tells how it went.
    ///
    /// # Errors
    /// [`Open`].
    pub fn enter(&self) -> Result<Call<'_>, Open> {
        let trial = self.enter_at(Instant::now())?;
        Ok(Call { breaker: self, trial, told: false })
    }

    // When the trial that the call is began; none: it is an ordinary call.
    fn enter_at(&self, now: Instant) -> Result<Option<Instant>, Open> {
        let mut state = self.lock();
        self.verdict(*state, now)?;
        if matches!(*state, State::Closed { .. }) {
            return Ok(None);
        }
        *state = State::HalfOpen { since: now };
        Ok(Some(now))
    }

    /// Notes that it works, whoever found out.
    pub fn works(&self) {
        let before = std::mem::replace(&mut *self.lock(), State::Closed { failures: 0 });
        if !matches!(before, State::Closed { .. }) {
            metrics::gauge!("datagenie_breakers_open", "kind" => self.kind).decrement(1.0);
            tracing::info!(kind = self.kind, subject = self.subject, "it works again");
        }
    }

    fn verdict(&self, state: State, now: Instant) -> Result<(), Open> {
        match state {
            State::Closed { .. } => Ok(()),
            State::Open { until } if now < until => Err(Open { retry_after: until - now }),
            // A trial that hangs does not keep the next one out for ever.
            State::HalfOpen { since } if now < since + self.rest => Err(Open { retry_after: TRIAL.min(self.rest) }),
            State::Open { .. } | State::HalfOpen { .. } => Ok(()),
        }
    }

    fn failed_at(&self, trial: Option<Instant>, now: Instant) {
        let mut state = self.lock();
        match (*state, trial) {
            (State::Closed { failures }, _) if failures + 1 < self.failures => *state = State::Closed { failures: failures + 1 },
            (State::Closed { .. }, _) => {
                *state = State::Open { until: now + self.rest };
                metrics::gauge!("datagenie_breakers_open", "kind" => self.kind).increment(1.0);
                metrics::counter!("datagenie_breaker_openings_total", "kind" => self.kind).increment(1);
                tracing::warn!(
                    kind = self.kind,
                    subject = self.subject,
                    failures = self.failures,
                    rest_ms = u64::try_from(self.rest.as_millis()).unwrap_or(u64::MAX),
                    "it failed too often in a row and is left alone for a while"
                );
            }
            (State::HalfOpen { since }, Some(began)) if since == began => *state = State::Open { until: now + self.rest },
            // A call that began before, and fails only now, tells nothing new.
            (State::Open { .. } | State::HalfOpen { .. }, _) => {}
        }
    }

    // A trial that was given up shows nothing: the next call tries.
    fn given_up_at(&self, trial: Option<Instant>, now: Instant) {
        let mut state = self.lock();
        if let (State::HalfOpen { since }, Some(began)) = (*state, trial)
            && since == began
        {
            *state = State::Open { until: now };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        if !matches!(*self.lock(), State::Closed { .. }) {
            metrics::gauge!("datagenie_breakers_open", "kind" => self.kind).decrement(1.0);
        }
    }
}

/// A call under way. Dropped without a word it counts neither way.
#[must_use]
pub struct Call<'a> {
    breaker: &'a Breaker,
    /// When the trial that it is began; none: it is an ordinary call.
    trial: Option<Instant>,
    told: bool,
}

impl Call<'_> {
    /// It answered, be it with a refusal.
    pub fn succeeded(mut self) {
        self.told = true;
        self.breaker.works();
    }

    /// It did not answer, or answered that it can't.
    pub fn failed(mut self) {
        self.told = true;
        self.breaker.failed_at(self.trial, Instant::now());
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.breaker.given_up_at(self.trial, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(5);

    fn breaker() -> Breaker {
        Breaker::new("model", "the tests' own".to_owned(), 3, REST)
    }

    fn fail(breaker: &Breaker, times: usize, now: Instant) {
        for _ in 0..times {
            let trial = breaker.enter_at(now).expect("it lets calls through");
            breaker.failed_at(trial, now);
        }
    }

    fn retry_after(breaker: &Breaker, now: Instant) -> Duration {
        breaker.enter_at(now).expect_err("it is open").retry_after
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 2, now);
        breaker.enter().expect("it lets calls through").succeeded();
        fail(&breaker, 2, now);
        drop(breaker.enter().expect("it lets calls through"));
        assert!(breaker.check().is_ok());
        fail(&breaker, 1, now);
        assert_eq!(retry_after(&breaker, now), REST);
        assert_eq!(retry_after(&breaker, now + Duration::from_secs(2)), Duration::from_secs(3));
    }

    #[test]
    fn after_its_rest_one_call_tries() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 3, now);
        let later = now + REST;
        let trial = breaker.enter_at(later).expect("one may try");
        assert!(trial.is_some());
        assert_eq!(retry_after(&breaker, later), TRIAL);
        breaker.failed_at(trial, later);
        assert_eq!(retry_after(&breaker, later), REST);
        assert!(breaker.enter_at(later + REST).is_ok());
        breaker.works();
        assert_eq!(breaker.enter_at(later + REST), Ok(None));
        fail(&breaker, 2, later + REST);
        assert!(breaker.check().is_ok(), "it counts from nothing");
    }

    #[test]
    fn a_trial_given_up_or_hanging_lets_the_next_one_try() {
        let (breaker, now) = (breaker(), Instant::now());
        fail(&breaker, 3, now);
        let later = now + REST;
        let given_up = breaker.enter_at(later).expect("one may try");
        breaker.given_up_at(given_up, later);
        let hanging = breaker.enter_at(later).expect("another may try");
        assert_eq!(retry_after(&breaker, later), TRIAL);
        let much_later = later + REST;
        assert!(breaker.enter_at(much_later).is_ok());
        breaker.failed_at(hanging, much_later);
        assert_eq!(retry_after(&breaker, much_later), TRIAL, "the second one still tries");
    }

    #[test]
    fn a_late_failure_of_an_earlier_call_changes_nothing() {
        let (breaker, now) = (breaker(), Instant::now());
        let early = breaker.enter_at(now).expect("it lets calls through");
        fail(&breaker, 3, now);
        let later = now + Duration::from_secs(4);
        breaker.failed_at(early, later);
        assert_eq!(retry_after(&breaker, later), Duration::from_secs(1));
    }
}
