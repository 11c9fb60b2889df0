//! The shop as a MariaDB database, with comments, keys, indexes and a user that can only read.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, TxOpts};

use super::shop::Shop;
use crate::error::{LocalError, on_mysql};
use crate::servers::mariadb::Mariadb;

/// The database.
pub const DATABASE: &str = "shop";
/// The user that the registered connection uses.
pub const READER: &str = "shop_reader";

/// Rows of one INSERT, some tens of kilobytes: far below the server's limit of 16 MiB a statement.
const ROWS: usize = 1_000;

/// In the order in which they refer to each other. MariaDB commits after each, so they may be there from an attempt that was
/// stopped; then they are empty.
const TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS customers (id int PRIMARY KEY, name varchar(100) NOT NULL COMMENT '이름',
        email varchar(100) NOT NULL COMMENT '이메일', phone varchar(30) COMMENT '전화번호', city varchar(50) NOT NULL COMMENT '도시',
        segment varchar(20) NOT NULL COMMENT '고객 구분', joined_on date NOT NULL COMMENT '가입일') COMMENT '고객'",
    "CREATE TABLE IF NOT EXISTS products (id int PRIMARY KEY, name varchar(100) NOT NULL COMMENT '상품명',
        category varchar(50) NOT NULL COMMENT '카테고리', price int NOT NULL COMMENT '가격(원)') COMMENT '상품'",
    "CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY, customer_id int NOT NULL COMMENT '고객',
        ordered_at datetime NOT NULL COMMENT '주문 일시', status varchar(20) NOT NULL COMMENT '주문 상태',
        channel varchar(20) NOT NULL COMMENT '판매 채널', amount int NOT NULL COMMENT '주문 금액(원)',
        INDEX (ordered_at), FOREIGN KEY (customer_id) REFERENCES customers (id)) COMMENT '주문'",
    "CREATE TABLE IF NOT EXISTS order_items (id int PRIMARY KEY, order_id int NOT NULL COMMENT '주문',
        product_id int NOT NULL COMMENT '상품', quantity int NOT NULL COMMENT '수량', unit_price int NOT NULL COMMENT '단가(원)',
        FOREIGN KEY (order_id) REFERENCES orders (id), FOREIGN KEY (product_id) REFERENCES products (id)) COMMENT '주문 상품'",
];

/// Makes the database and its reader unless they are there; the reader gets `password`, which consists of letters and
/// digits.
///
/// # Errors
/// [`LocalError::Mysql`] with the server's answer.
pub async fn load(server: &Mariadb, password: &str, shop: &Shop) -> Result<(), LocalError> {
    let mut connection = server.connect().await?;
    Box::pin(fill(&mut connection, shop)).await.map_err(on_mysql("loading the sample"))?;
    give_reader(&mut connection, password).await.map_err(on_mysql("making the reader of the sample"))?;
    connection.disconnect().await.map_err(on_mysql("closing a connection"))
}

/// All rows in one transaction: they are there, or none is.
async fn fill(connection: &mut Conn, shop: &Shop) -> mysql_async::Result<()> {
    connection.query_drop(format!("CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4")).await?;
    connection.query_drop(format!("USE {DATABASE}")).await?;
    for table in TABLES {
        connection.query_drop(table).await?;
    }
    let there: Option<u32> = connection.query_first("SELECT id FROM order_items LIMIT 1").await?;
    if there.is_some() {
        return Ok(());
    }
    let mut transaction = connection.start_transaction(TxOpts::default()).await?;
    for statement in inserts(shop) {
        transaction.query_drop(statement).await?;
    }
    transaction.commit().await?;
    connection.query_drop("ANALYZE TABLE customers, products, orders, order_items").await
}

/// Whoever he was before, afterwards he has this password and reads the shop.
async fn give_reader(connection: &mut Conn, password: &str) -> mysql_async::Result<()> {
    for statement in [
        format!("CREATE USER IF NOT EXISTS {READER}@'%'"),
        format!("ALTER USER {READER}@'%' IDENTIFIED BY '{password}'"),
        format!("GRANT SELECT ON {DATABASE}.* TO {READER}@'%'"),
    ] {
        connection.query_drop(statement).await?;
    }
    Ok(())
}

/// The statements that bring all rows, in the order of [`TABLES`]. No value needs escaping.
pub(super) fn inserts(shop: &Shop) -> Vec<String> {
    let mut statements = of("customers", &shop.customers, |row| {
        let phone = row.phone.as_ref().map_or_else(|| "NULL".to_owned(), |phone| format!("'{phone}'"));
        format!("({},'{}','{}',{phone},'{}','{}','{}')", row.id, row.name, row.email, row.city, row.segment, row.joined_on)
    });
    statements.extend(of("products", &shop.products, |row| format!("({},'{}','{}',{})", row.id, row.name, row.category, row.price)));
    statements.extend(of("orders", &shop.orders, |row| {
        format!("({},{},'{}','{}','{}',{})", row.id, row.customer_id, row.ordered_at, row.status, row.channel, row.amount)
    }));
    statements.extend(of("order_items", &shop.items, |row| {
        format!("({},{},{},{},{})", row.id, row.order_id, row.product_id, row.quantity, row.unit_price)
    }));
    statements
}

fn of<T>(table: &str, rows: &[T], values: impl Fn(&T) -> String) -> Vec<String> {
    let statement = |rows: &[T]| format!("INSERT INTO {table} VALUES {}", rows.iter().map(&values).collect::<Vec<_>>().join(","));
    rows.chunks(ROWS).map(statement).collect()
}
