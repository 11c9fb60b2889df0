//! What a server says that a statement would do: EXPLAIN for its cost, and the note that follows it, in which the server prints the
//! statement as it understood it, for the tables that it reads. EXPLAIN goes through the prepared protocol like the statement itself, so
//! it is about exactly one. The note holds the rows of tables that the server has looked up already: nothing of it is told. Of a subquery
//! that the server has looked up already the note holds the value alone, so the tables that the statement's own text names count as well.

use std::collections::{BTreeMap, BTreeSet};

use datagenie_common::{ids::UserId, model::policies::Limits};
use mysql_async::{Conn, Error, Row, prelude::Queryable as _};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    cells,
    connect::Sessions,
    errors::{self, Ran},
    prepared, references,
    server::{Bounds, Product, Server},
    session::{GRACE, Session},
};
use crate::{
    guard::Relation,
    sources::{Plan, SourceError, Statement},
};

/// The code of the note that holds the statement.
const PRINTED: u64 = 1003;
/// How deep views may be made of views.
const MOST_VIEWS: usize = 16;
/// Why a plan is none: it could not be told what the statement reads.
const UNREADABLE: &str = "the statement's plan cannot be checked: write texts without their character set, and numbers as numbers";

const DEFINITION: &str = "SELECT VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?";

/// None: the role may not see how a view is made that the statement reads.
pub(super) async fn explain(
    sessions: &Sessions,
    user: UserId,
    statement: &Statement,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Option<Plan>, SourceError> {
    let sql = prepared::text(statement.sql())?;
    if references::is_printed_badly(&sql) {
        return Err(SourceError::invalid(UNREADABLE));
    }
    let bounds = Bounds { time: limits.max_time(), rows: None };
    let begun = cancel.run_until_cancelled(sessions.begin(&bounds, user)).await;
    let mut session = begun.ok_or(SourceError::Cancelled)??;
    let asking = timeout(limits.max_time() + GRACE, ask(&mut session, &sql, statement.relations(), limits));
    let outcome = cancel.run_until_cancelled(asking).await;
    session.settle(outcome, limits.max_seconds).await
}

async fn ask(session: &mut Session, sql: &str, allowed: &[Relation], limits: &Limits) -> Result<Option<Plan>, SourceError> {
    let server = session.connection()?.server().clone();
    let asked = plan(session.start()?, &server, sql, allowed).await;
    if !matches!(&asked, Err(error) if error.is_fatal()) {
        session.ended();
    }
    match asked {
        Err(Error::Server(error)) if error.code == errors::NO_EXPLAIN => Ok(None),
        // The notes of other things left no room for it, or this server tells none.
        Ok(None) => Err(SourceError::invalid(UNREADABLE)),
        asked => asked.map_err(|error| errors::running(&error, &Ran { sql, seconds: limits.max_seconds, bytes: limits.max_bytes })),
    }
}

/// None: the server did not print the statement.
async fn plan(conn: &mut Conn, server: &Server, sql: &str, allowed: &[Relation]) -> Result<Option<Plan>, Error> {
    let explain = match server.product {
        Product::MariaDb => "EXPLAIN EXTENDED",
        Product::MySql => "EXPLAIN FORMAT=JSON",
    };
    let rows: Vec<Row> = conn.exec(format!("{explain} {sql}"), ()).await?;
    let cost = match server.product {
        Product::MariaDb => Some(rows_looked_at(&steps(&rows))),
        Product::MySql => rows.first().and_then(|row| cells::text(row, 0)).and_then(|json| query_cost(&json)),
    };
    let notes: Vec<Row> = conn.query("SHOW WARNINGS").await?;
    let printed = notes.iter().rfind(|note| cells::count(note, 1) == Some(PRINTED)).and_then(|note| cells::text(note, 2));
    let Some(printed) = printed else { return Ok(None) };
    let folded = |relation: Relation| if server.folds_names { fold(&relation) } else { relation };
    let read = [printed.as_str(), sql].map(|text| references::tables(text, &server.database));
    let mut outside: BTreeSet<Relation> = read.into_iter().flatten().map(folded).collect();
    let mut known: BTreeSet<Relation> = allowed.iter().cloned().map(folded).collect();
    outside.retain(|relation| !known.contains(relation));
    let mut fresh: Vec<Relation> = known.iter().cloned().collect();
    for _ in 0..MOST_VIEWS {
        if outside.is_empty() || fresh.is_empty() {
            break;
        }
        let below = below(conn, &fresh, &server.database).await?.into_iter().map(folded);
        fresh = below.filter(|relation| known.insert(relation.clone())).collect();
        outside.retain(|relation| !known.contains(relation));
    }
    let outside = outside.into_iter().map(|relation| format!("{}.{}", relation.schema, relation.table)).collect();
    Ok(Some(Plan { outside, cost }))
}

/// What the views among these are made of. The server shows a view's definition to those only who may explain it.
async fn below(conn: &mut Conn, relations: &[Relation], database: &str) -> Result<BTreeSet<Relation>, Error> {
    let mut found = BTreeSet::new();
    for Relation { schema, table } in relations {
        let rows: Vec<Row> = conn.exec(DEFINITION, (schema.as_str(), table.as_str())).await?;
        for definition in rows.iter().filter_map(|row| cells::text(row, 0)) {
            found.append(&mut references::tables(&definition, database));
        }
    }
    Ok(found)
}

fn fold(relation: &Relation) -> Relation {
    Relation { schema: relation.schema.to_lowercase(), table: relation.table.to_lowercase() }
}

/// A line of MariaDB's plan: the query block, the rows that it expects to look at for each row before, how much of them stays.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    block: u64,
    rows: f64,
    kept: f64,
}

fn steps(plan: &[Row]) -> Vec<Step> {
    let Some(first) = plan.first() else { return Vec::new() };
    let places = (cells::place(first, "id"), cells::place(first, "rows"), cells::place(first, "filtered"));
    let (Some(id), Some(rows), Some(filtered)) = places else { return Vec::new() };
    // A line without a block gathers what others found; one without rows looks at nothing.
    let step = |line: &Row| {
        let percent = cells::number(line, filtered).unwrap_or(100.0);
        Some(Step { block: cells::count(line, id)?, rows: cells::number(line, rows)?, kept: percent / 100.0 })
    };
    plan.iter().filter_map(step).collect()
}

/// The rows that all query blocks together look at: within a block each table is looked at once for every row of those before it.
fn rows_looked_at(steps: &[Step]) -> f64 {
    let mut before: BTreeMap<u64, f64> = BTreeMap::new();
    let mut all = 0.0;
    for step in steps {
        let times = before.entry(step.block).or_insert(1.0);
        all += *times * step.rows;
        *times *= step.rows * step.kept;
    }
    all
}

/// MySQL's cost of a statement, in either version of its format; of a UNION, which has none, that of its parts.
fn query_cost(json: &str) -> Option<f64> {
    let plan: Value = serde_json::from_str(json).ok()?;
    if let Some(cost) = plan.pointer("/query_plan/estimated_total_cost") {
        return number(cost);
    }
    let block = plan.get("query_block")?;
    match block.pointer("/cost_info/query_cost") {
        Some(cost) => number(cost),
        None => costs_within(block),
    }
}

fn costs_within(value: &Value) -> Option<f64> {
    match value {
        Value::Object(fields) => match fields.get("cost_info").and_then(|info| info.get("query_cost")) {
            Some(cost) => number(cost),
            None => sum(fields.values()),
        },
        Value::Array(values) => sum(values.iter()),
        _ => None,
    }
}

fn sum<'v>(values: impl Iterator<Item = &'v Value>) -> Option<f64> {
    values.filter_map(costs_within).reduce(|all, one| all + one)
}

// MySQL writes its costs as texts.
fn number(cost: &Value) -> Option<f64> {
    cost.as_f64().or_else(|| cost.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(block: u64, rows: f64, kept: f64) -> Step {
        Step { block, rows, kept }
    }

    #[test]
    fn tables_of_a_block_multiply_and_blocks_add_up() {
        assert_eq!(rows_looked_at(&[]), 0.0);
        assert_eq!(rows_looked_at(&[step(1, 1_000.0, 1.0)]), 1_000.0);
        assert_eq!(rows_looked_at(&[step(1, 10.0, 0.5), step(1, 100.0, 1.0)]), 510.0);
        let cross = [step(1, 1_000.0, 1.0), step(1, 1_000.0, 1.0), step(1, 1_000.0, 1.0)];
        assert_eq!(rows_looked_at(&cross), 1_001_001_000.0);
        assert_eq!(rows_looked_at(&[step(1, 500.0, 1.0), step(2, 2.0, 1.0), step(2, 250.0, 1.0)]), 1_002.0);
    }

    #[test]
    fn mysqls_cost_is_that_of_the_whole_query() {
        let join = r#"{"query_block": {"select_id": 1, "cost_info": {"query_cost": "12.50"}, "nested_loop": [
            {"table": {"cost_info": {"read_cost": "1.00", "prefix_cost": "2.00"}, "materialized_from_subquery":
                {"query_block": {"cost_info": {"query_cost": "99.00"}}}}}]}}"#;
        assert_eq!(query_cost(join), Some(12.5));
        let union = r#"{"query_block": {"union_result": {"query_specifications": [
            {"query_block": {"cost_info": {"query_cost": "1.25"}}}, {"query_block": {"cost_info": {"query_cost": "2.25"}}}]}}}"#;
        assert_eq!(query_cost(union), Some(3.5));
        assert_eq!(query_cost(r#"{"query_plan": {"estimated_total_cost": 7.5}}"#), Some(7.5), "the second version of the format");
        assert_eq!(query_cost(r#"{"query_block": {"message": "No tables used"}}"#), None);
        assert_eq!(query_cost("no JSON"), None);
    }

    #[test]
    fn names_are_folded_where_the_server_does() {
        let relation = Relation { schema: "Shop".to_owned(), table: "Orders".to_owned() };
        assert_eq!(fold(&relation), Relation { schema: "shop".to_owned(), table: "orders".to_owned() });
    }
}
