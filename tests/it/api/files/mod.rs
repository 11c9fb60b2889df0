//! Uploaded spreadsheets: what is taken in and what is not, whose they are, and that nothing is left of what is gone.

mod analyses;
mod broken;
mod questions;
mod uploads;

use std::path::Path;

use datagenie_tests::{Client, Reply, TestApp, until};
use reqwest::Method;

pub(super) const BOUNDARY: &str = "----of-the-tests";

/// A form of these parts: what stands behind `form-data; ` and the content.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend_from_slice(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

async fn post(client: &Client, path: &str, body: Vec<u8>) -> Reply {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    client.send(client.request(Method::POST, path).header("content-type", content_type).body(body)).await
}

/// The form of an upload.
pub(super) fn upload_form(name: &str, content: &[u8]) -> Vec<u8> {
    let disposition = format!("name=\"file\"; filename=\"{}\"", name.replace('"', "\\\""));
    form(&[(&disposition, content)])
}

pub(super) async fn upload(client: &Client, name: &str, content: &[u8]) -> Reply {
    post(client, "/v1/files", upload_form(name, content)).await
}

/// A ZIP archive of empty entries: enough to be told by.
fn archive(names: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names {
        bytes.extend_from_slice(b"PK\x03\x04");
        bytes.extend_from_slice(&[0; 22]);
        bytes.extend_from_slice(&u16::try_from(name.len()).expect("a short name").to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes
}

/// All that lies in file storage, unfinished objects too.
fn objects(app: &TestApp) -> Vec<(String, u64)> {
    fn walk(folder: &Path, found: &mut Vec<(String, u64)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => walk(&entry.path(), found),
                Ok(meta) => found.push((entry.path().display().to_string(), meta.len())),
                Err(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&app.folder().join("files"), &mut found);
    found
}

async fn nothing_is_left(app: &TestApp) {
    until(|| async { objects(app).is_empty().then_some(()) }, "nothing is left in file storage").await;
    let rows: i64 = sqlx::query_scalar("SELECT (SELECT count(*) FROM files) + (SELECT count(*) FROM workbooks)")
        .fetch_one(&app.pool)
        .await
        .expect("the tables are read");
    assert_eq!(rows, 0);
}
