//! The shop is the same everywhere, and consistent in itself.

use std::collections::{BTreeSet, HashMap};

use rusqlite::Connection;

use super::mysql::inserts;
use super::postgres::copy_texts;
use super::random::Random;
use super::shop::Shop;
use super::sqlite;

fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The checksums were computed by another program, written in another language.
#[test]
fn every_machine_makes_the_same_rows() {
    let expected = [
        ("customers", 2_000, 0x70a1_8263_d23e_0547),
        ("products", 120, 0x5023_918e_2f6c_1960),
        ("orders", 50_000, 0xcac9_1109_1f18_bddb),
        ("order_items", 110_029, 0x1669_7ecf_462d_a489),
    ];
    let made = copy_texts(&Shop::generate()).map(|(table, text)| (table, text.lines().count(), checksum(&text)));
    assert_eq!(made, expected);
}

#[test]
fn the_rows_fit_together() {
    let shop = Shop::generate();
    let mut amounts: HashMap<u32, u64> = HashMap::new();
    let mut lines = BTreeSet::new();
    for item in &shop.items {
        *amounts.entry(item.order_id).or_default() += item.quantity * item.unit_price;
        assert!(lines.insert((item.order_id, item.product_id)), "a product twice in order {}", item.order_id);
        assert!((1..=120).contains(&item.product_id));
    }
    for order in &shop.orders {
        assert_eq!(amounts.get(&order.id), Some(&order.amount), "order {}", order.id);
        let customer = &shop.customers[order.customer_id as usize - 1];
        assert!(customer.joined_on <= order.ordered_at.date(), "order {} is older than its customer", order.id);
    }
    assert_eq!(amounts.len(), shop.orders.len());
    let buyers: BTreeSet<u32> = shop.orders.iter().map(|order| order.customer_id).collect();
    assert!(buyers.len() < shop.customers.len(), "some customers never order");
    assert!(shop.customers.iter().any(|customer| customer.phone.is_none()));
    let names: BTreeSet<&str> = shop.products.iter().map(|product| product.name.as_str()).collect();
    assert_eq!(names.len(), shop.products.len());
}

#[test]
fn sales_grow() {
    let shop = Shop::generate();
    let year = |prefix: &str| shop.orders.iter().filter(|order| order.ordered_at.to_string().starts_with(prefix)).count();
    let (first, second, third) = (year("2023"), year("2024"), year("2025"));
    assert!(first < second && second < third, "{first}, {second}, {third}");
    assert_eq!(first + second + third, shop.orders.len());
}

#[test]
fn sqlite_holds_the_same_rows() {
    let shop = Shop::generate();
    let path = std::env::temp_dir().join(format!("datagenie-sample-{}.sqlite", std::process::id()));
    drop(std::fs::remove_file(&path));
    sqlite::load(&path, &shop).expect("loadable");
    let connection = Connection::open(&path).expect("a database");
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
    assert_eq!(number("SELECT count(*) FROM order_items"), shop.items.len() as i64);
    assert_eq!(number("SELECT sum(amount) FROM orders"), shop.orders.iter().map(|order| order.amount as i64).sum::<i64>());
    assert_eq!(
        number("SELECT count(*) FROM customers WHERE phone IS NULL"),
        shop.customers.iter().filter(|customer| customer.phone.is_none()).count() as i64
    );
    assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let first: String = connection.query_row("SELECT ordered_at FROM orders WHERE id = 1", [], |row| row.get(0)).expect("a time");
    assert_eq!(first, "2023-01-01 00:48:16");
    drop(connection);
    std::fs::remove_file(&path).expect("removable");
}

/// Every row is in some INSERT for MariaDB, and no value would end its own literal.
#[test]
fn mariadb_is_given_the_same_rows() {
    let shop = Shop::generate();
    let statements = inserts(&shop);
    assert!(statements.iter().all(|statement| statement.len() < 1 << 20 && !statement.contains('\\') && !statement.contains("''")));
    for (table, count, quotes) in [
        (
            "customers",
            shop.customers.len(),
            shop.customers.iter().map(|row| if row.phone.is_some() { 12_usize } else { 10 }).sum::<usize>(),
        ),
        ("products", shop.products.len(), 4 * shop.products.len()),
        ("orders", shop.orders.len(), 6 * shop.orders.len()),
        ("order_items", shop.items.len(), 0),
    ] {
        let of_table: Vec<&String> =
            statements.iter().filter(|statement| statement.starts_with(&format!("INSERT INTO {table} "))).collect();
        let counted = |what: &str| of_table.iter().map(|statement| statement.matches(what).count()).sum::<usize>();
        assert_eq!(counted("),(") + of_table.len(), count, "{table}");
        assert_eq!(counted("'"), quotes, "{table}");
    }
}

#[test]
fn random_numbers_stay_below_their_bound() {
    let mut random = Random::new(1);
    for bound in [1, 2, 7, 1_000_003] {
        assert!((0..1_000).all(|_| random.below(bound) < bound));
    }
    assert!((0..1_000).all(|_| random.weighted(&[0, 3, 0]) == 1));
}
