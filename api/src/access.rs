//! Who calls, and whether he may: the rule of every operation stands in the router's table, and is checked here before its handler.

mod ended;
mod first_use;
mod in_use;
mod own_page;

use std::pin::pin;

use axum::{
    Extension,
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use datagenie_common::{
    crypto::tokens::{self, PresentedToken},
    ids::{ApiKeyId, ConnectionId, SessionId, UserId},
    model::users::Role,
    store::connections::Viewer,
    word_enum,
};
use uuid::Uuid;

use self::in_use::find_session;
pub use self::in_use::{KeysInUse, SessionsInUse};
pub use self::{ended::EndedSessions, first_use::KeysSeen};
use crate::{
    app::App,
    audited::{self, Call},
    error::{ApiError, Code, Result},
    limits::{Admitted, Crowded, Known, Refused, is_spared},
};

word_enum! {
    /// What an API key may do.
    pub enum Scope {
        /// Look at what its owner may see.
        Read = "read",
        /// Ask questions.
        Ask = "ask",
        /// Change its owner's things: keys, connections.
        Manage = "manage",
        /// What only admins do.
        Admin = "admin",
    }
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever is signed in; a key needs this scope.
    SignedIn(Scope),
    /// Users and admins, not viewers; a key needs this scope.
    User(Scope),
    /// Admins; a key needs this scope.
    Admin(Scope),
}

impl Access {
    /// What an API key needs.
    #[must_use]
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::Public => None,
            Self::SignedIn(scope) | Self::User(scope) | Self::Admin(scope) => Some(scope),
        }
    }

    fn takes(self, role: Role) -> bool {
        match self {
            Self::Public | Self::SignedIn(_) => true,
            Self::User(_) => matches!(role, Role::User | Role::Admin),
            Self::Admin(_) => role == Role::Admin,
        }
    }
}

/// How the caller signed in.
#[derive(Clone, Debug)]
pub enum Via {
    /// By a login session.
    Session(SessionId),
    /// By an API key.
    ApiKey {
        /// Which.
        id: ApiKeyId,
        /// What it may do.
        scopes: Vec<String>,
        /// The connections it may use; none: all of its owner's.
        connections: Option<Vec<ConnectionId>>,
        /// Moved by each change of its scopes or connections.
        version: i64,
    },
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user_id: UserId,
    /// His role now.
    pub role: Role,
    /// How he signed in.
    pub via: Via,
    /// His session may do nothing but change his password. Keys are not bound to the password.
    pub must_change_password: bool,
}

impl Caller {
    /// Whether he is an admin.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Whether he may see and change what is others': an administrator, who comes by a key only if it has the scope `admin`.
    #[must_use]
    pub fn administers(&self) -> bool {
        self.is_admin() && !self.lacks(Scope::Admin)
    }

    /// As the one who looks at connections.
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        Viewer { user_id: self.user_id, is_admin: self.is_admin() }
    }

    /// Whether his key, if he came by one, may use this connection.
    #[must_use]
    pub fn may_use(&self, connection: ConnectionId) -> bool {
        match &self.via {
            Via::ApiKey { connections: Some(allowed), .. } => allowed.contains(&connection),
            Via::ApiKey { connections: None, .. } | Via::Session(_) => true,
        }
    }

    /// Whether his key, if he came by one, may see what is about this connection, or about none.
    #[must_use]
    pub fn may_see(&self, connection: Option<Uuid>) -> bool {
        connection.is_none_or(|id| self.may_use(ConnectionId(id)))
    }

    /// Whether he came by a key that is limited to some connections.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        matches!(&self.via, Via::ApiKey { connections: Some(_), .. })
    }

    /// The connections that his key is limited to; none: no limit.
    #[must_use]
    pub fn limited_to(&self) -> Option<Vec<Uuid>> {
        match &self.via {
            Via::ApiKey { connections, .. } => connections.as_ref().map(|allowed| allowed.iter().map(|id| id.0).collect()),
            Via::Session(_) => None,
        }
    }

    /// Whether he came by a key without this scope.
    #[must_use]
    pub fn lacks(&self, scope: Scope) -> bool {
        matches!(&self.via, Via::ApiKey { scopes, .. } if !scopes.iter().any(|held| held == scope.as_str()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::new(Code::Unauthenticated, "sign in, or send an API key"))
    }
}

/// Lets a request through to its handler if its operation's rule allows the caller.
pub async fn check(State((app, access)): State<(App, Access)>, mut request: Request, next: Next) -> Response {
    if request.uri().query().is_some_and(holds_token) {
        return ApiError::new(Code::Unauthenticated, TOKEN_IN_QUERY).into_response();
    }
    let crowded = request.extensions().get::<Crowded>().copied();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if access == Access::Public {
        // Nobody looks at the token of who sends one here.
        return match crowded {
            Some(crowded) if !is_spared(request.method(), route) => crowded.refused().into_response(),
            _ => next.run(request).await,
        };
    }
    let call = Call::of(&request);
    // What comes before and after the handler is boxed, so that its memory is free again while the handler works: a large piece among
    // those that an open socket keeps could not be used for the next one.
    let (caller, mut admitted) = match Box::pin(enter(&app, &call, request.method(), route, request.headers(), crowded)).await {
        Ok(entered) => entered,
        Err(response) => return *response,
    };
    // What is denied counts too: it is written down.
    let mut response = match permit(&caller, access, call.operation()) {
        Err(error) => Box::pin(audited::denied(&app, &call, &caller, error)).await,
        Ok(()) => {
            let is_held = asks_to_be_held(request.headers());
            request.extensions_mut().insert(caller.clone());
            let mut answering = pin!(next.run(request));
            let answered = if is_held {
                tokio::select! {
                    response = &mut answering => Some(response),
                    () = app.hub.until_signed_out(&caller) => None,
                }
            } else {
                Some(answering.await)
            };
            match answered {
                Some(response) => Box::pin(audited::answered(&app, &call, &caller, response)).await,
                None => {
                    // What was asked for may have been done: it counts.
                    admitted.keep();
                    ApiError::new(Code::Unauthenticated, SIGNED_OUT).into_response()
                }
            }
        }
    };
    admitted.close(&app, response.status(), response.headers_mut());
    response.extensions_mut().insert(Known);
    response
}

/// Whether a request may wait for its answer (`Prefer: wait=30`) for longer than a session that has ended is trusted.
fn asks_to_be_held(headers: &HeaderMap) -> bool {
    headers.get_all("prefer").iter().any(|value| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("wait")))
}

const SIGNED_OUT: &str = "the session or key has ended while you waited, or may do less now; what was asked for may have been done";

/// Finds out who calls and lets him in, as far as his limits go; else what he is answered.
async fn enter(
    app: &App,
    call: &Call,
    method: &Method,
    route: &str,
    headers: &HeaderMap,
    crowded: Option<Crowded>,
) -> std::result::Result<(Caller, Admitted), Box<Response>> {
    let refused = |error: ApiError| Box::new(error.into_response());
    let turn = match crowded {
        Some(crowded) => Some(app.limits.strangers.turn(crowded).await.map_err(refused)?),
        None => None,
    };
    let caller = identify(app, method, headers).await.map_err(refused)?;
    drop(turn);
    tracing::Span::current().record("user_id", tracing::field::display(caller.user_id));
    first_use::note(app, &caller, call.origin()).await.map_err(refused)?;
    let admitted = app.limits.admit(app, &caller, method, route, headers).await;
    let over_his_limits = |refused: Refused| Box::new((Extension(Known), refused).into_response());
    Ok((caller, admitted.map_err(over_his_limits)?))
}

/// What a session can do whose user has to change his password.
const BEFORE_THE_CHANGE: &[&str] = &["POST /v1/auth/password", "POST /v1/auth/logout", "GET /v1/me"];

const TOKEN_IN_QUERY: &str = "a token stands in the query string, where logs and browsers keep it: send it as `Authorization: Bearer …`, \
     and have it replaced, since it may have been seen";

/// Whether a value of a query string is a token of ours.
fn holds_token(query: &str) -> bool {
    query.contains("dg") && query.split('&').any(|pair| tokens::parse(pair.split_once('=').map_or(pair, |(_, value)| value)).is_some())
}

fn permit(caller: &Caller, access: Access, operation: &str) -> Result<()> {
    if caller.must_change_password && !BEFORE_THE_CHANGE.contains(&operation) {
        let detail = "somebody else knows your password: change it by POST /v1/auth/password, then go on";
        return Err(ApiError::new(Code::PasswordChangeRequired, detail));
    }
    if let Some(scope) = access.scope()
        && caller.lacks(scope)
    {
        return Err(ApiError::new(Code::PermissionDenied, format!("this API key lacks the scope `{scope}`")));
    }
    if !access.takes(caller.role) {
        return Err(ApiError::new(Code::PermissionDenied, format!("the role `{}` may not do this", caller.role)));
    }
    Ok(())
}

/// The name of the session cookie.
pub const COOKIE: &str = "datagenie_session";
/// The prefix of the WebSocket subprotocol that carries a token.
pub const PROTOCOL_PREFIX: &str = "bearer.";

/// Whether a request brings something that may tell who sends it.
#[must_use]
pub fn names_somebody(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || subprotocol(headers).is_some() || cookie(headers).is_some()
}

/// Finds out who calls: by `Authorization: Bearer`, by a WebSocket's `bearer.TOKEN` subprotocol, or by the session cookie of a
/// page of our own.
///
/// # Errors
/// [`Code::Unauthenticated`], and what the store says.
pub async fn identify(app: &App, method: &Method, headers: &HeaderMap) -> Result<Caller> {
    let token = match bearer(headers)? {
        Some(token) => token.to_owned(),
        None => match subprotocol(headers) {
            Some(token) => token.to_owned(),
            None => {
                let token = cookie(headers).ok_or_else(|| ApiError::new(Code::Unauthenticated, "sign in, or send an API key"))?;
                own_page::check(app.settings.api.public_url.as_deref(), method, headers)?;
                token.to_owned()
            }
        },
    };
    let refused = || ApiError::new(Code::Unauthenticated, "the token is not valid, or no longer");
    match tokens::parse(&token).ok_or_else(refused)? {
        PresentedToken::Session { id, hash } => {
            let session =
                find_session(app, id, &hash).await?.filter(|session| tokens::same_hash(&session.token_hash, &hash)).ok_or_else(refused)?;
            Ok(Caller {
                user_id: session.user_id,
                role: session.role,
                via: Via::Session(id),
                must_change_password: session.must_change_password,
            })
        }
        PresentedToken::ApiKey { prefix, hash } => {
            let key = app.keys.find(app, prefix, &hash).await?.filter(|key| tokens::same_hash(&key.key_hash, &hash)).ok_or_else(refused)?;
            let via = Via::ApiKey { id: key.id, scopes: key.scopes, connections: key.connections, version: key.version };
            Ok(Caller { user_id: key.user_id, role: key.role, via, must_change_password: false })
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let scheme_and_token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match scheme_and_token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(ApiError::new(Code::Unauthenticated, "the Authorization header must be `Bearer TOKEN`")),
    }
}

fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    offered.split(',').find_map(|protocol| protocol.trim().strip_prefix(PROTOCOL_PREFIX))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}
