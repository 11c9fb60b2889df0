//! Takes an upload in: from the form, piece by piece, into file storage, with its hash.

use std::{future::Future, time::Duration};

use axum::{
    body::Body,
    extract::{
        FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::header,
};
use datagenie_common::files::{FileWriter, ObjectPath, kind::HEAD_BYTES};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{
    names,
    paced::{Lead, Paced},
};
use crate::{
    app::App,
    error::{ApiError, Code, Result},
};

const MIB: u64 = 1_048_576;
/// So much more than allowed is read and dropped: who is not far from done gets an answer, and no broken connection.
const DRAINED: u64 = 16 * MIB;
/// The longest text of a field that is no file.
const LONGEST_TEXT: usize = 16;

/// What was taken in.
pub(super) struct Received {
    /// What it is called, if it has a name.
    pub name: Option<String>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
    /// Its first bytes.
    pub head: Vec<u8>,
    /// The form's own field, if it has one.
    pub include_hidden: Option<bool>,
}

struct Stored {
    name: Option<String>,
    size: u64,
    sha256: String,
    head: Vec<u8>,
}

/// Reads the form and stores its file at this place.
///
/// # Errors
/// 413 for a file that is too large, 408 where nothing comes for too long or it takes too long, 503 and 507 where it can't be stored, 400 and 415 for what is no form, 422 for its fields.
pub(super) async fn receive(app: &App, request: Request, to: ObjectPath) -> Result<Received> {
    let most = app.settings.files.upload_time();
    // Who sends a byte now and then is never silent for long, and would hold a place for days.
    timeout(most, form(app, request, to)).await.unwrap_or_else(|_| {
        let detail = format!("the upload took longer than {} s (files.upload_seconds), so it was given up", most.as_secs());
        Err(ApiError::new(Code::UploadStalled, detail))
    })
}

async fn form(app: &App, request: Request, to: ObjectPath) -> Result<Received> {
    let mut form = Form::of(app, request).await?;
    let (mut stored, mut include_hidden) = (None, None);
    while let Some(field) = within(form.patience, form.parts.next_field()).await?.map_err(unreadable)? {
        form.lead.caught_up();
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" if stored.is_none() => {
                let writer = app.files.writer(to);
                stored = Some(store(field, writer, form.limit, form.patience, &form.lead).await?);
            }
            "include_hidden" if include_hidden.is_none() => include_hidden = Some(flag(field, form.patience, &form.lead).await?),
            "file" | "include_hidden" => return Err(ApiError::field(name, "is there more than once; one upload is one file")),
            _ => {
                let name: String = name.chars().take(100).collect();
                return Err(ApiError::field(name, "is no field of an upload: send `file`, and perhaps `include_hidden`"));
            }
        }
    }
    let Stored { name, size, sha256, head } =
        stored.ok_or_else(|| ApiError::field("file", "is missing: send the workbook in a field of this name"))?;
    Ok(Received { name, size, sha256, head, include_hidden })
}

struct Form {
    parts: Multipart,
    lead: Lead,
    limit: u64,
    patience: Duration,
}

impl Form {
    async fn of(app: &App, request: Request) -> Result<Self> {
        let limit = app.live_settings.get().files.max_size_mb.saturating_mul(MIB);
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit.saturating_add(DRAINED)) {
            return Err(too_large(limit));
        }
        let lead = Lead::default();
        let paced = request.map(|body| Body::from_stream(Paced::new(body.into_data_stream(), lead.clone())));
        let parts = Multipart::from_request(paced, &()).await.map_err(|_| {
            ApiError::new(
                Code::UnsupportedMediaType,
                "the Content-Type must be multipart/form-data with a boundary, as forms and `curl -F` send it",
            )
        })?;
        Ok(Self { parts, lead, limit, patience: app.settings.api.slow_client() })
    }
}

async fn store(mut field: Field<'_>, mut writer: FileWriter, limit: u64, patience: Duration, lead: &Lead) -> Result<Stored> {
    let name = field.file_name().and_then(names::shown);
    match copy(&mut field, &mut writer, limit, patience, lead).await {
        Ok((sha256, head)) => {
            let size = writer.finish().await?;
            Ok(Stored { name, size, sha256, head })
        }
        Err(error) => {
            if let Err(left) = writer.abort().await {
                tracing::warn!(error = &left as &dyn std::error::Error, "a part of an upload is left behind");
            }
            Err(error)
        }
    }
}

async fn copy(field: &mut Field<'_>, writer: &mut FileWriter, limit: u64, patience: Duration, lead: &Lead) -> Result<(String, Vec<u8>)> {
    let (mut hash, mut head) = (Sha256::new(), Vec::new());
    while let Some(bytes) = within(patience, field.chunk()).await?.map_err(unreadable)? {
        lead.caught_up();
        if writer.written().saturating_add(length(&bytes)) > limit {
            drain(field, patience, lead).await;
            return Err(too_large(limit));
        }
        hash.update(&bytes);
        let wanted = HEAD_BYTES.saturating_sub(head.len()).min(bytes.len());
        head.extend_from_slice(&bytes[..wanted]);
        if let Err(error) = writer.write(bytes.into()).await {
            // Who is still sending would not hear what is wrong.
            drain(field, patience, lead).await;
            return Err(error.into());
        }
    }
    let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((digest, head))
}

async fn drain(field: &mut Field<'_>, patience: Duration, lead: &Lead) {
    let mut drained = 0;
    while drained < DRAINED {
        match timeout(patience, field.chunk()).await {
            Ok(Ok(Some(bytes))) => drained += length(&bytes),
            _ => return,
        }
        lead.caught_up();
    }
}

async fn flag(mut field: Field<'_>, patience: Duration, lead: &Lead) -> Result<bool> {
    let mut text = Vec::new();
    while let Some(bytes) = within(patience, field.chunk()).await?.map_err(unreadable)? {
        lead.caught_up();
        text.extend_from_slice(&bytes);
        if text.len() > LONGEST_TEXT {
            break;
        }
    }
    match text.trim_ascii() {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(ApiError::field("include_hidden", "must be true or false")),
    }
}

async fn within<T>(patience: Duration, next: impl Future<Output = T>) -> Result<T> {
    timeout(patience, next).await.map_err(|_| {
        let detail =
            format!("nothing came for {} s (api.slow_client_seconds), so the upload was given up; send it again", patience.as_secs());
        ApiError::new(Code::UploadStalled, detail)
    })
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn too_large(limit: u64) -> ApiError {
    let detail = format!("the file is larger than {} MiB, the most that this service takes (files.max_size_mb); split it", limit / MIB);
    ApiError::new(Code::BodyTooLarge, detail)
}

fn unreadable(error: MultipartError) -> ApiError {
    let mut detail = error.body_text();
    let mut source: Option<&dyn std::error::Error> = std::error::Error::source(&error).and_then(std::error::Error::source);
    while let Some(deeper) = source {
        detail = deeper.to_string();
        source = deeper.source();
    }
    ApiError::new(Code::InvalidMultipart, format!("the upload broke off or is no form: {detail}"))
}
