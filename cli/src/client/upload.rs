//! Uploads, streamed from files: workbooks as forms, batches as lines.

use std::{
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, stream};
use reqwest::{Body, Method, header};
use serde_json::Value;
use tokio::{fs::File, io::AsyncReadExt as _, task::spawn_blocking};
use uuid::Uuid;

use super::{Client, ClientError};

/// An upload may take as long as a slow line needs.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(3600);
const PIECE: usize = 64 * 1024;

/// What of an upload was not sent yet, in its order.
enum Part {
    Bytes(Vec<u8>),
    Closed(PathBuf),
    /// A file without a name, from this place on. Read by place: one that is sent again may still be read by the sending before.
    Kept(Arc<std::fs::File>, u64),
    Open(File),
}

impl Client {
    /// Uploads a workbook.
    pub async fn upload_file(&self, path: &Path, include_hidden: bool) -> Result<Value, ClientError> {
        let url = self.endpoint("v1/files", &[])?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "upload".to_owned());
        let boundary = format!("datagenie-{}", Uuid::new_v4());
        let key = Uuid::new_v4().to_string();
        let (head, tail) = form(&boundary, &name, include_hidden);
        let response = self
            .persist(|| {
                let parts = vec![Part::Bytes(head.clone()), Part::Closed(path.to_owned()), Part::Bytes(tail.clone())];
                self.stream_request(Method::POST, url.clone())
                    .timeout(UPLOAD_TIMEOUT)
                    .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
                    .header("Idempotency-Key", &key)
                    .body(Body::wrap_stream(pieces(parts)))
            })
            .await?;
        self.json(response, "file").await
    }

    /// Submits a batch: a file of JSON lines, and the options that go with it. The same key makes one batch, however often it is sent.
    pub async fn submit_batch(&self, lines: &Arc<std::fs::File>, options: &[(&str, String)], key: &str) -> Result<Value, ClientError> {
        let url = self.endpoint("v1/batches", options)?;
        let build = || {
            self.stream_request(Method::POST, url.clone())
                .timeout(UPLOAD_TIMEOUT)
                .header(header::CONTENT_TYPE, "application/jsonl")
                .header("Idempotency-Key", key)
                .body(Body::wrap_stream(pieces(vec![Part::Kept(lines.clone(), 0)])))
        };
        let response = self.persist(build).await?;
        match self.json(response, "batch").await {
            // The answer broke off; the batch is there.
            Err(error) if error.is_worth_resending() => self.json(self.persist(build).await?, "batch").await,
            read => read,
        }
    }
}

/// What stands before and after the file's bytes in a form (RFC 7578; names are written as browsers do).
fn form(boundary: &str, name: &str, include_hidden: bool) -> (Vec<u8>, Vec<u8>) {
    let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let mut head = String::new();
    if include_hidden {
        head.push_str(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\"include_hidden\"\r\n\r\ntrue\r\n"));
    }
    head.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    ));
    (head.into_bytes(), format!("\r\n--{boundary}--\r\n").into_bytes())
}

fn read_piece(file: &std::fs::File, at: u64) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; PIECE];
    let read = file.read_at(&mut piece, at)?;
    piece.truncate(read);
    Ok(piece)
}

/// The bytes of all parts, one after the other. A file is opened when its turn comes, and never whole in memory.
fn pieces(parts: Vec<Part>) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    let mut parts = parts;
    parts.reverse();
    stream::try_unfold(parts, |mut left| async move {
        loop {
            let mut file = match left.pop() {
                None => return Ok(None),
                Some(Part::Bytes(bytes)) => return Ok(Some((bytes, left))),
                Some(Part::Closed(path)) => File::open(path).await?,
                Some(Part::Kept(file, at)) => {
                    let from = file.clone();
                    let piece = spawn_blocking(move || read_piece(&from, at)).await??;
                    if piece.is_empty() {
                        continue;
                    }
                    left.push(Part::Kept(file, at + piece.len() as u64));
                    return Ok(Some((piece, left)));
                }
                Some(Part::Open(file)) => file,
            };
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await?;
            if read > 0 {
                piece.truncate(read);
                left.push(Part::Open(file));
                return Ok(Some((piece, left)));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_form_is_the_file_between_its_boundaries() {
        let path = std::env::temp_dir().join(format!("datagenie-upload-{}", Uuid::new_v4()));
        let content = vec![b'x'; PIECE + 10];
        std::fs::write(&path, &content).expect("a temporary file");
        let (head, tail) = form("B", "매출 \"1\".xlsx", true);
        let text = String::from_utf8_lossy(&head).into_owned();
        assert!(text.starts_with("--B\r\nContent-Disposition: form-data; name=\"include_hidden\"\r\n\r\ntrue\r\n--B\r\n"), "{text}");
        assert!(text.contains("filename=\"매출 %221%22.xlsx\""), "{text}");
        let parts = vec![Part::Bytes(head.clone()), Part::Closed(path.clone()), Part::Bytes(tail.clone())];
        let sent: Vec<Vec<u8>> = pieces(parts).try_collect().await.expect("the file is read");
        assert_eq!(sent.concat(), [head, content, tail].concat());
        std::fs::remove_file(&path).expect("the temporary file goes");
    }

    #[tokio::test]
    async fn a_kept_file_is_sent_from_its_beginning_each_time() {
        let path = std::env::temp_dir().join(format!("datagenie-kept-{}", Uuid::new_v4()));
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).expect("a temporary file");
        std::fs::remove_file(&path).expect("it has no name");
        let file = Arc::new(file);
        io::Write::write_all(&mut &*file, b"lines").expect("it is written");
        for _ in 0..2 {
            let sent: Vec<Vec<u8>> = pieces(vec![Part::Kept(file.clone(), 0)]).try_collect().await.expect("the file is read");
            assert_eq!(sent.concat(), b"lines");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_gone_breaks_the_upload_off() {
        let sent: io::Result<Vec<Vec<u8>>> = pieces(vec![Part::Closed(PathBuf::from("no-such-folder/x"))]).try_collect().await;
        assert!(sent.is_err());
    }
}
