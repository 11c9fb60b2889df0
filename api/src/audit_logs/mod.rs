//! `GET /v1/audit-logs`: who did what, for administrators; a page at a time, or as a file.

mod export;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use datagenie_common::{
    settings::IpNetwork,
    store::audit::search::{self, Filter, Found, Place},
    word_enum,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    audited::Seen,
    error::{ApiError, Code, Result},
    extract::{Page, Query},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_audit_logs)
}

word_enum! {
    /// The form of the log.
    pub enum Format {
        /// Pages.
        Json = "json",
        /// All that is found as lines of text.
        Csv = "csv",
        /// All that is found as a JSON document a line.
        Jsonl = "jsonl",
    }
}

/// The longest text of a filter.
const LONGEST: usize = 255;
/// Lines a page.
const LINES: i64 = 50;
/// The most of them.
const MOST_LINES: i64 = 1_000;

/// What is looked for.
#[derive(Clone, Debug, Deserialize, Serialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Of this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Uuid>,
    /// What the action begins with, such as `login` or `connection.`.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    /// The kind of thing, such as `question`.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<String>,
    /// The thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    /// `success`, `failure` or `partial`.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// From this address, or from within this network (`10.0.0.0/8`).
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Of this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Uuid>,
    /// A text in the action, the thing, the program or the details; case does not matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    /// Not older than this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<DateTime<Utc>>,
    /// Older than this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<DateTime<Utc>>,
    /// `json` (default, paged), `csv` or `jsonl` (all that is found, as it is read).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    format: Option<Format>,
    /// Lines a page, 1 to 1000; 50 if not given. JSON only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// `next_cursor` of the page before. JSON only.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A line of the log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AuditLine {
    /// Its id.
    id: Uuid,
    /// When.
    created_at: DateTime<Utc>,
    /// Who; null: somebody unknown (a failed login), or the service itself.
    user_id: Option<Uuid>,
    /// His name now.
    username: Option<String>,
    /// What, such as `question.asked`.
    action: String,
    /// Of what kind of thing.
    resource_type: String,
    /// Of which one.
    resource_id: Option<String>,
    /// `success`, `failure` or `partial`.
    result: Option<String>,
    /// From where.
    ip_address: Option<String>,
    /// By which program.
    user_agent: Option<String>,
    /// In which request: its `X-Request-Id`.
    request_id: Option<Uuid>,
    /// More, by the action.
    #[schema(value_type = Object)]
    details: Value,
}

impl From<Found> for AuditLine {
    fn from(found: Found) -> Self {
        Self {
            id: found.id,
            created_at: found.created_at,
            user_id: found.user_id,
            username: found.username,
            action: found.action,
            resource_type: found.resource_type,
            resource_id: found.resource_id,
            result: found.result,
            ip_address: found.ip_address.map(|network| network.ip().to_string()),
            user_agent: found.user_agent,
            request_id: found.request_id,
            details: found.details.unwrap_or_else(|| json!({})),
        }
    }
}

/// What is looked for, checked.
struct Search {
    filter: Filter,
    from: DateTime<Utc>,
    before: Place,
}

impl AuditQuery {
    fn search(&self, now: DateTime<Utc>) -> Result<Search> {
        let texts = [("action", &self.action), ("resource_type", &self.resource_type), ("resource_id", &self.resource_id), ("q", &self.q)];
        for (name, text) in texts {
            if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST) {
                return Err(ApiError::field(name, format!("must have at most {LONGEST} characters")));
            }
        }
        if self.result.as_deref().is_some_and(|result| !matches!(result, "success" | "failure" | "partial")) {
            return Err(ApiError::field("result", "must be success, failure or partial"));
        }
        let address = self.address.as_deref().map(str::parse::<IpNetwork>).transpose();
        let address = address.map_err(|_| ApiError::field("address", "must be an IP address, or a network like 10.0.0.0/8"))?;
        // Clocks of the processes may differ a little.
        let latest = now + TimeDelta::minutes(1);
        let from = self.from.unwrap_or_default().max(DateTime::UNIX_EPOCH);
        let to = self.to.unwrap_or(latest).clamp(DateTime::UNIX_EPOCH, latest);
        if self.from.is_some() && self.to.is_some() && self.from > self.to {
            return Err(ApiError::field("from", "must not be later than `to`"));
        }
        let filter = Filter {
            user_id: self.user_id,
            action: self.action.clone(),
            resource_type: self.resource_type.clone(),
            resource_id: self.resource_id.clone(),
            result: self.result.clone(),
            address,
            request_id: self.request_id,
            text: self.q.clone().filter(|text| !text.is_empty()),
        };
        Ok(Search { filter, from, before: Place { at: to, id: Uuid::nil() } })
    }

    fn limit(&self) -> Result<i64> {
        match self.limit.unwrap_or(LINES) {
            limit @ 1..=MOST_LINES => Ok(limit),
            _ => Err(ApiError::field("limit", format!("must be 1 to {MOST_LINES}"))),
        }
    }
}

/// The audit log, newest first: a page of what is found, or all of it as a file.
///
/// A reading of the log is in the log, too. A search without `from` goes back as far as the log does; one that takes longer than ten
/// seconds is refused (422): give `from`, or a user or thing.
#[utoipa::path(
    get, path = "/v1/audit-logs", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page; or with `format=csv` and `format=jsonl` all that is found (texts of CSV that begin like a formula after an apostrophe)", content((Page<AuditLine> = "application/json"), (String = "text/csv"), (String = "application/jsonl"))), (status = 422, description = "A value can't be taken, or too much is looked through", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn list_audit_logs(State(app): State<App>, framed: Framed, caller: Caller, Query(query): Query<AuditQuery>) -> Result<Response> {
    if caller.is_limited() {
        return Err(ApiError::new(
            Code::PermissionDenied,
            "a key that is limited to connections may not read what was done on all of them",
        ));
    }
    let mut search = query.search(app.clock.now())?;
    let format = query.format.unwrap_or(Format::Json);
    if format != Format::Json {
        for (name, given) in [("limit", query.limit.is_some()), ("cursor", query.cursor.is_some())] {
            if given {
                return Err(ApiError::field(name, format!("does not go with format={format}")));
            }
        }
        return export::export(&app, &framed, &caller, &query, search, format).await;
    }
    let limit = query.limit()?;
    if let Some(cursor) = &query.cursor {
        search.before = place(cursor)?;
    }
    let mut found = search::page(&app.pool, &search.filter, search.from, search.before, limit + 1).await?.ok_or_else(took_too_long)?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > limit);
    found.truncate(usize::try_from(limit).unwrap_or_default());
    let next_cursor = found.last().filter(|_| more).map(|last| cursor(last.place()));
    let page = Page { items: found.into_iter().map(AuditLine::from).collect::<Vec<_>>(), next_cursor };
    Ok(Seen { details: Some(json!({ "filter": query })), ..Seen::default() }.on(axum::Json(page).into_response()))
}

fn took_too_long() -> ApiError {
    ApiError::field("from", "so much is looked through that it takes too long: give a later `from`, or a user or a thing")
}

fn cursor(place: Place) -> String {
    format!("{}.{}", place.at.timestamp_micros(), place.id)
}

fn place(cursor: &str) -> Result<Place> {
    let parsed = cursor.split_once('.').and_then(|(at, id)| {
        let at = DateTime::from_timestamp_micros(at.parse().ok()?).filter(|at| (DateTime::UNIX_EPOCH..LAST).contains(at))?;
        Some(Place { at, id: id.parse().ok()? })
    });
    parsed.ok_or_else(|| ApiError::field("cursor", "is not a next_cursor of this list"))
}

/// No line is of a later time: the year 3000.
const LAST: DateTime<Utc> = match DateTime::from_timestamp(32_503_680_000, 0) {
    Some(last) => last,
    None => DateTime::UNIX_EPOCH,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_others_are_refused() {
        let at = DateTime::from_timestamp_micros(1_790_000_000_123_456).expect("a time");
        let there = Place { at, id: Uuid::now_v7() };
        assert_eq!(place(&cursor(there)).ok(), Some(there));
        let nil = Uuid::nil();
        for wrong in
            [String::new(), "1".to_owned(), format!("x.{nil}"), format!("{}.{nil}", i64::MAX), format!("-1.{nil}"), "1.x".to_owned()]
        {
            assert!(place(&wrong).is_err(), "{wrong}");
        }
    }
}
