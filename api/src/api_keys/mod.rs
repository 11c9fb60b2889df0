//! API keys of the caller.

pub mod create;
pub mod get;
pub mod list;
pub mod revoke;
pub mod update;

use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{ApiKeyId, UserId},
    store::api_keys::{self, ApiKey},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{app::App, error::Result, limits::shown::LimitSet};

/// A key as shown: never the key itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ApiKeyView {
    /// Its id.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// `read`, `ask`, `manage`, `admin`.
    #[schema(value_type = Vec<crate::openapi::words::Scope>)]
    pub scopes: Vec<String>,
    /// The connections it may use; null: all of its owner's.
    pub connections: Option<Vec<Uuid>>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// What may be used up by it alone, besides its owner's limits; null: nothing is limited of it alone.
    pub limits: LimitSet,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.0,
            name: key.name,
            prefix: key.prefix,
            scopes: key.scopes,
            connections: key.connections,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            limits: key.limits.0.into(),
            created_at: key.created_at,
        }
    }
}

/// A key of this user that is not revoked: where the list is as short as one and begins with it, it is the one.
async fn find(app: &App, owner: UserId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let next = ApiKeyId(Uuid::from_u128(id.0.as_u128().saturating_add(1)));
    let found = api_keys::list(&app.pool, owner, Some(next), 1).await?;
    Ok(found.into_iter().find(|key| key.id == id))
}
