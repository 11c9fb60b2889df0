//! Everything that a job may touch.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use datagenie_common::{
    broker::Broker,
    cache::{Cache, CacheKey},
    clock::Clock,
    crypto::Keyring,
    dispatch::Dispatch,
    files::Files,
    ids::ConnectionId,
    live::Live,
    live_settings::LiveSettings,
    model::schemas::SourceSchema,
    settings::Settings,
    settling::Settling,
    store::{self, StoreError},
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::{
    capacity::Capacity,
    leases::Leases,
    ledger::Ledger,
    llm::Drafters,
    question::{checked::Checked, daily::KnownLimits, plans::Plans, target::KnownTargets},
    sources::Sources,
    webhooks::Sender,
    workbooks::Workbooks,
};

/// The worker's environment, shared by all of its jobs.
pub struct Env {
    /// All settings, as they were at the start.
    pub settings: Settings,
    /// Those that may change while the service runs, as they are now: `env.live_settings.get()`.
    pub live_settings: LiveSettings,
    /// The system database.
    pub pool: PgPool,
    /// The doorbell.
    pub broker: Arc<dyn Broker>,
    /// Claims and ends, which share statements.
    pub ledger: Ledger,
    /// Lets the next jobs in.
    pub dispatch: Dispatch,
    /// Redis.
    pub cache: Cache,
    /// Results.
    pub files: Files,
    /// Opens sealed connection configurations.
    pub keyring: Keyring,
    /// The clock.
    pub clock: Clock,
    /// Who turns questions into SQL.
    pub drafters: Drafters,
    /// Customers' databases.
    pub sources: Sources,
    /// What this process has of the fleet's sessions and model calls.
    pub capacity: Capacity,
    /// The leases that this process holds.
    pub leases: Leases,
    /// Tells readers that something happened.
    pub live: Live,
    /// Keeps batches going.
    pub settling: Settling,
    /// Catalogues, by connection and version.
    pub schemas: SchemaCache,
    /// Connections and policies, by their versions.
    pub known: KnownTargets,
    /// What askers may use up.
    pub limits: KnownLimits,
    /// Statements that passed the guard.
    pub checked: Checked,
    /// What databases said of statements.
    pub plans: Plans,
    /// Uploaded workbooks.
    pub workbooks: Workbooks,
    /// Sends webhooks.
    pub webhooks: Sender,
    /// This process's name in the ledger and the logs.
    pub instance: String,
}

/// `datagenie:schema:{connection_id}`, in the document's shape; the version says whether it still holds.
#[derive(Serialize, Deserialize)]
struct CachedSchema {
    connection_id: ConnectionId,
    version: i64,
    #[serde(flatten)]
    schema: SourceSchema,
}

/// A catalogue and its version.
type Versioned = (i64, Arc<SourceSchema>);

/// Parsed catalogues: a large one takes longer to parse than a question takes to answer. Bounded; the version decides.
#[derive(Default)]
pub struct SchemaCache {
    held: Mutex<HashMap<ConnectionId, Versioned>>,
}

const CATALOGUES_HELD: usize = 32;
/// Columns of all of them together, if they are more than one.
pub const COLUMNS_HELD: usize = 100_000;

impl SchemaCache {
    /// The catalogue of a connection at its newest version; none: never synced.
    ///
    /// # Errors
    /// If the system database fails.
    pub async fn get(&self, pool: &PgPool, cache: &Cache, id: ConnectionId, version: i64) -> Result<Option<Arc<SourceSchema>>, StoreError> {
        if let Some((held, schema)) = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&id)
            && *held == version
        {
            return Ok(Some(schema.clone()));
        }
        let key = CacheKey::SchemaInfo { connection: id };
        let cached = cache.get_json::<CachedSchema>(&key).await.filter(|cached| cached.version == version);
        let (schema, version) = match cached {
            Some(cached) => (cached.schema, version),
            None => {
                let Some((schema, version)) = store::connections::schema(pool, id).await? else { return Ok(None) };
                let cached = CachedSchema { connection_id: id, version, schema };
                // One that is too long for Redis takes the older one's place as well: that has samples of what may be masked now.
                if !cache.set_json(&key, &cached).await {
                    cache.delete(&key).await;
                }
                (cached.schema, version)
            }
        };
        let schema = Arc::new(schema);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let columns: usize = held.values().map(|(_, schema)| schema.column_count()).sum();
        if held.len() >= CATALOGUES_HELD || columns + schema.column_count() > COLUMNS_HELD {
            held.clear();
        }
        held.insert(id, (version, schema.clone()));
        Ok(Some(schema))
    }
}
