//! `mask_personal_data()`, and that the worker's masking in code is the same.

use datagenie_common::model::policies::MaskKind;
use serde_json::{Value, json};

use crate::bare::BareDatabase;

/// Kind, value, what is shown instead.
const CASES: &[(&str, &str, &str)] = &[
    ("email", "hong@example.com", "ho***@example.com"),
    ("email", "abc@x.y", "ab***@x.y"),
    ("email", "ab@x.y", "***"),
    ("email", "@x.y", "***"),
    ("email", "a@b@example.com", "***"),
    ("email", "no address at all", "***"),
    ("email", "홍길동전@example.com", "홍길***@example.com"),
    ("email", "", "***"),
    ("phone", "01012345678", "010***5678"),
    ("phone", "12345678", "123***5678"),
    ("phone", "1234567", "***"),
    ("phone", "", "***"),
    ("card_number", "4111111111111111", "4111****1111"),
    ("card_number", "123456789", "1234****6789"),
    ("card_number", "12345678", "****"),
    ("name", "홍길동", "홍**"),
    ("name", "Ada Lovelace", "A***********"),
    ("name", "홍", "*"),
    ("name", "", "*"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_masked_as_the_document_says_and_short_ones_wholly() {
    let database = BareDatabase::migrated().await;
    let mask = |kind: &'static str, value: Option<&'static str>| {
        let pool = database.pool.clone();
        async move {
            let masked: Option<String> = sqlx::query_scalar("SELECT mask_personal_data($1, $2)")
                .bind(kind)
                .bind(value)
                .fetch_one(&pool)
                .await
                .expect("it is masked");
            masked
        }
    };
    for &(kind, value, shown) in CASES {
        assert_eq!(mask(kind, Some(value)).await.as_deref(), Some(shown), "{kind} {value:?}");
        let kind: MaskKind = kind.parse().expect("a kind");
        assert_eq!(datagenie_worker::question::masking::mask(kind, &json!(value)), json!(shown), "the worker: {kind} {value:?}");
        assert_eq!(datagenie_worker::question::masking::mask(kind, &Value::Null), Value::Null);
    }
    for kind in ["email", "phone", "card_number", "name"] {
        assert_eq!(mask(kind, None).await, None, "NULL stays NULL");
    }
    assert_eq!(mask("passport", Some("M12345678")).await.as_deref(), Some("***"), "an unknown kind is masked wholly");
}
