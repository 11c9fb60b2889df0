//! Which programs use a setting, for those who change one.

use super::keys::Key;
use crate::word_enum;

word_enum! {
    /// One of our programs.
    pub enum Program {
        /// `datagenie-api`
        Api = "api",
        /// `datagenie-worker`
        Worker = "worker",
        /// `datagenie-scheduler`
        Scheduler = "scheduler",
    }
}

use Program::{Api, Scheduler, Worker};

/// By the name of a setting or of its section; the longest that fits counts.
const USED_BY: &[(&str, &[Program])] = &[
    ("", Program::ALL),
    ("api", &[Api]),
    ("auth", &[Api]),
    ("database.pool_size", &[Api, Worker]),
    ("files.max_size_mb", &[Api]),
    ("files.reader_memory_mb", &[Worker]),
    ("files.reader_seconds", &[Worker]),
    ("files.readers", &[Worker]),
    ("files.upload_seconds", &[Api]),
    ("files.uploads", &[Api]),
    ("files.uploads_per_user", &[Api]),
    ("jobs.deadline_seconds", &[Api, Scheduler]),
    ("jobs.lane_window", &[Scheduler]),
    ("jobs.lease_seconds", &[Worker, Scheduler]),
    ("jobs.max_attempts", &[Api, Scheduler]),
    ("jobs.run_seconds", &[Api, Scheduler]),
    ("jobs.stale_ring_seconds", &[Scheduler]),
    ("jobs.sweep_ms", &[Scheduler]),
    ("limits", &[Api]),
    ("limits.cost_per_day", &[Api, Worker, Scheduler]),
    ("limits.question_bytes", &[Api, Scheduler]),
    ("limits.questions_per_hour", &[Api, Scheduler]),
    ("limits.tokens_per_day", &[Api, Worker, Scheduler]),
    ("limits.waiting_per_user", &[Api, Scheduler]),
    ("llm", &[Worker]),
    ("query.inline_bytes", &[Worker]),
    ("query.max_bytes", &[Api, Worker]),
    ("query.max_rows", &[Api, Worker]),
    ("query.max_seconds", &[Api, Worker]),
    ("scheduler", &[Scheduler]),
    ("sources", &[Worker]),
    ("upkeep", &[Scheduler]),
    ("upkeep.query_history_retention_days", &[Api, Scheduler]),
    ("webhooks", &[Worker]),
    ("worker", &[Worker]),
];

/// The programs that use a setting.
#[must_use]
pub fn used_by(key: &Key) -> &'static [Program] {
    let fits = |entry: &&(&str, &'static [Program])| {
        let place = entry.0;
        place.is_empty() || key.name == place || key.parts().0 == place
    };
    USED_BY.iter().filter(fits).max_by_key(|entry| entry.0.len()).map_or(&[], |entry| entry.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::keys::KEYS;

    #[test]
    fn every_entry_is_of_a_setting_or_a_section_that_there_is() {
        for (place, programs) in USED_BY {
            assert!(place.is_empty() || KEYS.iter().any(|key| key.name == *place || key.parts().0 == *place), "{place}");
            assert!(!programs.is_empty(), "{place}");
        }
    }

    #[test]
    fn the_longest_that_fits_counts() {
        let of = |name| used_by(crate::settings::keys::find(name).expect("there is one"));
        assert_eq!(of("llm.model"), [Worker]);
        assert_eq!(of("query.max_rows"), [Api, Worker]);
        assert_eq!(of("redis.url"), Program::ALL);
    }
}
