//! `POST /v1/users`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    crypto::passwords,
    ids::UserId,
    model::{usernames, users::Role},
    store::{
        StoreError,
        audit::{self, Entry},
        users::{self, NewUser},
    },
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::refuse_limited;
use crate::{
    access::Caller,
    app::App,
    auth::{UserView, check_password, login::unchecked},
    error::{ApiError, Code, Result},
    extract::Json,
    frame::Framed,
    idempotency,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(create_user)
}

/// What the user is to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUserRequest {
    /// 3 to 50 characters: letters of one script, digits, single blanks and `. _ - @ +`; unique, also without case and look-alike letters.
    #[schema(min_length = 3, max_length = 50)]
    username: String,
    /// Unique, whatever its case.
    #[schema(format = Email, max_length = 255)]
    email: String,
    /// At least 12 characters (`auth.password_min_length`), at most 128; not made of the user name, and none of those that everybody
    /// tries first.
    #[schema(value_type = String, format = Password, max_length = 128)]
    password: SecretString,
    /// Whether the user has to change it before anything else; not given: no.
    must_change_password: Option<bool>,
    /// At most 100 characters.
    #[schema(max_length = 100)]
    full_name: Option<String>,
    /// `admin`, `user` or `viewer`.
    #[schema(value_type = crate::openapi::words::Role)]
    role: Role,
}

/// Adds a user.
#[utoipa::path(
    post, path = "/v1/users", tag = "users", request_body = NewUserRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same user, as he now is")),
    responses((status = 201, description = "The user", body = UserView), (status = 409, description = "User name or address is taken, or the first request with the same Idempotency-Key is still being taken in", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn create_user(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    body: Json<NewUserRequest>,
) -> Result<(StatusCode, axum::Json<UserView>)> {
    refuse_limited(&caller)?;
    let (new, key) = (body.value, body.idempotency);
    if let Some(earlier) = idempotency::find(&app, &caller, &key).await? {
        return as_it_is(&app, UserId(earlier)).await;
    }
    let username = usernames::check(&new.username).map_err(|problem| ApiError::field("username", problem.to_string()))?;
    check_rest(&new)?;
    check_password(&app, "password", &new.password, &username, &new.email)?;
    let hash = passwords::hash_blocking(new.password).await.map_err(|error| unchecked(&error))?;
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &key, Uuid::nil()).await? {
        tx.rollback().await?;
        return as_it_is(&app, UserId(earlier)).await;
    }
    let user = NewUser {
        username: &username,
        email: &new.email,
        password_hash: &hash,
        full_name: new.full_name.as_deref(),
        role: new.role,
        must_change_password: new.must_change_password.unwrap_or(false),
    };
    let user = users::insert(&mut tx, &user).await.map_err(refused)?;
    idempotency::made(&mut tx, &caller, &key, user.id.0).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "user.created",
        resource_type: "user",
        resource_id: Some(user.id.to_string()),
        success: true,
        details: json!({ "username": user.username, "role": user.role }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, axum::Json(user.into())))
}

fn check_rest(new: &NewUserRequest) -> Result<()> {
    if new.email.len() > 255 {
        return Err(ApiError::field("email", "must have at most 255 characters"));
    }
    if !new.email.is_ascii() {
        return Err(ApiError::field("email", "is not an email address"));
    }
    if let Some(name) = &new.full_name {
        if name.chars().count() > 100 {
            return Err(ApiError::field("full_name", "must have at most 100 characters"));
        }
        if name.chars().any(char::is_control) {
            return Err(ApiError::field("full_name", "must not hold control characters"));
        }
    }
    Ok(())
}

async fn as_it_is(app: &App, id: UserId) -> Result<(StatusCode, axum::Json<UserView>)> {
    let user = users::find(&app.pool, id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    Ok((StatusCode::CREATED, axum::Json(user.into())))
}

fn refused(error: StoreError) -> ApiError {
    match &error {
        StoreError::Constraint(name) if name == "users_username_key" => ApiError::new(Code::NameTaken, "this username is taken"),
        StoreError::Constraint(name) if name == "users_username_key_unique" => {
            ApiError::new(Code::NameTaken, "this username, or one that looks like it, is taken")
        }
        StoreError::Constraint(name) if name == "users_email_key" || name == "users_email_key_unique" => {
            ApiError::new(Code::NameTaken, "this email is taken")
        }
        StoreError::Constraint(name) if name == "users_email_check" => ApiError::field("email", "is not an email address"),
        _ => error.into(),
    }
}
