//! PostgreSQL as a customer's database: its values, its limits, its wire, and what becomes of a statement that nobody waits for any more.

mod hanging;
mod limits;
mod probing;
mod secured;
mod source;
mod values;

use datagenie_tests::{Reader, TestApp, until};
use serde_json::{Value, json};
use uuid::Uuid;

/// Of a session whose statement runs.
const AT_WORK: &str = "state = 'active' AND query LIKE 'DECLARE%'";

/// An app, a customers' database and its connection, which is ready.
struct Customer {
    app: TestApp,
    reader: Reader,
    id: Uuid,
}

impl Customer {
    /// With a database made by these statements.
    async fn of(app: TestApp, sql: &str) -> Self {
        let reader = app.reader(sql).await;
        let id = app.connect("customer", "postgresql", reader.config.clone()).await;
        Self { app, reader, id }
    }

    /// The body of a given statement.
    fn statement(&self, sql: &str) -> Value {
        json!({ "sql": sql, "connection_id": self.id, "cache": "skip" })
    }

    /// Runs a given statement as the administrator: the question at its end.
    async fn run(&self, sql: &str) -> Value {
        self.app.admin.answer(self.statement(sql)).await
    }

    /// The processes of our sessions on this database, of these states.
    async fn sessions(&self, which: &str) -> Vec<i32> {
        let sql = format!("SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'datagenie' AND {which} ORDER BY 1");
        let read = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(&self.reader.database.name).fetch_all(&self.app.pool).await;
        read.expect("the server tells its sessions")
    }

    /// Waits until a question's statement runs there, or until none does. (It is explained first.)
    async fn until_at_work(&self, expected: bool, what: &str) {
        until(|| async { (self.sessions(AT_WORK).await.is_empty() != expected).then_some(()) }, what).await;
    }
}
