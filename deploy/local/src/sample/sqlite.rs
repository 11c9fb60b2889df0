//! The shop as a SQLite file.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::shop::Shop;
use crate::error::{LocalError, on_file};

const TABLES: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT, city TEXT NOT NULL,
    segment TEXT NOT NULL, joined_on DATE NOT NULL);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL, price INTEGER NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id),
    ordered_at TIMESTAMP NOT NULL, status TEXT NOT NULL, channel TEXT NOT NULL, amount INTEGER NOT NULL);
CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id),
    product_id INTEGER NOT NULL REFERENCES products (id), quantity INTEGER NOT NULL, unit_price INTEGER NOT NULL);
";

const INDEXES: &str = "
CREATE INDEX orders_customer_id ON orders (customer_id);
CREATE INDEX orders_ordered_at ON orders (ordered_at);
CREATE INDEX order_items_order_id ON order_items (order_id);
CREATE INDEX order_items_product_id ON order_items (product_id);
";

/// Writes the file unless it is there; it appears whole or not at all. Blocks for a second or two.
///
/// # Errors
/// [`LocalError::Sqlite`], [`LocalError::File`].
pub fn load(path: &Path, shop: &Shop) -> Result<(), LocalError> {
    if path.exists() {
        return Ok(());
    }
    let fresh = path.with_extension("new");
    if fresh.exists() {
        fs::remove_file(&fresh).map_err(on_file("removing", &fresh))?;
    }
    write(&fresh, shop).map_err(|source| LocalError::Sqlite { action: "writing the sample", source })?;
    fs::rename(&fresh, path).map_err(on_file("creating", path))
}

fn write(path: &Path, shop: &Shop) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    // A file that a crash spoils is written anew, so nothing waits for the disk.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    insert(&transaction, shop)?;
    transaction.execute_batch(INDEXES)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

fn insert(transaction: &Transaction<'_>, shop: &Shop) -> rusqlite::Result<()> {
    let mut customer = transaction.prepare("INSERT INTO customers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for row in &shop.customers {
        let joined_on = row.joined_on.to_string();
        customer.execute(params![row.id, row.name, row.email, row.phone, row.city, row.segment, joined_on])?;
    }
    let mut product = transaction.prepare("INSERT INTO products VALUES (?1, ?2, ?3, ?4)")?;
    for row in &shop.products {
        product.execute(params![row.id, row.name, row.category, row.price as i64])?;
    }
    let mut order = transaction.prepare("INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for row in &shop.orders {
        let ordered_at = row.ordered_at.to_string();
        order.execute(params![row.id, row.customer_id, ordered_at, row.status, row.channel, row.amount as i64])?;
    }
    let mut item = transaction.prepare("INSERT INTO order_items VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for row in &shop.items {
        item.execute(params![row.id, row.order_id, row.product_id, row.quantity as i64, row.unit_price as i64])?;
    }
    Ok(())
}
