//! The tests themselves. None of them relies on order, on a bell being heard only once after a fault, or on time passing by itself.

use std::{collections::BTreeSet, time::Duration};

use datagenie_common::model::jobs::Lane;
use datagenie_tests::until;
use tokio::time::timeout;

use super::bench::{Bench, Listener, ring, ring_until_taken};

const LANE: Lane = Lane::Interactive;
/// A ring that takes longer keeps an answer to a client waiting.
const SOON: Duration = Duration::from_secs(2);

/// Waits until a lane holds so many messages.
async fn depth_becomes(bench: &Bench, lane: Lane, depth: u64) {
    let broker = bench.open();
    until(|| async { broker.depth(lane).await.is_ok_and(|found| found == depth).then_some(()) }, "the lane's depth").await;
}

pub async fn a_ring_is_heard_with_all_that_it_says(bench: &Bench) {
    let broker = bench.open();
    let mut listener = Listener::new(&broker, LANE, 4);
    let (mut plain, traced) = (ring(LANE), ring(LANE));
    plain.traceparent = None;
    bench.open().ring(&[plain.clone(), traced.clone()]).await.expect("it is rung");
    for _ in 0..2 {
        let mut bell = listener.hear().await;
        let rung = if bell.message.job_id == plain.job_id { &plain } else { &traced };
        assert_eq!(bell.message.job_id, rung.job_id);
        assert_eq!(bell.message.kind, rung.kind);
        assert_eq!(bell.message.traceparent, rung.traceparent);
        bell.receipt.decided().await;
    }
    depth_becomes(bench, LANE, 0).await;
}

pub async fn lanes_do_not_hear_each_other(bench: &Bench) {
    let broker = bench.open();
    let rings: Vec<_> = Lane::ALL.iter().map(|&lane| ring(lane)).collect();
    broker.ring(&rings).await.expect("they are rung");
    for rung in &rings {
        assert_eq!(broker.depth(rung.lane).await.expect("it is counted"), 1);
        let mut listener = Listener::new(&broker, rung.lane, 4);
        let mut bell = listener.hear().await;
        assert_eq!(bell.message.job_id, rung.job_id);
        bell.receipt.decided().await;
        depth_becomes(bench, rung.lane, 0).await;
        assert!(listener.stop().await.try_recv().is_err(), "{} heard more than its own", rung.lane);
    }
}

pub async fn a_listener_takes_no_more_than_it_has_slots_for(bench: &Bench) {
    let rings: Vec<_> = (0..5).map(|_| ring(LANE)).collect();
    let broker = bench.open();
    broker.ring(&rings).await.expect("they are rung");
    let mut small = Listener::new(&broker, LANE, 2);
    let held = [small.hear().await, small.hear().await];
    // The other three are there for another process, since the first one can't have taken them.
    let other = bench.open();
    let mut large = Listener::new(&other, LANE, 5);
    let mut heard: BTreeSet<_> = held.iter().map(|bell| bell.message.job_id).collect();
    for _ in 0..3 {
        let mut bell = large.hear().await;
        bell.receipt.decided().await;
        heard.insert(bell.message.job_id);
    }
    assert_eq!(heard, rings.iter().map(|ring| ring.job_id).collect::<BTreeSet<_>>());
    large.stop().await;
    // A slot that is freed is used again.
    for mut bell in held {
        bell.receipt.decided().await;
    }
    let more = ring(LANE);
    broker.ring(std::slice::from_ref(&more)).await.expect("it is rung");
    assert_eq!(small.hear().await.message.job_id, more.job_id);
}

pub async fn many_bells_are_each_heard_once_by_several_listeners(bench: &Bench) {
    let brokers = [bench.open(), bench.open()];
    let rings: Vec<_> = (0..500).map(|_| ring(LANE)).collect();
    brokers[0].ring(&rings[..250]).await.expect("they are rung");
    let mut listeners = [Listener::new(&brokers[0], LANE, 16), Listener::new(&brokers[1], LANE, 3)];
    brokers[1].ring(&rings[250..]).await.expect("they are rung");
    let mut heard = Vec::new();
    let [first, second] = &mut listeners;
    while heard.len() < rings.len() {
        let mut bell = tokio::select! {
            bell = first.hear() => bell,
            bell = second.hear() => bell,
        };
        bell.receipt.decided().await;
        heard.push(bell.message.job_id);
    }
    assert_eq!(heard.into_iter().collect::<BTreeSet<_>>(), rings.iter().map(|ring| ring.job_id).collect::<BTreeSet<_>>());
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_bell_rung_twice_is_heard_twice(bench: &Bench) {
    let broker = bench.open();
    let twice = ring(LANE);
    broker.ring(&[twice.clone(), twice.clone()]).await.expect("it is rung twice");
    let mut listener = Listener::new(&broker, LANE, 2);
    let (mut first, mut second) = (listener.hear().await, listener.hear().await);
    assert_eq!(first.message, second.message);
    assert_eq!(first.message.job_id, twice.job_id);
    first.receipt.decided().await;
    second.receipt.decided().await;
    // Decided once more is nothing.
    second.receipt.decided().await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn bells_wait_for_a_listener_and_are_counted(bench: &Bench) {
    let broker = bench.open();
    assert_eq!(broker.depth(LANE).await.expect("it is counted"), 0);
    let rings: Vec<_> = (0..7).map(|_| ring(LANE)).collect();
    broker.ring(&rings).await.expect("they are rung");
    assert_eq!(broker.depth(LANE).await.expect("it is counted"), 7);
    assert_eq!(broker.depth(Lane::Bulk).await.expect("it is counted"), 0);
    let mut listener = Listener::new(&broker, LANE, 7);
    for _ in 0..7 {
        listener.hear().await.receipt.decided().await;
    }
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_foreign_message_is_dropped_and_stops_nothing(bench: &Bench) {
    let broker = bench.open();
    let (before, after) = (ring(LANE), ring(LANE));
    broker.ring(std::slice::from_ref(&before)).await.expect("it is rung");
    bench.foreign_messages(LANE).await;
    // One slot: a foreign message must not keep it.
    let mut listener = Listener::new(&broker, LANE, 1);
    listener.hear_of(before.job_id).await.receipt.decided().await;
    bench.foreign_messages(LANE).await;
    broker.ring(std::slice::from_ref(&after)).await.expect("it is rung");
    listener.hear_of(after.job_id).await.receipt.decided().await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn what_a_dead_listener_heard_and_did_not_decide_is_adopted(bench: &Bench) {
    let dead = bench.open();
    let mut listener = Listener::new(&dead, LANE, 4);
    let rings = [ring(LANE), ring(LANE)];
    dead.ring(&rings).await.expect("they are rung");
    let lost = [listener.hear().await, listener.hear().await];
    listener.crash();
    drop(lost);
    bench.let_time_pass(LANE).await;
    let living = bench.open();
    let mut listener = Listener::new(&living, LANE, 4);
    let mut adopted = BTreeSet::new();
    for _ in 0..2 {
        let mut bell = listener.hear().await;
        assert_eq!(bell.message.traceparent, rings[0].traceparent, "with all that it says");
        bell.receipt.decided().await;
        adopted.insert(bell.message.job_id);
    }
    assert_eq!(adopted, rings.iter().map(|ring| ring.job_id).collect::<BTreeSet<_>>());
    depth_becomes(bench, LANE, 0).await;
}

pub async fn what_is_put_back_is_heard_by_another(bench: &Bench) {
    let first = bench.open();
    let mut listener = Listener::new(&first, LANE, 1);
    let rung = ring(LANE);
    first.ring(std::slice::from_ref(&rung)).await.expect("it is rung");
    let mut bell = listener.hear().await;
    // The slot is still held while the bell is: this listener can't hear it again.
    bell.receipt.put_back().await;
    listener.stop().await;
    let second = bench.open();
    let mut listener = Listener::new(&second, LANE, 1);
    let mut again = listener.hear().await;
    assert_eq!(again.message, bell.message);
    again.receipt.decided().await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_stopped_listener_ends_and_leaves_the_rest_to_others(bench: &Bench) {
    let broker = bench.open();
    let mut listener = Listener::new(&broker, LANE, 2);
    let first = ring(LANE);
    broker.ring(std::slice::from_ref(&first)).await.expect("it is rung");
    listener.hear_of(first.job_id).await.receipt.decided().await;
    depth_becomes(bench, LANE, 0).await;
    let mut bells = listener.stop().await;
    let second = ring(LANE);
    broker.ring(std::slice::from_ref(&second)).await.expect("it is rung");
    assert!(bells.recv().await.is_none(), "it hears nothing any more");
    let mut other = Listener::new(&bench.open(), LANE, 2);
    other.hear_of(second.job_id).await.receipt.decided().await;
    // A listener of the same process may come back, too.
    let third = ring(LANE);
    other.stop().await;
    broker.ring(std::slice::from_ref(&third)).await.expect("it is rung");
    Listener::new(&broker, LANE, 2).hear_of(third.job_id).await.receipt.decided().await;
}

pub async fn a_listener_whose_bells_nobody_takes_ends(bench: &Bench) {
    let broker = bench.open();
    let listener = Listener::new(&broker, LANE, 2);
    let rung = ring(LANE);
    broker.ring(std::slice::from_ref(&rung)).await.expect("it is rung");
    listener.turn_away().await;
    bench.let_time_pass(LANE).await;
    let mut other = Listener::new(&bench.open(), LANE, 2);
    other.hear_of(rung.job_id).await.receipt.decided().await;
}

pub async fn a_listener_goes_on_after_a_restart(bench: &Bench) {
    let broker = bench.open();
    let mut listener = Listener::new(&broker, LANE, 4);
    let before = ring(LANE);
    broker.ring(std::slice::from_ref(&before)).await.expect("it is rung");
    listener.hear_of(before.job_id).await.receipt.decided().await;
    bench.kill();
    let away = timeout(SOON, broker.ring(&[ring(LANE)])).await.expect("it is decided soon");
    assert!(away.is_err(), "nobody can have taken it");
    bench.restart().await;
    let after = ring(LANE);
    ring_until_taken(&broker, std::slice::from_ref(&after)).await;
    listener.hear_of(after.job_id).await.receipt.decided().await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_listener_goes_on_after_everything_was_wiped(bench: &Bench) {
    let broker = bench.open();
    let mut listener = Listener::new(&broker, LANE, 4);
    let before = ring(LANE);
    broker.ring(std::slice::from_ref(&before)).await.expect("it is rung");
    let mut undecided = listener.hear_of(before.job_id).await;
    bench.wipe().await;
    // What it was owed for is gone: deciding it harms nothing.
    undecided.receipt.decided().await;
    drop(undecided);
    let after = ring(LANE);
    ring_until_taken(&broker, std::slice::from_ref(&after)).await;
    listener.hear_of(after.job_id).await.receipt.decided().await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_listener_waits_for_a_broker_that_is_not_there_yet(bench: &Bench) {
    bench.kill();
    let broker = bench.open();
    let mut listener = Listener::new(&broker, LANE, 4);
    let away = timeout(SOON, broker.ring(&[ring(LANE)])).await.expect("it is decided soon");
    assert!(away.is_err(), "nobody can have taken it");
    assert!(broker.depth(LANE).await.is_err());
    bench.restart().await;
    let rung = ring(LANE);
    ring_until_taken(&broker, std::slice::from_ref(&rung)).await;
    listener.hear_of(rung.job_id).await.receipt.decided().await;
}

pub async fn a_ring_fails_soon_while_the_broker_stands_still_and_works_afterwards(bench: &Bench) {
    let connected = bench.open();
    let mut listener = Listener::new(&connected, LANE, 4);
    let before = ring(LANE);
    connected.ring(std::slice::from_ref(&before)).await.expect("it is rung");
    listener.hear_of(before.job_id).await.receipt.decided().await;
    bench.pause();
    // One that has a connection, and one that has none yet.
    for broker in [connected.clone(), bench.open()] {
        let still = timeout(SOON, broker.ring(&[ring(LANE)])).await.expect("it is decided soon");
        assert!(still.is_err(), "nobody can have taken it");
        assert!(timeout(SOON, broker.depth(LANE)).await.expect("it is decided soon").is_err());
    }
    bench.resume();
    let after = ring(LANE);
    ring_until_taken(&connected, std::slice::from_ref(&after)).await;
    // The rings that failed may have been taken after all; they are heard as any other.
    listener.hear_of(after.job_id).await.receipt.decided().await;
}
