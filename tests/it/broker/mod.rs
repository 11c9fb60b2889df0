//! What every broker must do, written once and run for each: it may lose, double, delay and reorder bells, and it must never get stuck.
//!
//! A broker is added by a constructor of [`Bench`] and a line at the end of this file.

mod bench;
mod suite;

use bench::Bench;

/// The whole suite for one broker.
macro_rules! conformance {
    ($broker:ident, $start:expr) => {
        mod $broker {
            use super::{Bench, suite};
            conformance!(@each $start;
                a_ring_is_heard_with_all_that_it_says,
                lanes_do_not_hear_each_other,
                a_listener_takes_no_more_than_it_has_slots_for,
                many_bells_are_each_heard_once_by_several_listeners,
                a_bell_rung_twice_is_heard_twice,
                bells_wait_for_a_listener_and_are_counted,
                a_foreign_message_is_dropped_and_stops_nothing,
                what_a_dead_listener_heard_and_did_not_decide_is_adopted,
                what_is_put_back_is_heard_by_another,
                a_stopped_listener_ends_and_leaves_the_rest_to_others,
                a_listener_whose_bells_nobody_takes_ends,
                a_listener_goes_on_after_a_restart,
                a_listener_goes_on_after_everything_was_wiped,
                a_listener_waits_for_a_broker_that_is_not_there_yet,
                a_ring_fails_soon_while_the_broker_stands_still_and_works_afterwards,
            );
        }
    };
    (@each $start:expr; $($test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let bench: Bench = $start.await;
                suite::$test(&bench).await;
            }
        )+
    };
}

conformance!(redis_streams, Bench::redis());

#[tokio::test]
async fn a_url_that_is_none_of_ours_is_refused_without_its_password() {
    for (url, said) in [("kafka://someone:a-secret-word@127.0.0.1", "kafka"), ("someone:a-secret-word@127.0.0.1", "not a URL")] {
        let error = datagenie_common::broker::open(url, "test").err().expect("it is refused");
        let text = format!("{error} {error:?}");
        assert!(error.to_string().contains(said), "{text}");
        assert!(!text.contains("a-secret-word"), "{text}");
    }
}
