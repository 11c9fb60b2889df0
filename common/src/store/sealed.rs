//! `sealed_values`: everything that is sealed, wherever it stands, for putting it under another key.

use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Result, StoreError, system_settings};
use crate::{
    crypto::{Keyring, SealingError},
    word_enum,
};

word_enum! {
    /// Where something is sealed: `sealed_values.place`.
    pub enum Place {
        /// How to reach a customer's database.
        ConnectionConfig = "connection_config",
        /// What signs the deliveries to an endpoint.
        WebhookSecret = "webhook_secret",
        /// The one before, for a day.
        OldWebhookSecret = "old_webhook_secret",
        /// What signs a user's callbacks.
        CallbackSecret = "callback_secret",
        /// The one before, for a day.
        OldCallbackSecret = "old_callback_secret",
        /// A sensitive setting, and the word by which a wrong key is found at the start.
        Setting = "setting",
    }
}

/// The setting that holds the word by which a wrong key is found at the start.
pub const CHECK: &str = "sealing_check";

/// A sealed value and the row that it is bound to.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Where.
    pub place: Place,
    /// The row's id or key.
    pub id: String,
    /// What is sealed.
    pub value: Value,
}

impl Sealed {
    /// The same value under the key that seals now.
    ///
    /// # Errors
    /// It does not open.
    pub fn reseal(&self, keyring: &Keyring) -> std::result::Result<Value, SealingError> {
        let (table, column, row) = self.bound_to()?;
        keyring.reseal(table, column, row, &self.value)
    }

    /// Whether it is the word by which a wrong key is found at the start.
    #[must_use]
    pub fn is_check(&self) -> bool {
        self.place == Place::Setting && self.id == CHECK
    }

    /// Whether it opens in its place.
    ///
    /// # Errors
    /// It does not.
    pub fn opens(&self, keyring: &Keyring) -> std::result::Result<(), SealingError> {
        let (table, column, row) = self.bound_to()?;
        keyring.open(table, column, row, &self.value).map(drop)
    }

    // As those say who seal them: connections, webhooks (`SigningSecret`), settings (`live_settings::seal`).
    fn bound_to(&self) -> std::result::Result<(&str, &str, Uuid), SealingError> {
        let row = || self.id.parse::<Uuid>().map_err(|_| SealingError::Malformed);
        Ok(match self.place {
            Place::ConnectionConfig => ("database_connections", "connection_config", row()?),
            Place::WebhookSecret | Place::OldWebhookSecret => ("webhook_endpoints", "secret", row()?),
            Place::CallbackSecret | Place::OldCallbackSecret => ("webhook_callback_secrets", "secret", row()?),
            Place::Setting => ("system_settings", self.id.as_str(), Uuid::nil()),
        })
    }
}

/// The next values, in the order of place and id, that were sealed by none of these keys; no keys: by any.
///
/// # Errors
/// If the database fails.
pub async fn page(pool: &PgPool, not_by: &[String], after: Option<&Sealed>, limit: i64) -> Result<Vec<Sealed>> {
    let (place, id) = after.map_or(("", ""), |after| (after.place.as_str(), after.id.as_str()));
    let rows = sqlx::query!(
        r#"SELECT place AS "place!", id AS "id!", value AS "value!" FROM sealed_values
           WHERE coalesce(value->>'key_id', '') <> ALL ($1) AND (place, id) > ($2, $3) ORDER BY place, id LIMIT $4"#,
        not_by,
        place,
        id,
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = row.place.parse().map_err(|detail| StoreError::Unreadable { what: "sealed_values.place", detail })?;
            Ok(Sealed { place, id: row.id, value: row.value })
        })
        .collect()
}

/// How many values were sealed by none of these keys.
///
/// # Errors
/// If the database fails.
pub async fn left(pool: &PgPool, by: &[String]) -> Result<i64> {
    let count =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM sealed_values WHERE coalesce(value->>'key_id', '') <> ALL ($1)"#, by);
    Ok(count.fetch_one(pool).await?)
}

/// Says that this transaction does nothing but put these values under another key: then no version of a connection and no time of a change
/// moves. Where settings are among them it waits for its turn like everybody who changes settings: the other way round, first the row and
/// then, by the trigger, the version, it and an administrator would wait for each other.
///
/// # Errors
/// If the database fails.
pub async fn begin_resealing(conn: &mut PgConnection, values: &[Sealed]) -> Result<()> {
    if values.iter().any(|value| value.place == Place::Setting) {
        system_settings::take_turn(conn).await?;
    }
    sqlx::query!(r#"SELECT set_config('datagenie.resealing', 'on', true) AS "on?""#).fetch_one(conn).await?;
    Ok(())
}

/// Puts another value in the place of a sealed one, unless somebody has changed that since; whether it did.
///
/// # Errors
/// If the database fails.
pub async fn replace(conn: &mut PgConnection, old: &Sealed, new: &Value) -> Result<bool> {
    let id = || old.id.parse::<Uuid>().map_err(|error| StoreError::Unreadable { what: "sealed_values.id", detail: error.to_string() });
    let done = match old.place {
        Place::ConnectionConfig => {
            sqlx::query!(
                "UPDATE database_connections SET connection_config = $3 WHERE id = $1 AND connection_config = $2",
                id()?,
                old.value,
                new
            )
            .execute(conn)
            .await?
        }
        Place::WebhookSecret => {
            sqlx::query!("UPDATE webhook_endpoints SET secret = $3 WHERE id = $1 AND secret = $2", id()?, old.value, new)
                .execute(conn)
                .await?
        }
        Place::OldWebhookSecret => {
            sqlx::query!("UPDATE webhook_endpoints SET old_secret = $3 WHERE id = $1 AND old_secret = $2", id()?, old.value, new)
                .execute(conn)
                .await?
        }
        Place::CallbackSecret => {
            sqlx::query!("UPDATE webhook_callback_secrets SET secret = $3 WHERE user_id = $1 AND secret = $2", id()?, old.value, new)
                .execute(conn)
                .await?
        }
        Place::OldCallbackSecret => {
            sqlx::query!(
                "UPDATE webhook_callback_secrets SET old_secret = $3 WHERE user_id = $1 AND old_secret = $2",
                id()?,
                old.value,
                new
            )
            .execute(conn)
            .await?
        }
        Place::Setting => {
            sqlx::query!("UPDATE system_settings SET value = $3 WHERE key = $1 AND value = $2", old.id, old.value, new)
                .execute(conn)
                .await?
        }
    };
    Ok(done.rows_affected() > 0)
}
