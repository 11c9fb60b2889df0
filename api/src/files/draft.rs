//! A content in file storage that no row names yet.

use datagenie_common::{
    files::{Files, FilesError, ObjectPath, ObjectPrefix},
    ids::WorkbookId,
    lifecycle,
};

use crate::{
    app::App,
    error::{ApiError, Code, Result},
};

/// A place for a content. What lies there when this is dropped is deleted, unless it was kept: whatever ends an upload in the middle, a
/// client that goes away included, leaves nothing behind.
pub(super) struct Draft {
    files: Files,
    pub workbook: WorkbookId,
    is_kept: bool,
}

impl Draft {
    /// An empty place.
    pub fn new(app: &App) -> Self {
        Self { files: app.files.clone(), workbook: WorkbookId::new(), is_kept: false }
    }

    /// A place with the content of a workbook.
    pub async fn copy_of(app: &App, workbook: WorkbookId) -> Result<Self> {
        let draft = Self::new(app);
        app.files.copy(ObjectPath::Content { workbook }, draft.path()).await.map_err(|error| match error {
            FilesError::NotFound(_) => ApiError::new(Code::Gone, "the content of this file is gone from storage; upload it again"),
            error => error.into(),
        })?;
        Ok(draft)
    }

    /// Where the content lies.
    pub fn path(&self) -> ObjectPath {
        ObjectPath::Content { workbook: self.workbook }
    }

    /// Leaves the content to a row. Said before the commit: one whose outcome is unknown may have happened, and what it has not named is
    /// swept later.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    /// The row is of another content, the same as this.
    pub fn is_superfluous(&mut self) {
        self.is_kept = false;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (files, workbook) = (self.files.clone(), self.workbook);
        lifecycle::spawn("files.discard", async move {
            if let Err(error) = files.delete_prefix(ObjectPrefix::Workbook(workbook)).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "an upload that came to nothing is left behind");
            }
        });
    }
}
