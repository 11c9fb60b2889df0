//! Slices of submissions: all or nothing, safe to send again, and idempotency keys within and across them.

use datagenie_common::{
    ids::{ConnectionId, UserId},
    model::{connections::ConnectionState, schemas::SourceSchema},
    store::{
        connections::{self, Found},
        ledger::{NewQuestion, Submitted, finish, intake},
        permissions,
    },
};
use futures::future::join_all;
use uuid::Uuid;

use super::{LONG, Ledger, add_user, answered, question_of, with_key};

impl Ledger {
    /// Questions, jobs, keys and their audit lines.
    async fn stored(&self) -> [i64; 4] {
        let asked = "audit_logs WHERE action = 'question.asked'";
        [self.count("query_history").await, self.count("jobs").await, self.count("idempotency_keys").await, self.count(asked).await]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_is_stored_with_all_that_belongs_to_it() {
    let ledger = Ledger::new().await;
    let mut slice: Vec<_> = (0..100).map(|_| ledger.question()).collect();
    slice[7] = with_key(slice[7].clone(), "seven", b"a");
    assert_eq!(ledger.submit(&slice).await, vec![Submitted::New { rung: true }; 100]);
    assert_eq!(ledger.stored().await, [100, 100, 1, 100]);
    let stored = ledger.everything(slice[7].job_id).await;
    assert_eq!(stored["job"]["state"], "queued");
    assert_eq!(stored["question"]["status"], "pending");
    assert_eq!(stored["question"]["job_id"], slice[7].job_id.to_string());
    assert!(ledger.submit(&[]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_sent_again_stores_nothing_twice() {
    let ledger = Ledger::new().await;
    let slice = vec![ledger.question(), with_key(ledger.question(), "k", b"a"), ledger.question()];
    for _ in 0..3 {
        assert_eq!(ledger.submit(&slice).await, vec![Submitted::New { rung: true }; 3]);
    }
    assert_eq!(ledger.stored().await, [3, 3, 1, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_sent_again_leaves_what_has_gone_on_meanwhile() {
    let ledger = Ledger::new().await;
    let slice = vec![ledger.question(), with_key(ledger.question(), "k", b"a"), ledger.question()];
    ledger.submit(&slice[..2]).await;
    for question in &slice[..2] {
        let lease = ledger.claim(question.job_id, LONG).await.expect("it is due").lease;
        finish::finish(&ledger.pool, lease, None, &answered()).await.expect("it is written");
    }
    let before = (ledger.everything(slice[0].job_id).await, ledger.everything(slice[1].job_id).await);
    // The same two, and one more that the first send did not hold.
    assert_eq!(ledger.submit(&slice).await, vec![Submitted::New { rung: true }; 3]);
    assert_eq!((ledger.everything(slice[0].job_id).await, ledger.everything(slice[1].job_id).await), before);
    assert_eq!(ledger.stored().await, [3, 3, 1, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_stored_takes_its_whole_slice_along() {
    let ledger = Ledger::new().await;
    let mut slice = vec![ledger.question(), with_key(ledger.question(), "k", b"a"), ledger.question()];
    slice[2].user_id = UserId(Uuid::now_v7());
    let refused = intake::submit(&ledger.pool, &slice, super::WIDE).await;
    assert!(refused.as_ref().is_err_and(|error| error.is_constraint("query_history_user_id_fkey")), "{refused:?}");
    assert_eq!(ledger.stored().await, [0; 4]);
    // The key was not taken by what was not stored.
    assert_eq!(ledger.submit(&slice[..2]).await, vec![Submitted::New { rung: true }; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_asked_is_refused_beside_what_may() {
    let ledger = Ledger::new().await;
    let id = ledger.add_connection().await;
    let of = |connection: Option<Uuid>, is_admin: bool| {
        let mut question = ledger.question();
        (question.connection_id, question.is_admin) = (connection.map(ConnectionId), is_admin);
        question
    };
    let set = async |sql: &'static str| {
        sqlx::query(sql).bind(id).bind(ledger.user.0).execute(&ledger.pool).await.expect("it is set");
    };
    let submit = async |question: NewQuestion| ledger.submit(&[question, ledger.question()]).await;
    let new = Submitted::New { rung: true };

    let outcomes = submit(with_key(of(Some(Uuid::now_v7()), true), "unknown", b"a")).await;
    assert_eq!(outcomes, [Submitted::Refused(None), new.clone()], "there is no such connection");
    let outcomes = submit(of(Some(id), false)).await;
    assert!(matches!(&outcomes[0], Submitted::Refused(Some(found)) if found.can_query.is_none()), "no permission: {outcomes:?}");
    assert_eq!(outcomes[1], new);
    assert_eq!(submit(of(Some(id), true)).await[0], new, "an admin needs none");

    set("INSERT INTO connection_permissions (connection_id, user_id, can_query) VALUES ($1, $2, false)").await;
    let outcomes = submit(of(Some(id), false)).await;
    assert!(matches!(&outcomes[0], Submitted::Refused(Some(found)) if found.can_query == Some(false)), "{outcomes:?}");
    set("UPDATE connection_permissions SET can_query = true WHERE connection_id = $1 AND user_id = $2").await;
    assert_eq!(submit(of(Some(id), false)).await[0], new);

    set("UPDATE database_connections SET state = 'refused' WHERE id = $1 AND $2::uuid IS NOT NULL").await;
    let outcomes = submit(of(Some(id), true)).await;
    assert!(matches!(&outcomes[0], Submitted::Refused(Some(found)) if found.state == ConnectionState::Refused), "{outcomes:?}");
    set("UPDATE database_connections SET state = 'ready', is_active = false WHERE id = $1 AND $2::uuid IS NOT NULL").await;
    let outcomes = submit(of(Some(id), true)).await;
    assert!(matches!(&outcomes[0], Submitted::Refused(Some(found)) if !found.is_active), "{outcomes:?}");
    // Seven beside, and two of the connection's; no key of what was refused.
    assert_eq!(ledger.stored().await, [9, 9, 0, 9]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_is_not_refused_when_it_is_sent_again() {
    let ledger = Ledger::new().await;
    let id = ledger.add_connection().await;
    let set = async |sql: &'static str| {
        sqlx::query(sql).bind(id).bind(ledger.user.0).execute(&ledger.pool).await.expect("it is set");
    };
    set("INSERT INTO connection_permissions (connection_id, user_id) VALUES ($1, $2)").await;
    let mut slice = vec![ledger.question(), with_key(ledger.question(), "k", b"a")];
    slice.iter_mut().for_each(|question| question.connection_id = Some(ConnectionId(id)));
    let new = Submitted::New { rung: true };
    assert_eq!(ledger.submit(&slice).await, [new.clone(), new.clone()]);
    // Its answer got lost, and the permission was taken away before it is sent again with one more.
    set("DELETE FROM connection_permissions WHERE connection_id = $1 AND user_id = $2").await;
    slice.push(NewQuestion { connection_id: Some(ConnectionId(id)), ..ledger.question() });
    let outcomes = ledger.submit(&slice).await;
    assert_eq!(outcomes[..2], [new.clone(), new]);
    assert!(matches!(outcomes[2], Submitted::Refused(Some(_))), "{outcomes:?}");
    assert_eq!(ledger.stored().await, [2, 2, 1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_catalogue_or_masks_are_being_stored_keeps_no_question_waiting() {
    let ledger = Ledger::new().await;
    let id = ConnectionId(ledger.add_connection().await);
    let mut storing = ledger.pool.begin().await.expect("a transaction");
    let found = Found::Ready {
        server_version: "PostgreSQL 15".to_owned(),
        role_warnings: Vec::new(),
        notes: Vec::new(),
        schema: SourceSchema::default(),
        proposed_masks: Vec::new(),
    };
    assert!(connections::found(&mut storing, id, 1, ledger.user, &found).await.expect("it is stored"));
    permissions::set_masks(&mut storing, id, &[]).await.expect("they are set");
    connections::forget_values(&mut storing, id, &[]).await.expect("they are forgotten");
    // While the connection is locked: one that waited would keep the intake of all others waiting.
    let question = NewQuestion { connection_id: Some(id), is_admin: true, ..ledger.question() };
    assert_eq!(ledger.submit(&[question]).await, [Submitted::New { rung: true }]);
    storing.rollback().await.expect("it is taken back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_twice_in_one_slice_is_one_question() {
    let ledger = Ledger::new().await;
    let first = with_key(ledger.question(), "k", b"a");
    let again = with_key(ledger.question(), "k", b"a");
    let other = with_key(ledger.question(), "k", b"b");
    let outcomes = ledger.submit(&[first.clone(), again, other]).await;
    assert_eq!(outcomes, [Submitted::New { rung: true }, Submitted::Earlier(first.id), Submitted::KeyReused]);
    assert_eq!(ledger.stored().await, [1, 1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_known_across_slices_and_belongs_to_one_user() {
    let ledger = Ledger::new().await;
    let first = with_key(ledger.question(), "k", b"a");
    ledger.submit(std::slice::from_ref(&first)).await;
    let outcomes = ledger.submit(&[with_key(ledger.question(), "k", b"a"), ledger.question()]).await;
    assert_eq!(outcomes, [Submitted::Earlier(first.id), Submitted::New { rung: true }], "the rest of its slice is not kept back");
    let outcomes = ledger.submit(&[with_key(ledger.question(), "k", b"another body")]).await;
    assert_eq!(outcomes, [Submitted::KeyReused]);
    let stranger = add_user(&ledger.pool, "stranger").await;
    let outcomes = ledger.submit(&[with_key(question_of(stranger), "k", b"another body")]).await;
    assert_eq!(outcomes, [Submitted::New { rung: true }], "another user's key is another key");
    assert_eq!(ledger.stored().await, [3, 3, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_key_is_free_again() {
    let ledger = Ledger::new().await;
    ledger.submit(&[with_key(ledger.question(), "k", b"a")]).await;
    sqlx::query("UPDATE idempotency_keys SET expires_at = dg_now() - interval '1 second'").execute(&ledger.pool).await.expect("it expires");
    let second = with_key(ledger.question(), "k", b"another body");
    assert_eq!(ledger.submit(std::slice::from_ref(&second)).await, [Submitted::New { rung: true }]);
    let outcomes = ledger.submit(&[with_key(ledger.question(), "k", b"another body")]).await;
    assert_eq!(outcomes, [Submitted::Earlier(second.id)]);
    assert_eq!(ledger.stored().await, [2, 2, 1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_concurrent_slices_with_one_key_one_stores_its_question() {
    let ledger = Ledger::new().await;
    let slices: Vec<_> = (0..10).map(|_| [with_key(ledger.question(), "k", b"a"), ledger.question()]).collect();
    let outcomes = join_all(slices.iter().map(|slice| intake::submit(&ledger.pool, slice, super::WIDE))).await;
    let outcomes: Vec<Vec<Submitted>> = outcomes.into_iter().map(|taken| taken.expect("every slice is stored").outcomes).collect();
    // Whether they were let in at once depends on who was at the window first.
    let is_new = |outcome: &Submitted| matches!(outcome, Submitted::New { .. });
    let winners: Vec<usize> = (0..10).filter(|&n| is_new(&outcomes[n][0])).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let first = slices[winners[0]][0].id;
    assert!(outcomes.iter().all(|slice| is_new(&slice[0]) || slice[0] == Submitted::Earlier(first)), "{outcomes:?}");
    assert!(outcomes.iter().all(|slice| is_new(&slice[1])));
    assert_eq!(ledger.stored().await, [11, 11, 1, 11]);
}
