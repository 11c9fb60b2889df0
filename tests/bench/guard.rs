//! How long the guard takes for a typical query, for one whose stars are written out, and for one of 64 KiB, on a catalogue of 20 tables.
//! No server and no program is needed.

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use anyhow::ensure;
use datagenie_common::{
    ids::{ConnectionId, UserId},
    model::{
        connections::DbType,
        policies::{ColumnMask, Limits, MaskKind, Policy, PolicyVersion},
        schemas::{SourceSchema, Table as Relation, TableColumn},
    },
};
use datagenie_worker::guard::{GuardInput, check};

use crate::{
    percentiles,
    table::{self, Table},
};

/// How often.
#[derive(clap::Args)]
pub struct Options {
    /// Checks of the typical query in each dialect; a twentieth as many of the long one.
    #[arg(long, default_value_t = 5_000)]
    pub checks: u32,
}

const TYPICAL: &str = "SELECT c.city, COUNT(*) AS orders, SUM(i.quantity * i.unit_price) AS revenue FROM customers c \
    JOIN orders o ON o.customer_id = c.id JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id \
    WHERE o.status IN ('paid', 'shipped') AND p.category <> 'gift' \
    GROUP BY c.city HAVING COUNT(*) > 10 ORDER BY revenue DESC LIMIT 20";
const STARS: &str = "SELECT o.*, c.* FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.status = 'paid' ORDER BY o.id LIMIT 20";
/// What the guard reads at most.
const LONGEST: usize = 64 * 1024;

/// Measures and prints.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let long = long_query();
    let mut table = Table::default();
    for &db in DbType::ALL {
        table.column(db.as_str());
        let schema = catalogue(db);
        let (open, masked) = (policy(db, false), policy(db, true));
        for (label, sql, policy, checks) in [
            ("typical query, µs", TYPICAL, &open, options.checks),
            ("stars written out for masks, µs", STARS, &masked, options.checks),
            ("64 KiB, µs", long.as_str(), &open, options.checks / 20),
        ] {
            let times = times(&GuardInput { sql, schema: &schema, policy, extra_functions: &[] }, checks.max(1))?;
            let percentiles = percentiles::of(times);
            table.put(label, percentiles.p50);
            table.put(&format!("{label}, p99"), percentiles.p99);
        }
    }
    table::print(&table.text());
    Ok(())
}

// Microseconds of each check, after a tenth as many that warm up.
fn times(input: &GuardInput<'_>, checks: u32) -> anyhow::Result<Vec<f64>> {
    for _ in 0..checks / 10 {
        check(black_box(input))?;
    }
    let mut times = Vec::new();
    for _ in 0..checks {
        let begin = Instant::now();
        let guarded = check(black_box(input))?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
        ensure!(!black_box(guarded).relations.is_empty(), "the guard saw no table");
    }
    Ok(times)
}

// As many sums over conditions as fit.
fn long_query() -> String {
    let tail = " FROM orders o JOIN order_items i ON i.order_id = o.id";
    let mut sql = String::from("SELECT COUNT(*) AS n");
    for number in 0.. {
        let item = format!(", SUM(CASE WHEN o.status = 'paid' AND o.id > {number} THEN i.quantity * i.unit_price ELSE 0 END) AS v{number}");
        if sql.len() + item.len() + tail.len() > LONGEST {
            break;
        }
        sql.push_str(&item);
    }
    sql.push_str(tail);
    sql
}

fn catalogue(db: DbType) -> SourceSchema {
    let mut relations: BTreeMap<String, Relation> = [
        ("customers", vec!["id", "name", "email", "phone", "city", "segment", "joined_on"]),
        ("orders", vec!["id", "customer_id", "ordered_at", "status", "channel", "amount"]),
        ("order_items", vec!["id", "order_id", "product_id", "quantity", "unit_price"]),
        ("products", vec!["id", "name", "category", "price"]),
    ]
    .map(|(name, columns)| (name.to_owned(), relation(&columns)))
    .into();
    let others = ["id", "code", "name", "kind", "state", "amount", "owner", "note", "created_at", "updated_at", "valid_from", "valid_to"];
    relations.extend((relations.len()..20).map(|number| (format!("table_{number}"), relation(&others))));
    let home = home(db).to_owned();
    SourceSchema { default_schema: home.clone(), schemas: BTreeMap::from([(home, relations)]), cached_at: None }
}

fn relation(columns: &[&str]) -> Relation {
    let columns = columns.iter().zip(1..).map(|(name, position)| {
        let column = TableColumn { position, data_type: "text".to_owned(), nullable: true, ..TableColumn::default() };
        ((*name).to_owned(), column)
    });
    Relation { kind: "table".to_owned(), columns: columns.collect(), ..Relation::default() }
}

fn home(db: DbType) -> &'static str {
    db.default_schema("shop")
}

fn policy(db: DbType, masked: bool) -> Policy {
    let email =
        ColumnMask { schema: home(db).to_owned(), table: "customers".to_owned(), column: "email".to_owned(), kind: MaskKind::Email };
    Policy {
        user_id: UserId::new(),
        connection_id: ConnectionId::new(),
        db_type: db,
        version: PolicyVersion("1".to_owned()),
        can_query: true,
        schemas: None,
        tables: None,
        masks: if masked { vec![email] } else { Vec::new() },
        limits: Limits { max_rows: 1_000, max_bytes: 1_000_000, max_seconds: 30 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_that_is_timed_is_accepted() {
        assert!((LONGEST - 200..=LONGEST).contains(&long_query().len()));
        run(&Options { checks: 1 }).expect("the guard accepts what the benchmark asks");
    }
}
