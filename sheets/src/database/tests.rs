//! The file read back: every value, declared types, keys, references, indexes and statistics.

use std::{fs, path::PathBuf};

use datagenie_common::{
    analyses::Analysis,
    model::{
        language::Language,
        workbooks::{Prepared, SheetColumnType},
    },
};
use rusqlite::{Connection, OpenFlags, types::Value};

use super::write;
use crate::{
    analyse::{analyse, build::Book},
    error::ReadError,
    times::MICROS_PER_DAY,
};

/// A file of its own in the system's temporary folder, gone when the test is over.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("datagenie-sheets-{}-{name}.sqlite", std::process::id()));
        let _ = fs::remove_file(&path);
        Self(path)
    }

    fn open(&self) -> Connection {
        Connection::open_with_flags(&self.0, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("it opens")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn written(file: &File, book: &Book) -> (Analysis, Prepared) {
    let analysis = analyse(&book.tables, Language::Korean);
    let prepared = write(&book.tables, &analysis, &file.0).expect("it is written");
    (analysis, prepared)
}

fn all(connection: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = connection.prepare(sql).expect("it is SQL");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect()).expect("it runs");
    rows.collect::<Result<_, _>>().expect("rows")
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn values_come_back_as_they_were() {
    let ten = 19_787 * MICROS_PER_DAY + 36_000_000_000;
    let book = Book::default()
        .table("모든 \"값\"; --")
        .whole("n", &[Some(i64::MIN), None, Some(7)])
        .floats("x", &[Some(0.1), Some(-1e300), None])
        .texts("t", [Some("=cmd|' /C calc'!A0"), Some("a\0b'\"; DROP TABLE x"), None])
        .truths("b", &[Some(true), Some(false), None])
        .days("d", &[Some((2024, 3, 5)), Some((1899, 12, 31)), None])
        .moments("m", &[Some(ten), Some(ten + 250_000), None])
        .times("o", &[Some(36_000_000_000), Some(-1_000_000), None])
        .nothing("e", 3);
    let file = File::new("values");
    let (_, prepared) = written(&file, &book);
    let connection = file.open();
    let null = Value::Null;
    let expected = vec![
        vec![
            Value::Integer(i64::MIN),
            Value::Real(0.1),
            text("=cmd|' /C calc'!A0"),
            Value::Integer(1),
            text("2024-03-05"),
            text("2024-03-05 10:00:00"),
            text("10:00:00"),
            null.clone(),
        ],
        vec![
            null.clone(),
            Value::Real(-1e300),
            text("a\0b'\"; DROP TABLE x"),
            Value::Integer(0),
            text("1899-12-31"),
            text("2024-03-05 10:00:00.250"),
            text("-00:00:01"),
            null.clone(),
        ],
        vec![Value::Integer(7), null.clone(), null.clone(), null.clone(), null.clone(), null.clone(), null.clone(), null],
    ];
    assert_eq!(all(&connection, "SELECT * FROM \"모든 \"\"값\"\"; --\""), expected);
    let types = all(&connection, "SELECT type FROM pragma_table_xinfo('모든 \"값\"; --') ORDER BY cid");
    let declared = ["INTEGER", "REAL", "TEXT", "BOOLEAN", "DATE", "DATETIME", "TIME", "TEXT"];
    assert_eq!(types, declared.map(|word| vec![text(word)]));
    assert_eq!((prepared.tables[0].rows, prepared.tables[0].range.as_str()), (3, "A1:H4"));
}

#[test]
fn keys_and_references_are_declared_and_indexed() {
    let customers: Vec<String> = (1..=20).map(|number| format!("K-{number}")).collect();
    // One of twenty-one customers is unknown: that is no reason to lose the rows.
    let refers = (0..61).map(|row| customers.get(row % 21).map_or("K-999", String::as_str));
    let book = Book::default()
        .table("customers")
        .texts("customer_id", customers.iter().map(|id| Some(id.as_str())))
        .table("orders")
        .whole("order_id", &(0..61).rev().map(Some).collect::<Vec<_>>())
        .texts("customer_id", refers.map(Some))
        .table("ix_2_2")
        .whole("n", &[Some(1), Some(1)]);
    let file = File::new("keys");
    let (_, prepared) = written(&file, &book);
    let connection = file.open();
    let keys = all(&connection, "SELECT t.name, c.name FROM pragma_table_list t, pragma_table_xinfo(t.name) c WHERE c.pk = 1 ORDER BY 1");
    assert_eq!(keys, [vec![text("customers"), text("customer_id")], vec![text("orders"), text("order_id")]]);
    let references = all(&connection, "SELECT \"table\", \"from\", \"to\" FROM pragma_foreign_key_list('orders')");
    assert_eq!(references, [vec![text("customers"), text("customer_id"), text("customer_id")]]);
    assert_eq!(all(&connection, "SELECT count(*), min(order_id), max(order_id) FROM orders"), [[61, 0, 60].map(Value::Integer)]);
    let plan = all(&connection, "EXPLAIN QUERY PLAN SELECT * FROM orders WHERE customer_id = 'K-1'");
    assert!(format!("{plan:?}").contains("ix_2_2_"), "{plan:?}");
    let rows = all(&connection, "SELECT DISTINCT tbl, stat + 0 FROM sqlite_stat1 ORDER BY 1");
    let counted = [("customers", 20), ("ix_2_2", 2), ("orders", 61)];
    assert_eq!(rows, counted.map(|(table, rows)| vec![text(table), Value::Integer(rows)]));
    let [orders] = &prepared.tables[1..2] else { panic!("two tables") };
    assert!(orders.columns[0].primary_key && !orders.columns[1].primary_key);
    assert_eq!(orders.columns[1].references, Some(("customers".to_owned(), "customer_id".to_owned())));
    assert_eq!(all(&connection, "PRAGMA integrity_check"), [[text("ok")]]);
}

#[test]
fn every_row_is_there_in_its_order() {
    for rows in [0, 1, 47, 48, 49, 500] {
        let numbers: Vec<Option<i64>> = (0..rows).map(|row| if row % 7 == 3 { None } else { Some(row * 11 % 13) }).collect();
        let book = Book::default().table("t").whole("a", &numbers).texts("b", numbers.iter().map(|n| n.map(|_| "x")));
        let file = File::new(&format!("rows{rows}"));
        written(&file, &book);
        let expected: Vec<Vec<Value>> = numbers.iter().map(|n| vec![n.map_or(Value::Null, Value::Integer)]).collect();
        assert_eq!(all(&file.open(), "SELECT a FROM t ORDER BY rowid"), expected, "{rows}");
    }
}

#[test]
fn the_widest_table_fits() {
    let wide = (0..1_500).fold(Book::default().table("wide"), |book, column| book.whole(&format!("c{column}x"), &[Some(column); 25]));
    let file = File::new("wide");
    written(&file, &wide);
    assert_eq!(all(&file.open(), "SELECT count(*), sum(c1499x) FROM wide"), [[25, 25 * 1_499].map(Value::Integer)]);
}

#[test]
fn frequent_values_are_told_of_texts_with_few_of_them() {
    let many: Vec<String> = (0..51).map(|number| format!("v{number}")).collect();
    let long = "가".repeat(101);
    let few = (0..51).map(|row| if row == 0 { Some(long.as_str()) } else { Some(["서울", "부산", "서울"][row % 3]) });
    let book = Book::default()
        .table("t")
        .texts("few", few)
        .texts("many", many.iter().map(|text| Some(text.as_str())))
        .whole("n", &vec![Some(1); 51]);
    let file = File::new("frequent");
    let (_, prepared) = written(&file, &book);
    let columns = &prepared.tables[0].columns;
    assert_eq!(columns[0].values, ["서울", "부산"]);
    assert!(columns[1].values.is_empty() && columns[2].values.is_empty());
    assert_eq!(
        columns.iter().map(|column| column.kind).collect::<Vec<_>>(),
        [SheetColumnType::Text, SheetColumnType::Text, SheetColumnType::Integer]
    );
}

#[test]
fn a_file_that_is_there_is_not_touched() {
    let file = File::new("there");
    fs::write(&file.0, "mine").expect("it is written");
    let book = Book::default().table("t").whole("a", &[Some(1)]);
    let found = write(&book.tables, &Analysis::default(), &file.0);
    assert!(matches!(found, Err(ReadError::Io(_))), "{found:?}");
    assert_eq!(fs::read(&file.0).expect("it is there"), b"mine");
}
