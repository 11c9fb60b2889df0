//! Which tables and columns a question gets, at which budget.

use std::{collections::BTreeMap, sync::Arc};

use datagenie_common::model::{
    connections::DbType,
    schemas::{ForeignKey, SourceSchema, Table, TableColumn},
};

use super::{
    Linked, Visible,
    words::{fold, split},
};
use crate::llm::prompt::schema_text;

/// `name comment`, the first one the primary key; `→table` in the comment makes a foreign key.
fn table(comment: &str, columns: &[(&str, &str)]) -> Table {
    let mut made = Table { comment: Some(comment.to_owned()), kind: "table".to_owned(), ..Table::default() };
    for (at, (name, about)) in columns.iter().enumerate() {
        let (about, to) = about.split_once('→').unwrap_or((about, ""));
        let position = u32::try_from(at).expect("few columns") + 1;
        let column = TableColumn {
            position,
            data_type: "text".to_owned(),
            primary_key: at == 0,
            comment: (!about.is_empty()).then(|| about.to_owned()),
            ..TableColumn::default()
        };
        made.columns.insert((*name).to_owned(), column);
        if !to.is_empty() {
            made.foreign_keys.push(ForeignKey {
                columns: vec![(*name).to_owned()],
                ref_schema: "public".to_owned(),
                ref_table: to.to_owned(),
                ref_columns: vec!["id".to_owned()],
            });
        }
    }
    made
}

fn schema(tables: Vec<(String, Table)>) -> SourceSchema {
    let schemas = BTreeMap::from([("public".to_owned(), tables.into_iter().collect())]);
    SourceSchema { default_schema: "public".to_owned(), schemas, cached_at: None }
}

fn shop() -> Vec<(String, Table)> {
    let mut customers = table("고객", &[("id", ""), ("name", "이름"), ("city", "도시"), ("segment", "고객 구분")]);
    let cities = ["서울", "부산", "New York", "London"];
    customers.columns.get_mut("city").expect("a column").values = cities.iter().map(|&city| city.to_owned()).collect();
    let orders = table("주문", &[("id", ""), ("customer_id", "고객→customers"), ("status", "주문 상태"), ("amount", "주문 금액(원)")]);
    let items = table("주문 상품", &[("id", ""), ("order_id", "주문→orders"), ("product_id", "상품→products"), ("quantity", "수량")]);
    let products = table("상품", &[("id", ""), ("product_name", "상품명"), ("category", "카테고리"), ("price", "가격(원)")]);
    [("customers", customers), ("orders", orders), ("order_items", items), ("products", products)]
        .map(|(name, table)| (name.to_owned(), table))
        .into()
}

fn shop_amid(noise: usize) -> SourceSchema {
    let filler = (0..noise).map(|n| (format!("a{n:04}_log"), table("기록", &[("log_key", ""), ("alpha", "가나"), ("beta", "다라")])));
    schema(shop().into_iter().chain(filler).collect())
}

fn link(question: &str, visible: &SourceSchema, previous_tables: &[String], budget_chars: usize) -> Linked {
    super::link(question, &seen(visible), previous_tables, budget_chars)
}

fn seen(visible: &SourceSchema) -> Visible {
    Visible::new(Arc::new(visible.clone()), DbType::Postgresql)
}

fn size(schema: &SourceSchema) -> usize {
    schema_text(schema, DbType::Postgresql).chars().count() + 1
}

fn names(linked: &Linked) -> Vec<&str> {
    linked.schema.tables().map(|(_, name, _)| name).collect()
}

fn assert_has(linked: &Linked, wanted: &[&str]) {
    let found = names(linked);
    assert!(wanted.iter().all(|name| found.contains(name)), "{wanted:?} in {found:?}");
}

#[test]
fn a_schema_that_fits_is_linked_whole() {
    let visible = seen(&schema(shop()));
    let budget = size(&visible.schema);
    let linked = super::link("매출", &visible, &[], budget);
    assert!(linked.whole && Arc::ptr_eq(&linked.schema, &visible.schema), "nothing is copied");
    assert_eq!(*linked.text, schema_text(&visible.schema, DbType::Postgresql));
    let again = super::link("고객", &visible, &[], budget);
    assert!(Arc::ptr_eq(&linked.text, &again.text), "nor written again");
}

#[test]
fn sampled_values_go_first_but_for_those_asked_for() {
    let visible = schema(shop());
    let linked = link("orders from new york", &visible, &[], size(&visible) - 10);
    assert!(linked.whole);
    let customers = linked.schema.table("public", "customers").expect("all tables are there");
    assert_eq!(customers.columns.len(), 4);
    assert_eq!(customers.columns["city"].values, ["New York"]);
}

#[test]
fn values_asked_for_are_among_those_shown() {
    let mut tables = shop();
    let city = tables[0].1.columns.get_mut("city").expect("a column");
    city.values = (0..30).map(|n| format!("도시{n}호")).chain(["제주".to_owned()]).collect();
    let linked = link("제주 고객", &schema(tables), &[], 100_000);
    assert_eq!(linked.schema.table("public", "customers").expect("there").columns["city"].values[0], "제주");
}

#[test]
fn words_of_the_question_choose_the_tables() {
    let visible = shop_amid(300);
    for question in ["total amount by city", "도시별 주문 금액 합계를 보여줘", "what did customers order?"] {
        let linked = link(question, &visible, &[], 1500);
        assert!(!linked.whole);
        assert!(size(&linked.schema) <= 1500 + 1, "{question}: {}", size(&linked.schema));
        assert_has(&linked, &["customers", "orders"]);
    }
}

#[test]
fn tables_on_the_way_of_a_join_come_along() {
    let linked = link("revenue by segment and category", &shop_amid(300), &[], 1200);
    assert_has(&linked, &["customers", "products", "orders", "order_items"]);
    let items = linked.schema.table("public", "order_items").expect("on the way");
    assert_eq!(items.foreign_keys.len(), 2);
}

#[test]
fn the_tables_of_the_previous_question_stay() {
    let visible = shop_amid(300);
    let linked = link("그중 상위 열 개만", &visible, &["public.a0123_log".to_owned(), "products".to_owned()], 600);
    assert_has(&linked, &["a0123_log", "products"]);
}

#[test]
fn foreign_keys_lead_nowhere_else() {
    let linked = link("status of orders", &shop_amid(300), &[], 160);
    let present = names(&linked);
    assert!(present.contains(&"orders"), "{present:?}");
    for (_, _, table) in linked.schema.tables() {
        assert!(table.foreign_keys.iter().all(|key| present.contains(&key.ref_table.as_str())));
    }
}

#[test]
fn a_wide_table_is_cut_to_what_matches_and_its_keys() {
    let mut columns: Vec<(String, String)> = (0..2000).map(|n| (format!("field_{n}"), "무언가".to_owned())).collect();
    columns[1] = ("owner_id".to_owned(), "주인→customers".to_owned());
    columns[1500] = ("net_turnover".to_owned(), "순매출".to_owned());
    let borrowed: Vec<(&str, &str)> = columns.iter().map(|(name, about)| (name.as_str(), about.as_str())).collect();
    let mut tables = shop();
    tables.push(("wide".to_owned(), table("넓은 표", &borrowed)));
    for question in ["net turnover by city", "순매출은 얼마야?"] {
        let linked = link(question, &schema(tables.clone()), &[], 4000);
        let wide = linked.schema.table("public", "wide").expect("it matches");
        let kept: Vec<&str> = wide.columns.keys().map(String::as_str).collect();
        assert_eq!(kept, ["field_0", "net_turnover", "owner_id"], "{question}");
        assert!(!linked.whole);
    }
}

#[test]
fn something_is_linked_whatever_the_budget() {
    for budget in [0, 1, 50, 200] {
        for question in ["", "???", "total amount", "날씨 어때?"] {
            let linked = link(question, &shop_amid(20), &[], budget);
            assert!(linked.schema.tables().any(|(_, _, table)| !table.columns.is_empty()), "{budget} {question}");
            assert!(!linked.whole);
        }
    }
    let empty = link("q", &SourceSchema::default(), &[], 0);
    assert!(empty.whole && empty.schema.tables().next().is_none());
}

#[test]
fn the_same_question_links_the_same() {
    let visible = shop_amid(200);
    for budget in (0..4000).step_by(250) {
        assert_eq!(link("amount by city", &visible, &[], budget), link("amount by city", &visible, &[], budget));
    }
}

#[test]
fn words_are_split_and_folded() {
    assert_eq!(split("orderItems_2024 HTTPServer 주문상태code"), ["order", "items", "2024", "http", "server", "주문상태", "code"]);
    for (plural, singular) in [
        ("orders", "order"),
        ("categories", "category"),
        ("boxes", "box"),
        ("statuses", "status"),
        ("addresses", "address"),
        ("movies", "movie"),
    ] {
        assert_eq!(fold(plural), fold(singular));
    }
    assert_eq!(fold("status"), "status");
}
