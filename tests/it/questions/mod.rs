//! The question pipeline from the request to the answer, on both engines, with a model that says what it is told.

mod answers;
mod caching;
mod cancelling;
mod capacity;
mod charts;
mod fairness;
mod live;
mod models;
mod mysql;
mod opinions;
mod permissions;
mod planner;
mod postgres;
mod results;
mod roles;
mod schemas;
mod sources;
mod statements;

use datagenie_tests::{Answer, TestApp};
use serde_json::{Value, json};
use uuid::Uuid;

/// A statement that counts the orders, right on both engines.
const COUNT: &str = "SELECT count(*) AS n FROM orders";
/// What came in by channel, most first: web 590,000, app 580,000, store 410,000.
const BY_CHANNEL: &str = "SELECT channel, sum(amount) AS total FROM orders GROUP BY channel ORDER BY total DESC";

/// An app and the shop to ask about, in PostgreSQL or SQLite.
struct Shop {
    app: TestApp,
    id: Uuid,
}

impl Shop {
    async fn pg() -> Self {
        Self::pg_of(TestApp::start().await).await
    }

    async fn pg_of(app: TestApp) -> Self {
        let id = app.shop_pg().await;
        Self { app, id }
    }

    async fn sqlite() -> Self {
        Self::sqlite_of(TestApp::start().await).await
    }

    async fn sqlite_of(app: TestApp) -> Self {
        let id = app.shop_sqlite().await;
        Self { app, id }
    }

    /// The body of a question to it.
    fn question(&self, text: &str) -> Value {
        json!({ "question": text, "connection_id": self.id })
    }

    /// The body of a given statement.
    fn statement(&self, sql: &str) -> Value {
        json!({ "sql": sql, "connection_id": self.id })
    }

    /// Asks as the administrator, when the model has these answers: the question at its end.
    async fn told(&self, answers: impl IntoIterator<Item = Answer>, text: &str) -> Value {
        for answer in answers {
            self.app.stub.say(answer);
        }
        self.app.admin.answer(self.question(text)).await
    }

    /// Runs a given statement as the administrator: the question at its end.
    async fn run(&self, sql: &str) -> Value {
        self.app.admin.answer(self.statement(sql)).await
    }
}

/// Checks that a question was answered.
#[track_caller]
fn assert_success(question: &Value) {
    assert_eq!((&question["status"], &question["error"]), (&json!("success"), &Value::Null), "{question}");
}

/// Checks that a question failed with this code.
#[track_caller]
fn assert_error(question: &Value, code: &str) {
    assert_eq!((&question["status"], &question["error"]["code"]), (&json!("error"), &json!(code)), "{question}");
    assert!(question["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{question}");
    assert_eq!(question["rows"], json!([]));
}
