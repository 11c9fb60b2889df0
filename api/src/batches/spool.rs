//! An upload on its way in: to a temporary file without a name, which goes with its last handle, however the process ends. So neither a long
//! upload nor a slow one holds memory or a transaction.

use std::{
    fs::File,
    io::{self, BufReader, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    time::Duration,
};

use axum::{
    extract::Request,
    http::{HeaderMap, header},
};
use datagenie_common::batches::{Form, Pieces};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout},
};
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Code, Result},
};

const MIB: u64 = 1_048_576;
/// So much more than allowed is read and dropped: who is not far from done gets an answer, and no broken connection.
const DRAINED: u64 = 16 * MIB;
/// Bytes read at once.
const BLOCK: usize = 64 * 1024;

/// A whole upload.
pub(super) struct Spool {
    file: File,
    form: Form,
    /// SHA-256 of it, in hex.
    pub sha256: String,
}

/// How the upload is written, by its `Content-Type`.
///
/// # Errors
/// 415 for any other, and for a packed one.
pub(super) fn form_of(headers: &HeaderMap) -> Result<Form> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.into_iter().any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        let detail = "the body is packed (Content-Encoding), which is not taken: send it as it is";
        return Err(ApiError::new(Code::UnsupportedMediaType, detail));
    }
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Ok(Form::Json),
        "application/jsonl" | "application/x-ndjson" | "application/ndjson" | "application/x-jsonlines" => Ok(Form::Lines),
        _ => Err(ApiError::new(
            Code::UnsupportedMediaType,
            "the Content-Type must be application/json, application/jsonl or application/x-ndjson",
        )),
    }
}

/// Takes the body in.
///
/// # Errors
/// 413 for one that is too long, 408 where nothing comes for too long, 400 where it breaks off.
pub(super) async fn receive(app: &App, request: Request, form: Form) -> Result<Spool> {
    let limit = app.settings.limits.batch_mb.saturating_mul(MIB);
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit.saturating_add(DRAINED)) {
        return Err(too_large(limit));
    }
    let patience = app.settings.api.slow_client();
    let mut body = request.into_body().into_data_stream();
    let mut file = tokio::fs::File::from_std(temporary().map_err(|error| ApiError::of_files(&error))?);
    let (mut hash, mut received) = (Sha256::new(), 0_u64);
    let (longest, began) = (app.settings.files.upload_time(), Instant::now());
    while let Some(bytes) = timeout(patience, body.next()).await.map_err(|_| stalled(patience))? {
        if began.elapsed() > longest {
            let detail = format!("the upload took longer than {} s (files.upload_seconds), so it was given up", longest.as_secs());
            return Err(ApiError::new(Code::UploadStalled, detail));
        }
        let bytes = bytes.map_err(|_| ApiError::new(Code::InvalidJson, "the body could not be read to its end"))?;
        received = received.saturating_add(bytes.len() as u64);
        if received > limit.saturating_add(DRAINED) {
            return Err(too_large(limit));
        }
        if received <= limit {
            hash.update(&bytes);
            file.write_all(&bytes).await.map_err(|error| ApiError::of_files(&error))?;
        }
    }
    if received > limit {
        return Err(too_large(limit));
    }
    file.flush().await.map_err(|error| ApiError::of_files(&error))?;
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Spool { file: file.into_std().await, form, sha256 })
}

impl Spool {
    /// The upload from its beginning, piece by piece; for a thread that may wait for the disk. One reader at a time.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn pieces(&self) -> io::Result<Pieces<BufReader<File>>> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Pieces::of(self.form, BufReader::with_capacity(BLOCK, file)))
    }
}

fn temporary() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("datagenie-batch-{}", Uuid::new_v4().simple()));
    let mut options = File::options();
    // Questions are nobody else's on this machine.
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn too_large(limit: u64) -> ApiError {
    let detail = format!("the batch is larger than {} MiB, the most that this service takes (limits.batch_mb); split it", limit / MIB);
    ApiError::new(Code::BodyTooLarge, detail)
}

fn stalled(patience: Duration) -> ApiError {
    let detail = format!("nothing came for {} s (api.slow_client_seconds), so the upload was given up; send it again", patience.as_secs());
    ApiError::new(Code::UploadStalled, detail)
}
