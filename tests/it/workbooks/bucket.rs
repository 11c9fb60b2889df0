//! Files in a bucket of S3 instead of a folder: the same, also when it is away for a while.

use datagenie_tests::{Client, Reply, TestApp, TestBucket, until};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use uuid::Uuid;

use super::fixtures;

const BOUNDARY: &str = "----of-the-tests";
const BY_CITY: &str = r#"SELECT "도시", sum("금액") AS total FROM "주문" JOIN "고객" ON "주문"."고객번호" = "고객"."고객번호" GROUP BY "도시" ORDER BY total DESC"#;

async fn app(bucket: &TestBucket) -> TestApp {
    // Every result goes to a file.
    bucket.of(TestApp::builder().offline().with_setting("query.inline_bytes", "0")).start().await
}

async fn send(client: &Client, name: &str, content: &[u8]) -> Reply {
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    let body = [head.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
    let request = client.request(Method::POST, "/v1/files").header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    client.send(request.body(body)).await
}

async fn analysed(client: &Client, file: Uuid) -> Value {
    let path = format!("/v1/files/{file}/analysis");
    let look = || async {
        let found = client.get_waiting(&path, 5).await;
        (found.body["status"] != "pending").then_some(found.body)
    };
    until(look, "the analysis has ended").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_of_a_file_lies_in_the_bucket_and_goes_with_it() {
    let bucket = TestBucket::make().await;
    let app = app(&bucket).await;
    // Three parts of 5 MiB, the last one smaller.
    let large = b"12345678,abcdefg\n".repeat(700_000);
    let long = send(&app.admin, "long.csv", &large).await.expect(201);
    assert_eq!((&long.body["size"], bucket.objects().await.len(), bucket.unfinished().await), (&json!(large.len()), 1, 0));
    assert_eq!(app.admin.delete(format!("/v1/files/{}", long.id()), None).await.status, 204);
    assert_eq!(bucket.objects().await, [""; 0]);

    let file = send(&app.admin, "매출.xlsx", &fixtures::shop()).await.expect(201).id();
    let _ = app.admin.post(format!("/v1/files/{file}/analysis"), json!({})).await.expect(202);
    let found = analysed(&app.admin, file).await;
    assert_eq!((&found["status"], found["tables"].as_array().map(Vec::len)), (&json!("success"), Some(2)), "{found}");
    let answer = app.admin.answer(json!({ "sql": BY_CITY, "file_id": file })).await;
    assert_eq!((&answer["status"], &answer["rows"]), (&json!("success"), &json!([["서울", 80_000], ["부산", 60_000]])), "{answer}");
    let result = format!("/v1/questions/{}/result", answer["id"].as_str().expect("an id"));
    let csv = app.admin.get(format!("{result}?format=csv"), None).await.expect(200);
    assert!(csv.text.ends_with("서울,80000\r\n부산,60000\r\n"), "{}", csv.text);
    let xlsx = app.admin.get(format!("{result}?format=xlsx"), None).await.expect(200);
    assert!(xlsx.bytes.starts_with(b"PK\x03\x04"));
    let exported = app.admin.get(format!("/v1/files/{file}/analysis?format=csv"), None).await.expect(200);
    let called = exported.header("content-disposition");
    assert_eq!(called, "attachment; filename=\"analysis.csv\"; filename*=UTF-8''%EB%A7%A4%EC%B6%9C-analysis.csv");
    // With hidden sheets it is another content, copied within the bucket.
    let _ = app.admin.post(format!("/v1/files/{file}/analysis"), json!({ "include_hidden": true })).await.expect(202);
    assert_eq!(analysed(&app.admin, file).await["status"], "success");
    let names = |objects: &[String]| objects.iter().filter_map(|path| path.rsplit('/').next().map(str::to_owned)).collect::<Vec<_>>();
    let mut kinds = names(&bucket.objects().await);
    kinds.sort();
    kinds.dedup();
    assert!(["analysis.json", "content", "rows.jsonl", "tables.sqlite"].iter().all(|kind| kinds.iter().any(|k| k == kind)), "{kinds:?}");

    assert_eq!(app.admin.delete(format!("/v1/files/{file}"), None).await.status, 204);
    assert_eq!((bucket.objects().await, bucket.unfinished().await), (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_away_is_told_and_waited_for() {
    let bucket = TestBucket::make().await;
    let app = app(&bucket).await;
    let file = send(&app.admin, "shop.xlsx", &fixtures::shop()).await.expect(201).id();
    let answer = app.admin.answer(json!({ "sql": BY_CITY, "file_id": file })).await;
    assert_eq!(answer["status"], "success", "{answer}");
    let result = format!("/v1/questions/{}/result?format=csv", answer["id"].as_str().expect("an id"));
    let before = bucket.objects().await;

    bucket.proxy.refuse();
    let refused = send(&app.admin, "other.csv", b"a,b\n1,2\n").await;
    refused.problem(503, "unavailable");
    assert_ne!(refused.header("retry-after"), "");
    app.admin.get(&result, None).await.problem(503, "unavailable");
    let waiting = app.admin.post(format!("/v1/files/{file}/analysis"), json!({ "language": "en" })).await.expect(202).id();
    let tried = || async {
        let error = sqlx::query_scalar::<_, Option<Value>>("SELECT error FROM jobs WHERE id = $1").bind(waiting);
        error.fetch_one(&app.pool).await.expect("the job is there")
    };
    let told = until(tried, "the job has met the bucket's absence").await;
    assert!(told["message"].as_str().is_some_and(|message| message.contains("file storage")), "{told}");

    bucket.proxy.allow();
    assert_eq!(analysed(&app.admin, file).await["status"], "success");
    let attempts: i16 =
        sqlx::query_scalar("SELECT attempt FROM jobs WHERE id = $1").bind(waiting).fetch_one(&app.pool).await.expect("the job is there");
    assert_eq!(attempts, 1, "an outage costs no attempt");
    let _ = app.admin.get(&result, None).await.expect(200);
    let _ = send(&app.admin, "other.csv", b"a,b\n1,2\n").await.expect(201);
    let after = bucket.objects().await;
    assert!(before.iter().filter(|path| !path.contains("/tables.") && !path.contains("/analysis.")).all(|path| after.contains(path)));
    assert_eq!(bucket.unfinished().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_breaks_off_leaves_no_parts() {
    let bucket = TestBucket::make().await;
    let app = bucket.of(TestApp::builder().offline().no_worker().no_scheduler()).start().await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.expect("the api takes connections");
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
         Content-Length: 20000000\r\n\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n",
        app.admin.token()
    );
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    stream.write_all(&b"1,2\n".repeat(3_000_000)).await.expect("a part is sent");
    until(|| async { (bucket.unfinished().await == 1).then_some(()) }, "a part is in the bucket").await;
    drop(stream);
    until(|| async { (bucket.unfinished().await == 0).then_some(()) }, "its parts are given up").await;
    assert_eq!(bucket.objects().await, [""; 0]);
}
