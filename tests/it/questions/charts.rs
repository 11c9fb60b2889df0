//! Pictures: drawn on the first request, then stored.

use datagenie_tests::TestApp;
use serde_json::{Value, json};

use super::{BY_CHANNEL, Shop, assert_success};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_is_drawn_as_svg_and_png() {
    let shop = Shop::sqlite_of(TestApp::builder().offline().start().await).await;
    let answer = shop.run(BY_CHANNEL).await;
    assert_success(&answer);
    let url = |form: &str| answer["chart"][form].as_str().expect("the chart has a picture").to_owned();
    let svg = shop.app.admin.get(url("svg_url"), None).await.expect(200);
    assert_eq!(svg.header("content-type"), "image/svg+xml");
    assert!(svg.header("content-security-policy").contains("default-src 'none'"));
    assert!(svg.text.contains("<svg") && svg.text.contains("web"), "{}", svg.text);
    assert!(!svg.text.contains("<script"));
    let again = shop.app.admin.get(url("svg_url"), None).await.expect(200);
    assert_eq!(svg.bytes, again.bytes, "the stored picture is the drawn one");
    let png = shop.app.admin.get(url("png_url"), None).await.expect(200);
    assert_eq!((png.header("content-type"), &png.bytes[..8]), ("image/png", b"\x89PNG\r\n\x1a\n".as_slice()));
    assert!(png.bytes.len() > 2_000, "{} bytes", png.bytes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_picture_says_so() {
    let shop = Shop::sqlite_of(TestApp::builder().offline().start().await).await;
    let table = shop.run("SELECT name, email FROM customers ORDER BY id").await;
    assert_success(&table);
    assert_eq!((&table["chart"]["type"], &table["chart"]["svg_url"]), (&json!("table"), &Value::Null), "{}", table["chart"]);
    let path = format!("/v1/questions/{}", table["id"].as_str().unwrap_or_default());
    shop.app.admin.get(format!("{path}/chart.svg"), None).await.problem(404, "not_found");
    let refused = shop.run("DROP TABLE orders").await;
    let path = format!("/v1/questions/{}", refused["id"].as_str().unwrap_or_default());
    shop.app.admin.get(format!("{path}/chart.png"), None).await.problem(409, "not_answered");
}
