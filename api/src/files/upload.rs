//! `POST /v1/files`.

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    files::kind::{self, FileKind},
    ids::FileId,
    store::{
        audit::{self, Entry},
        files::{self, File, NewContent, NewFile},
    },
};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    FileView,
    draft::Draft,
    owned,
    receive::{Received, receive},
};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Idempotency, Query},
    frame::Framed,
    idempotency,
};

/// The route. Its body has a limit of its own, kept while it streams.
pub fn route() -> UtoipaMethodRouter<App> {
    let (schemas, paths, methods) = routes!(upload_file);
    (schemas, paths, methods.layer(DefaultBodyLimit::disable()))
}

/// `?include_hidden=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UploadQuery {
    /// The same as the form's field.
    include_hidden: Option<bool>,
}

/// The form.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is there for the document: the form is read as it comes")]
struct UploadForm {
    /// The workbook: xlsx, xlsm, xlsb, xls, ods, csv or tsv, told by its content.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `true`: hidden sheets are read too.
    include_hidden: Option<bool>,
}

/// Uploads a spreadsheet.
///
/// The same content again is a new file, and costs neither room nor another analysis. Analyse it with `POST /v1/files/{id}/analysis`, or ask
/// it at once by `file_id` of a question.
#[utoipa::path(
    post, path = "/v1/files", tag = "files", request_body(content = UploadForm, content_type = "multipart/form-data"),
    params(UploadQuery, ("Idempotency-Key" = Option<String>, Header, description = "The same key and content gives the same file")),
    responses(
        (status = 201, description = "Stored", body = FileView, headers(("Location" = String, description = "The file"))),
        (status = 400, description = "The form breaks off, or is none", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 408, description = "Nothing came for too long", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 413, description = "The file is larger than `files.max_size_mb`", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no form, or the file is of a kind that is not read (`unsupported_format`)", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 429, description = "As many uploads of yours are under way as may be (`files.uploads_per_user`), or too much else at once", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 503, description = "As many uploads are under way as may be (`files.uploads`), or database or file storage do not answer", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 507, description = "There is no room for it", body = crate::error::Problem, content_type = "application/problem+json")
    )
)]
async fn upload_file(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<Response> {
    let _place = app.uploads.enter(caller.user_id)?;
    let headers = request.headers().clone();
    let mut draft = Draft::new(&app);
    let received = receive(&app, request, draft.path()).await?;
    if !headers.contains_key(axum::http::header::CONTENT_LENGTH) {
        app.limits.uploaded(&app, &caller, received.size).await;
    }
    let include_hidden = match (query.include_hidden, received.include_hidden) {
        (Some(one), Some(other)) if one != other => {
            return Err(ApiError::field("include_hidden", "is sent twice with different values; send it once"));
        }
        (one, other) => one.or(other).unwrap_or(false),
    };
    let looked_at = kind::of_content(&app.files, draft.path(), received.size, &received.head).await;
    let kind = looked_at?.map_err(|what| unsupported(&what))?;
    let name = received.name.clone().unwrap_or_else(|| format!("upload.{kind}"));
    let hidden = if include_hidden { "hidden" } else { "" };
    let key = Idempotency::of_parts(&app, &headers, &["/v1/files", &received.sha256, &name, hidden])?;
    let file = record(&app, &framed, &caller, &mut draft, &Upload { received, kind, name, include_hidden, key }).await?;
    created(file)
}

struct Upload {
    received: Received,
    kind: FileKind,
    name: String,
    include_hidden: bool,
    key: Idempotency,
}

async fn record(app: &App, framed: &Framed, caller: &Caller, draft: &mut Draft, upload: &Upload) -> Result<File> {
    let (id, path) = (FileId::new(), draft.path().to_string());
    let content = NewContent {
        workbook_id: draft.workbook,
        kind: upload.kind.as_str(),
        size: i64::try_from(upload.received.size).unwrap_or(i64::MAX),
        sha256: &upload.received.sha256,
        include_hidden: upload.include_hidden,
        path: &path,
    };
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, caller, &upload.key, id.0).await? {
        tx.rollback().await?;
        return owned(app, caller, FileId(earlier)).await;
    }
    let file = files::insert(&mut tx, &NewFile { id, user_id: caller.user_id, name: &upload.name, content }).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "file.uploaded",
        resource_type: "file",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "kind": file.kind, "size": file.size, "sha256": file.sha256 }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    draft.keep();
    tx.commit().await?;
    if file.workbook_id != draft.workbook.0 {
        draft.is_superfluous();
    }
    Ok(file)
}

fn unsupported(what: &str) -> ApiError {
    let detail = format!("the file seems to be {what}; xlsx, xlsm, xlsb, xls (since 97), ods, csv and tsv are read");
    ApiError::new(Code::UnsupportedFormat, detail)
}

fn created(file: File) -> Result<Response> {
    let location = HeaderValue::from_str(&format!("/v1/files/{}", file.id)).map_err(|error| ApiError::internal(&error))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(FileView::from(file))).into_response())
}
