//! Redis away: broker, cache and live events at once.

use std::time::Duration;

use datagenie_tests::{Answer, TestApp, TestAppBuilder};
use futures::future::join_all;
use tokio::time::timeout;
use uuid::Uuid;

use super::{COUNT_ORDERS, assert_answered, assert_ended_once, question};

/// What a user would call prompt for a hundred submissions at once, on a busy machine.
const PROMPT: Duration = Duration::from_secs(15);

fn sweeping() -> TestAppBuilder {
    TestApp::builder().with_setting("jobs.stale_ring_seconds", "1")
}

/// Submits so many questions at once, each of which must get its 202 while Redis is away.
async fn submit(app: &TestApp, shop: Uuid, count: usize) -> Vec<Uuid> {
    let replies = join_all((0..count).map(|number| app.admin.post("/v1/questions", question(shop, number))));
    let replies = timeout(PROMPT, replies).await.expect("all are taken in promptly");
    replies.into_iter().map(|reply| reply.expect(202).id()).collect()
}

async fn all_are_answered_once(app: &TestApp, ids: &[Uuid]) {
    for answer in join_all(ids.iter().map(|id| app.admin.wait(id))).await {
        assert_answered(&answer);
    }
    for &id in ids {
        assert_ended_once(&app.pool, id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_submitted_while_redis_stands_still_are_taken_in_and_answered_afterwards() {
    let app = sweeping().start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    app.redis.pause();
    let ids = submit(&app, shop, 100).await;
    app.redis.resume();
    all_are_answered_once(&app, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_submitted_while_redis_is_gone_are_answered_when_it_comes_back_empty() {
    let app = sweeping().start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    app.redis.kill();
    let ids = submit(&app, shop, 20).await;
    app.redis.restart().await;
    all_are_answered_once(&app, &ids).await;
}
