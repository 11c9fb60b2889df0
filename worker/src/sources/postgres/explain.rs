//! Asking the server what a guarded statement would read and cost. It plans the statement as it would run, in the same kind of session,
//! and runs nothing of it but functions whose value it can know beforehand.
//!
//! What it would read is compared with what the guard allowed and what that is made of: the relations below a view and its row-level
//! policies, the partitions and children of a table. Relations that a function reads, where the server shows them, count as beyond.

use datagenie_common::{ids::UserId, model::policies::Limits};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    connect::Sessions,
    errors::{self, Ran},
    plan::{Name, Told},
    session::{GRACE, Session},
    wire::{Batch, EXPLAIN, WireError},
};
use crate::sources::{Plan, SourceError, Statement};

/// Of the names in `$2` those that are not among what the names in `$1` are made of. The rules of views and policies are looked through
/// for every relation they name: the server's own list of dependencies leaves out its catalogues. Rules and policies for writing are not,
/// nor what a materialized view was made of: whoever reads reads nothing of that.
const BEYOND: &str = "WITH RECURSIVE part(oid) AS ( \
        SELECT c.oid FROM json_array_elements($1::json) AS allowed(name) \
        JOIN pg_catalog.pg_namespace n ON n.nspname = allowed.name ->> 0 \
        JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = allowed.name ->> 1 \
    UNION \
        SELECT below.oid FROM part CROSS JOIN LATERAL ( \
            SELECT named[1]::oid AS oid FROM pg_catalog.pg_rewrite r \
            JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind = 'v' \
            CROSS JOIN LATERAL regexp_matches(r.ev_action::text, ':relid ([0-9]+)', 'g') AS named \
            WHERE r.ev_class = part.oid AND r.ev_type = '1' \
            UNION ALL SELECT named[1]::oid FROM pg_catalog.pg_policy p \
            CROSS JOIN LATERAL regexp_matches(p.polqual::text, ':relid ([0-9]+)', 'g') AS named \
            WHERE p.polrelid = part.oid AND p.polcmd IN ('r', '*') \
            UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = part.oid \
        ) AS below \
    ) \
    SELECT read.name ->> 0, read.name ->> 1 FROM json_array_elements($2::json) AS read(name) \
    WHERE NOT EXISTS (SELECT 1 FROM part JOIN pg_catalog.pg_class c ON c.oid = part.oid \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname = read.name ->> 0 AND c.relname = read.name ->> 1)";

/// Bytes of a plan, which is held whole, and by every statement that is explained at the time. A thousand partitions fit; what does not is
/// mostly a text that the planner has computed already, and shows at each of its nodes.
const LARGEST_PLAN: usize = 4 * 1024 * 1024;

pub(super) async fn explain(
    sessions: &Sessions,
    user: UserId,
    statement: &Statement,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Option<Plan>, SourceError> {
    let mut batch = Batch::default();
    batch.explain(statement.sql())?;
    batch.rollback()?;
    let mut session = sessions.begin(limits.max_time(), user, &batch, cancel).await?;
    // The planner calls some functions beforehand, to know what they give.
    session.spend_on(statement);
    let asking = timeout(limits.max_time() + GRACE, ask(&mut session, statement, limits));
    let asked = cancel.run_until_cancelled(asking).await;
    session.end(asked, limits).await.map(Some)
}

async fn ask(session: &mut Session, statement: &Statement, limits: &Limits) -> Result<Plan, SourceError> {
    let ran = Ran { sql: statement.sql(), prefix: EXPLAIN.len(), seconds: limits.max_seconds };
    let failed = |error: WireError| match error {
        WireError::TooLarge => uncheckable(),
        other => errors::running(&other, &ran),
    };
    let wire = session.wire()?;
    wire.allow(LARGEST_PLAN);
    let rows = wire.rows().await.map_err(failed)?;
    wire.done().await.map_err(failed)?;
    let json = rows.into_iter().next().ok_or(WireError::Protocol).and_then(|mut row| row.text()).map_err(failed)?;
    let told = Told::read(&json).ok_or_else(uncheckable)?;
    let mut beyond: Vec<Name> = told.relations.into_iter().filter(|name| !is_allowed(statement, name)).collect();
    if !beyond.is_empty() {
        beyond = not_a_part(session, statement, limits, &beyond).await?;
    }
    Ok(Plan { outside: beyond.into_iter().map(|(schema, name)| format!("{schema}.{name}")).collect(), cost: told.cost })
}

fn uncheckable() -> SourceError {
    SourceError::invalid("the statement is too complex: its plan cannot be checked")
}

fn is_allowed(statement: &Statement, (schema, name): &Name) -> bool {
    statement.relations().iter().any(|relation| relation.schema == *schema && relation.table == *name)
}

/// What of these is no part of what the guard allowed.
async fn not_a_part(session: &mut Session, statement: &Statement, limits: &Limits, read: &[Name]) -> Result<Vec<Name>, SourceError> {
    let allowed: Vec<[&str; 2]> =
        statement.relations().iter().map(|relation| [relation.schema.as_str(), relation.table.as_str()]).collect();
    let mut batch = Batch::default();
    batch.query(BEYOND, &[&json!(allowed).to_string(), &json!(read).to_string()])?;
    batch.rollback()?;
    session.begin(limits.max_time(), &batch).await?;
    let wire = session.wire()?;
    let mut beyond = Vec::new();
    let looked = wire.each(|mut row| {
        beyond.push((row.text()?, row.text()?));
        Ok(())
    });
    looked.await.map_err(|error| errors::looking(&error, limits.max_seconds))?;
    wire.done().await.map_err(|error| errors::looking(&error, limits.max_seconds))?;
    Ok(beyond)
}
