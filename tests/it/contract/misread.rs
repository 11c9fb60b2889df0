//! Bodies that are almost right: for every operation its own example, with one thing that no honest client sends. Each is refused, in the
//! one form, and none is a fault of ours.

use datagenie_tests::{Client, Reply};
use serde_json::{Map, Value, json};

use super::{
    Operation, bodies,
    things::{Things, filled},
};

/// The example with every leaf of a kind replaced; none: it has no such leaf.
fn replaced(example: &Value, replace: &dyn Fn(&Value) -> Option<Value>) -> Option<Value> {
    fn walk(value: &mut Value, replace: &dyn Fn(&Value) -> Option<Value>) -> bool {
        match value {
            // Each of them: none is to be left out because one before it is.
            Value::Array(items) => items.iter_mut().fold(false, |any, item| walk(item, replace) | any),
            Value::Object(fields) => fields.values_mut().fold(false, |any, field| walk(field, replace) | any),
            leaf => replace(leaf).map(|new| *leaf = new).is_some(),
        }
    }
    let mut changed = example.clone();
    walk(&mut changed, replace).then_some(changed)
}

/// What is sent in place of the example, by what is wrong with it.
fn bad(example: &Map<String, Value>) -> Vec<(&'static str, Vec<u8>)> {
    let whole = Value::Object(example.clone());
    let text = whole.to_string();
    let (first, value) = example.iter().next().expect("an example has a field");
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let strings = |new: &'static str| replaced(&whole, &|leaf| leaf.as_str().map(|text| json!(format!("{text}{new}"))));
    // Numbers that JSON has and serde_json's values have not are put in as texts and lose their quotes.
    let numbers = |new: &str| {
        replaced(&whole, &|leaf| leaf.is_number().then(|| json!("a number"))).map(|body| body.to_string().replace("\"a number\"", new))
    };
    let mut bad = vec![
        ("a list of its values", Value::Array(example.values().cloned().collect()).to_string().into_bytes()),
        ("an empty list", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a text", b"\"{}\"".to_vec()),
        ("a field twice", format!("{{{}:{value},{}", json!(first), &text[1..]).into_bytes()),
        ("a field that there is not", format!("{{\"colour of the sky\":1,{}", &text[1..]).into_bytes()),
        ("too deep", format!("{{{}:{deep}}}", json!(first)).into_bytes()),
        ("half a character", format!("{{{}:\"\\ud800\"}}", json!(first)).into_bytes()),
        ("no UTF-8", [b"{", json!(first).to_string().as_bytes(), b":\"\xff\"}"].concat()),
        ("broken off", text.as_bytes()[..text.len() - 1].to_vec()),
        ("more behind it", format!("{text} {text}").into_bytes()),
        ("a byte order mark of UTF-16", [b"\xff\xfe".as_slice(), text.as_bytes()].concat()),
    ];
    bad.extend(strings("\0").map(|body| ("a NUL in its texts", body.to_string().into_bytes())));
    for (what, number) in
        [("a number past all bounds", "1e999"), ("2 to the 64th, negative", "-18446744073709551616"), ("no number", "NaN")]
    {
        bad.extend(numbers(number).map(|body| (what, body.into_bytes())));
    }
    bad
}

async fn send(client: &Client, operation: &Operation, things: &Things, content_type: &str, body: Vec<u8>) -> Reply {
    let request = client.request(operation.method.clone(), filled(&operation.path, things));
    client.send(request.header("content-type", content_type).body(body)).await
}

/// What is wrong with how an operation takes what is almost right.
pub async fn found(client: &Client, operation: &Operation, things: &Things) -> Vec<String> {
    let Some((media_type, Value::Object(example))) = bodies::body(operation, things) else { return Vec::new() };
    if media_type != "application/json" {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (what, body) in bad(&example) {
        let reply = send(client, operation, things, "application/json", body).await;
        let is_refused = matches!(reply.status, 400 | 422) && reply.header("content-type") == "application/problem+json";
        if !is_refused || reply.text.len() > 10_000 {
            let text: String = reply.text.chars().take(300).collect();
            wrong.push(format!("{} {} ({}) with {what}: {} {text}", operation.method, operation.path, operation.id, reply.status));
        }
    }
    let form = send(client, operation, things, "application/x-www-form-urlencoded", Value::Object(example).to_string().into_bytes()).await;
    if form.status != 415 {
        wrong.push(format!("{} as a form of a page: {} {}", operation.id, form.status, form.text));
    }
    wrong
}
