//! What is read, and what is not.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::*;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    a: i32,
    b: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    One,
    Of(Inner),
    With { a: i32 },
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Outer {
    inner: Option<Inner>,
    many: Vec<Inner>,
    named: BTreeMap<String, Inner>,
    pair: Option<(i32, f64)>,
    words: Vec<Word>,
    any: Value,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Tagged {
    Work {
        #[serde(default, deserialize_with = "optional")]
        inner: Option<Inner>,
        #[serde(deserialize_with = "each")]
        many: Vec<Inner>,
    },
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    from_slice(value.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn what_is_meant_is_read_as_serde_reads_it() {
    let sent = json!({
        "inner": { "a": 1, "b": "x" }, "many": [{ "a": 2, "b": null }], "named": { "k": { "a": -3, "b": "" } }, "pair": [1, 2.5],
        "words": ["one", { "of": { "a": 4, "b": null } }, { "with": { "a": 5 } }],
        "any": { "a": [1, [2], { "b": null, "c": true, "d": 1e3, "e": -7, "f": u64::MAX }] },
    });
    let outer: Outer = read(&sent).expect("it is read");
    assert_eq!(outer, serde_json::from_value::<Outer>(sent.clone()).expect("serde reads it too"));
    assert_eq!(json!(outer), sent);
    let tagged = json!({ "kind": "work", "inner": { "a": 1, "b": null }, "many": [{ "a": 2, "b": null }] });
    assert_eq!(json!(read::<Tagged>(&tagged).expect("it is read")), tagged);
    assert_eq!(json!(from_value::<Tagged>(tagged.clone()).expect("it is read")), tagged);
}

#[test]
fn a_list_is_no_object_wherever_it_stands() {
    for list in [
        json!([null, [], {}, null, [], null]),
        json!({ "inner": [1, null] }),
        json!({ "many": [[1, null]] }),
        json!({ "named": { "k": [1, null] } }),
        json!({ "words": [{ "of": [1, null] }] }),
        json!({ "words": [{ "with": [1] }] }),
    ] {
        let error = read::<Outer>(&list).expect_err("a list");
        assert!(error.contains("expected an object"), "{list}: {error}");
    }
    for list in [json!({ "kind": "work", "inner": [1, null], "many": [] }), json!({ "kind": "work", "many": [[1, null]] })] {
        assert!(read::<Tagged>(&list).is_err_and(|error| error.contains("must be a JSON object")), "{list}");
    }
    assert!(from_value::<Tagged>(json!(["work", null, []])).is_err());
    assert!(from_value::<Inner>(json!([1, null])).is_err());
}

#[test]
fn a_field_is_there_once_wherever_it_stands() {
    for (text, name) in [
        (r#"{"inner":null,"inner":null}"#, "inner"),
        (r#"{"inner":{"a":1,"\u0061":2}}"#, "a"),
        (r#"{"named":{"k":{"a":1},"k":{"a":2}}}"#, "k"),
        (r#"{"any":{"x":[{"y":1,"z":2,"y":3}]}}"#, "y"),
    ] {
        let error = from_slice::<Outer>(text.as_bytes()).expect_err("it is there twice").to_string();
        assert!(error.starts_with(&format!("duplicate field `{name}`")), "{text}: {error}");
    }
    assert!(from_slice::<Outer>(br#"{"any":[{"y":1},{"y":1}]}"#).is_ok());
    assert!(from_slice::<Outer>(b"{} {}").is_err(), "nothing comes after it");
}
