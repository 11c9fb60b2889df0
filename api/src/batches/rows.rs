//! The lines of a batch with their answers, page by page, as their owner may read them now.

use std::collections::HashMap;

use datagenie_common::{
    ids::{BatchId, ConnectionId, UserId},
    model::policies::Policy,
    store::{
        batches::{self, ResultRow},
        connections, permissions,
    },
};
use futures::{Stream, stream};
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::App,
    error::Result,
    questions::{covers, withheld},
};

/// Lines read at once: each may hold as many bytes as a result that is kept in the database.
const PAGE: i64 = 64;

/// The pages of a batch, in the order of its lines; `whole`: with all rows of the answers that are kept in the database.
pub(super) fn pages(app: &App, owner: UserId, batch: BatchId, whole: bool) -> impl Stream<Item = Result<Vec<ResultRow>>> + Send + 'static {
    let app = app.clone();
    stream::try_unfold(Some(0), move |after| {
        let app = app.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let mut rows = batches::results(&app.pool, batch, after, PAGE, whole).await?;
            // Judged anew on each page: a long download outlives a permission.
            let mut policies = Policies { app: &app, owner, known: HashMap::new() };
            for row in &mut rows {
                if !policies.let_read(row).await? {
                    withhold(row);
                }
            }
            let is_last = i64::try_from(rows.len()).is_ok_and(|count| count < PAGE);
            let next = rows.last().map(|row| row.line).filter(|_| !is_last);
            Ok(if rows.is_empty() { None } else { Some((rows, next)) })
        }
    })
}

/// The policies of now, each read once a page.
struct Policies<'a> {
    app: &'a App,
    owner: UserId,
    known: HashMap<Uuid, Option<(Policy, String)>>,
}

impl Policies<'_> {
    /// Whether the policy of now lets the owner read what was read under the policy of then (invariant 10).
    async fn let_read(&mut self, row: &ResultRow) -> Result<bool> {
        let Some(then) = &row.policy_version else { return Ok(true) };
        if row.current_policy_version.as_ref() == Some(then) {
            return Ok(true);
        }
        let Some(connection) = row.connection_id else { return Ok(false) };
        if !self.known.contains_key(&connection) {
            let found = self.find(ConnectionId(connection)).await?;
            self.known.insert(connection, found);
        }
        let policy = self.known.get(&connection).and_then(Option::as_ref);
        Ok(policy.is_some_and(|(policy, schema)| covers(policy, row.provenance.as_ref(), schema)))
    }

    async fn find(&self, connection: ConnectionId) -> Result<Option<(Policy, String)>> {
        let limits = self.app.live_settings.get().query.limits();
        let Some(policy) = permissions::policy(&self.app.pool, self.owner, connection, limits).await? else { return Ok(None) };
        Ok(Some((policy, connections::default_schema(&self.app.pool, connection).await?.unwrap_or_default())))
    }
}

/// Takes everything away that was read from the customer's database, and the statement, which names its tables.
fn withhold(row: &mut ResultRow) {
    row.sql = None;
    row.row_count = None;
    row.columns = None;
    row.first_rows = None;
    row.rows_inline = None;
    row.result_files = None;
    row.error = Some(json!(withheld()));
}
