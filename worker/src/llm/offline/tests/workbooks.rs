//! Tables of spreadsheets: SQLite, Korean and English names of columns as people type them, no comments.

use datagenie_common::model::{connections::DbType, schemas::SourceSchema};

use super::{ask, check, sample, source, table};

/// One sheet, whose name says nothing.
fn sales() -> SourceSchema {
    let fields = [
        ("주문번호", "INTEGER", ""),
        ("주문일자", "DATE", ""),
        ("지역", "TEXT", ""),
        ("상품명", "TEXT", ""),
        ("상품분류", "TEXT", ""),
        ("수량", "INTEGER", ""),
        ("단가(원)", "INTEGER", ""),
        ("매출", "INTEGER", ""),
        ("할인율", "REAL", ""),
        ("고객 등급", "TEXT", ""),
    ];
    let mut schema = source("main", vec![("Sheet1", table("", &fields, &[], "main"))]);
    sample(&mut schema, "Sheet1", "지역", &["서울", "부산", "대구"]);
    sample(&mut schema, "Sheet1", "상품분류", &["가전", "식품"]);
    sample(&mut schema, "Sheet1", "고객 등급", &["일반", "우수"]);
    schema
}

/// Question, chart, statement.
#[rustfmt::skip]
const SALES: &[(&str, &str, &str)] = &[
    ("지역별 매출 합계는?", "bar", r#"SELECT "지역", SUM("매출") AS "매출 합계" FROM "Sheet1" GROUP BY "지역" ORDER BY "매출 합계" DESC, "지역""#),
    ("지역별 매출", "bar", r#"SELECT "지역", SUM("매출") AS "매출 합계" FROM "Sheet1" GROUP BY "지역" ORDER BY "매출 합계" DESC, "지역""#),
    ("총 매출은 얼마야?", "number", r#"SELECT SUM("매출") AS "매출 합계" FROM "Sheet1""#),
    ("매출액 합계", "number", r#"SELECT SUM("매출") AS "매출 합계" FROM "Sheet1""#),
    ("월별 매출 추이", "line", r#"SELECT strftime('%Y-%m', "주문일자") AS month, SUM("매출") AS "매출 합계" FROM "Sheet1" GROUP BY strftime('%Y-%m', "주문일자") ORDER BY month"#),
    ("2024년 3월 매출", "number", r#"SELECT SUM("매출") AS "매출 합계" FROM "Sheet1" WHERE "주문일자" >= '2024-03-01' AND "주문일자" < '2024-04-01'"#),
    ("매출 상위 3개 지역", "bar", r#"SELECT "지역", SUM("매출") AS "매출 합계" FROM "Sheet1" GROUP BY "지역" ORDER BY "매출 합계" DESC, "지역" LIMIT 3"#),
    ("매출이 가장 높은 지역은?", "bar", r#"SELECT "지역", SUM("매출") AS "매출 합계" FROM "Sheet1" GROUP BY "지역" ORDER BY "매출 합계" DESC, "지역" LIMIT 1"#),
    ("서울 매출 합계", "number", r#"SELECT SUM("매출") AS "매출 합계" FROM "Sheet1" WHERE "지역" = '서울'"#),
    ("상품분류별 수량 합계", "bar", r#"SELECT "상품분류", SUM("수량") AS "수량 합계" FROM "Sheet1" GROUP BY "상품분류" ORDER BY "수량 합계" DESC, "상품분류""#),
    ("가전 상품의 매출", "number", r#"SELECT SUM("매출") AS "매출 합계" FROM "Sheet1" WHERE "상품분류" = '가전'"#),
    ("가전 매출", "number", r#"SELECT SUM("매출") AS "매출 합계" FROM "Sheet1" WHERE "상품분류" = '가전'"#),
    ("지역별 주문 수", "bar", r#"SELECT "지역", COUNT(*) AS sheet1_count FROM "Sheet1" GROUP BY "지역" ORDER BY sheet1_count DESC, "지역""#),
    ("주문은 몇 건이야?", "number", r#"SELECT COUNT(*) AS sheet1_count FROM "Sheet1""#),
    ("모두 몇 건이야?", "number", r#"SELECT COUNT(*) AS sheet1_count FROM "Sheet1""#),
    ("서울은 몇 건이야?", "number", r#"SELECT COUNT(*) AS sheet1_count FROM "Sheet1" WHERE "지역" = '서울'"#),
    ("평균 단가", "number", r#"SELECT ROUND(AVG("단가(원)"), 2) AS "평균 단가(원)" FROM "Sheet1""#),
    ("등급별 평균 할인율", "bar", r#"SELECT "고객 등급", ROUND(AVG("할인율"), 2) AS "평균 할인율" FROM "Sheet1" GROUP BY "고객 등급" ORDER BY "평균 할인율" DESC, "고객 등급""#),
    ("상품별 매출", "bar", r#"SELECT "상품명", SUM("매출") AS "매출 합계" FROM "Sheet1" GROUP BY "상품명" ORDER BY "매출 합계" DESC, "상품명""#),
    ("가장 많이 팔린 상품", "bar", r#"SELECT "상품명", SUM("수량") AS "수량 합계" FROM "Sheet1" GROUP BY "상품명" ORDER BY "수량 합계" DESC, "상품명" LIMIT 1"#),
    ("지역 목록", "table", r#"SELECT DISTINCT "지역" FROM "Sheet1" ORDER BY "지역""#),
    ("최대 매출", "number", r#"SELECT MAX("매출") AS "최대 매출" FROM "Sheet1""#),
];

#[test]
fn questions_over_a_korean_sheet_become_these_statements() {
    check(SALES, &sales(), DbType::Sqlite);
}

/// A sheet of names and months, without numbers of rows or dates; and one that is called like its column.
fn by_month() -> SourceSchema {
    let fields = [("지점", "TEXT", ""), ("연도", "INTEGER", ""), ("월", "TEXT", ""), ("매출", "REAL", ""), ("인원수", "INTEGER", "")];
    let mut schema = source("main", vec![("매출", table("", &fields, &[], "main"))]);
    sample(&mut schema, "매출", "지점", &["강남", "종로"]);
    schema
}

#[rustfmt::skip]
const BY_MONTH: &[(&str, &str, &str)] = &[
    ("지점별 매출 합계", "bar", r#"SELECT "지점", SUM("매출") AS "매출 합계" FROM "매출" GROUP BY "지점" ORDER BY "매출 합계" DESC, "지점""#),
    ("월별 매출", "bar", r#"SELECT "월", SUM("매출") AS "매출 합계" FROM "매출" GROUP BY "월" ORDER BY "월""#),
    ("연도별 매출", "bar", r#"SELECT "연도", SUM("매출") AS "매출 합계" FROM "매출" GROUP BY "연도" ORDER BY "연도""#),
    ("강남 매출", "number", r#"SELECT SUM("매출") AS "매출 합계" FROM "매출" WHERE "지점" = '강남'"#),
    ("인원수 합계", "number", r#"SELECT SUM("인원수") AS "인원수 합계" FROM "매출""#),
];

#[test]
fn a_text_key_is_a_group_and_months_may_be_a_column() {
    check(BY_MONTH, &by_month(), DbType::Sqlite);
}

fn english() -> SourceSchema {
    let fields = [
        ("Order ID", "INTEGER", ""),
        ("Order Date", "DATE", ""),
        ("Region", "TEXT", ""),
        ("Product", "TEXT", ""),
        ("Quantity", "INTEGER", ""),
        ("Unit Price (USD)", "REAL", ""),
        ("TotalAmount", "REAL", ""),
    ];
    let mut schema = source("main", vec![("data", table("", &fields, &[], "main"))]);
    sample(&mut schema, "data", "Region", &["East", "West"]);
    schema
}

#[rustfmt::skip]
const ENGLISH: &[(&str, &str, &str)] = &[
    ("total amount by region", "bar", r#"SELECT "Region", SUM("TotalAmount") AS total_totalamount FROM data GROUP BY "Region" ORDER BY total_totalamount DESC, "Region""#),
    ("total sales by region", "bar", r#"SELECT "Region", SUM("TotalAmount") AS revenue FROM data GROUP BY "Region" ORDER BY revenue DESC, "Region""#),
    ("revenue by month", "line", r#"SELECT strftime('%Y-%m', "Order Date") AS month, SUM("TotalAmount") AS revenue FROM data GROUP BY strftime('%Y-%m', "Order Date") ORDER BY month"#),
    ("top 3 products by quantity", "bar", r#"SELECT "Product", SUM("Quantity") AS total_quantity FROM data GROUP BY "Product" ORDER BY total_quantity DESC, "Product" LIMIT 3"#),
    ("average unit price", "number", r#"SELECT ROUND(AVG("Unit Price (USD)"), 2) AS average_unit_price__usd FROM data"#),
    ("how many orders in East", "number", r#"SELECT COUNT(*) AS data_count FROM data WHERE "Region" = 'East'"#),
    ("how many rows", "number", "SELECT COUNT(*) AS data_count FROM data"),
];

#[test]
fn names_with_blanks_and_capitals_are_the_same_words() {
    check(ENGLISH, &english(), DbType::Sqlite);
}

#[test]
fn what_the_sheet_does_not_have_is_not_guessed() {
    for question in ["직원별 매출", "환불 금액 합계", "재고는 얼마야?", "profit by region"] {
        for schema in [sales(), by_month(), english()] {
            let draft = ask(question, &schema, DbType::Sqlite);
            assert!(draft.sql.is_none(), "{question} became {draft:?}");
        }
    }
}

#[test]
fn income_and_expense_are_told_apart() {
    let fields = [("날짜", "DATE", ""), ("항목", "TEXT", ""), ("수입", "INTEGER", ""), ("지출", "INTEGER", "")];
    let schema = source("main", vec![("가계부", table("", &fields, &[], "main"))]);
    let sql = ask("월별 지출 합계", &schema, DbType::Sqlite).sql.unwrap_or_default();
    assert!(sql.contains(r#"SUM("지출") AS "지출 합계""#), "{sql}");
}
