//! Settings as they are now: those of `system_settings` may change while the service runs, and hold in every process within two seconds.
//!
//! A process looks each second whether the version of the stored settings has moved (one row, in PostgreSQL), and then reads them: from
//! Redis, where another process of this installation has put them at this version, else from PostgreSQL. Redis is never asked what holds,
//! and may be away: what it gives counts only with the mark of who has the sealing key, so that neither another installation on the same
//! Redis nor whoever else can write there changes a setting.
//!
//! To let another setting be changed while the service runs: give its line in `settings/keys.rs` a `.stored("its_key")`, and wherever it
//! is used ask [`LiveSettings::get`] for it each time (`app.live_settings.get().query.max_rows`) instead of the settings of the start.
//! `/v1/settings`, its bounds, its description and docs/settings.md follow from that line. What is made from settings once, such as a
//! client, is made anew where the part of the settings that it was made from differs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;

use crate::{
    cache::{Cache, CacheKey},
    crypto::{Keyring, SealingError},
    lifecycle,
    settings::{self, Key, Origin, Settings, keys},
    store::{
        Result,
        system_settings::{self, Version},
        upkeep::{Kept, Unusable},
    },
};

/// How often is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(1);
/// The table whose rows sealed settings are bound to, each by its key.
const TABLE: &str = "system_settings";

/// The settings of a process as they are now, cheap to clone.
#[derive(Clone)]
pub struct LiveSettings(Arc<Shared>);

struct Shared {
    pool: PgPool,
    cache: Cache,
    keyring: Keyring,
    now: RwLock<Arc<Current>>,
    /// One look at a time.
    looking: Mutex<()>,
}

/// Why stored settings can't be used, by their keys.
pub type Unusables = BTreeMap<&'static str, String>;

/// What holds now.
#[derive(Clone)]
struct Current {
    settings: Arc<Settings>,
    /// Of the stored settings; none: they have not been looked at yet.
    version: Option<Version>,
    /// Those that can be used, opened.
    stored: BTreeMap<String, Value>,
    /// Why others can't be, by their keys: what held before holds on.
    unusable: Unusables,
}

/// `datagenie:settings:{category}`: as stored, so what is sealed stays sealed.
#[derive(Serialize, Deserialize)]
struct Cached {
    version: Version,
    /// The values by key, as the text of a JSON object: the mark is over its letters.
    values: String,
    mark: String,
}

impl Cached {
    fn new(keyring: &Keyring, category: &str, version: &Version, values: &BTreeMap<String, Value>) -> Option<Self> {
        let values = serde_json::to_string(values).ok()?;
        let mark = marks(keyring, category, version, &values).into_iter().next()?;
        Some(Self { version: version.clone(), values, mark })
    }

    /// The values, if they are this category's at this version, written by one of ours.
    fn values(&self, keyring: &Keyring, category: &str, version: &Version) -> Option<BTreeMap<String, Value>> {
        let is_ours = self.version == *version && marks(keyring, category, version, &self.values).contains(&self.mark);
        if is_ours { serde_json::from_str(&self.values).ok() } else { None }
    }
}

/// By each key of the ring, the one that seals first.
fn marks(keyring: &Keyring, category: &str, version: &Version, values: &str) -> Vec<String> {
    keyring.macs(format!("settings|{category}|{version}|{values}").as_bytes()).into_iter().map(hex::encode).collect()
}

impl LiveSettings {
    /// Begins with the settings of the start, and looks each second from then on.
    #[must_use]
    pub fn start(settings: &Settings, pool: PgPool, cache: Cache, keyring: Keyring) -> Self {
        let current = Current { settings: Arc::new(settings.clone()), version: None, stored: BTreeMap::new(), unusable: BTreeMap::new() };
        let shared = Shared { pool, cache, keyring, now: RwLock::new(Arc::new(current)), looking: Mutex::default() };
        let live = Self(Arc::new(shared));
        lifecycle::spawn("settings.look", look_again_and_again(Arc::downgrade(&live.0)));
        live
    }

    /// The settings as they are now. Ask for them each time: what is held is what was.
    #[must_use]
    pub fn get(&self) -> Arc<Settings> {
        self.0.current().settings.clone()
    }

    /// Looks now, so that what was committed before holds in this process.
    ///
    /// # Errors
    /// If the database fails; what held holds on.
    pub async fn refresh(&self) -> Result<()> {
        self.0.look().await
    }

    /// How long something is kept.
    ///
    /// # Errors
    /// What is stored of it is no number of days: nothing may be removed by it.
    pub fn kept(&self, what: Kept) -> std::result::Result<i32, Unusable> {
        let current = self.0.current();
        let is_held = |key: &Key| matches!(current.settings.loaded.origin(key), Origin::Environment(_));
        if current.unusable.contains_key(what.as_str()) && !keys::find_stored(what.as_str()).is_some_and(is_held) {
            return Err(Unusable(what));
        }
        Ok(what.of(&current.settings.upkeep))
    }

    /// The settings as they are with these rows, and why some of those can't be used, by their keys.
    ///
    /// # Errors
    /// Never in practice: environment and file were right at the start.
    pub fn with(&self, rows: &BTreeMap<String, Value>) -> std::result::Result<(Settings, Unusables), settings::SettingsError> {
        self.0.current().with(rows, &self.0.keyring).map(|(settings, _, unusable)| (settings, unusable))
    }
}

/// Seals the value of a sensitive setting, for its own row only.
///
/// # Errors
/// As [`Keyring::seal`].
pub fn seal(keyring: &Keyring, key: &str, clear: &str) -> std::result::Result<Value, SealingError> {
    keyring.seal(TABLE, key, Uuid::nil(), clear.as_bytes())
}

/// Opens a sealed setting.
///
/// # Errors
/// As [`Keyring::open`].
pub fn open(keyring: &Keyring, key: &str, sealed: &Value) -> std::result::Result<Value, SealingError> {
    let clear = keyring.open(TABLE, key, Uuid::nil(), sealed)?;
    std::str::from_utf8(clear.expose_secret()).map(Into::into).map_err(|_| SealingError::Malformed)
}

/// What can be used of the stored rows, with sensitive values opened; and why the others can't be, by their keys.
#[must_use]
pub fn usable(rows: &BTreeMap<String, Value>, keyring: &Keyring) -> (BTreeMap<String, Value>, Unusables) {
    let (mut good, mut bad) = (BTreeMap::new(), BTreeMap::new());
    for key in keys::stored() {
        let Some((name, row)) = key.stored.and_then(|name| Some((name, rows.get(name)?))) else { continue };
        let opened = if key.kind.is_secret() { open(keyring, name, row).map_err(|error| error.to_string()) } else { Ok(row.clone()) };
        match opened.and_then(|value| settings::acceptable(key, &value)) {
            Ok(value) => {
                good.insert(name.to_owned(), value);
            }
            Err(why) => {
                bad.insert(name, why);
            }
        }
    }
    (good, bad)
}

type Assembled = (Settings, BTreeMap<String, Value>, Unusables);

impl Current {
    // A row that can't be used changes nothing: what held goes on holding.
    fn with(&self, rows: &BTreeMap<String, Value>, keyring: &Keyring) -> std::result::Result<Assembled, settings::SettingsError> {
        let (mut stored, unusable) = usable(rows, keyring);
        for name in unusable.keys() {
            if let Some(before) = self.stored.get(*name) {
                stored.insert((*name).to_owned(), before.clone());
            }
        }
        let sources = self.settings.loaded.sources().clone().with_stored(stored.clone());
        Ok((Settings::load(&sources)?, stored, unusable))
    }
}

impl Shared {
    fn current(&self) -> Arc<Current> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(&self) -> Result<()> {
        let _alone = self.looking.lock().await;
        let version = system_settings::version(&self.pool).await?;
        if self.current().version.as_ref() == Some(&version) && !version.is_empty() {
            return Ok(());
        }
        if let Some(rows) = self.cached(&version).await {
            self.take(version, &rows);
        } else {
            let (version, rows) = system_settings::versioned(&self.pool).await?;
            // What is in Redis holds here already.
            self.take(version.clone(), &rows);
            self.keep(&version, &rows).await;
        }
        Ok(())
    }

    fn take(&self, version: Version, rows: &BTreeMap<String, Value>) {
        let before = self.current();
        let mut current = Current { version: Some(version.clone()), ..(*before).clone() };
        match before.with(rows, &self.keyring) {
            Ok((settings, stored, unusable)) => {
                for (key, why) in unusable.iter().filter(|(key, why)| before.unusable.get(**key) != Some(*why)) {
                    tracing::error!(key, why, "a stored setting can't be used; what held before holds on");
                }
                let known: BTreeSet<&String> = before.stored.keys().chain(stored.keys()).collect();
                let changed: Vec<&String> = known.into_iter().filter(|key| before.stored.get(*key) != stored.get(*key)).collect();
                if before.version.is_some() && !changed.is_empty() {
                    tracing::info!(version, ?changed, "stored settings changed");
                }
                current = Current { settings: Arc::new(settings), version: Some(version), stored, unusable };
            }
            Err(error) => tracing::error!(error = %error, "the stored settings don't fit the others; what held before holds on"),
        }
        self.cache.set_query_ttl(current.settings.cache.ttl());
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
    }

    /// All of them at this version; none: Redis does not have every one.
    async fn cached(&self, version: &Version) -> Option<BTreeMap<String, Value>> {
        if version.is_empty() {
            return None;
        }
        let mut rows = BTreeMap::new();
        for category in categories() {
            let cached: Cached = self.cache.get_json(&CacheKey::SystemSettings { category }).await?;
            rows.extend(cached.values(&self.keyring, category, version)?);
        }
        Some(rows)
    }

    async fn keep(&self, version: &Version, rows: &BTreeMap<String, Value>) {
        for category in categories() {
            let of = keys::stored().filter(|key| key.category() == category).filter_map(|key| key.stored);
            let values = of.filter_map(|name| Some((name.to_owned(), rows.get(name)?.clone()))).collect();
            let Some(cached) = Cached::new(&self.keyring, category, version, &values) else { return };
            if !self.cache.set_json(&CacheKey::SystemSettings { category }, &cached).await {
                return;
            }
        }
    }
}

fn categories() -> BTreeSet<&'static str> {
    keys::stored().map(Key::category).collect()
}

/// Looks until nobody has the settings any more.
async fn look_again_and_again(shared: Weak<Shared>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        match shared.look().await {
            Ok(()) => failing = false,
            // Told once an outage: the database's absence is told everywhere.
            Err(error) => {
                if !failing {
                    tracing::warn!(error = &error as &dyn std::error::Error, "settings can't be looked at; what held holds on");
                }
                failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::sealing::generate_key;

    #[test]
    fn what_redis_holds_counts_only_with_the_mark_of_this_installation_at_this_version() {
        let keys = [generate_key(), generate_key()];
        let (ours, other) = (Keyring::from_setting(&keys[0]).expect("a key"), Keyring::from_setting(&keys[1]).expect("a key"));
        let values = BTreeMap::from([("max_query_rows".to_owned(), json!(5)), ("openai_temperature".to_owned(), json!(0.1))]);
        let version = "7.801".to_owned();
        let mut cached = Cached::new(&ours, "query", &version, &values).expect("it is JSON");
        assert_eq!(cached.values(&ours, "query", &version), Some(values));
        // During a rotation of keys some have another one in front.
        let rotating = Keyring::from_setting(&format!("{},{}", keys[1], keys[0])).expect("a ring");
        assert!(cached.values(&rotating, "query", &version).is_some());
        assert_eq!(cached.values(&other, "query", &version), None, "of another installation");
        assert_eq!(cached.values(&ours, "limits", &version), None, "of another category");
        assert_eq!(cached.values(&ours, "query", &"7.802".to_owned()), None, "of another time");
        cached.values = cached.values.replace('5', "9");
        assert_eq!(cached.values(&ours, "query", &version), None, "changed by somebody");
    }

    #[test]
    fn what_is_stored_is_opened_and_checked_and_what_can_not_be_used_is_told_without_a_secret() {
        let ring = Keyring::from_setting(&generate_key()).expect("a key");
        let sealed = seal(&ring, "openai_api_key", "sk-s3cret").expect("it is sealed");
        let rows = |key: Value| {
            BTreeMap::from([
                ("openai_api_key".to_owned(), key),
                ("max_query_rows".to_owned(), json!(0)),
                ("openai_model".to_owned(), json!(" local ")),
                ("sealing_check".to_owned(), json!({})),
                ("not_ours".to_owned(), json!([])),
            ])
        };
        let (good, bad) = usable(&rows(sealed.clone()), &ring);
        assert_eq!(good, BTreeMap::from([("openai_api_key".to_owned(), json!("sk-s3cret")), ("openai_model".to_owned(), json!("local"))]));
        assert_eq!(bad.keys().copied().collect::<Vec<_>>(), ["max_query_rows"]);

        // Another key, a value in the clear, and one that belongs to another row.
        let other = Keyring::from_setting(&generate_key()).expect("a key");
        let moved = seal(&ring, "another_key", "sk-s3cret").expect("it is sealed");
        for (key, ring) in [(sealed, &other), (json!("sk-s3cret"), &ring), (moved, &ring)] {
            let (good, bad) = usable(&rows(key), ring);
            assert!(!good.contains_key("openai_api_key"), "{good:?}");
            assert!(!bad["openai_api_key"].contains("s3cret"), "{bad:?}");
        }
    }
}
