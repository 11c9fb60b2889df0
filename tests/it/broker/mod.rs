//! What every broker must do, written once and run for each: it may lose, double, delay and reorder bells, and it must never get stuck.
//!
//! A broker is added by a constructor of [`Bench`] and a line at the end of this file.

mod bench;
mod rabbitmq;
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
                a_freed_slot_gets_the_next_bell,
                many_bells_are_each_heard_once_by_several_listeners,
                a_bell_rung_twice_is_heard_twice,
                bells_wait_for_a_listener_and_are_counted,
                a_foreign_message_is_dropped_and_stops_nothing,
                what_a_dead_listener_heard_and_did_not_decide_is_adopted,
                a_bell_that_is_dropped_is_heard_by_another,
                what_is_put_back_is_heard_by_another,
                a_stopped_listener_ends_and_leaves_the_rest_to_others,
                a_listener_whose_bells_nobody_takes_ends,
                a_listener_goes_on_after_a_restart,
                a_listener_goes_on_after_everything_was_wiped,
                a_listener_waits_for_a_broker_that_is_not_there_yet,
                a_ring_fails_soon_while_the_broker_stands_still_and_works_afterwards,
                it_is_known_whether_a_listener_fetches,
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
conformance!(quorum_queues, Bench::rabbitmq());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_on_rabbitmq_that_came_back_takes_no_more_than_its_free_slots() {
    suite::a_listener_that_came_back_takes_no_more_than_its_free_slots(&Bench::rabbitmq().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_on_rabbitmq_that_found_no_queue_is_not_taken_for_rung() {
    suite::a_ring_that_found_no_queue_is_not_taken_for_rung(&Bench::rabbitmq().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_to_rabbitmq_is_found_out() {
    suite::a_half_open_connection_is_found_out(&Bench::rabbitmq().await, "?heartbeat=1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_read_of_redis_brought_that_was_given_up_is_heard_at_once() {
    suite::what_a_read_brought_that_was_given_up_is_heard_at_once(&Bench::redis().await).await;
}

#[tokio::test]
async fn a_url_that_is_none_of_ours_is_refused_without_its_password() {
    let refused = [
        ("kafka://someone:a-secret-word@127.0.0.1", "kafka"),
        ("someone:a-secret-word@127.0.0.1", "not a URL"),
        ("amqp://someone:a-secret-word@127.0.0.1:port", "not a URL"),
    ];
    for (url, said) in refused {
        let error = datagenie_common::broker::open(url, "datagenie", "test").err().expect("it is refused");
        let text = format!("{error} {error:?}");
        assert!(error.to_string().contains(said), "{text}");
        assert!(!text.contains("a-secret-word"), "{text}");
    }
}

#[tokio::test]
async fn a_namespace_that_no_queue_can_have_is_refused() {
    let long = "x".repeat(101);
    for namespace in ["", "two words", "a:b", "größe", "amq.mine", &long] {
        for url in ["redis://127.0.0.1", "amqp://127.0.0.1"] {
            let error = datagenie_common::broker::open(url, namespace, "test").err().expect("it is refused");
            assert!(error.to_string().contains("broker.namespace"), "{namespace}: {error}");
        }
    }
}

#[tokio::test]
async fn a_broker_that_refuses_or_is_away_is_told_without_its_password() {
    // Nobody listens there.
    let broker = datagenie_common::broker::open("amqp://someone:a-secret-word@127.0.0.1:1", "datagenie", "test").expect("it is a URL");
    let error = broker.ring(&[bench::ring(datagenie_common::model::jobs::Lane::Bulk)]).await.expect_err("nobody takes it");
    assert!(!format!("{error} {error:?}").contains("a-secret-word"), "{error:?}");
}
