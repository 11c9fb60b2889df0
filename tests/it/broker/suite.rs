//! The tests themselves. None of them relies on order, on a bell being heard only once after a fault, or on time passing by itself.

use std::{collections::BTreeSet, time::Duration};

use datagenie_common::model::jobs::Lane;
use datagenie_tests::until;
use tokio::time::timeout;

use super::bench::{Bench, Listener, ring, ring_until_taken, settle};

const LANE: Lane = Lane::Interactive;
/// A ring gives up after a second; the rest is for a machine that is busy. One that waited for the broker would wait without an end.
const SOON: Duration = Duration::from_secs(10);

/// Waits until a lane holds so many messages.
async fn depth_becomes(bench: &Bench, lane: Lane, depth: u64) {
    let broker = bench.open();
    until(|| async { broker.depth(lane).await.is_ok_and(|found| found == depth).then_some(()) }, "the lane's depth").await;
}

pub async fn a_ring_is_heard_with_all_that_it_says(bench: &Bench) {
    let broker = bench.connected().await;
    let mut listener = Listener::new(&broker, LANE, 4);
    let (mut plain, traced) = (ring(LANE), ring(LANE));
    plain.traceparent = None;
    bench.connected().await.ring(&[plain.clone(), traced.clone()]).await.expect("it is rung");
    for _ in 0..2 {
        let bell = listener.hear().await;
        let rung = if bell.message.job_id == plain.job_id { &plain } else { &traced };
        assert_eq!(bell.message.job_id, rung.job_id);
        assert_eq!(bell.message.kind, rung.kind);
        assert_eq!(bell.message.traceparent, rung.traceparent);
        settle(bell).await;
    }
    depth_becomes(bench, LANE, 0).await;
}

pub async fn lanes_do_not_hear_each_other(bench: &Bench) {
    let broker = bench.connected().await;
    let rings: Vec<_> = Lane::ALL.iter().map(|&lane| ring(lane)).collect();
    broker.ring(&rings).await.expect("they are rung");
    for rung in &rings {
        assert_eq!(broker.depth(rung.lane).await.expect("it is counted"), 1);
        let mut listener = Listener::new(&broker, rung.lane, 4);
        let bell = listener.hear().await;
        assert_eq!(bell.message.job_id, rung.job_id);
        settle(bell).await;
        depth_becomes(bench, rung.lane, 0).await;
        assert!(listener.stop().await.try_recv().is_err(), "{} heard more than its own", rung.lane);
    }
}

pub async fn a_listener_takes_no_more_than_it_has_slots_for(bench: &Bench) {
    let rings: Vec<_> = (0..5).map(|_| ring(LANE)).collect();
    let broker = bench.connected().await;
    broker.ring(&rings).await.expect("they are rung");
    let mut small = Listener::new(&broker, LANE, 2);
    let held = [small.hear().await, small.hear().await];
    // The other three are there for another process, since the first one can't have taken them.
    let other = bench.open();
    let mut large = Listener::new(&other, LANE, 5);
    let mut heard: BTreeSet<_> = held.iter().map(|bell| bell.message.job_id).collect();
    for _ in 0..3 {
        let bell = large.hear().await;
        heard.insert(bell.message.job_id);
        settle(bell).await;
    }
    assert_eq!(heard, rings.iter().map(|ring| ring.job_id).collect::<BTreeSet<_>>());
    large.stop().await;
    // A slot that is freed is used again.
    for bell in held {
        settle(bell).await;
    }
    let more = ring(LANE);
    broker.ring(std::slice::from_ref(&more)).await.expect("it is rung");
    assert_eq!(small.hear().await.message.job_id, more.job_id);
}

pub async fn a_freed_slot_gets_the_next_bell(bench: &Bench) {
    let broker = bench.connected().await;
    let mut listener = Listener::new(&broker, LANE, 1);
    let rings: Vec<_> = (0..3).map(|_| ring(LANE)).collect();
    broker.ring(&rings).await.expect("they are rung");
    let mut heard = BTreeSet::new();
    for left in (0..3).rev() {
        let mut bell = listener.hear().await;
        heard.insert(bell.message.job_id);
        // Decided is not freed: the slot is taken, and the rest stays with the broker.
        bell.receipt.decided().await;
        depth_becomes(bench, LANE, left).await;
        bell.receipt.freed().await;
    }
    assert_eq!(heard, rings.iter().map(|ring| ring.job_id).collect::<BTreeSet<_>>());
}

pub async fn many_bells_are_each_heard_once_by_several_listeners(bench: &Bench) {
    let brokers = [bench.connected().await, bench.connected().await];
    let rings: Vec<_> = (0..500).map(|_| ring(LANE)).collect();
    brokers[0].ring(&rings[..250]).await.expect("they are rung");
    let mut listeners = [Listener::new(&brokers[0], LANE, 16), Listener::new(&brokers[1], LANE, 3)];
    brokers[1].ring(&rings[250..]).await.expect("they are rung");
    let mut heard = Vec::new();
    let [first, second] = &mut listeners;
    while heard.len() < rings.len() {
        let bell = tokio::select! {
            bell = first.hear() => bell,
            bell = second.hear() => bell,
        };
        heard.push(bell.message.job_id);
        settle(bell).await;
    }
    assert_eq!(heard.into_iter().collect::<BTreeSet<_>>(), rings.iter().map(|ring| ring.job_id).collect::<BTreeSet<_>>());
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_bell_rung_twice_is_heard_twice(bench: &Bench) {
    let broker = bench.connected().await;
    let twice = ring(LANE);
    broker.ring(&[twice.clone(), twice.clone()]).await.expect("it is rung twice");
    let mut listener = Listener::new(&broker, LANE, 2);
    let (first, mut second) = (listener.hear().await, listener.hear().await);
    assert_eq!(first.message, second.message);
    assert_eq!(first.message.job_id, twice.job_id);
    settle(first).await;
    second.receipt.decided().await;
    second.receipt.freed().await;
    // Settled once more is nothing.
    second.receipt.put_back().await;
    settle(second).await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn bells_wait_for_a_listener_and_are_counted(bench: &Bench) {
    let broker = bench.connected().await;
    assert_eq!(broker.depth(LANE).await.expect("it is counted"), 0);
    let rings: Vec<_> = (0..7).map(|_| ring(LANE)).collect();
    broker.ring(&rings).await.expect("they are rung");
    assert_eq!(broker.depth(LANE).await.expect("it is counted"), 7);
    assert_eq!(broker.depth(Lane::Bulk).await.expect("it is counted"), 0);
    let mut listener = Listener::new(&broker, LANE, 7);
    for _ in 0..7 {
        settle(listener.hear().await).await;
    }
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_foreign_message_is_dropped_and_stops_nothing(bench: &Bench) {
    let broker = bench.connected().await;
    let (before, after) = (ring(LANE), ring(LANE));
    broker.ring(std::slice::from_ref(&before)).await.expect("it is rung");
    bench.foreign_messages(LANE).await;
    // One slot: a foreign message must not keep it.
    let mut listener = Listener::new(&broker, LANE, 1);
    settle(listener.hear_of(before.job_id).await).await;
    bench.foreign_messages(LANE).await;
    broker.ring(std::slice::from_ref(&after)).await.expect("it is rung");
    settle(listener.hear_of(after.job_id).await).await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn what_a_dead_listener_heard_and_did_not_decide_is_adopted(bench: &Bench) {
    let dead = bench.connected().await;
    let mut listener = Listener::new(&dead, LANE, 4);
    let rings = [ring(LANE), ring(LANE)];
    dead.ring(&rings).await.expect("they are rung");
    let lost = [listener.hear().await, listener.hear().await];
    listener.crash();
    bench.cut();
    bench.let_time_pass(LANE).await;
    let living = bench.open();
    let mut listener = Listener::new(&living, LANE, 4);
    let mut adopted = BTreeSet::new();
    for _ in 0..2 {
        let bell = listener.hear().await;
        assert_eq!(bell.message.traceparent, rings[0].traceparent, "with all that it says");
        adopted.insert(bell.message.job_id);
        settle(bell).await;
    }
    assert_eq!(adopted, rings.iter().map(|ring| ring.job_id).collect::<BTreeSet<_>>());
    depth_becomes(bench, LANE, 0).await;
    // The dead held them until now: giving nothing back was not what brought them here.
    drop(lost);
}

pub async fn a_bell_that_is_dropped_is_heard_by_another(bench: &Bench) {
    let first = bench.connected().await;
    let mut listener = Listener::new(&first, LANE, 1);
    let rung = ring(LANE);
    first.ring(std::slice::from_ref(&rung)).await.expect("it is rung");
    drop(listener.hear().await);
    drop(listener.stop().await);
    let mut other = Listener::new(&bench.open(), LANE, 1);
    settle(other.hear_of(rung.job_id).await).await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn what_is_put_back_is_heard_by_another(bench: &Bench) {
    let first = bench.connected().await;
    let mut listener = Listener::new(&first, LANE, 1);
    let rung = ring(LANE);
    first.ring(std::slice::from_ref(&rung)).await.expect("it is rung");
    let mut bell = listener.hear().await;
    // The slot is still held while the bell is: this listener can't hear it again.
    bell.receipt.put_back().await;
    listener.stop().await;
    let second = bench.open();
    let mut listener = Listener::new(&second, LANE, 1);
    let again = listener.hear().await;
    assert_eq!(again.message, bell.message);
    settle(again).await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_stopped_listener_ends_and_leaves_the_rest_to_others(bench: &Bench) {
    let broker = bench.connected().await;
    let mut listener = Listener::new(&broker, LANE, 2);
    let first = ring(LANE);
    broker.ring(std::slice::from_ref(&first)).await.expect("it is rung");
    settle(listener.hear_of(first.job_id).await).await;
    depth_becomes(bench, LANE, 0).await;
    let mut bells = listener.stop().await;
    let second = ring(LANE);
    broker.ring(std::slice::from_ref(&second)).await.expect("it is rung");
    assert!(bells.recv().await.is_none(), "it hears nothing any more");
    let mut other = Listener::new(&bench.open(), LANE, 2);
    settle(other.hear_of(second.job_id).await).await;
    // A listener of the same process may come back, too.
    let third = ring(LANE);
    other.stop().await;
    broker.ring(std::slice::from_ref(&third)).await.expect("it is rung");
    settle(Listener::new(&broker, LANE, 2).hear_of(third.job_id).await).await;
}

pub async fn a_listener_whose_bells_nobody_takes_ends(bench: &Bench) {
    let broker = bench.connected().await;
    let listener = Listener::new(&broker, LANE, 2);
    let rung = ring(LANE);
    broker.ring(std::slice::from_ref(&rung)).await.expect("it is rung");
    listener.turn_away().await;
    let mut other = Listener::new(&bench.open(), LANE, 2);
    settle(other.hear_of(rung.job_id).await).await;
}

pub async fn a_listener_goes_on_after_a_restart(bench: &Bench) {
    let broker = bench.connected().await;
    let mut listener = Listener::new(&broker, LANE, 4);
    let before = ring(LANE);
    broker.ring(std::slice::from_ref(&before)).await.expect("it is rung");
    settle(listener.hear_of(before.job_id).await).await;
    bench.kill();
    let away = timeout(SOON, broker.ring(&[ring(LANE)])).await.expect("it is decided soon");
    assert!(away.is_err(), "nobody can have taken it");
    bench.restart().await;
    let after = ring(LANE);
    ring_until_taken(&broker, std::slice::from_ref(&after)).await;
    settle(listener.hear_of(after.job_id).await).await;
    depth_becomes(bench, LANE, 0).await;
}

pub async fn a_listener_goes_on_after_everything_was_wiped(bench: &Bench) {
    let broker = bench.connected().await;
    let mut listener = Listener::new(&broker, LANE, 4);
    let before = ring(LANE);
    broker.ring(std::slice::from_ref(&before)).await.expect("it is rung");
    let mut undecided = listener.hear_of(before.job_id).await;
    bench.wipe().await;
    // What it was owed for is gone: deciding it harms nothing.
    undecided.receipt.decided().await;
    undecided.receipt.freed().await;
    drop(undecided);
    let after = ring(LANE);
    ring_until_taken(&broker, std::slice::from_ref(&after)).await;
    settle(listener.hear_of(after.job_id).await).await;
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
    settle(listener.hear_of(rung.job_id).await).await;
}

pub async fn a_ring_fails_soon_while_the_broker_stands_still_and_works_afterwards(bench: &Bench) {
    let connected = bench.connected().await;
    let mut listener = Listener::new(&connected, LANE, 4);
    let before = ring(LANE);
    connected.ring(std::slice::from_ref(&before)).await.expect("it is rung");
    settle(listener.hear_of(before.job_id).await).await;
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
    settle(listener.hear_of(after.job_id).await).await;
}

pub async fn it_is_known_whether_a_listener_fetches(bench: &Bench) {
    let broker = bench.connected().await;
    let mut listener = Listener::new(&broker, LANE, 1);
    let rung = ring(LANE);
    broker.ring(std::slice::from_ref(&rung)).await.expect("it is rung");
    let bell = listener.hear_of(rung.job_id).await;
    bench.kill();
    assert!(listener.is_fetching(Duration::ZERO), "with all slots taken there is nothing to fetch for");
    drop(bell);
    listener.fetches(false).await;
    bench.restart().await;
    listener.fetches(true).await;
    let after = ring(LANE);
    ring_until_taken(&broker, std::slice::from_ref(&after)).await;
    settle(listener.hear_of(after.job_id).await).await;
}

/// For a broker whose reads are not undone when nobody takes their answer.
pub async fn what_a_read_brought_that_was_given_up_is_heard_at_once(bench: &Bench) {
    let broker = bench.connected().await;
    let mut listener = Listener::new(&broker, LANE, 1);
    let first = ring(LANE);
    broker.ring(std::slice::from_ref(&first)).await.expect("it is rung");
    // Its one slot is taken, so it reads nothing by itself.
    let at_work = listener.hear_of(first.job_id).await;
    let unseen = ring(LANE);
    broker.ring(std::slice::from_ref(&unseen)).await.expect("it is rung");
    bench.read_unseen(LANE).await;
    assert_eq!(bench.undecided(LANE).await, 2);
    listener.stop().await;
    // Left to be adopted, it would be heard after ten seconds; and the job at work has a receipt, so it is not put back.
    assert_eq!(bench.undecided(LANE).await, 1);
    let mut other = Listener::new(&bench.open(), LANE, 2);
    let heard = other.hear().await;
    assert_eq!(heard.message.job_id, unseen.job_id);
    assert_eq!(heard.message.traceparent, unseen.traceparent);
    settle(heard).await;
    settle(at_work).await;
    depth_becomes(bench, LANE, 0).await;
}

/// For a broker that has queues, which somebody may delete.
pub async fn a_ring_that_found_no_queue_is_not_taken_for_rung(bench: &Bench) {
    let broker = bench.connected().await;
    bench.wipe().await;
    let rung = ring(LANE);
    let lost = broker.ring(std::slice::from_ref(&rung)).await;
    assert!(lost.is_err(), "there was no queue to take it");
    // The publisher makes the queues again, though nobody listens.
    ring_until_taken(&broker, std::slice::from_ref(&rung)).await;
    depth_becomes(bench, LANE, 1).await;
}

/// For a broker that says by itself, though nothing comes, that its connection stands. `parameters` of the URL have it say so often.
pub async fn a_half_open_connection_is_found_out(bench: &Bench, parameters: &str) {
    let broker = bench.open_with(parameters);
    let mut listener = Listener::new(&broker, LANE, 2);
    let before = ring(LANE);
    ring_until_taken(&broker, std::slice::from_ref(&before)).await;
    settle(listener.hear_of(before.job_id).await).await;
    listener.fetches(true).await;
    bench.pause();
    listener.fetches(false).await;
    bench.resume();
    listener.fetches(true).await;
    let after = ring(LANE);
    ring_until_taken(&broker, std::slice::from_ref(&after)).await;
    settle(listener.hear_of(after.job_id).await).await;
}

/// For a broker that takes the messages of a broken connection for lost: those that its listener still works at come twice.
pub async fn a_listener_that_came_back_takes_no_more_than_its_free_slots(bench: &Bench) {
    let broker = bench.connected().await;
    let mut listener = Listener::new(&broker, LANE, 2);
    let first = ring(LANE);
    broker.ring(std::slice::from_ref(&first)).await.expect("it is rung");
    let at_work = listener.hear_of(first.job_id).await;
    bench.cut();
    // One slot is free, and takes what is at work in the other.
    let again = listener.hear_of(first.job_id).await;
    let more = [ring(LANE), ring(LANE)];
    ring_until_taken(&broker, &more).await;
    let waiting = bench.open();
    until(|| async { waiting.depth(LANE).await.ok().filter(|&depth| depth >= 2) }, "both stay with the broker").await;
    // The slot that the old connection's work held is used again, though the new one never knew of it.
    settle(at_work).await;
    let next = listener.hear().await;
    assert!(more.iter().any(|ring| ring.job_id == next.message.job_id));
    settle(again).await;
    settle(next).await;
}
