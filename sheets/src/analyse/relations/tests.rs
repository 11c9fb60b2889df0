//! Keys, references and correlations that are there, and those that only look like it.

use datagenie_common::{
    analyses::{CORRELATION, PRIMARY_KEY, REFERENCE, Relation},
    model::language::Language,
};

use crate::analyse::{analyse, build::Book};

fn relations(book: &Book) -> Vec<Relation> {
    analyse(&book.tables, Language::English).relations
}

fn keys(book: &Book) -> Vec<String> {
    let keys = relations(book).into_iter().filter(|relation| relation.kind == PRIMARY_KEY);
    keys.map(|key| format!("{}.{}", key.table, key.column)).collect()
}

fn references(book: &Book) -> Vec<String> {
    let references = relations(book).into_iter().filter(|relation| relation.kind == REFERENCE);
    references
        .map(|to| format!("{}.{} → {}.{}", to.table, to.column, to.other_table.unwrap_or_default(), to.other_column.unwrap_or_default()))
        .collect()
}

fn there(values: impl IntoIterator<Item = i64>) -> Vec<Option<i64>> {
    values.into_iter().map(Some).collect()
}

fn shop() -> Book {
    let names: Vec<String> = (1..=20).map(|number| format!("고객{number}")).collect();
    Book::default()
        .table("고객")
        .texts("이름", names.iter().map(|name| Some(name.as_str())))
        .whole("고객번호", &there(1..=20))
        .table("주문")
        .whole("주문번호", &there(1_001..=1_060))
        .whole("고객번호", &there((0..60).map(|row| row % 20 + 1)))
        .whole("수량", &there((0..60).map(|row| row * 7 % 5 + 1)))
        .whole("금액", &there((0..60).map(|row| (row * 37 % 60 + 1) * 1_000)))
}

#[test]
fn keys_are_columns_that_look_like_keys() {
    assert_eq!(keys(&shop()), ["고객.고객번호", "주문.주문번호"], "the amount differs in every row, too");
    let amounts = Book::default().table("t").whole("금액", &there([500, 900, 100])).whole("비용", &there([1, 2, 3]));
    assert_eq!(keys(&amounts), [""; 0]);
    let running = Book::default().table("t").whole("순번", &there(1..=5)).whole("금액", &there([5, 4, 3, 2, 1]));
    assert_eq!(keys(&running), ["t.순번"]);
    let gaps = Book::default().table("t").whole("id", &[Some(1), None, Some(3)]);
    assert_eq!(keys(&gaps), [""; 0]);
    let names = Book::default().table("t").texts("지점", [Some("서울"), Some("부산"), Some("대구")]).whole("매출", &there([1, 1, 2]));
    assert_eq!(keys(&names), ["t.지점"]);
    let remark = "x".repeat(100);
    let remarks = Book::default().table("t").texts("비고", [Some("a"), Some("b"), Some(remark.as_str())]);
    assert_eq!(keys(&remarks), [""; 0]);
    let days = Book::default().table("t").days("날짜", &[Some((2024, 1, 1)), Some((2024, 1, 2)), Some((2024, 1, 3))]);
    assert_eq!(keys(&days), ["t.날짜"]);
    let two = Book::default().table("orders").whole("customer_id", &there([7, 8, 9])).whole("order_id", &there([1, 2, 3]));
    assert_eq!(keys(&two), ["orders.order_id"], "that of the table's own name");
}

#[test]
fn references_need_the_values_and_of_small_numbers_the_name() {
    assert_eq!(references(&shop()), ["주문.고객번호 → 고객.고객번호"], "quantities from 1 to 5 are no customers");
    let relation = relations(&shop()).into_iter().find(|relation| relation.kind == REFERENCE).expect("it is there");
    assert_eq!((relation.strength, relation.rows), (Some(1.0), 60));
    let english = Book::default()
        .table("customers")
        .whole("id", &there(1..=20))
        .table("orders")
        .whole("id", &there(1..=40))
        .whole("customer_id", &there((0..40).map(|row| row % 20 + 1)));
    assert_eq!(references(&english), ["orders.customer_id → customers.id"]);
    let codes = ["A-1", "A-2", "B-7", "C-9"];
    let coded = Book::default()
        .table("products")
        .texts("code", codes.map(Some))
        .table("sales")
        .texts("item", [0, 1, 2, 3, 1, 1].map(|code: usize| Some(codes[code])));
    assert_eq!(references(&coded), ["sales.item → products.code"], "texts need no name");
}

#[test]
fn a_twentieth_may_be_missing() {
    let book = |strangers: i64| {
        Book::default().table("customers").whole("customer_id", &there(1..=100)).table("orders").whole("order_id", &there(1..=200)).whole(
            "customer_id",
            &there((1..=100).map(|id| if id <= strangers { id + 1_000 } else { id }).chain(1 + strangers..=100).chain(vec![
                    100;
                    usize::try_from(
                        strangers
                    )
                    .expect("few")
                ])),
        )
    };
    assert_eq!(references(&book(5)), ["orders.customer_id → customers.customer_id"]);
    let strength = relations(&book(5)).into_iter().find(|relation| relation.kind == REFERENCE).and_then(|relation| relation.strength);
    assert_eq!(strength, Some(0.95));
    assert_eq!(references(&book(6)), [""; 0]);
}

#[test]
fn of_two_tables_with_the_same_keys_the_later_refers_to_the_earlier() {
    let names = ["서울", "부산", "대구", "광주"].map(Some);
    let book = Book::default().table("2023").texts("지점", names).table("2024").texts("지점", names);
    assert_eq!(references(&book), ["2024.지점 → 2023.지점"]);
}

fn correlations(book: &Book) -> Vec<(String, String, f64, u64)> {
    let found = relations(book).into_iter().filter(|relation| relation.kind == CORRELATION);
    found.map(|one| (one.column, one.other_column.unwrap_or_default(), one.strength.unwrap_or_default(), one.rows)).collect()
}

#[test]
fn correlations_are_pearsons() {
    // Anscombe's first and fourth: r of 0.81642 and 0.81652.
    let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0].map(Some);
    let y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68].map(Some);
    let found = correlations(&Book::default().table("t").floats("x", &x).floats("y", &y));
    assert_eq!((found.len(), found[0].3), (1, 11));
    assert!((found[0].2 - 0.816_420_516_3).abs() < 1e-9, "{found:?}");
    let down: Vec<Option<f64>> = x.iter().map(|x| x.map(|x| 1e9 - 3.0 * x)).collect();
    let found = correlations(&Book::default().table("t").floats("x", &x).floats("y", &down));
    assert!((found[0].2 + 1.0).abs() < 1e-9, "{found:?}");
}

#[test]
fn only_rows_with_both_numbers_count() {
    let mut a = there(1..=12);
    let mut b = there((1..=12).map(|n| n * 2));
    (a[0], b[1]) = (None, None);
    let found = correlations(&Book::default().table("t").whole("a", &a).whole("b", &b));
    assert_eq!((found.len(), found[0].3), (1, 10));
    a[2] = None;
    assert_eq!(correlations(&Book::default().table("t").whole("a", &a).whole("b", &b)), [], "nine rows are too few");
}

#[test]
fn keys_and_constants_correlate_with_nothing() {
    let book = Book::default()
        .table("t")
        .whole("id", &there(1..=20))
        .whole("same", &there(vec![5; 20]))
        .whole("customer_no", &there(21..=40))
        .whole("amount", &there(101..=120));
    assert_eq!(correlations(&book), []);
}

#[test]
fn many_columns_bring_the_twenty_strongest() {
    let mut book = Book::default().table("t");
    for column in 0..70_i64 {
        book = book.whole(&format!("m{column}x"), &there((0..40).map(|row| row * (column + 1) + (row * column) % 3)));
    }
    let found = correlations(&book);
    assert_eq!(found.len(), 20);
    assert!(found.windows(2).all(|pair| pair[0].2.abs() >= pair[1].2.abs()));
}
