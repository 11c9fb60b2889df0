//! Query strings and cursors: `?limit=&cursor=` in, `{items, next_cursor}` out.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::error::{ApiError, Result};

/// A query string. Unknown parameters are errors where the type says so.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let axum::extract::Query(value) = axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::field("query string", rejection.body_text()))?;
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(ApiError::field("query string", "holds a NUL character (%00); leave it out"));
        }
        Ok(Self(value))
    }
}

/// Items of a list when no limit is given.
const DEFAULT_LIMIT: i64 = 50;
/// The most items of a list.
const MAX_LIMIT: i64 = 200;

/// `?limit=&cursor=`.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items a page, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The bounded number of items.
    ///
    /// # Errors
    /// If it is out of bounds.
    pub fn limit(&self) -> Result<i64> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(ApiError::field("limit", format!("must be 1 to {MAX_LIMIT}"))),
        }
    }

    /// The id that the page comes after.
    ///
    /// # Errors
    /// If it is no cursor of ours.
    pub fn before(&self) -> Result<Option<Uuid>> {
        self.cursor
            .as_deref()
            .map(|text| text.parse().map_err(|_| ApiError::field("cursor", "is not a next_cursor of this list")))
            .transpose()
    }
}

/// A page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// To be sent as `cursor` for the next page; null: this is the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of what was found with one item more than asked for, which tells that there is a next page.
    pub fn of<R>(mut found: Vec<R>, limit: i64, id: impl Fn(&R) -> Uuid, show: impl Fn(R) -> T) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = if more { found.last().map(|last| id(last).to_string()) } else { None };
        Self { items: found.into_iter().map(show).collect(), next_cursor }
    }
}
