//! Webhooks of the caller: endpoints, what signs callbacks, deliveries.

pub mod callback_secret;
pub mod create;
pub mod delete;
pub mod deliveries;
pub mod get;
pub mod list;
pub mod replay;
pub mod rotate;
pub mod test;
pub mod update;

use chrono::{DateTime, Utc};
use datagenie_common::{
    events::is_webhook_filter,
    ids::WebhookId,
    model::jobs::Lane,
    store::{
        audit::Entry,
        ledger::Flow,
        webhooks::{self as stored, Endpoint},
    },
};
use serde::Serialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
};

/// Characters of a URL.
const LONGEST_URL: usize = 2_048;
/// Characters of a description.
const LONGEST_DESCRIPTION: usize = 500;
/// Entries of a filter.
const MOST_EVENTS: usize = 32;

/// An endpoint as shown, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookView {
    /// Its id.
    pub id: Uuid,
    /// Where events are sent.
    pub url: String,
    /// Types, families (`question.*`) or `*`.
    pub events: Vec<String>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// Whether events are sent.
    pub active: bool,
    /// `owner` (switched off), `gone` (it answered 410) or `failing` (nothing but failures for five days).
    pub disabled_reason: Option<String>,
    /// Since when nothing is sent.
    pub disabled_at: Option<DateTime<Utc>>,
    /// The first failure since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    /// Until when the secret before the last rotation signs too.
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

impl From<Endpoint> for WebhookView {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id,
            url: endpoint.url,
            events: endpoint.events,
            description: endpoint.description,
            active: endpoint.is_active,
            disabled_reason: endpoint.disabled_reason,
            disabled_at: endpoint.disabled_at,
            failing_since: endpoint.failing_since,
            old_secret_until: endpoint.old_secret_until,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

/// Refuses keys that are limited to some connections: webhooks are told of all that is their owner's.
///
/// # Errors
/// 403.
pub fn unlimited(caller: &Caller) -> Result<()> {
    if caller.is_limited() {
        return Err(ApiError::new(Code::PermissionDenied, "a key that is limited to some connections can't manage webhooks"));
    }
    Ok(())
}

/// An endpoint of the caller.
///
/// # Errors
/// 404 where it is not his, 403 for limited keys.
pub async fn owned(app: &App, caller: &Caller, id: WebhookId) -> Result<Endpoint> {
    unlimited(caller)?;
    stored::endpoint(&app.pool, caller.user_id, id).await?.ok_or_else(|| ApiError::not_found("webhook"))
}

/// Checks a URL that events are to be sent to. Whether its host may be asked is found when it is.
///
/// # Errors
/// 422 that names the field, and nothing of the URL.
pub fn check_url(field: &str, text: &str) -> Result<()> {
    if text.chars().count() > LONGEST_URL {
        return Err(ApiError::field(field, format!("has {} characters; at most {LONGEST_URL} are taken", text.chars().count())));
    }
    let url = Url::parse(text).map_err(|_| ApiError::field(field, "is not a URL; send https://host/path"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(ApiError::field(field, "must be an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ApiError::field(field, "must not hold a user name or password; check the signature instead"));
    }
    Ok(())
}

fn check_events(events: &[String]) -> Result<()> {
    if !(1..=MOST_EVENTS).contains(&events.len()) {
        return Err(ApiError::field("events", format!("must name 1 to {MOST_EVENTS} types, families or *")));
    }
    match events.iter().find(|text| !is_webhook_filter(text)) {
        Some(_) => Err(ApiError::field("events", "holds what is no type of event; send question.succeeded, question.*, or * for all")),
        None => Ok(()),
    }
}

fn check_description(text: &str) -> Result<()> {
    if text.chars().count() > LONGEST_DESCRIPTION {
        return Err(ApiError::field(
            "description",
            format!("has {} characters; at most {LONGEST_DESCRIPTION} are taken", text.chars().count()),
        ));
    }
    Ok(())
}

/// A line of the audit log about an endpoint. URLs may hold secrets: they are no part of it.
fn entry<'a>(caller: &Caller, action: &'a str, id: Uuid, details: Value) -> Entry<'a> {
    Entry { user_id: Some(caller.user_id), action, resource_type: "webhook", resource_id: Some(id.to_string()), success: true, details }
}

/// Lets the caller's deliveries have their turn.
fn let_in(app: &App, caller: &Caller) {
    app.dispatch.let_in(Flow { lane: Lane::Webhook, user_id: caller.user_id });
}

/// A fault with the sealing key.
fn unsealable(error: &datagenie_common::crypto::SealingError) -> ApiError {
    ApiError::internal(error)
}
