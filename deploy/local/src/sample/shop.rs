//! The shop's rows: customers, products, orders and what was ordered.

use chrono::{Datelike, NaiveDate, NaiveDateTime};

use super::calendar;
use super::names::{
    CATEGORIES, CITIES, COMPANIES, COMPANY_ENDINGS, FAMILY_NAMES, FIRST_NAMES, FOREIGN_COMPANIES, FOREIGN_COMPANY_ENDINGS, GIVEN_NAMES,
    LAST_NAMES,
};
use super::random::Random;

/// How many customers there are, and how many of them came before the first day of business.
pub const CUSTOMERS: u64 = 2_000;
const EARLY_CUSTOMERS: u64 = 600;
/// How many orders there are.
pub const ORDERS: usize = 50_000;
const SEED: u64 = 20_230_101;
const PRODUCTS_PER_CATEGORY: usize = 20;
const STATUSES: [&str; 5] = ["paid", "shipped", "delivered", "cancelled", "refunded"];
const CHANNELS: [&str; 3] = ["web", "app", "store"];

/// A row of `customers`.
pub struct Customer {
    /// From 1, in the order of joining.
    pub id: u32,
    /// A person's or a company's name.
    pub name: String,
    /// Below `example.com`.
    pub email: String,
    /// Missing for some.
    pub phone: Option<String>,
    /// One of twelve.
    pub city: &'static str,
    /// `개인` or `기업`.
    pub segment: &'static str,
    /// No order is older.
    pub joined_on: NaiveDate,
}

/// A row of `products`.
pub struct Product {
    /// From 1.
    pub id: u32,
    /// Unique.
    pub name: String,
    /// One of six.
    pub category: &'static str,
    /// In won.
    pub price: u64,
}

/// A row of `orders`.
pub struct Order {
    /// From 1, in the order of time.
    pub id: u32,
    /// Who ordered.
    pub customer_id: u32,
    /// When.
    pub ordered_at: NaiveDateTime,
    /// `paid`, `shipped`, `delivered`, `cancelled` or `refunded`.
    pub status: &'static str,
    /// `web`, `app` or `store`.
    pub channel: &'static str,
    /// The sum of its items, in won.
    pub amount: u64,
}

/// A row of `order_items`.
pub struct Item {
    /// From 1.
    pub id: u32,
    /// The order it belongs to.
    pub order_id: u32,
    /// What was ordered; once an order.
    pub product_id: u32,
    /// How many.
    pub quantity: u64,
    /// In won, after a discount.
    pub unit_price: u64,
}

/// All rows, each table in the order of its ids.
pub struct Shop {
    /// The table `customers`.
    pub customers: Vec<Customer>,
    /// The table `products`.
    pub products: Vec<Product>,
    /// The table `orders`.
    pub orders: Vec<Order>,
    /// The table `order_items`.
    pub items: Vec<Item>,
}

/// How a customer behaves; no column tells it.
struct Habit {
    /// Days after the first day of business; 0 for those who came before.
    from_day: u64,
    /// Some never order.
    orders: bool,
    /// The more loyal of two is the one who orders.
    loyalty: u64,
    company: bool,
}

impl Shop {
    /// Makes all rows; the same at every call.
    #[must_use]
    pub fn generate() -> Self {
        let mut random = Random::new(SEED);
        let (customers, habits) = customers(&mut random);
        let products = products();
        let mut shop = Self { customers, products, orders: Vec::with_capacity(ORDERS), items: Vec::new() };
        for second in calendar::sales(&mut random, ORDERS) {
            shop.add_order(&mut random, &habits, second);
        }
        shop
    }

    fn add_order(&mut self, random: &mut Random, habits: &[Habit], second: u64) {
        let day = second / 86_400;
        let customer = who_orders(random, habits, day);
        let id = self.orders.len() as u32 + 1;
        let lines = 1 + random.weighted(&[35, 30, 20, 10, 5]);
        let first_line = self.items.len();
        let mut amount = 0;
        while self.items.len() < first_line + lines {
            let category = random.weighted(&CATEGORIES.map(|category| category.1));
            let product = &self.products[category * PRODUCTS_PER_CATEGORY + random.index(PRODUCTS_PER_CATEGORY)];
            if self.items[first_line..].iter().any(|item| item.product_id == product.id) {
                continue;
            }
            let mut quantity = 1 + random.weighted(&[70, 20, 10]) as u64;
            if habits[customer].company {
                quantity *= 1 + random.below(4);
            }
            let unit_price = price_on(product.price, day);
            amount += quantity * unit_price;
            let item_id = self.items.len() as u32 + 1;
            self.items.push(Item { id: item_id, order_id: id, product_id: product.id, quantity, unit_price });
        }
        // The last week's orders are still on their way.
        let weights = if day + 7 >= calendar::DAYS { [45, 35, 15, 5, 0] } else { [2, 2, 86, 6, 4] };
        let status = STATUSES[random.weighted(&weights)];
        // The app takes over from the web.
        let app = 25 + day * 25 / calendar::DAYS;
        let channel = CHANNELS[random.weighted(&[80 - app, app, 20])];
        let ordered_at = calendar::time(second);
        self.orders.push(Order { id, customer_id: customer as u32 + 1, ordered_at, status, channel, amount });
    }
}

/// In November everything is a tenth cheaper.
fn price_on(price: u64, day: u64) -> u64 {
    if calendar::date(day).month() == 11 { price * 9 / 10 / 100 * 100 } else { price }
}

fn who_orders(random: &mut Random, habits: &[Habit], day: u64) -> usize {
    let known = habits.partition_point(|habit| habit.from_day <= day);
    loop {
        let one = random.index(known);
        let other = random.index(known);
        let customer = if habits[other].loyalty > habits[one].loyalty { other } else { one };
        if habits[customer].orders {
            return customer;
        }
    }
}

fn customers(random: &mut Random) -> (Vec<Customer>, Vec<Habit>) {
    let shares = CITIES.map(|city| city.1);
    (0..CUSTOMERS)
        .map(|index| {
            let id = index as u32 + 1;
            let (joined_on, from_day) = joining(index);
            let (city, _, korean) = CITIES[random.weighted(&shares)];
            let company = random.chance(20);
            let (name, email) = name_and_email(random, id, korean, company);
            let phone = phone(random, korean);
            let habit = Habit { from_day, orders: !random.chance(7), loyalty: random.below(1000), company };
            let segment = if company { "기업" } else { "개인" };
            (Customer { id, name, email, phone, city, segment, joined_on }, habit)
        })
        .unzip()
}

/// The early customers joined in the seven months before the first day of business, the others until 2025-11-30.
fn joining(index: u64) -> (NaiveDate, u64) {
    if index < EARLY_CUSTOMERS {
        (calendar::date_before(214 - index * 214 / EARLY_CUSTOMERS), 0)
    } else {
        let day = (index - EARLY_CUSTOMERS) * 1064 / (CUSTOMERS - EARLY_CUSTOMERS);
        (calendar::date(day), day)
    }
}

fn name_and_email(random: &mut Random, id: u32, korean: bool, company: bool) -> (String, String) {
    match (company, korean) {
        (true, true) => {
            let name = format!("{}{}", random.pick(&COMPANIES), random.pick(&COMPANY_ENDINGS));
            (name, format!("info{id}@example.com"))
        }
        (true, false) => {
            let name = format!("{} {}", random.pick(&FOREIGN_COMPANIES), random.pick(&FOREIGN_COMPANY_ENDINGS));
            (name, format!("info{id}@example.com"))
        }
        (false, true) => {
            let (family, family_latin) = random.pick(&FAMILY_NAMES);
            let (given, given_latin) = random.pick(&GIVEN_NAMES);
            (format!("{family}{given}"), format!("{given_latin}.{family_latin}{id}@example.com"))
        }
        (false, false) => {
            let first = random.pick(&FIRST_NAMES);
            let last = random.pick(&LAST_NAMES);
            let email = format!("{}.{}{id}@example.com", first.to_lowercase(), last.to_lowercase());
            (format!("{first} {last}"), email)
        }
    }
}

/// A number from the ranges that are kept free for examples, or none.
fn phone(random: &mut Random, korean: bool) -> Option<String> {
    if random.chance(8) {
        return None;
    }
    let number = random.below(10_000);
    let exchange = random.below(10_000);
    Some(if korean { format!("010-{exchange:04}-{number:04}") } else { format!("+44 20 7946 {number:04}") })
}

fn products() -> Vec<Product> {
    let mut products = Vec::new();
    for (category, _, variant, percent, things) in CATEGORIES {
        for (name, price) in things {
            for (name, price) in [(name.to_owned(), price), (format!("{name} {variant}"), price * percent / 100 / 100 * 100)] {
                let id = products.len() as u32 + 1;
                products.push(Product { id, name, category, price });
            }
        }
    }
    products
}
