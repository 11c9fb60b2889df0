//! `DELETE /v1/files/{id}`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    files::{ObjectPath, ObjectPrefix},
    ids::{FileId, WorkbookId},
    store::{
        audit::{self, Entry},
        files::{self, Removed},
        ledger::cancel::Cancelled,
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{owned, stored};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Id,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(delete_file)
}

/// Deletes a file and all that came of it: its content, its analyses, the questions that were asked of it and their answers. What still
/// runs is asked to stop.
#[utoipa::path(delete, path = "/v1/files/{id}", tag = "files", params(("id" = uuid::Uuid, Path, description = "The file")), responses((status = 204, description = "Deleted")))]
async fn delete_file(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<StatusCode> {
    let file = owned(&app, &caller, FileId(id)).await?;
    let known = files::newest(&app.pool, caller.user_id, FileId(id)).await?;
    let mut tx = app.pool.begin().await?;
    let Some(removed) = files::remove(&mut tx, caller.user_id, FileId(id)).await? else { return Err(ApiError::not_found("file")) };
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "file.deleted",
        resource_type: "file",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "sha256": file.sha256, "questions": removed.questions, "content": removed.workbook.is_some() }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    for (job, stopped) in &removed.stopped {
        match stopped {
            Cancelled::AtOnce(ended) => app.live.ended(ended),
            _ => app.live.cancel(*job),
        }
    }
    if let Some(known) = known {
        stored::forget(&app, &caller, &known).await;
    }
    remove_objects(&app, &removed).await;
    Ok(StatusCode::NO_CONTENT)
}

// What can't be deleted now belongs to nothing any more, and is swept later.
async fn remove_objects(app: &App, removed: &Removed) {
    if let Some(workbook) = removed.workbook {
        remove_content(app, workbook).await;
    }
    for path in removed.objects.iter().filter_map(|path| path.parse::<ObjectPath>().ok()) {
        if let Err(error) = app.files.delete(path).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an object of a deleted file is left behind");
        }
    }
}

/// Deletes a content whose row is gone, with all that was made of it.
pub(super) async fn remove_content(app: &App, workbook: WorkbookId) {
    if let Err(error) = app.files.delete_prefix(ObjectPrefix::Workbook(workbook)).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the content of a deleted file is left behind");
    }
}
