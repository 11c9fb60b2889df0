//! Samples of tables, as profiles are made of.

use std::time::Duration;

use rusqlite::Connection;

use super::Shop;
use crate::sources::{Sample, SampledRow, SourceError};

async fn sampled(shop: &Shop, table: &str, columns: &[&str], rows: usize, chars: usize) -> Result<Vec<SampledRow>, SourceError> {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let time = Duration::from_secs(3);
    let sample = Sample { schema: "main", table, columns: &columns, row_estimate: None, rows, chars, time };
    shop.source("shop.sqlite").await.sample(&sample).await
}

fn row(values: &[Option<&str>]) -> SampledRow {
    values.iter().map(|value| value.map(str::to_owned)).collect()
}

#[tokio::test]
async fn values_are_text_cut_and_bytes_are_left_out() {
    let shop = Shop::new();
    let rows = sampled(&shop, "orders", &["amount", "ordered_at", "note", "paid"], 10, 10).await.expect("the table is there");
    assert_eq!(rows[0], row(&[Some("100"), Some("2024-03-05"), None, Some("1")]));
    assert_eq!(rows[2], row(&[Some("9007199254"), None, None, None]));
    assert_eq!(rows.len(), 3);
    let rows = sampled(&shop, "customers", &["name"], 1, 2).await.expect("the table is there");
    assert_eq!(rows, [row(&[Some("김철")])]);
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_told_without_its_words() {
    let shop = Shop::new();
    let error = sampled(&shop, "gone", &["secret_column"], 10, 10).await.expect_err("there is no such table");
    assert!(!error.is_outage() && !error.to_string().contains("secret_column"), "{error}");
}

#[tokio::test]
async fn odd_names_and_odd_texts_are_read_all_the_same() {
    let shop = Shop::new();
    let connection = Connection::open(shop.folder.join("shop.sqlite")).expect("the file is there");
    connection
        .execute_batch(
            "CREATE TABLE \"odd \"\"table\" (\"a; b\"); INSERT INTO \"odd \"\"table\" VALUES (CAST(x'61ff62' AS TEXT)), (1.5), (NULL);",
        )
        .expect("the table can be made");
    let rows = sampled(&shop, "odd \"table", &["a; b"], 10, 10).await.expect("the table is there");
    assert_eq!(rows, [row(&[Some("a\u{FFFD}b")]), row(&[Some("1.5")]), row(&[None])]);
}
