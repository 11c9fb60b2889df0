//! Durable events: in the order of their commits, each for its owner, none ever skipped.

use std::collections::BTreeSet;

use datagenie_common::{
    events::{Event, Point, parse_sequence},
    ids::UserId,
    store::events::{self, Page, Wanted},
};
use datagenie_tests::until;
use futures::future::join_all;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Ledger, add_user};

async fn put(conn: &mut PgConnection, user: UserId, subject: &str) {
    events::insert(conn, "question.succeeded", subject, user, None, &json!({})).await.expect("the event is stored");
}

impl Ledger {
    async fn after(&self, after: Option<&Event>, limit: i64) -> Vec<Event> {
        let after = after.map(|event| parse_sequence(event.sequence.as_deref().expect("it is durable")).expect("it is one of ours"));
        events::after(&self.pool, &Wanted { user: Some(self.user), after }, limit).await.expect("the events are read")
    }

    /// Waits until so many events can be read: another database's open transaction on the same server may hold them back a little.
    async fn readable(&self, after: Option<&Event>, count: usize) -> Vec<Event> {
        until(
            || async {
                let events = self.after(after, 100).await;
                (events.len() >= count).then_some(events)
            },
            "the events are readable",
        )
        .await
    }
}

fn subjects(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.subject.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_goes_past_a_commit_that_is_held_open() {
    let ledger = Ledger::new().await;
    let mut held = ledger.pool.begin().await.expect("a transaction");
    put(&mut held, ledger.user, "first").await;
    let mut quick = ledger.pool.begin().await.expect("a transaction");
    put(&mut quick, ledger.user, "second").await;
    quick.commit().await.expect("it is committed");
    assert_eq!(subjects(&ledger.after(None, 100).await), [""; 0], "the second would be skipped past the first");
    held.commit().await.expect("it is committed");
    assert_eq!(subjects(&ledger.readable(None, 2).await), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_is_that_of_transactions_whatever_the_numbers_of_the_rows_are() {
    let ledger = Ledger::new().await;
    let mut held = ledger.pool.begin().await.expect("a transaction");
    let _: String = sqlx::query_scalar("SELECT pg_current_xact_id()::text").fetch_one(&mut *held).await.expect("it has a number");
    let mut quick = ledger.pool.begin().await.expect("a transaction");
    put(&mut quick, ledger.user, "lower row, later transaction").await;
    quick.commit().await.expect("it is committed");
    put(&mut held, ledger.user, "higher row, earlier transaction").await;
    assert!(ledger.after(None, 100).await.is_empty());
    held.commit().await.expect("it is committed");
    let events = ledger.readable(None, 2).await;
    assert_eq!(subjects(&events), ["higher row, earlier transaction", "lower row, later transaction"]);
    assert_eq!(subjects(&ledger.after(Some(&events[0]), 100).await), ["lower row, later transaction"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolled_back_event_is_none_and_holds_nobody_up() {
    let ledger = Ledger::new().await;
    let mut lost = ledger.pool.begin().await.expect("a transaction");
    put(&mut lost, ledger.user, "lost").await;
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    put(&mut conn, ledger.user, "kept").await;
    lost.rollback().await.expect("it is rolled back");
    assert_eq!(subjects(&ledger.readable(None, 1).await), ["kept"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_on_page_by_page_beside_writers_meets_every_event_once_and_in_order() {
    let ledger = Ledger::new().await;
    let writers = join_all((0..6).map(|writer| {
        let ledger = &ledger;
        async move {
            for n in 0..10 {
                let mut tx = ledger.pool.begin().await.expect("a transaction");
                put(&mut tx, ledger.user, &format!("{writer}-{n}-a")).await;
                put(&mut tx, ledger.user, &format!("{writer}-{n}-b")).await;
                tx.commit().await.expect("it is committed");
            }
        }
    }));
    let reader = async {
        let mut seen: Vec<Event> = Vec::new();
        while seen.len() < 120 {
            let last = seen.last().cloned();
            let page = until(
                || async {
                    let page = ledger.after(last.as_ref(), 7).await;
                    (!page.is_empty()).then_some(page)
                },
                "the next page",
            )
            .await;
            seen.extend(page);
        }
        seen
    };
    let (_, seen) = futures::future::join(writers, reader).await;
    assert_eq!(seen.iter().map(|event| &event.id.0).collect::<BTreeSet<_>>().len(), 120, "each once");
    let sequences: Vec<&str> = seen.iter().filter_map(|event| event.sequence.as_deref()).collect();
    assert!(sequences.is_sorted() && sequences.len() == 120, "ordered as text");
    for writer in 0..6 {
        let own: Vec<&str> = subjects(&seen).into_iter().filter(|subject| subject.starts_with(&format!("{writer}-"))).collect();
        let written: Vec<String> = (0..10).flat_map(|n| [format!("{writer}-{n}-a"), format!("{writer}-{n}-b")]).collect();
        assert_eq!(own, written, "in the order in which they were written");
    }
    assert!(ledger.after(seen.last(), 100).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_reads_his_own_and_administrators_all() {
    let ledger = Ledger::new().await;
    let stranger = add_user(&ledger.pool, "stranger").await;
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    put(&mut conn, ledger.user, "his").await;
    put(&mut conn, stranger, "the stranger's").await;
    let all = until(
        || async {
            let all = events::after(&ledger.pool, &Wanted::default(), 100).await.expect("the events are read");
            (all.len() == 2).then_some(all)
        },
        "both events are readable",
    )
    .await;
    assert_eq!(subjects(&all), ["his", "the stranger's"]);
    assert_eq!(subjects(&ledger.after(None, 100).await), ["his"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_begins_now_hears_only_what_comes() {
    let ledger = Ledger::new().await;
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    put(&mut conn, ledger.user, "past").await;
    ledger.readable(None, 1).await;
    let after = Some(events::now(&ledger.pool).await.expect("the point is read"));
    put(&mut conn, ledger.user, "to come").await;
    let wanted = Wanted { user: Some(ledger.user), after };
    let heard = until(
        || async {
            let heard = events::after(&ledger.pool, &wanted, 100).await.expect("the events are read");
            (!heard.is_empty()).then_some(heard)
        },
        "the new event",
    )
    .await;
    assert_eq!(subjects(&heard), ["to come"]);
}

async fn page(ledger: &Ledger, users: Option<&[Uuid]>, after: Point, limit: i64) -> Page {
    events::page(&ledger.pool, users, after, limit).await.expect("the page is read")
}

fn of_page(page: &Page) -> Vec<(UserId, &str)> {
    page.events.iter().map(|(user, event)| (*user, event.subject.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reader_for_many_gets_pages_of_some_users_and_passes_over_the_others() {
    let ledger = Ledger::new().await;
    let stranger = add_user(&ledger.pool, "stranger").await;
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    for (user, subject) in [(ledger.user, "1"), (stranger, "2"), (ledger.user, "3"), (stranger, "4")] {
        put(&mut conn, user, subject).await;
    }
    let all = until(
        || async {
            let all = page(&ledger, None, (0, 0), 100).await;
            (all.events.len() == 4).then_some(all)
        },
        "all events are readable",
    )
    .await;
    assert_eq!(of_page(&all), [(ledger.user, "1"), (stranger, "2"), (ledger.user, "3"), (stranger, "4")]);
    assert!(!all.full && all.reached.0 < all.oldest_open && all.oldest_open <= all.newest);

    let his = [ledger.user.0];
    let first = page(&ledger, Some(&his), (0, 0), 1).await;
    assert_eq!((of_page(&first), first.full), (vec![(ledger.user, "1")], true));
    let second = page(&ledger, Some(&his), first.reached, 10).await;
    assert_eq!((of_page(&second), second.full), (vec![(ledger.user, "3")], false));
    assert!(page(&ledger, None, second.reached, 10).await.events.is_empty(), "the stranger's last is passed over");
    let nothing = page(&ledger, Some(&[]), (0, 0), 10).await;
    assert!(nothing.events.is_empty() && nothing.reached >= second.reached);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reader_for_many_never_goes_past_a_commit_that_is_held_open_and_is_told_that_there_is_more() {
    let ledger = Ledger::new().await;
    let mut held = ledger.pool.begin().await.expect("a transaction");
    put(&mut held, ledger.user, "first").await;
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    put(&mut conn, ledger.user, "second").await;
    let none = page(&ledger, None, (0, 0), 10).await;
    assert!(none.events.is_empty() && none.oldest_open < none.newest, "{none:?}");
    held.commit().await.expect("it is committed");
    let both = until(
        || async {
            let both = page(&ledger, None, none.reached, 10).await;
            // Transactions of other tests on the same server count as open too.
            (both.events.len() == 2 && both.oldest_open >= none.newest).then_some(both)
        },
        "both events are readable, and what was wanted has been read",
    )
    .await;
    assert_eq!(of_page(&both), [(ledger.user, "first"), (ledger.user, "second")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_restored_into_another_server_goes_on_behind_what_anybody_has_heard_of() {
    let ledger = Ledger::new().await;
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    put(&mut conn, ledger.user, "before the backup").await;
    // On a server that had counted further than this one. Its readers have heard of more than the backup holds.
    sqlx::query("UPDATE events SET xid = '9000000000'").execute(&mut *conn).await.expect("it is as it was restored");
    let heard = Some((9_000_000_500, 77));
    assert!(ledger.after(None, 100).await.is_empty(), "its number is one of the future here");
    for round in ["after a restore", "after another one"] {
        sqlx::query("SELECT rebase_events()").execute(&mut *conn).await.expect("the order is moved on");
        put(&mut conn, ledger.user, round).await;
    }
    let all = ledger.readable(None, 3).await;
    assert_eq!(subjects(&all), ["before the backup", "after a restore", "after another one"]);
    let wanted = Wanted { user: Some(ledger.user), after: heard };
    let new = events::after(&ledger.pool, &wanted, 100).await.expect("the events are read");
    assert_eq!(subjects(&new), ["after a restore", "after another one"]);
    let page = page(&ledger, None, (9_000_000_500, 77), 10).await;
    assert_eq!(of_page(&page), [(ledger.user, "after a restore"), (ledger.user, "after another one")]);
    // What is open holds readers back as ever.
    let mut held = ledger.pool.begin().await.expect("a transaction");
    put(&mut held, ledger.user, "held open").await;
    put(&mut conn, ledger.user, "later").await;
    assert_eq!(ledger.after(all.last(), 100).await.len(), 0);
    held.commit().await.expect("it is committed");
    assert_eq!(subjects(&ledger.readable(all.last(), 2).await), ["held open", "later"]);
}
