//! What the audit log says of each operation, in one table. Changes write their line in their own commit; the lines of what is read, and
//! of what is refused to somebody who is signed in, are written here, before the answer goes out.

mod table;

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    extract::{MatchedPath, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use datagenie_common::store::audit::{Line, Origin};
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::table::OPERATIONS;
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code},
    frame::Framed,
};

/// What the log says of an operation.
#[derive(Clone, Copy, Debug)]
pub enum Audited {
    /// One of these actions, in the commit of the change.
    Change(&'static [&'static str]),
    /// This action on this kind of thing, for every answer that shows something, and for what is refused or unknown.
    Read(&'static str, &'static str),
    /// Both: it changes something, and its answer may show what was read.
    Both(&'static [&'static str], &'static str, &'static str),
    /// Nothing, because.
    Not(&'static str),
}

impl Audited {
    /// The actions that lines of the operation have.
    #[must_use]
    pub fn actions(&self) -> Vec<&'static str> {
        match self {
            Self::Change(actions) => actions.to_vec(),
            Self::Read(action, _) => vec![action],
            Self::Both(actions, action, _) => actions.iter().copied().chain([*action]).collect(),
            Self::Not(_) => Vec::new(),
        }
    }

    fn read(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Read(action, resource) | Self::Both(_, action, resource) => Some((action, resource)),
            Self::Change(_) | Self::Not(_) => None,
        }
    }
}

static BY_OPERATION: LazyLock<HashMap<&'static str, &'static Audited>> =
    LazyLock::new(|| OPERATIONS.iter().map(|(operation, audited)| (*operation, audited)).collect());

/// Said by a handler of its answer, as an extension of it, where the path and the status do not tell.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The answer shows nothing that was read, such as a question that is still under way.
    pub nothing: bool,
    /// The thing that is shown, where it is not in the path.
    pub id: Option<Uuid>,
    /// More about the reading; never a secret.
    pub details: Option<Value>,
}

impl Seen {
    /// Puts it on an answer.
    #[must_use]
    pub fn on(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

/// A call, as far as the log is concerned.
pub struct Call {
    operation: String,
    id: Option<String>,
    origin: Origin,
}

impl Call {
    /// Of a request whose route is known.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let template = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        // HEAD is answered as GET is.
        let method = if request.method() == "HEAD" { "GET" } else { request.method().as_str() };
        let segments = template.split('/').zip(request.uri().path().split('/'));
        let id = segments.into_iter().find(|(name, _)| name.starts_with('{')).map(|(_, value)| value.chars().take(100).collect());
        let origin = request.extensions().get::<Framed>().map(|framed| framed.origin.clone()).unwrap_or_default();
        Self { operation: format!("{method} {template}"), id, origin }
    }

    /// Its method and template, as in the table.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    fn line(&self, app: &App, caller: &Caller, success: bool) -> Line {
        Line {
            id: Uuid::now_v7(),
            at: app.clock.now(),
            origin: self.origin.clone(),
            user_id: caller.user_id,
            action: "",
            resource_type: "",
            resource_id: self.id.clone(),
            success,
            details: json!({}),
        }
    }
}

/// Notes what an answer shows, before it goes out: one that can't be noted is not given.
pub async fn answered(app: &App, call: &Call, caller: &Caller, response: Response) -> Response {
    let Some((action, resource_type)) = BY_OPERATION.get(call.operation.as_str()).and_then(|audited| audited.read()) else {
        return response;
    };
    let status = response.status();
    let shown = status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS;
    let refused = matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE);
    let seen = response.extensions().get::<Seen>().cloned().unwrap_or_default();
    if seen.nothing || !(shown || refused) {
        return response;
    }
    let mut line = Line { action, resource_type, ..call.line(app, caller, shown) };
    if let Some(id) = seen.id {
        line.resource_id = Some(id.to_string());
    }
    line.details = match seen.details {
        Some(details) if shown => details,
        _ if refused => json!({ "status": status.as_u16() }),
        _ => json!({}),
    };
    match app.trail.note(line).await {
        Ok(()) => response,
        Err(error) => error.into_response(),
    }
}

/// Notes that somebody was refused what his role, his key's scope or his password does not let him do.
pub async fn denied(app: &App, call: &Call, caller: &Caller, error: ApiError) -> Response {
    if error.code != Code::PermissionDenied {
        return error.into_response();
    }
    let details = json!({ "operation": call.operation });
    let line = Line { action: "access.denied", resource_type: "operation", details, ..call.line(app, caller, false) };
    match app.trail.note(line).await {
        Ok(()) => error.into_response(),
        Err(unnoted) => unnoted.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The operations of the router's table.
    fn operations() -> BTreeSet<String> {
        let document = serde_json::to_value(crate::router::document()).expect("a document is JSON");
        let paths = document["paths"].as_object().expect("it has paths");
        let methods = ["get", "put", "post", "delete", "patch"];
        let of_path = |(path, item): (&String, &Value)| {
            let known = methods.iter().filter(|method| !item[**method].is_null());
            known.map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    #[test]
    fn every_operation_says_what_the_log_says_of_it() {
        let listed: BTreeSet<String> = OPERATIONS.iter().map(|(operation, _)| (*operation).to_owned()).collect();
        assert_eq!(listed.len(), OPERATIONS.len(), "an operation is listed twice");
        let operations = operations();
        let missing: Vec<_> = operations.difference(&listed).collect();
        let stale: Vec<_> = listed.difference(&operations).collect();
        assert!(
            missing.is_empty() && stale.is_empty(),
            "api/src/audited/table.rs lacks {missing:?} and has {stale:?}, which is no operation"
        );
        assert_eq!(BY_OPERATION.len(), OPERATIONS.len());
    }

    #[test]
    fn changes_are_audited_and_reasons_are_given() {
        for (operation, audited) in OPERATIONS {
            match audited {
                Audited::Not(reason) => assert!(reason.len() > 10, "{operation}: say why it is not audited"),
                Audited::Change(actions) | Audited::Both(actions, ..) => assert!(!actions.is_empty(), "{operation}"),
                Audited::Read(..) => assert!(operation.starts_with("GET "), "{operation} changes something"),
            }
        }
    }
}
