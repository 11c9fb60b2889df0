//! A small shop, the same in every engine: 20 customers, 12 products, 60 orders (20 in each of three years), 120 items.
//!
//! Everything follows from a row's number, so that a test computes the right answer by itself.

use std::fmt::Write as _;

/// How many customers there are.
pub const CUSTOMERS: i64 = 20;
/// How many products.
pub const PRODUCTS: i64 = 12;
/// How many orders.
pub const ORDERS: i64 = 60;
/// How many items; two an order.
pub const ITEMS: i64 = 120;

const CITIES: [&str; 12] = ["서울", "부산", "대구", "인천", "광주", "대전", "울산", "제주", "London", "New York", "Tokyo", "Berlin"];
const CATEGORIES: [&str; 6] = ["전자제품", "의류", "식품", "도서", "가구", "화장품"];
const STATUSES: [&str; 5] = ["paid", "shipped", "delivered", "cancelled", "refunded"];
const CHANNELS: [&str; 3] = ["web", "app", "store"];
const NAMES: [&str; 10] =
    ["김민준", "이서연", "박도윤", "최하은", "정우진", "Emma Smith", "Liam Brown", "Olivia Jones", "Noah Davis", "Mia Wilson"];

/// A customer.
#[derive(Clone, Debug)]
pub struct Customer {
    /// From 1.
    pub id: i64,
    /// Korean or English; two have each.
    pub name: &'static str,
    /// Where he lives.
    pub city: &'static str,
    /// `개인` or `기업`.
    pub segment: &'static str,
}

/// A product.
#[derive(Clone, Debug)]
pub struct Product {
    /// From 1.
    pub id: i64,
    /// One of six.
    pub category: &'static str,
    /// In won.
    pub price: i64,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// From 1.
    pub id: i64,
    /// Whose.
    pub customer_id: i64,
    /// 2023 to 2025.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 28.
    pub day: i64,
    /// One of five.
    pub status: &'static str,
    /// One of three.
    pub channel: &'static str,
    /// The sum of its items.
    pub amount: i64,
}

fn pick(list: &[&'static str], number: i64) -> &'static str {
    list[usize::try_from(number).unwrap_or_default() % list.len()]
}

/// All customers, by id.
#[must_use]
pub fn customers() -> Vec<Customer> {
    let customer = |id: i64| Customer {
        id,
        name: pick(&NAMES, id - 1),
        city: pick(&CITIES, id - 1),
        segment: if id % 3 == 0 { "기업" } else { "개인" },
    };
    (1..=CUSTOMERS).map(customer).collect()
}

/// All products, by id.
#[must_use]
pub fn products() -> Vec<Product> {
    (1..=PRODUCTS).map(|id| Product { id, category: pick(&CATEGORIES, id - 1), price: id * 1_000 }).collect()
}

/// An order's two items as (product, quantity, unit price).
fn items_of(order: i64) -> [(i64, i64, i64); 2] {
    [0, 1].map(|k| {
        let product = (order + 5 * k) % PRODUCTS + 1;
        (product, (order + k) % 3 + 1, product * 1_000)
    })
}

/// All orders, by id.
#[must_use]
pub fn orders() -> Vec<Order> {
    let order = |id: i64| Order {
        id,
        customer_id: (id * 7) % CUSTOMERS + 1,
        year: 2023 + (id - 1) / 20,
        month: (id - 1) % 12 + 1,
        day: (id * 3) % 28 + 1,
        status: pick(&STATUSES, id - 1),
        channel: pick(&CHANNELS, id - 1),
        amount: items_of(id).iter().map(|(_, quantity, price)| quantity * price).sum(),
    };
    (1..=ORDERS).map(order).collect()
}

/// The statements that make the shop in a PostgreSQL database, with its comments.
#[must_use]
pub fn postgres() -> String {
    let mut sql = tables("timestamp");
    for (name, comment) in COMMENTS {
        let kind = if name.contains('.') { "COLUMN" } else { "TABLE" };
        let _ = writeln!(sql, "COMMENT ON {kind} {name} IS '{comment}';");
    }
    sql.push_str(&rows());
    sql
}

/// The statements that make the shop in a SQLite file.
#[must_use]
pub fn sqlite() -> String {
    format!("{}{}", tables("TIMESTAMP"), rows())
}

/// The statements that make the shop in a MariaDB database, with its comments: one statement each, to be run on one connection.
#[must_use]
pub fn mysql() -> Vec<String> {
    let comment = |name: &str| COMMENTS.iter().find(|(named, _)| *named == name).map_or("", |(_, comment)| comment);
    let mut statements: Vec<String> = MYSQL_TABLES
        .iter()
        .map(|(table, columns, keys)| {
            let described = |(column, kind): &(&str, &str)| format!("{column} {kind} COMMENT '{}'", comment(&format!("{table}.{column}")));
            let parts: Vec<String> = columns.iter().map(described).chain(keys.iter().map(|key| (*key).to_owned())).collect();
            format!("CREATE TABLE {table} ({}) COMMENT '{}'", parts.join(", "), comment(table))
        })
        .collect();
    statements.push("START TRANSACTION".to_owned());
    statements.extend(rows().lines().map(|row| row.trim_end_matches(';').to_owned()));
    statements.push("COMMIT".to_owned());
    statements
}

/// A table of the shop in MariaDB: its name, its columns with their types, its keys.
type MysqlTable = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const MYSQL_TABLES: [MysqlTable; 4] = [
    (
        "customers",
        &[
            ("id", "int PRIMARY KEY"),
            ("name", "varchar(100) NOT NULL"),
            ("email", "varchar(100)"),
            ("phone", "varchar(30)"),
            ("city", "varchar(50)"),
            ("segment", "varchar(20)"),
            ("joined_on", "date"),
        ],
        &[],
    ),
    ("products", &[("id", "int PRIMARY KEY"), ("name", "varchar(100) NOT NULL"), ("category", "varchar(50)"), ("price", "int")], &[]),
    (
        "orders",
        &[
            ("id", "int PRIMARY KEY"),
            ("customer_id", "int NOT NULL"),
            ("ordered_at", "datetime"),
            ("status", "varchar(20)"),
            ("channel", "varchar(20)"),
            ("amount", "int"),
        ],
        &["FOREIGN KEY (customer_id) REFERENCES customers (id)"],
    ),
    (
        "order_items",
        &[
            ("id", "int PRIMARY KEY"),
            ("order_id", "int NOT NULL"),
            ("product_id", "int NOT NULL"),
            ("quantity", "int"),
            ("unit_price", "int"),
        ],
        &["FOREIGN KEY (order_id) REFERENCES orders (id)", "FOREIGN KEY (product_id) REFERENCES products (id)"],
    ),
];

fn tables(timestamp: &str) -> String {
    format!(
        "CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, email text, phone text, city text, segment text, joined_on date);
         CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, category text, price integer);
         CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers (id), ordered_at {timestamp},
             status text, channel text, amount integer);
         CREATE TABLE order_items (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES orders (id),
             product_id integer NOT NULL REFERENCES products (id), quantity integer, unit_price integer);\n"
    )
}

const COMMENTS: [(&str, &str); 26] = [
    ("customers", "고객"),
    ("customers.name", "이름"),
    ("customers.email", "이메일"),
    ("customers.phone", "전화번호"),
    ("customers.city", "도시"),
    ("customers.segment", "고객 구분"),
    ("customers.joined_on", "가입일"),
    ("customers.id", "고객 번호"),
    ("products", "상품"),
    ("products.id", "상품 번호"),
    ("products.name", "상품명"),
    ("products.category", "카테고리"),
    ("products.price", "가격(원)"),
    ("orders", "주문"),
    ("orders.id", "주문 번호"),
    ("orders.customer_id", "고객"),
    ("orders.ordered_at", "주문 일시"),
    ("orders.status", "주문 상태"),
    ("orders.channel", "판매 채널"),
    ("orders.amount", "주문 금액(원)"),
    ("order_items", "주문 상품"),
    ("order_items.id", "주문 상품 번호"),
    ("order_items.order_id", "주문"),
    ("order_items.product_id", "상품"),
    ("order_items.quantity", "수량"),
    ("order_items.unit_price", "단가(원)"),
];

fn rows() -> String {
    let mut sql = String::new();
    for Customer { id, name, city, segment } in customers() {
        let _ = writeln!(
            sql,
            "INSERT INTO customers VALUES ({id}, '{name}', 'c{id}@example.com', '010-0000-{id:04}', '{city}', '{segment}', '2023-01-{id:02}');"
        );
    }
    for Product { id, category, price } in products() {
        let _ = writeln!(sql, "INSERT INTO products VALUES ({id}, '{category} {id}', '{category}', {price});");
    }
    for Order { id, customer_id, year, month, day, status, channel, amount } in orders() {
        let at = format!("{year}-{month:02}-{day:02} 10:00:00");
        let _ = writeln!(sql, "INSERT INTO orders VALUES ({id}, {customer_id}, '{at}', '{status}', '{channel}', {amount});");
        for (k, (product, quantity, price)) in (0_i64..).zip(items_of(id)) {
            let item = 2 * id - 1 + k;
            let _ = writeln!(sql, "INSERT INTO order_items VALUES ({item}, {id}, {product}, {quantity}, {price});");
        }
    }
    sql
}
