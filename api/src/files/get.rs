//! `GET /v1/files/{id}`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::ids::FileId;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{FileView, owned};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Id, etagged},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_file)
}

/// An uploaded file of the caller.
#[utoipa::path(
    get, path = "/v1/files/{id}", tag = "files", params(("id" = uuid::Uuid, Path, description = "The file")),
    responses((status = 200, description = "The file", body = FileView), (status = 304, description = "As the caller has it"))
)]
async fn get_file(State(app): State<App>, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let file = owned(&app, &caller, FileId(id)).await?;
    etagged(StatusCode::OK, &headers, &FileView::from(file))
}
