//! Sharing: who may read a question, or what was found in a file, besides its owner. It gives no permission on a connection: what a
//! reader sees of an answer, his own permissions decide ([`crate::questions::reading`]). The uploaded file stays its owner's alone.

pub mod delete;
pub mod list;
pub mod put;

use chrono::{DateTime, Utc};
use datagenie_common::store::{
    audit::Entry,
    shares::{self, Share, Shared},
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
};

/// Somebody who may read what is shared.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ShareView {
    /// Who.
    pub user_id: Uuid,
    /// His name.
    pub username: String,
    /// Who let him; null: a user who is gone.
    pub shared_by: Option<Uuid>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        Self { user_id: share.user_id.0, username: share.username, shared_by: share.shared_by, created_at: share.created_at }
    }
}

/// What only its owner or an administrator may share; who comes by a key is one if it has the scope `admin`.
///
/// # Errors
/// 404 for all others.
async fn check(app: &App, caller: &Caller, what: Shared) -> Result<()> {
    let unknown = || ApiError::not_found(word(what));
    let (owner, connection) = shares::owner(&app.pool, what).await?.ok_or_else(unknown)?;
    if (owner != caller.user_id && !caller.administers()) || !caller.may_see(connection) {
        return Err(unknown());
    }
    Ok(())
}

fn word(what: Shared) -> &'static str {
    match what {
        Shared::Question(_) => "question",
        Shared::Analysis(_) => "file",
    }
}

fn entry<'a>(caller: &Caller, what: Shared, shared: bool, reader: Uuid) -> Entry<'a> {
    let (action, resource_type) = match (what, shared) {
        (Shared::Question(_), true) => ("question.shared", "question"),
        (Shared::Question(_), false) => ("question.unshared", "question"),
        (Shared::Analysis(_), true) => ("analysis.shared", "file"),
        (Shared::Analysis(_), false) => ("analysis.unshared", "file"),
    };
    Entry {
        user_id: Some(caller.user_id),
        action,
        resource_type,
        resource_id: Some(what.id().to_string()),
        success: true,
        details: json!({ "user_id": reader }),
    }
}
