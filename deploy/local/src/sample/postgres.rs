//! The shop as a PostgreSQL database, with comments, keys, indexes and a role that can only read.

use std::fmt::Write;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::shop::Shop;
use crate::error::{LocalError, on_database};
use crate::servers::postgres::Postgres;

/// The database.
pub const DATABASE: &str = "shop";
/// The role that the registered connection uses.
pub const READER: &str = "shop_reader";

const TABLES: &str = "
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL, phone text, city text NOT NULL,
    segment text NOT NULL, joined_on date NOT NULL);
CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, category text NOT NULL, price integer NOT NULL);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL, ordered_at timestamp NOT NULL,
    status text NOT NULL, channel text NOT NULL, amount integer NOT NULL);
CREATE TABLE order_items (id integer PRIMARY KEY, order_id integer NOT NULL, product_id integer NOT NULL,
    quantity integer NOT NULL, unit_price integer NOT NULL);
";

const KEYS_AND_COMMENTS: &str = "
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id);
ALTER TABLE order_items ADD FOREIGN KEY (order_id) REFERENCES orders (id), ADD FOREIGN KEY (product_id) REFERENCES products (id);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (ordered_at);
CREATE INDEX ON order_items (order_id);
CREATE INDEX ON order_items (product_id);
COMMENT ON TABLE customers IS '고객';
COMMENT ON COLUMN customers.name IS '이름';
COMMENT ON COLUMN customers.email IS '이메일';
COMMENT ON COLUMN customers.phone IS '전화번호';
COMMENT ON COLUMN customers.city IS '도시';
COMMENT ON COLUMN customers.segment IS '고객 구분';
COMMENT ON COLUMN customers.joined_on IS '가입일';
COMMENT ON TABLE products IS '상품';
COMMENT ON COLUMN products.name IS '상품명';
COMMENT ON COLUMN products.category IS '카테고리';
COMMENT ON COLUMN products.price IS '가격(원)';
COMMENT ON TABLE orders IS '주문';
COMMENT ON COLUMN orders.customer_id IS '고객';
COMMENT ON COLUMN orders.ordered_at IS '주문 일시';
COMMENT ON COLUMN orders.status IS '주문 상태';
COMMENT ON COLUMN orders.channel IS '판매 채널';
COMMENT ON COLUMN orders.amount IS '주문 금액(원)';
COMMENT ON TABLE order_items IS '주문 상품';
COMMENT ON COLUMN order_items.order_id IS '주문';
COMMENT ON COLUMN order_items.product_id IS '상품';
COMMENT ON COLUMN order_items.quantity IS '수량';
COMMENT ON COLUMN order_items.unit_price IS '단가(원)';
";

/// What the reader may do, and what PostgreSQL gives to everybody unless told otherwise.
const RIGHTS: &str = "
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON DATABASE shop FROM PUBLIC;
GRANT CONNECT ON DATABASE shop TO shop_reader;
GRANT USAGE ON SCHEMA public TO shop_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_reader;
ALTER ROLE shop_reader SET default_transaction_read_only = on;
";

/// Makes the database and its reader unless they are there; the reader gets `password`, which consists of letters and
/// digits.
///
/// # Errors
/// [`LocalError::Database`] with the server's answer.
pub async fn load(server: &Postgres, password: &str, shop: &Shop) -> Result<(), LocalError> {
    let mut admin = server.connect("postgres").await?;
    give_reader(&mut admin, password).await?;
    admin.close().await.map_err(on_database("closing a connection"))?;
    server.create_database(DATABASE).await?;
    let mut connection = server.connect(DATABASE).await?;
    fill(&mut connection, shop).await?;
    connection.close().await.map_err(on_database("closing a connection"))
}

async fn give_reader(connection: &mut PgConnection, password: &str) -> Result<(), LocalError> {
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_roles WHERE rolname = $1")
        .bind(READER)
        .fetch_optional(&mut *connection)
        .await
        .map_err(on_database("listing roles"))?;
    let verb = if found.is_some() { "ALTER" } else { "CREATE" };
    let sql = format!("{verb} ROLE {READER} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}'");
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await.map_err(on_database("making the reader of the sample"))?;
    Ok(())
}

/// One transaction: the tables are there with all rows, or not at all.
async fn fill(connection: &mut PgConnection, shop: &Shop) -> Result<(), LocalError> {
    let failed = || on_database("loading the sample");
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('public.order_items') IS NOT NULL").fetch_one(&mut *connection).await.map_err(failed())?;
    if there {
        return Ok(());
    }
    let mut transaction = connection.begin().await.map_err(failed())?;
    sqlx::raw_sql(TABLES).execute(&mut *transaction).await.map_err(failed())?;
    for (table, text) in copy_texts(shop) {
        let statement = format!("COPY {table} FROM STDIN");
        let mut copy = transaction.copy_in_raw(&statement).await.map_err(failed())?;
        copy.send(text.as_bytes()).await.map_err(failed())?;
        copy.finish().await.map_err(failed())?;
    }
    sqlx::raw_sql(KEYS_AND_COMMENTS).execute(&mut *transaction).await.map_err(failed())?;
    sqlx::raw_sql(RIGHTS).execute(&mut *transaction).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    sqlx::raw_sql("ANALYZE").execute(connection).await.map_err(failed())?;
    Ok(())
}

/// The rows of each table in the text format of COPY. No value needs escaping.
#[must_use]
pub fn copy_texts(shop: &Shop) -> [(&'static str, String); 4] {
    let mut customers = String::new();
    for row in &shop.customers {
        let phone = row.phone.as_deref().unwrap_or("\\N");
        line(
            &mut customers,
            format_args!("{}\t{}\t{}\t{phone}\t{}\t{}\t{}", row.id, row.name, row.email, row.city, row.segment, row.joined_on),
        );
    }
    let mut products = String::new();
    for row in &shop.products {
        line(&mut products, format_args!("{}\t{}\t{}\t{}", row.id, row.name, row.category, row.price));
    }
    let mut orders = String::new();
    for row in &shop.orders {
        line(
            &mut orders,
            format_args!("{}\t{}\t{}\t{}\t{}\t{}", row.id, row.customer_id, row.ordered_at, row.status, row.channel, row.amount),
        );
    }
    let mut items = String::new();
    for row in &shop.items {
        line(&mut items, format_args!("{}\t{}\t{}\t{}\t{}", row.id, row.order_id, row.product_id, row.quantity, row.unit_price));
    }
    [("customers", customers), ("products", products), ("orders", orders), ("order_items", items)]
}

fn line(text: &mut String, row: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(row);
    text.push('\n');
}
