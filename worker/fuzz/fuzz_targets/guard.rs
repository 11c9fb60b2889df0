//! Whatever the guard accepts is accepted again as rendered, means the same, and reads allowed relations only.

#![no_main]

use std::{collections::BTreeMap, sync::LazyLock};

use datagenie_common::{
    ids::{ConnectionId, UserId},
    model::{
        connections::DbType,
        policies::{ColumnMask, Limits, MaskKind, Policy, PolicyVersion},
        schemas::{SourceSchema, Table, TableColumn},
    },
};
use datagenie_worker::guard::{GuardInput, check};
use libfuzzer_sys::fuzz_target;

struct Shop {
    schema: SourceSchema,
    open: Policy,
    masked: Policy,
}

static SHOPS: LazyLock<Vec<Shop>> = LazyLock::new(|| DbType::ALL.iter().copied().map(shop).collect());

fn table(columns: &[&str]) -> Table {
    let columns = columns.iter().zip(1..).map(|(name, position)| {
        ((*name).to_owned(), TableColumn { position, data_type: "text".to_owned(), nullable: true, ..TableColumn::default() })
    });
    Table { kind: "table".to_owned(), columns: columns.collect(), ..Table::default() }
}

fn shop(db: DbType) -> Shop {
    let home = db.default_schema("shop").to_owned();
    let tables = BTreeMap::from([
        ("customers".to_owned(), table(&["id", "name", "email", "phone", "city", "segment", "joined_on"])),
        ("products".to_owned(), table(&["id", "name", "category", "price"])),
        ("orders".to_owned(), table(&["id", "customer_id", "ordered_at", "status", "channel", "amount"])),
        ("order_items".to_owned(), table(&["id", "order_id", "product_id", "quantity", "unit_price"])),
        ("주문".to_owned(), table(&["번호", "금액", "고객명"])),
        ("secret".to_owned(), table(&["id", "token", "owner"])),
    ]);
    let schema =
        SourceSchema { default_schema: home.clone(), schemas: BTreeMap::from([(home.clone(), tables)]), ..SourceSchema::default() };
    let open = Policy {
        user_id: UserId::new(),
        connection_id: ConnectionId::new(),
        db_type: db,
        version: PolicyVersion("1".to_owned()),
        can_query: true,
        schemas: None,
        tables: Some(["customers", "products", "orders", "order_items", "주문"].map(str::to_owned).to_vec()),
        masks: Vec::new(),
        limits: Limits { max_rows: 1_000, max_bytes: 1_000_000, max_seconds: 30 },
    };
    let mask = |column: &str, kind| ColumnMask { schema: home.clone(), table: "customers".to_owned(), column: column.to_owned(), kind };
    let masked = Policy { masks: vec![mask("email", MaskKind::Email), mask("phone", MaskKind::Phone)], ..open.clone() };
    Shop { schema, open, masked }
}

fuzz_target!(|data: &[u8]| {
    let [choice, sql @ ..] = data else { return };
    let Ok(sql) = std::str::from_utf8(sql) else { return };
    let shop = &SHOPS[usize::from(choice & 0x7F) % SHOPS.len()];
    let policy = if choice & 0x80 == 0 { &shop.open } else { &shop.masked };
    let run = |sql: &str| check(&GuardInput { sql, schema: &shop.schema, policy, extra_functions: &[] });
    let Ok(first) = run(sql) else { return };
    for relation in &first.relations {
        assert!(policy.allows(&relation.schema, &relation.table, &shop.schema.default_schema), "{relation:?} is read: {}", first.sql);
    }
    let again = run(&first.sql).unwrap_or_else(|refusal| panic!("what was rendered is refused: {}: {refusal:?}", first.sql));
    assert_eq!(again, first);
});
