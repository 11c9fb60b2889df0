//! The shop in MySQL.

use super::{check, shop};
use datagenie_common::model::connections::DbType;

/// Question, chart, statement.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str)] = &[
    ("분기별 매출", "line", "SELECT CASE EXTRACT(QUARTER FROM ordered_at) WHEN 1 THEN DATE_FORMAT(ordered_at, '%Y-Q1') WHEN 2 THEN DATE_FORMAT(ordered_at, '%Y-Q2') WHEN 3 THEN DATE_FORMAT(ordered_at, '%Y-Q3') WHEN 4 THEN DATE_FORMAT(ordered_at, '%Y-Q4') END AS quarter, SUM(amount) AS revenue FROM orders GROUP BY CASE EXTRACT(QUARTER FROM ordered_at) WHEN 1 THEN DATE_FORMAT(ordered_at, '%Y-Q1') WHEN 2 THEN DATE_FORMAT(ordered_at, '%Y-Q2') WHEN 3 THEN DATE_FORMAT(ordered_at, '%Y-Q3') WHEN 4 THEN DATE_FORMAT(ordered_at, '%Y-Q4') END ORDER BY quarter"),
    ("월별 매출", "line", "SELECT DATE_FORMAT(ordered_at, '%Y-%m') AS month, SUM(amount) AS revenue FROM orders GROUP BY DATE_FORMAT(ordered_at, '%Y-%m') ORDER BY month"),
    ("연도별 취소 주문 수", "line", "SELECT DATE_FORMAT(ordered_at, '%Y') AS year, COUNT(*) AS order_count FROM orders WHERE status = 'cancelled' GROUP BY DATE_FORMAT(ordered_at, '%Y') ORDER BY year"),
    ("orders per weekday", "bar", "SELECT CASE DATE_FORMAT(ordered_at, '%w') WHEN '1' THEN '1 Monday' WHEN '2' THEN '2 Tuesday' WHEN '3' THEN '3 Wednesday' WHEN '4' THEN '4 Thursday' WHEN '5' THEN '5 Friday' WHEN '6' THEN '6 Saturday' WHEN '0' THEN '7 Sunday' END AS weekday, COUNT(*) AS order_count FROM orders GROUP BY CASE DATE_FORMAT(ordered_at, '%w') WHEN '1' THEN '1 Monday' WHEN '2' THEN '2 Tuesday' WHEN '3' THEN '3 Wednesday' WHEN '4' THEN '4 Thursday' WHEN '5' THEN '5 Friday' WHEN '6' THEN '6 Saturday' WHEN '0' THEN '7 Sunday' END ORDER BY weekday"),
    (r#"customer "O'Brien""#, "table", "SELECT id, name, email, phone, city, segment, joined_on FROM customers WHERE name = 'O''Brien' ORDER BY id"),
    ("매출 상위 5개 상품", "bar", "SELECT products.name AS product, SUM(order_items.quantity * order_items.unit_price) AS revenue FROM order_items JOIN products ON products.id = order_items.product_id GROUP BY products.id, products.name ORDER BY revenue DESC, products.name, products.id LIMIT 5"),
    (r#"customer "a\' b""#, "table", "SELECT id, name, email, phone, city, segment, joined_on FROM customers WHERE name = 'a\\\\'' b' ORDER BY id"),
];

#[test]
fn questions_become_these_statements() {
    check(CASES, &shop(false), DbType::Mysql);
}
