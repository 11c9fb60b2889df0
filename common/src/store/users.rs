//! `users`.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Result, StoreError};
use crate::{
    ids::UserId,
    model::{usernames::folded, users::Role},
};

/// A user as shown to himself and to admins.
#[derive(Clone, Debug)]
pub struct User {
    /// His id.
    pub id: UserId,
    /// The name he signs in with.
    pub username: String,
    /// His address.
    pub email: String,
    /// His name.
    pub full_name: Option<String>,
    /// What he may do.
    pub role: Role,
    /// Whether he may sign in.
    pub is_active: bool,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
    /// Last login.
    pub last_login_at: Option<DateTime<Utc>>,
    /// Somebody else knows his password: until he has changed it he does nothing else.
    pub must_change_password: bool,
}

struct Record {
    id: Uuid,
    username: String,
    email: String,
    full_name: Option<String>,
    role: String,
    is_active: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
    must_change_password: bool,
}

impl TryFrom<Record> for User {
    type Error = StoreError;
    fn try_from(r: Record) -> Result<Self> {
        let role = r.role.parse().map_err(|detail| StoreError::Unreadable { what: "users.role", detail })?;
        Ok(Self {
            id: UserId(r.id),
            username: r.username,
            email: r.email,
            full_name: r.full_name,
            role,
            is_active: r.is_active,
            created_at: r.created_at,
            updated_at: r.updated_at,
            last_login_at: r.last_login_at,
            must_change_password: r.must_change_password,
        })
    }
}

/// What a new user is made of.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    /// At least three characters; unique.
    pub username: &'a str,
    /// Unique.
    pub email: &'a str,
    /// argon2id, PHC string.
    pub password_hash: &'a str,
    /// His name.
    pub full_name: Option<&'a str>,
    /// What he may do.
    pub role: Role,
    /// Whether he has to change his password before anything else.
    pub must_change_password: bool,
}

/// Adds a user.
///
/// # Errors
/// [`StoreError::Constraint`] with `users_username_key`, `users_username_key_unique`, `users_email_key`, `users_email_key_unique`,
/// `users_username_check` or `users_email_check`.
pub async fn insert(conn: &mut PgConnection, user: &NewUser<'_>) -> Result<User> {
    sqlx::query_as!(
        Record,
        "INSERT INTO users (id, username, email, password_hash, full_name, role, username_key, must_change_password)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         RETURNING id, username, email, full_name, role, is_active, created_at, updated_at, last_login_at, must_change_password",
        UserId::new().0,
        user.username,
        user.email,
        user.password_hash,
        user.full_name,
        user.role.as_str(),
        folded(user.username),
        user.must_change_password,
    )
    .fetch_one(conn)
    .await?
    .try_into()
}

/// Looks a user up.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, id: UserId) -> Result<Option<User>> {
    let record = sqlx::query_as!(
        Record,
        "SELECT id, username, email, full_name, role, is_active, created_at, updated_at, last_login_at, must_change_password FROM users WHERE id = $1",
        id.0
    )
    .fetch_optional(pool)
    .await?;
    record.map(User::try_from).transpose()
}

/// The user of this name and his password's hash, for a login. Case, width and look-alike letters do not matter.
///
/// # Errors
/// If the database fails.
pub async fn find_for_login(pool: &PgPool, username: &str) -> Result<Option<(User, String)>> {
    let row = sqlx::query!(
        "SELECT id, username, email, full_name, role, is_active, created_at, updated_at, last_login_at, must_change_password,
                password_hash
         FROM users WHERE username = $1 OR username_key = $2 ORDER BY username = $1 DESC LIMIT 1",
        username,
        folded(username)
    )
    .fetch_optional(pool)
    .await?;
    row.map(|r| {
        let record = Record {
            id: r.id,
            username: r.username,
            email: r.email,
            full_name: r.full_name,
            role: r.role,
            is_active: r.is_active,
            created_at: r.created_at,
            updated_at: r.updated_at,
            last_login_at: r.last_login_at,
            must_change_password: r.must_change_password,
        };
        Ok((User::try_from(record)?, r.password_hash))
    })
    .transpose()
}

/// A page of users, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn list(pool: &PgPool, before: Option<UserId>, limit: i64) -> Result<Vec<User>> {
    let records = sqlx::query_as!(
        Record,
        "SELECT id, username, email, full_name, role, is_active, created_at, updated_at, last_login_at, must_change_password FROM users
         WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
        before.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?;
    records.into_iter().map(User::try_from).collect()
}

/// What may change about a user; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// What he may do.
    pub role: Option<Role>,
    /// Whether he may sign in.
    pub is_active: Option<bool>,
    /// A new password's hash; he has to change that password before anything else.
    pub password_hash: Option<String>,
}

/// Changes a user; none: there is no such user. That a deactivation and a new password end his sessions is the caller's to see to.
///
/// # Errors
/// If the database fails.
pub async fn update(conn: &mut PgConnection, id: UserId, change: &UserChange) -> Result<Option<User>> {
    let record = sqlx::query_as!(
        Record,
        "UPDATE users SET role = coalesce($2, role), is_active = coalesce($3, is_active), password_hash = coalesce($4, password_hash),
             must_change_password = must_change_password OR $4 IS NOT NULL,
             password_changed_at = CASE WHEN $4 IS NULL THEN password_changed_at ELSE dg_now() END
         WHERE id = $1
         RETURNING id, username, email, full_name, role, is_active, created_at, updated_at, last_login_at, must_change_password",
        id.0,
        change.role.map(Role::as_str),
        change.is_active,
        change.password_hash,
    )
    .fetch_optional(conn)
    .await?;
    record.map(User::try_from).transpose()
}

/// Whether there is an active administrator besides this user. Who asks holds a lock until his transaction ends, so that two who take
/// each other's rights away do not both find the other one.
///
/// # Errors
/// If the database fails.
pub async fn is_other_admin_active(conn: &mut PgConnection, id: UserId) -> Result<bool> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('datagenie.admins'))").execute(&mut *conn).await?;
    let found =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM users WHERE role = 'admin' AND is_active AND id <> $1) AS "found!""#, id.0)
            .fetch_one(conn)
            .await?;
    Ok(found)
}

/// The hash of a user's password.
///
/// # Errors
/// If the database fails.
pub async fn password_hash(pool: &PgPool, id: UserId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!("SELECT password_hash FROM users WHERE id = $1", id.0).fetch_optional(pool).await?)
}

/// Replaces the password of somebody who knew the old one; false: it is not the old one any more.
///
/// # Errors
/// If the database fails.
pub async fn change_password(conn: &mut PgConnection, id: UserId, old_hash: &str, new_hash: &str) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE users SET password_hash = $3, must_change_password = false, password_changed_at = dg_now() WHERE id = $1 AND password_hash = $2",
        id.0,
        old_hash,
        new_hash,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes a login by the password of this hash; false: he has another one since it was read, or is not active any more. A change of
/// either waits for the end of the transaction, and ends the session that it opens.
///
/// # Errors
/// If the database fails.
pub async fn logged_in(conn: &mut PgConnection, id: UserId, hash: &str) -> Result<bool> {
    let done = sqlx::query!("UPDATE users SET last_login_at = dg_now() WHERE id = $1 AND is_active AND password_hash = $2", id.0, hash)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Makes the first administrator, or gives an existing one of this name the password.
///
/// # Errors
/// As [`insert`].
pub async fn put_admin(conn: &mut PgConnection, username: &str, email: &str, password_hash: &str, must_change: bool) -> Result<UserId> {
    let id = sqlx::query_scalar!(
        "INSERT INTO users (id, username, email, password_hash, full_name, role, username_key, must_change_password)
         VALUES ($1, $2, $3, $4, 'Administrator', 'admin', $5, $6)
         ON CONFLICT (username) DO UPDATE SET password_hash = EXCLUDED.password_hash, role = 'admin', is_active = true,
             must_change_password = EXCLUDED.must_change_password, password_changed_at = dg_now()
         RETURNING id",
        UserId::new().0,
        username,
        email,
        password_hash,
        folded(username),
        must_change,
    )
    .fetch_one(conn)
    .await?;
    Ok(UserId(id))
}

/// Whether nobody is there at all: the service is new. Who asks holds a lock until his transaction ends, so that of several processes
/// that start at once one makes the first administrator.
///
/// # Errors
/// If the database fails.
pub async fn is_nobody_there(conn: &mut PgConnection) -> Result<bool> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('datagenie.admins'))").execute(&mut *conn).await?;
    Ok(sqlx::query_scalar!(r#"SELECT NOT EXISTS (SELECT FROM users) AS "nobody!""#).fetch_one(conn).await?)
}
