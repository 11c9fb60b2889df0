//! What a schedule does, and what becomes of times that it missed.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    batches::{Budget, Line, OnInvalid},
    ids::{ConnectionId, FileId},
    jobs::CacheMode,
    model::{timing::Timing, upkeep::UpkeepTask},
    objects, word_enum,
};

word_enum! {
    /// What becomes of times that were missed because nothing ran, or the clock was set.
    pub enum CatchUp {
        /// Nothing: the next one comes at its time.
        Skip = "skip",
        /// One run for all of them.
        Once = "once",
        /// One run each, of the newest ones up to a number.
        All = "all",
    }
}

/// A time that passed so many seconds ago was not missed, only late: another scheduler had to take over.
const LATE_SECONDS: i64 = 60;

/// Questions of a batch that comes by itself: they are kept with the schedule.
pub const MOST_QUESTIONS: usize = 1_000;

/// What a schedule does at its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Asks a question, as its owner.
    Question {
        /// The database; none: a general question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection_id: Option<ConnectionId>,
        /// In the owner's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        /// The uploaded file that it is asked of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_id: Option<FileId>,
        /// A reviewed statement instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sql: Option<String>,
        /// Whether a cached answer will do; a schedule asks anew unless it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheMode>,
    },
    /// Asks many questions at once, as its owner.
    Batch {
        /// The database of questions that name no file; none: general questions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection_id: Option<ConnectionId>,
        /// What becomes of it where some can't be asked at its time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_invalid: Option<OnInvalid>,
        /// What each run may cost.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects::optional")]
        budget: Option<Budget>,
        /// Called at the end of each run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        callback_url: Option<String>,
        /// At most [`MOST_QUESTIONS`].
        #[serde(deserialize_with = "objects::each")]
        questions: Vec<Line>,
    },
    /// Reads a connection's schema again.
    SchemaSync {
        /// Which.
        connection_id: ConnectionId,
    },
    /// Runs a task of the upkeep.
    Maintenance {
        /// Which.
        task: UpkeepTask,
    },
}

impl Action {
    /// The connection that it names.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Question { connection_id, .. } | Self::Batch { connection_id, .. } => *connection_id,
            Self::SchemaSync { connection_id } => Some(*connection_id),
            Self::Maintenance { .. } => None,
        }
    }

    /// Whether only administrators may have it done.
    #[must_use]
    pub fn needs_admin(&self) -> bool {
        matches!(self, Self::SchemaSync { .. } | Self::Maintenance { .. })
    }
}

/// What is to be done about the times of a schedule that have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// To be fired, oldest first.
    pub fire: Vec<DateTime<Utc>>,
    /// The first of those that are not made up for; none: there is none.
    pub missed: Option<DateTime<Utc>>,
    /// The newest of all that have come, fired or not; none: none has.
    pub newest: Option<DateTime<Utc>>,
    /// When it fires next; none: never again.
    pub next: Option<DateTime<Utc>>,
}

/// Decides about the times from `next_run_at` up to now.
#[must_use]
pub fn due(timing: &Timing, catch_up: CatchUp, most: usize, next_run_at: DateTime<Utc>, now: DateTime<Utc>) -> Due {
    let next = timing.after(now);
    // A few more than are fired, to tell whether some are left out; a per-minute schedule has two within the time that is only late.
    let mut times = timing.newest(now, next_run_at, most.max(2) + 1);
    times.reverse();
    let in_time = now - TimeDelta::seconds(LATE_SECONDS);
    let keep = match catch_up {
        CatchUp::Skip => times.iter().filter(|&&time| time >= in_time).count(),
        CatchUp::Once => 1,
        CatchUp::All => most,
    };
    let newest = times.last().copied();
    let left_out = times.len().saturating_sub(keep);
    let fire = times.split_off(left_out);
    // Older ones may be left out beyond those that were looked at: the first of all is where it should have gone on.
    let missed = (left_out > 0).then_some(next_run_at);
    Due { fire, missed, newest, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn decided(catch_up: CatchUp, next_run_at: &str, now: &str) -> (Vec<String>, Option<String>, String) {
        let timing = Timing::parse("0 * * * *", "UTC").expect("it can be read");
        let due = due(&timing, catch_up, 3, utc(next_run_at), utc(now));
        let told = |time: &DateTime<Utc>| time.format("%H:%M").to_string();
        (due.fire.iter().map(told).collect(), due.missed.as_ref().map(told), due.next.as_ref().map(told).unwrap_or_default())
    }

    fn fires(times: &[&str]) -> Vec<String> {
        times.iter().map(|time| (*time).to_owned()).collect()
    }

    #[test]
    fn a_time_that_came_is_fired_whatever_the_policy() {
        for policy in CatchUp::ALL {
            let decided = decided(*policy, "2026-01-01T10:00:00Z", "2026-01-01T10:00:20Z");
            assert_eq!(decided, (fires(&["10:00"]), None, "11:00".to_owned()), "{policy}");
        }
    }

    #[test]
    fn missed_times_follow_the_policy() {
        let (since, now) = ("2026-01-01T04:00:00Z", "2026-01-01T10:20:00Z");
        assert_eq!(decided(CatchUp::Skip, since, now), (fires(&[]), Some("04:00".to_owned()), "11:00".to_owned()));
        assert_eq!(decided(CatchUp::Once, since, now), (fires(&["10:00"]), Some("04:00".to_owned()), "11:00".to_owned()));
        assert_eq!(decided(CatchUp::All, since, now), (fires(&["08:00", "09:00", "10:00"]), Some("04:00".to_owned()), "11:00".to_owned()));
        let few = "2026-01-01T09:00:00Z";
        assert_eq!(decided(CatchUp::All, few, now), (fires(&["09:00", "10:00"]), None, "11:00".to_owned()));
        // The newest one is in time: it fires, the missed ones are as the policy says.
        let timing = Timing::parse("0 * * * *", "UTC").expect("it can be read");
        assert_eq!(due(&timing, CatchUp::Skip, 3, utc(since), utc(now)).newest, Some(utc("2026-01-01T10:00:00Z")), "dealt with, too");
        let on_time = "2026-01-01T10:00:30Z";
        assert_eq!(decided(CatchUp::Skip, since, on_time), (fires(&["10:00"]), Some("04:00".to_owned()), "11:00".to_owned()));
    }

    #[test]
    fn a_clock_that_went_back_fires_nothing_again() {
        let decided = decided(CatchUp::All, "2026-01-01T10:00:00Z", "2026-01-01T08:30:00Z");
        assert_eq!(decided.0, fires(&[]));
    }

    #[test]
    fn an_action_reads_as_the_contract_has_it() {
        let read = |text: &str| serde_json::from_str::<Action>(text);
        assert!(read(r#"{"kind":"question","question":"How many?"}"#).is_ok());
        assert!(read(r#"{"kind":"maintenance","task":"files"}"#).is_ok_and(|action| action.needs_admin()));
        for wrong in [r#"{"kind":"maintenance","task":"everything"}"#, r#"{"kind":"question","frage":"?"}"#, r#"{"kind":"tea"}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
