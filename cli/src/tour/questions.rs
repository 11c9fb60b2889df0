//! What the tour asks, and the statements whose rows are the right answers.
//!
//! Revenue is the sum of `orders.amount` over all orders, whatever their status; by product or category it is the sum of
//! quantity times unit price. The reference statements use plain SQL only, so that the guard takes them on every engine.

use super::check::{Grain, Order, Rule};

/// The sample's PostgreSQL connection.
pub const SHOP: &str = "shop";
/// The same data in SQLite.
pub const SHOP_SQLITE: &str = "shop_sqlite";
/// Asked before the tour, because only an answer says who answers.
pub const OPENING: &str = "How many products are there?";

/// One step of the tour.
pub struct Step {
    /// The name of the connection.
    pub connection: &'static str,
    /// What is asked of it.
    pub asked: Asked,
    /// What must come of it.
    pub expected: Expected,
}

/// A question, or a statement given as it is.
#[derive(Clone, Copy)]
pub enum Asked {
    /// In words.
    Question(&'static str),
    /// As SQL.
    Statement(&'static str),
}

/// The right outcome of a step.
pub enum Expected {
    /// The rows of one of these references: most questions have one right reading, some have several.
    Rows(&'static [Reference]),
    /// A refusal with this code.
    Refused(&'static str),
    /// No answer, because the data hold none. Only the offline planner is held to it: a model words its own way out.
    Declined,
}

/// A statement whose rows are a right answer.
pub struct Reference {
    postgresql: &'static str,
    sqlite: &'static str,
    /// How an answer is compared with them.
    pub rule: Rule,
}

impl Reference {
    /// The statement for a connection of this type.
    pub fn sql(&self, db_type: &str) -> &'static str {
        if db_type == "sqlite" { self.sqlite } else { self.postgresql }
    }

    /// A statement that both engines understand alike.
    const fn same(sql: &'static str, rule: Rule) -> Self {
        Self { postgresql: sql, sqlite: sql, rule }
    }
}

const PLAIN: Rule = Rule { order: Order::Any, grain: Grain::None, slack: 0.0 };
const TOP_5: Rule = Rule { order: Order::Top(5), grain: Grain::None, slack: 0.0 };

/// The tour, in its order.
pub const STEPS: &[Step] = &[
    question(SHOP, "What was the total revenue in 2024?", REVENUE_2024),
    question(SHOP, "2025년 월별 매출 추이를 보여줘", REVENUE_BY_MONTH_2025),
    question(SHOP_SQLITE, "Top 5 products by revenue", TOP_PRODUCTS),
    question(SHOP, "도시별 고객 수는?", CUSTOMERS_BY_CITY),
    question(SHOP_SQLITE, "Average order amount by channel", AVERAGE_BY_CHANNEL),
    question(SHOP, "카테고리별 매출 비중", CATEGORY_SHARES),
    question(SHOP_SQLITE, "How many orders were cancelled per year?", CANCELLED_BY_YEAR),
    question(SHOP_SQLITE, "서울 고객의 주문은 몇 건이야?", ORDERS_FROM_SEOUL),
    question(SHOP, "가장 많이 주문한 고객 5명", BUSIEST_CUSTOMERS),
    question(SHOP, "How many customers are there?", CUSTOMERS),
    Step { connection: SHOP, asked: Asked::Statement("DROP TABLE customers"), expected: Expected::Refused("sql_refused") },
    Step { connection: SHOP, asked: Asked::Question("내일 날씨는 어때?"), expected: Expected::Declined },
];

const fn question(connection: &'static str, text: &'static str, references: &'static [Reference]) -> Step {
    Step { connection, asked: Asked::Question(text), expected: Expected::Rows(references) }
}

const REVENUE_2024: &[Reference] =
    &[Reference::same("SELECT SUM(amount) AS revenue FROM orders WHERE ordered_at >= '2024-01-01' AND ordered_at < '2025-01-01'", PLAIN)];

const REVENUE_BY_MONTH_2025: &[Reference] = &[Reference {
    postgresql: "SELECT TO_CHAR(ordered_at, 'YYYY-MM') AS month, SUM(amount) AS revenue FROM orders \
                 WHERE ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01' \
                 GROUP BY TO_CHAR(ordered_at, 'YYYY-MM') ORDER BY TO_CHAR(ordered_at, 'YYYY-MM')",
    sqlite: "SELECT SUBSTR(ordered_at, 1, 7) AS month, SUM(amount) AS revenue FROM orders \
             WHERE ordered_at >= '2025-01-01' AND ordered_at < '2026-01-01' \
             GROUP BY SUBSTR(ordered_at, 1, 7) ORDER BY SUBSTR(ordered_at, 1, 7)",
    rule: Rule { order: Order::Same, grain: Grain::Month, slack: 0.0 },
}];

const TOP_PRODUCTS: &[Reference] = &[
    Reference::same(
        "SELECT p.name, SUM(i.quantity * i.unit_price) AS revenue FROM order_items i JOIN products p ON p.id = i.product_id \
         GROUP BY p.id, p.name ORDER BY SUM(i.quantity * i.unit_price) DESC, p.id LIMIT 20",
        TOP_5,
    ),
    // Products of one name may be read as one product.
    Reference::same(
        "SELECT p.name, SUM(i.quantity * i.unit_price) AS revenue FROM order_items i JOIN products p ON p.id = i.product_id \
         GROUP BY p.name ORDER BY SUM(i.quantity * i.unit_price) DESC, p.name LIMIT 20",
        TOP_5,
    ),
];

const CUSTOMERS_BY_CITY: &[Reference] = &[Reference::same("SELECT city, COUNT(*) AS customers FROM customers GROUP BY city", PLAIN)];

const AVERAGE_BY_CHANNEL: &[Reference] = &[Reference::same("SELECT channel, AVG(amount) AS average FROM orders GROUP BY channel", PLAIN)];

/// The amounts that the shares are of, as a pie shows them; or percentages, or fractions, each as far as answers round them.
const CATEGORY_SHARES: &[Reference] = &[
    Reference::same(
        "SELECT p.category, SUM(i.quantity * i.unit_price) AS revenue \
         FROM order_items i JOIN products p ON p.id = i.product_id GROUP BY p.category",
        PLAIN,
    ),
    Reference::same(
        "SELECT p.category, 100.0 * SUM(i.quantity * i.unit_price) / (SELECT SUM(quantity * unit_price) FROM order_items) AS share \
         FROM order_items i JOIN products p ON p.id = i.product_id GROUP BY p.category",
        Rule { order: Order::Any, grain: Grain::None, slack: 0.051 },
    ),
    Reference::same(
        "SELECT p.category, 1.0 * SUM(i.quantity * i.unit_price) / (SELECT SUM(quantity * unit_price) FROM order_items) AS share \
         FROM order_items i JOIN products p ON p.id = i.product_id GROUP BY p.category",
        Rule { order: Order::Any, grain: Grain::None, slack: 0.000_51 },
    ),
];

const CANCELLED_BY_YEAR: &[Reference] = &[Reference {
    postgresql: "SELECT TO_CHAR(ordered_at, 'YYYY') AS year, COUNT(*) AS orders FROM orders WHERE status = 'cancelled' \
                 GROUP BY TO_CHAR(ordered_at, 'YYYY') ORDER BY TO_CHAR(ordered_at, 'YYYY')",
    sqlite: "SELECT SUBSTR(ordered_at, 1, 4) AS year, COUNT(*) AS orders FROM orders WHERE status = 'cancelled' \
             GROUP BY SUBSTR(ordered_at, 1, 4) ORDER BY SUBSTR(ordered_at, 1, 4)",
    rule: Rule { order: Order::Same, grain: Grain::Year, slack: 0.0 },
}];

const ORDERS_FROM_SEOUL: &[Reference] =
    &[Reference::same("SELECT COUNT(*) AS orders FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.city = '서울'", PLAIN)];

/// Far more than five rows, so that whoever ties for the last place is among them. Customers of one name are different people.
const BUSIEST_CUSTOMERS: &[Reference] = &[Reference::same(
    "SELECT c.name, COUNT(*) AS orders FROM orders o JOIN customers c ON c.id = o.customer_id \
     GROUP BY c.id, c.name ORDER BY COUNT(*) DESC, c.name, c.id LIMIT 60",
    TOP_5,
)];

const CUSTOMERS: &[Reference] = &[Reference::same("SELECT COUNT(*) AS customers FROM customers", PLAIN)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tour_asks_at_least_ten_questions_half_of_them_korean_of_both_connections() {
        let answered: Vec<(&str, &str)> = STEPS
            .iter()
            .filter_map(|step| match (&step.expected, step.asked) {
                (Expected::Rows(_), Asked::Question(text)) => Some((step.connection, text)),
                _ => None,
            })
            .collect();
        let korean = answered.iter().filter(|(_, text)| text.chars().any(|c| ('가'..='힣').contains(&c))).count();
        assert!(answered.len() >= 10 && korean * 2 >= answered.len(), "{korean} of {}", answered.len());
        for connection in [SHOP, SHOP_SQLITE] {
            assert!(answered.iter().filter(|(name, _)| *name == connection).count() >= 3, "{connection}");
        }
    }

    #[test]
    fn every_reference_is_one_select_whose_top_has_room_for_ties() {
        for step in STEPS {
            let Expected::Rows(references) = &step.expected else { continue };
            assert!(!references.is_empty());
            for reference in *references {
                for sql in [reference.sql("postgresql"), reference.sql("sqlite")] {
                    assert!(sql.starts_with("SELECT ") && !sql.contains(';') && !sql.contains("  "), "{sql}");
                }
                if let Order::Top(wanted) = reference.rule.order {
                    let limit = reference.sql("sqlite").rsplit(' ').next().and_then(|last| last.parse::<usize>().ok());
                    assert!(limit.is_some_and(|limit| limit > 2 * wanted));
                }
            }
        }
    }
}
