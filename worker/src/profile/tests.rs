//! What is sampled, in which order, and what becomes of it, with a source that only remembers what it was asked.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use chrono::TimeDelta;
use datagenie_common::{
    ids::UserId,
    model::{
        policies::{Limits, MaskKind},
        schemas::{Shape, TableColumn},
    },
};

use super::*;
use crate::sources::{Plan, Probe, RowSink, RunEnd, SampledRow, SchemaLimits, Statement};

type Answer = fn(&Sample<'_>) -> Result<Vec<SampledRow>, SourceError>;

/// Answers samples, and nothing else.
struct Fake {
    answer: Answer,
    asked: Mutex<Vec<(String, Vec<String>)>>,
}

impl Fake {
    fn new(answer: Answer) -> Self {
        Self { answer, asked: Mutex::default() }
    }

    /// The tables and columns asked for since the last time.
    fn asked(&self) -> Vec<(String, Vec<String>)> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *asked)
    }

    fn asked_tables(&self) -> Vec<String> {
        self.asked().into_iter().map(|(table, _)| table).collect()
    }
}

#[async_trait]
impl Source for Fake {
    async fn probe(&self) -> Result<Probe, SourceError> {
        Err(SourceError::Permission)
    }

    async fn schema(&self, _limits: &SchemaLimits) -> Result<SourceSchema, SourceError> {
        Err(SourceError::Permission)
    }

    async fn sample(&self, sample: &Sample<'_>) -> Result<Vec<SampledRow>, SourceError> {
        assert!(sample.rows <= 2_000 && sample.chars == 200 && sample.columns.len() <= 50 && sample.time <= Duration::from_secs(3));
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((sample.table.to_owned(), sample.columns.to_vec()));
        (self.answer)(sample)
    }

    async fn explain(
        &self,
        _user: UserId,
        _statement: &Statement,
        _limits: &Limits,
        _cancel: &CancellationToken,
    ) -> Result<Option<Plan>, SourceError> {
        Ok(None)
    }

    async fn run(
        &self,
        _user: UserId,
        _statement: &Statement,
        _limits: &Limits,
        _sink: &mut dyn RowSink,
        _cancel: &CancellationToken,
    ) -> Result<RunEnd, SourceError> {
        Err(SourceError::Permission)
    }
}

/// Six rows; each value is its column's name and the row's number modulo three, but in the column `id` its number.
fn six_rows(sample: &Sample<'_>) -> Result<Vec<SampledRow>, SourceError> {
    let value = |column: &String, row: usize| if column == "id" { row.to_string() } else { format!("{column}{}", row % 3) };
    Ok((0..6).map(|row| sample.columns.iter().map(|column| Some(value(column, row))).collect()).collect())
}

fn table(kind: &str, columns: &[(&str, &str)]) -> Table {
    let columns = columns.iter().zip(1..).map(|((name, data_type), position)| {
        ((*name).to_owned(), TableColumn { position, data_type: (*data_type).to_owned(), nullable: true, ..TableColumn::default() })
    });
    Table { kind: kind.to_owned(), columns: columns.collect(), row_estimate: Some(6), ..Table::default() }
}

fn catalogue(tables: Vec<(&str, Table)>) -> SourceSchema {
    let tables = tables.into_iter().map(|(name, table)| (name.to_owned(), table)).collect();
    SourceSchema {
        default_schema: "public".to_owned(),
        schemas: BTreeMap::from([("public".to_owned(), tables)]),
        ..SourceSchema::default()
    }
}

/// Tables with an `id` and a `city` each.
fn cities(names: &[&str]) -> SourceSchema {
    catalogue(names.iter().map(|name| (*name, table("table", &[("id", "integer"), ("city", "text")]))).collect())
}

fn mask(table: &str, column: &str) -> ColumnMask {
    ColumnMask { schema: "public".to_owned(), table: table.to_owned(), column: column.to_owned(), kind: MaskKind::Name }
}

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
}

/// The catalogue after a sync at this hour.
async fn synced(
    source: &Fake,
    mut schema: SourceSchema,
    previous: Option<&SourceSchema>,
    masked: &[ColumnMask],
    hour: i64,
) -> SourceSchema {
    let limits = ProfileLimits::default();
    fill(source, DbType::Postgresql, &mut schema, previous, masked, &limits, at(hour), &CancellationToken::new()).await;
    schema
}

fn of<'a>(schema: &'a SourceSchema, name: &str) -> &'a Table {
    schema.table("public", name).expect("the table is there")
}

#[tokio::test]
async fn tables_are_profiled_and_views_are_not() {
    let columns = [("id", "integer"), ("city", "text")];
    let tables =
        vec![("customers", table("table", &columns)), ("sums", table("materialized view", &columns)), ("seen", table("view", &columns))];
    let source = Fake::new(six_rows);
    let schema = synced(&source, catalogue(tables), None, &[], 0).await;
    assert_eq!(source.asked_tables(), ["customers", "sums"]);
    let customers = of(&schema, "customers");
    assert_eq!(customers.profiled_at, Some(at(0)));
    assert_eq!(customers.columns["city"].values, ["city0", "city1", "city2"]);
    assert!(customers.columns["id"].values.is_empty(), "numbers are no choices");
    let id = customers.columns["id"].profile.as_ref().expect("it was profiled");
    assert_eq!((id.rows, id.distinct, id.shape, id.max.as_deref()), (6, 6, Some(Shape::Integer), Some("5")));
    assert_eq!((of(&schema, "seen").profiled_at, &of(&schema, "seen").columns["city"].profile), (None, &None));
}

#[tokio::test]
async fn masked_columns_are_never_asked_for_and_lose_what_was_known() {
    let source = Fake::new(six_rows);
    let first = synced(&source, cities(&["customers"]), None, &[], 0).await;
    assert!(of(&first, "customers").columns["city"].profile.is_some());
    source.asked();
    let second = synced(&source, cities(&["customers"]), Some(&first), &[mask("CUSTOMERS", "City")], 1).await;
    assert_eq!(source.asked(), [("customers".to_owned(), vec!["id".to_owned()])]);
    let city = &of(&second, "customers").columns["city"];
    assert!(city.profile.is_none() && city.values.is_empty());
    synced(&source, cities(&["customers"]), Some(&second), &[mask("customers", "city")], 2).await;
    assert_eq!(source.asked_tables(), [""; 0], "nothing has changed since");
    let third = synced(&source, cities(&["customers"]), Some(&second), &[], 3).await;
    assert!(of(&third, "customers").columns["city"].profile.is_some(), "it is masked no more");
}

#[tokio::test]
async fn what_has_not_changed_keeps_its_profile_for_a_day() {
    let source = Fake::new(six_rows);
    let first = synced(&source, cities(&["a", "b"]), None, &[], 0).await;
    source.asked();
    let second = synced(&source, cities(&["a", "b"]), Some(&first), &[], 23).await;
    assert_eq!(source.asked_tables(), [""; 0]);
    assert_eq!(second, first);
    let third = synced(&source, cities(&["a", "b"]), Some(&second), &[], 24).await;
    assert_eq!(source.asked_tables(), ["a", "b"]);
    assert_eq!(of(&third, "a").profiled_at, Some(at(24)));
}

#[tokio::test]
async fn new_tables_come_before_changed_ones_and_those_before_old_ones() {
    let source = Fake::new(six_rows);
    let mut previous = synced(&source, cities(&["a_old", "b_older", "c_changed", "d_gone"]), None, &[], 2).await;
    source.asked();
    let tables = previous.schemas.get_mut("public").expect("a schema");
    tables.get_mut("b_older").expect("a table").profiled_at = Some(at(1));
    let mut schema = cities(&["a_old", "b_older", "c_changed", "z_new"]);
    let changed = schema.schemas.get_mut("public").and_then(|tables| tables.get_mut("c_changed")).expect("a table");
    changed.row_estimate = Some(60);
    synced(&source, schema, Some(&previous), &[], 48).await;
    assert_eq!(source.asked_tables(), ["z_new", "c_changed", "b_older", "a_old"]);
}

#[tokio::test]
async fn a_table_that_fails_leaves_the_others_alone_and_an_outage_ends_it() {
    let failing: Answer = |sample| match sample.table {
        "b" => Err(SourceError::Permission),
        "d" => Err(SourceError::Unreachable { reason: "it was stopped".to_owned() }),
        _ => six_rows(sample),
    };
    let source = Fake::new(failing);
    let first = synced(&source, cities(&["a", "b", "c", "d", "e"]), None, &[], 0).await;
    assert_eq!(source.asked_tables(), ["a", "b", "c", "d"]);
    let known: Vec<&str> = first.tables().filter(|(.., table)| table.columns["city"].profile.is_some()).map(|(_, name, _)| name).collect();
    assert_eq!(known, ["a", "c"]);
    assert_eq!((of(&first, "b").profiled_at, of(&first, "d").profiled_at), (Some(at(0)), None));
    let _second = synced(&source, cities(&["a", "b", "c", "d", "e"]), Some(&first), &[], 1).await;
    assert_eq!(source.asked_tables(), ["d"], "what failed waits for its day; what was not reached comes first");
}

#[tokio::test]
async fn a_failure_keeps_a_whole_profile_and_drops_half_of_one() {
    let source = Fake::new(six_rows);
    let first = synced(&source, cities(&["a", "b"]), None, &[], 0).await;
    let refusing = Fake::new(|_| Err(SourceError::Timeout { seconds: 3 }));
    let mut schema = cities(&["a", "b"]);
    let b = schema.schemas.get_mut("public").and_then(|tables| tables.get_mut("b")).expect("a table");
    b.columns.insert("new".to_owned(), TableColumn { data_type: "text".to_owned(), ..TableColumn::default() });
    let second = synced(&refusing, schema, Some(&first), &[], 24).await;
    assert_eq!(refusing.asked_tables(), ["b", "a"]);
    assert_eq!(of(&second, "a").columns["city"].values, ["city0", "city1", "city2"]);
    assert!(of(&second, "b").columns.values().all(|column| column.profile.is_none() && column.values.is_empty()));
}

#[tokio::test]
async fn wide_tables_are_sampled_some_columns_at_a_time() {
    let names: Vec<String> = (0..120).map(|n| format!("c{n:03}")).collect();
    let columns: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "text")).collect();
    let source = Fake::new(six_rows);
    let schema = synced(&source, catalogue(vec![("wide", table("table", &columns))]), None, &[], 0).await;
    let sizes: Vec<usize> = source.asked().iter().map(|(_, columns)| columns.len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
    let wide = of(&schema, "wide");
    assert!(wide.columns.iter().all(|(name, column)| column.values[0] == format!("{name}0")), "each column has its own values");
}

#[tokio::test]
async fn nothing_is_sampled_without_time_or_when_it_is_no_longer_wanted() {
    let source = Fake::new(six_rows);
    let first = synced(&source, cities(&["a"]), None, &[], 0).await;
    source.asked();
    let stopped = CancellationToken::new();
    stopped.cancel();
    for (seconds, stop) in [(0, CancellationToken::new()), (20, stopped)] {
        let mut schema = cities(&["a", "b"]);
        fill(&source, DbType::Postgresql, &mut schema, Some(&first), &[], &ProfileLimits { seconds }, at(1), &stop).await;
        assert_eq!(source.asked_tables(), [""; 0]);
        let known = of(&schema, "a").columns["city"].profile.is_some();
        assert_eq!(known, seconds > 0, "without time profiles are not wanted at all");
    }
}
