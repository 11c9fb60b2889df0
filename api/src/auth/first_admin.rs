//! The first administrator of a new service: his password is generated, shown once by the start that makes him, and must be changed.

use std::io::Write;

use datagenie_common::{
    crypto::passwords,
    ids::SessionId,
    store::{
        audit::{self, Entry, Origin},
        sessions, users,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::{PgConnection, PgPool};

/// His name.
const NAME: &str = "admin";
/// An address that nobody has (RFC 2606).
const ADDRESS: &str = "admin@datagenie.invalid";

/// Makes him if nobody is there at all, and shows his password on standard output, which is no log.
///
/// # Errors
/// If the database fails, or standard output takes nothing.
pub async fn make(pool: &PgPool) -> anyhow::Result<()> {
    let mut tx = pool.begin().await?;
    if !users::is_nobody_there(&mut tx).await? {
        return Ok(());
    }
    let password = passwords::generate();
    put(&mut tx, NAME, ADDRESS, password.clone(), true).await?;
    tx.commit().await?;
    tracing::info!(username = NAME, "the first administrator is made; his password stands on standard output, this once");
    show(NAME, &password)
}

/// Makes an administrator, or gives an existing user of that name admin rights and the password, with a line in the audit log. His
/// sessions end: who has found out the old password is not to stay. Says which.
///
/// # Errors
/// If the database fails.
pub async fn put(
    conn: &mut PgConnection,
    username: &str,
    email: &str,
    password: SecretString,
    must_change: bool,
) -> anyhow::Result<Vec<SessionId>> {
    let hash = passwords::hash_blocking(password).await?;
    let id = users::put_admin(conn, username, email, &hash, must_change).await?;
    let ended = sessions::delete_of_user(conn, id, None).await?;
    let entry = Entry {
        user_id: None,
        action: "user.admin_made",
        resource_type: "user",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "username": username, "must_change_password": must_change, "sessions_ended": ended.len() }),
    };
    audit::insert(conn, &Origin::default(), entry).await?;
    Ok(ended)
}

/// Shows a generated password, once.
///
/// # Errors
/// If standard output takes nothing: then it is not known, and `create-admin` makes another.
pub fn show(username: &str, password: &SecretString) -> anyhow::Result<()> {
    let text = format!(
        "\nAdministrator {username}, password {}\nIt is shown this once, and must be changed after signing in (POST /v1/auth/password).\n",
        password.expose_secret()
    );
    let mut out = std::io::stdout();
    let shown = writeln!(out, "{text}").and_then(|()| out.flush());
    shown.map_err(|error| anyhow::anyhow!("the administrator's password could not be shown ({error}); make another by `create-admin`"))
}
