//! What is taken in, and whose it is.

use datagenie_tests::{TestApp, until};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::{archive, form, nothing_is_left, objects, post, upload};

/// Of `a,b\n1,2\n`.
const SHA256: &str = "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470";

async fn app() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workbook_is_stored_under_the_kind_of_its_content() {
    let app = app().await;
    let alice = app.client("alice").await;
    let first = upload(&alice, "매출.pdf", b"a,b\n1,2\n").await.expect(201);
    assert_eq!(first.header("location"), format!("/v1/files/{}", first.id()));
    assert_eq!(first.body["sha256"], SHA256);
    assert_eq!((&first.body["name"], &first.body["kind"], &first.body["size"]), (&json!("매출.pdf"), &json!("csv"), &json!(8)));
    assert_eq!((&first.body["include_hidden"], &first.body["analysed"]), (&json!(false), &json!(false)));
    let utf16: Vec<u8> = [b"\xff\xfe".to_vec(), "이름\t값\n가\t1\n".encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
    for (name, content, kind) in [
        ("a.csv", utf16, "tsv"),
        ("a.csv", archive(&["[Content_Types].xml", "xl/workbook.xml"]), "xlsx"),
        ("a", archive(&["xl/workbook.bin"]), "xlsb"),
        ("b.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and nothing more".to_vec(), "xls"),
    ] {
        assert_eq!(upload(&alice, name, &content).await.expect(201).body["kind"], kind, "{name}");
    }
    let listed = alice.get("/v1/files?limit=3", None).await.expect(200).body;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(3));
    let cursor = listed["next_cursor"].as_str().expect("there is more");
    let rest = alice.get(format!("/v1/files?limit=3&cursor={cursor}"), None).await.expect(200).body;
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next_cursor"]), (Some(2), &json!(null)));
    let shown = alice.get(format!("/v1/files/{}", first.id()), None).await.expect(200);
    assert_eq!(shown.body, first.body);
    let unchanged = alice.request(Method::GET, format!("/v1/files/{}", first.id())).header("if-none-match", shown.header("etag"));
    let _ = alice.send(unchanged).await.expect(304);
    let audited: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = 'file.uploaded' AND user_id = $1")
        .bind(alice.user_id)
        .fetch_one(&app.pool)
        .await
        .expect("the log is read");
    assert_eq!(audited, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_workbook_is_refused_by_its_content() {
    let app = app().await;
    let alice = app.client("alice").await;
    let binary: Vec<u8> = (0..=255).cycle().take(4_096).collect();
    for (content, what) in [
        (b"%PDF-1.7\n...".to_vec(), "a PDF document"),
        (b"<!DOCTYPE html><table><tr><td>1</td></tr></table>".to_vec(), "an HTML page"),
        (b"[{\"a\": 1}]".to_vec(), "a JSON document"),
        (archive(&["[Content_Types].xml", "word/document.xml"]), "a Word document"),
        (archive(&["readme.txt"]), "a ZIP archive"),
        (binary, "binary data"),
        (Vec::new(), "an empty file"),
    ] {
        let refused = upload(&alice, "sheet.xlsx", &content).await;
        let detail = refused.problem(415, "unsupported_format")["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(what), "{detail}");
    }
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_content_is_kept_once_for_each_owner() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("files.uploads_per_user", "6").start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let sends = (0..6).map(|n| {
        let alice = alice.clone();
        async move { upload(&alice, &format!("{n}.csv"), b"a,b\n1,2\n").await.expect(201).id() }
    });
    let mut ids = futures::future::join_all(sends).await;
    let one = || async { (objects(&app).len() == 1).then_some(()) };
    until(one, "one content is kept").await;
    let workbooks =
        || async { sqlx::query_scalar::<_, i64>("SELECT count(*) FROM workbooks").fetch_one(&app.pool).await.expect("the table is read") };
    assert_eq!(workbooks().await, 1);
    ids.push(upload(&bob, "a.csv", b"a,b\n1,2\n").await.expect(201).id());
    assert_eq!(workbooks().await, 2, "another owner's is another content");
    let hidden = form(&[("name=\"include_hidden\"", b"true"), ("name=\"file\"; filename=\"h.csv\"", b"a,b\n1,2\n")]);
    let hidden = post(&alice, "/v1/files", hidden).await.expect(201);
    assert_eq!((workbooks().await, &hidden.body["include_hidden"]), (3, &json!(true)), "so is one read with hidden sheets");

    for id in &ids[..5] {
        let _ = alice.delete(format!("/v1/files/{id}"), None).await.expect(204);
    }
    assert_eq!(objects(&app).len(), 3, "the content stays while a file is of it");
    for (client, id) in [(&alice, ids[5]), (&bob, ids[6]), (&alice, hidden.id())] {
        let _ = client.delete(format!("/v1/files/{id}"), None).await.expect(204);
        client.get(format!("/v1/files/{id}"), None).await.problem(404, "not_found");
    }
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_shown_and_never_a_path() {
    let app = app().await;
    let alice = app.client("alice").await;
    for (given, shown) in [
        ("../../../etc/passwd", "passwd"),
        ("C:\\data\\report.xlsx", "report.xlsx"),
        ("a\u{202e}vsc.exe", "avsc.exe"),
        ("..", "upload.csv"),
        ("'; DROP TABLE files; --.csv", "'; DROP TABLE files; --.csv"),
        ("<script>alert(1)<", "<script>alert(1)<"),
    ] {
        assert_eq!(upload(&alice, given, b"a,b\n1,2\n").await.expect(201).body["name"], shown, "{given:?}");
    }
    let nameless = post(&alice, "/v1/files", form(&[("name=\"file\"", b"a,b\n1,2\n")])).await.expect(201);
    assert_eq!(nameless.body["name"], "upload.csv");
    let long = upload(&alice, &"가".repeat(300), b"a,b\n1,2\n").await.expect(201);
    assert_eq!(long.body["name"].as_str().map(|name| name.chars().count()), Some(255));
    for (path, _) in objects(&app) {
        assert!(path.contains("/files/workbooks/") && path.ends_with("/content"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_its_owners_alone() {
    let app = app().await;
    let (alice, bob, viewer) = (app.client("alice").await, app.client("bob").await, app.client("viewer-vera").await);
    let id = upload(&alice, "a.csv", b"a,b\n1,2\n").await.expect(201).id();
    for client in [&bob, &app.admin] {
        for (method, template) in [
            (Method::GET, "/v1/files/{}"),
            (Method::DELETE, "/v1/files/{}"),
            (Method::POST, "/v1/files/{}/analysis"),
            (Method::GET, "/v1/files/{}/analysis"),
            (Method::GET, "/v1/files/{}/analysis/charts/0.svg"),
        ] {
            let call = |id: Uuid| client.send(client.request(method.clone(), template.replace("{}", &id.to_string())));
            let (foreign, unknown) = (call(id).await, call(Uuid::now_v7()).await);
            foreign.problem(404, "not_found");
            unknown.problem(404, "not_found");
            assert_eq!(
                super::super::without_request_id(&foreign.body),
                super::super::without_request_id(&unknown.body),
                "{method} {template}"
            );
        }
        assert_eq!(client.get("/v1/files", None).await.expect(200).body["items"], json!([]));
    }
    upload(&viewer, "a.csv", b"a,b\n1,2\n").await.problem(403, "permission_denied");
    viewer.delete(format!("/v1/files/{id}"), None).await.problem(403, "permission_denied");
    assert_eq!(viewer.get("/v1/files", None).await.expect(200).body["items"], json!([]));
    let _ = alice.get(format!("/v1/files/{id}"), None).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_sent_again_with_its_key_is_one_file() {
    let app = app().await;
    let alice = app.client("alice").await;
    let send = |content: &'static [u8]| {
        let body = form(&[("name=\"file\"; filename=\"a.csv\"", content)]);
        let request = alice.request(Method::POST, "/v1/files").header("idempotency-key", "k");
        alice.send(request.header("content-type", format!("multipart/form-data; boundary={}", super::BOUNDARY)).body(body))
    };
    let first = send(b"a,b\n1,2\n").await.expect(201);
    let again = send(b"a,b\n1,2\n").await.expect(201);
    assert_eq!((again.id(), again.header("location")), (first.id(), first.header("location")));
    send(b"a,b\n3,4\n").await.problem(422, "idempotency_key_reused");
    let one = || async { (objects(&app).len() == 1).then_some(()) };
    until(one, "one content is kept").await;
}
