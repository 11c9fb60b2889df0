//! Settings that may be changed while the service runs, for admins: what holds, where it comes from, and who changed it.

pub mod get;
pub mod list;
pub mod put;
pub mod reset;

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, request::Parts},
};
use chrono::{DateTime, Utc};
use datagenie_common::{
    live_settings::{self, Unusables},
    settings::{
        Key, Origin, Settings, SourceKind, ValueType, default_of, keys,
        programs::{self, Program},
    },
    store::{
        audit::{self, Entry},
        system_settings::{self, Change, Stored},
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::only_if_match,
    frame::Framed,
    openapi::words,
};

/// A setting. A sensitive one never shows its value, only whether there is one.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SettingView {
    /// Its key, as in the table `system_settings`.
    key: String,
    /// Its name in a configuration file, `section.key`.
    name: String,
    /// The group that it belongs to.
    category: String,
    /// What it does.
    description: String,
    /// What its value must be.
    #[serde(rename = "type")]
    #[schema(value_type = words::SettingType)]
    value_type: ValueType,
    /// The same in words, with its bounds.
    expected: String,
    /// The least value of a number.
    #[schema(value_type = Option<f64>)]
    minimum: Option<Value>,
    /// The greatest value of a number.
    #[schema(value_type = Option<f64>)]
    maximum: Option<Value>,
    /// What holds when nothing sets it; null: it is absent then.
    #[schema(value_type = Option<Value>)]
    default: Option<Value>,
    /// What holds now; null: nothing, or it is sensitive.
    #[schema(value_type = Option<Value>)]
    value: Option<Value>,
    /// Whether there is a value.
    is_set: bool,
    /// Whether the value is sealed, and never shown.
    is_sensitive: bool,
    /// Where the value comes from.
    #[schema(value_type = words::SettingSource)]
    source: SourceKind,
    /// The environment variable of the api that holds it, so that it can't be changed here; null: none.
    held_by: Option<String>,
    /// The environment variable that would hold it.
    environment: String,
    /// The programs that use it; a change holds in all of them within two seconds.
    #[schema(value_type = Vec<words::Program>)]
    used_by: &'static [Program],
    /// Why what is stored can't be used, so that what held before holds; null: it can.
    problem: Option<String>,
    /// When what is stored was changed; null: nothing is stored.
    updated_at: Option<DateTime<Utc>>,
    /// Who changed it; null: nobody, or somebody who is gone.
    updated_by: Option<Uuid>,
}

/// The key in a path. Another one is 404, with the keys that there are.
#[derive(Clone, Copy, Debug)]
struct Known(&'static Key);

impl<S: Send + Sync> FromRequestParts<S> for Known {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let name = Path::<String>::from_request_parts(parts, state).await.ok();
        name.and_then(|Path(name)| keys::find_stored(&name)).map(Self).ok_or_else(|| {
            let known: Vec<&str> = keys::stored().filter_map(|key| key.stored).collect();
            ApiError::new(Code::NotFound, format!("there is no such setting; there are {}", known.join(", ")))
        })
    }
}

/// The settings as the database has them now.
struct Now {
    rows: BTreeMap<String, Stored>,
    settings: Settings,
    unusable: Unusables,
}

impl Now {
    fn of(app: &App, rows: BTreeMap<String, Stored>) -> Result<Self> {
        let values = rows.iter().map(|(key, row)| (key.clone(), row.value.clone())).collect();
        let (settings, unusable) = app.live_settings.with(&values).map_err(|error| ApiError::internal(&error))?;
        Ok(Self { rows, settings, unusable })
    }

    fn view(&self, key: &Key) -> SettingView {
        let stored = key.stored.unwrap_or_default();
        let (row, loaded) = (self.rows.get(stored), &self.settings.loaded);
        let origin = loaded.origin(key);
        let (minimum, maximum) = key.kind.bounds().unzip();
        SettingView {
            key: stored.to_owned(),
            name: key.name.to_owned(),
            category: key.category().to_owned(),
            description: key.doc.to_owned(),
            value_type: key.kind.value_type(),
            expected: key.kind.expected(),
            minimum,
            maximum,
            default: default_of(key),
            value: loaded.shown(key),
            is_set: loaded.is_set(key),
            is_sensitive: key.kind.is_secret(),
            source: origin.kind(),
            held_by: held_by(origin),
            environment: key.environment(),
            used_by: programs::used_by(key),
            problem: self.unusable.get(stored).cloned(),
            updated_at: row.map(|row| row.updated_at),
            updated_by: row.and_then(|row| row.updated_by),
        }
    }
}

fn held_by(origin: Origin) -> Option<String> {
    match origin {
        Origin::Environment(variable) => Some(variable),
        _ => None,
    }
}

/// Stores a value (none: takes the stored one away), with its line in the audit log in the same commit; the setting as it is then, in
/// this process at once and in the others within two seconds.
async fn change(
    app: &App,
    framed: &Framed,
    caller: &Caller,
    headers: &HeaderMap,
    key: &'static Key,
    value: Option<Value>,
) -> Result<SettingView> {
    if caller.is_limited() {
        return Err(ApiError::new(Code::PermissionDenied, "a key that is limited to connections may not change settings"));
    }
    let mut tx = app.pool.begin().await?;
    system_settings::take_turn(&mut tx).await?;
    let before = Now::of(app, system_settings::rows(&mut *tx).await?)?;
    only_if_match(headers, &before.view(key))?;
    if let Some(variable) = held_by(before.settings.loaded.origin(key)) {
        let why =
            format!("the environment variable {variable} of the api holds it: a stored value would have no effect. Take it away first");
        return Err(ApiError::new(Code::SettingHeld, why));
    }
    if !store(&mut tx, app, framed, caller, key, before.rows.get(key.stored.unwrap_or_default()), value).await? {
        return Ok(before.view(key));
    }
    let now = Now::of(app, system_settings::rows(&mut *tx).await?)?;
    tx.commit().await?;
    // It is committed: where the look fails, the next one finds it.
    if let Err(error) = app.live_settings.refresh().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "a changed setting was not looked at at once");
    }
    Ok(now.view(key))
}

/// Whether there was something to change.
async fn store(
    conn: &mut PgConnection,
    app: &App,
    framed: &Framed,
    caller: &Caller,
    key: &'static Key,
    old: Option<&Stored>,
    new: Option<Value>,
) -> Result<bool> {
    let name = key.stored.unwrap_or_default();
    let is_sensitive = key.kind.is_secret();
    if old.map(|row| &row.value) == new.as_ref() {
        return Ok(false);
    }
    let details = if is_sensitive {
        json!({ "sensitive": true, "was_set": old.is_some(), "is_set": new.is_some() })
    } else {
        json!({ "old": old.map(|row| &row.value), "new": new })
    };
    match &new {
        None => {
            system_settings::remove(conn, name).await?;
        }
        Some(value) => {
            let value = if is_sensitive {
                live_settings::seal(&app.keyring, name, value.as_str().unwrap_or_default()).map_err(|error| ApiError::internal(&error))?
            } else {
                value.clone()
            };
            let change = Change { key: name, value: &value, category: key.category(), description: key.doc, is_sensitive };
            system_settings::put(conn, &change, caller.user_id).await?;
        }
    }
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: if new.is_some() { "setting.changed" } else { "setting.reset" },
        resource_type: "setting",
        resource_id: Some(name.to_owned()),
        success: true,
        details,
    };
    audit::insert(conn, &framed.origin, entry).await?;
    Ok(true)
}
