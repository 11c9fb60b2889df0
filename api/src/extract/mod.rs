//! What handlers take out of a request, with errors that say what is wrong where.

mod body;
mod conditional;
mod moments;
mod pages;
mod prefer;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use uuid::Uuid;

pub use self::{
    body::{Idempotency, Json, MaybeJson, NoBody, read as read_body},
    conditional::{etagged, is_unchanged, only_if_match},
    moments::{given_moment, moment},
    pages::{Page, PageQuery, Query},
    prefer::Wait,
};
use crate::error::ApiError;

/// The one id in a path. What is no UUID names nothing: 404, as for an unknown one.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<Uuid>::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found("resource"))?;
        Ok(Self(id))
    }
}

/// The two ids in a path.
#[derive(Clone, Copy, Debug)]
pub struct Ids(pub Uuid, pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path((first, second)) =
            Path::<(Uuid, Uuid)>::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found("resource"))?;
        Ok(Self(first, second))
    }
}
