//! Which columns are proposed, in Korean and English, and which only look as if they should be.

use std::collections::BTreeMap;

use datagenie_common::model::schemas::{ColumnProfile, ForeignKey, ValueCount};

use super::*;

fn column(data_type: &str) -> TableColumn {
    TableColumn { data_type: data_type.to_owned(), nullable: true, ..TableColumn::default() }
}

fn shaped(data_type: &str, shape: Option<Shape>, values: &[&str]) -> TableColumn {
    let frequent = values.iter().map(|value| ValueCount { value: (*value).to_owned(), count: 2 }).collect();
    let profile = ColumnProfile { rows: 100, distinct: 50, shape, frequent, ..ColumnProfile::default() };
    TableColumn { profile: Some(profile), ..column(data_type) }
}

fn schema(name: &str, table: Table) -> SourceSchema {
    let tables = BTreeMap::from([(name.to_owned(), table)]);
    SourceSchema {
        default_schema: "public".to_owned(),
        schemas: BTreeMap::from([("public".to_owned(), tables)]),
        ..SourceSchema::default()
    }
}

fn table(columns: Vec<(&str, TableColumn)>) -> Table {
    let columns = columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect();
    Table { kind: "table".to_owned(), columns, ..Table::default() }
}

/// What is proposed of a table, as `column kind`.
fn proposed(name: &str, columns: Vec<(&str, TableColumn)>) -> Vec<String> {
    let proposals = proposed_masks(&schema(name, table(columns)), &[]);
    proposals.into_iter().map(|mask| format!("{} {}", mask.column, mask.kind)).collect()
}

fn named(name: &str, columns: &[&str]) -> Vec<String> {
    proposed(name, columns.iter().map(|column_name| (*column_name, column("text"))).collect())
}

#[test]
fn names_in_english_and_korean_are_enough() {
    let found = named("customers", &["id_text", "name", "email", "phone", "card_no", "city", "segment"]);
    assert_eq!(found, ["card_no card_number", "email email", "name name", "phone phone"]);
    let found = named("고객", &["번호", "이름", "이메일", "전화번호", "카드번호", "도시"]);
    assert_eq!(found, ["이름 name", "이메일 email", "전화번호 phone", "카드번호 card_number"]);
    assert_eq!(named("orders", &["recipient_name", "고객명", "연락처"]), ["recipient_name name", "고객명 name", "연락처 phone"]);
}

#[test]
fn a_bare_name_is_a_persons_only_in_a_table_of_people() {
    assert_eq!(named("tb_members", &["name"]), ["name name"]);
    for other in ["products", "files", "cities", "categories", "user_roles", "companies", "상품"] {
        assert_eq!(named(other, &["name", "이름"]), [""; 0], "{other}");
    }
    // The comment on the table says what it holds, where its name does not.
    let commented = Table { comment: Some("회원 정보".to_owned()), ..table(vec![("name", column("text"))]) };
    assert_eq!(proposed_masks(&schema("T0012", commented), &[]).len(), 1);
}

#[test]
fn a_short_comment_is_another_name() {
    let with = |comment: &str| TableColumn { comment: Some(comment.to_owned()), ..column("text") };
    let found =
        proposed("t0012", vec![("c1", with("고객명")), ("c2", with("E-mail")), ("c3", with("상품명")), ("c4", with("휴대폰 번호"))]);
    assert_eq!(found, ["c1 name", "c2 email", "c4 phone"]);
    let story = "The day on which we wrote to the customer's email";
    assert_eq!(proposed("t0012", vec![("c1", with(story))]), [""; 0]);
}

#[test]
#[rustfmt::skip]
fn false_friends_are_left_alone() {
    let names = [
        "product_name", "file_name", "table_name", "city_name", "email_sent_at", "email_count", "phone_model", "card_type", "username", "상품명",
        "부서명", "설명", "이메일_발송여부",
    ];
    assert_eq!(named("customers", &names), [""; 0]);
    let typed = [
        ("email", column("boolean")), ("mobile", column("tinyint(1)")), ("phone", column("uuid")), ("mail", column("timestamp")),
        ("card_no", column("jsonb")), ("name", column("integer")), ("tel", column("bytea")),
    ];
    assert_eq!(proposed("customers", typed.into()), [""; 0]);
}

#[test]
fn values_that_are_something_else_speak_against_the_name() {
    let columns = vec![
        ("mobile", shaped("character(1)", Some(Shape::Boolean), &["Y", "N"])),
        ("mail", shaped("text", None, &["post", "courier"])),
        ("phone", shaped("text", None, &["iPhone 15", "Galaxy S24"])),
        ("name", shaped("text", Some(Shape::Integer), &["1001", "1002"])),
        ("email", shaped("text", Some(Shape::Url), &["https://example.com"])),
    ];
    assert_eq!(proposed("customers", columns), [""; 0]);
    let columns = vec![
        ("mail", shaped("text", None, &["kim@example.com", "none"])),
        ("phone", shaped("text", None, &["문의 010-1234-5678", "없음"])),
        ("name", shaped("text", None, &["김민준", "(주)가나다"])),
        // Nothing is known of it.
        ("email", shaped("text", None, &[])),
    ];
    assert_eq!(proposed("customers", columns), ["email email", "mail email", "name name", "phone phone"]);
}

#[test]
fn values_speak_whatever_the_column_is_called() {
    let columns = vec![
        ("login", shaped("text", Some(Shape::Email), &["kim@example.com"])),
        ("memo1", shaped("varchar(20)", Some(Shape::Phone), &["010-1234-5678"])),
        ("pay", shaped("text", Some(Shape::CardNumber), &["4111111111111111"])),
        ("담당자", shaped("text", Some(Shape::PersonName), &["김민준"])),
        ("manager", shaped("text", Some(Shape::PersonName), &["Emma Smith"])),
        // Names of people, and of much else: a weak hint is not enough.
        ("title", shaped("text", Some(Shape::PersonName), &["Blue Jacket"])),
        ("writer", shaped("text", None, &["bot"])),
        // A number that passes the check of cards is a number.
        ("ref", shaped("bigint", Some(Shape::CardNumber), &["4111111111111111"])),
    ];
    let found = proposed("orders", columns);
    assert_eq!(found, ["login email", "manager name", "memo1 phone", "pay card_number", "담당자 name"]);
}

#[test]
fn digits_may_stand_in_a_column_of_numbers_that_is_no_key() {
    let columns =
        vec![("phone", column("bigint")), ("card_no", column("numeric(19,0)")), ("email", column("bigint")), ("tel", column("bit(1)"))];
    assert_eq!(proposed("customers", columns), ["card_no card_number", "phone phone"]);
    let mut keyed = table(vec![("phone", column("bigint")), ("card_no", TableColumn { primary_key: true, ..column("bigint") })]);
    keyed.foreign_keys.push(ForeignKey { columns: vec!["phone".to_owned()], ..ForeignKey::default() });
    assert!(proposed_masks(&schema("calls", keyed), &[]).is_empty());
}

#[test]
fn what_is_masked_is_proposed_no_more() {
    let customers = schema("Customers", table(vec![("Email", column("text")), ("phone", column("text"))]));
    let mask = |schema: &str, table: &str, column: &str| ColumnMask {
        schema: schema.to_owned(),
        table: table.to_owned(),
        column: column.to_owned(),
        kind: MaskKind::Name,
    };
    let found = proposed_masks(&customers, &[mask("public", "customers", "email"), mask("hr", "customers", "phone")]);
    let names: Vec<(&str, &str, &str, MaskKind)> =
        found.iter().map(|mask| (mask.schema.as_str(), mask.table.as_str(), mask.column.as_str(), mask.kind)).collect();
    assert_eq!(names, [("public", "Customers", "phone", MaskKind::Phone)]);
}

#[test]
fn proposals_are_bounded() {
    let names: Vec<String> = (0..MOST + 10).map(|n| format!("email{n}")).collect();
    let columns = names.iter().map(|name| (name.as_str(), column("text"))).collect();
    assert_eq!(proposed("wide", columns).len(), MOST);
}
