//! The open sources of this process: one a connection, kept while it is used, replaced when its configuration changes.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::{
    ids::ConnectionId,
    model::connections::{ConnectionConfig, DbType},
};
use tokio::time::Instant;

use super::{Source, SourceError, mysql::MysqlSource, postgres::PostgresSource, slots::Slots, sqlite::SqliteSource};
use crate::capacity::{Capacity, Resource};

/// A source that nobody asked for this long is closed.
const UNUSED: Duration = Duration::from_secs(600);
/// Statements at work on one workbook, over all workers.
const WORKBOOK_SESSIONS: u32 = 8;

/// What all sources share.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Folders below which SQLite files may lie. None: no SQLite file may be opened.
    pub sqlite_roots: Vec<PathBuf>,
    /// Time to connect to a server and to begin a session.
    pub connect_timeout: Duration,
}

/// The registry. Sessions belong to a connection and a version of its configuration, so a changed password or host is used at once.
pub struct Sources {
    settings: SourceSettings,
    capacity: Capacity,
    open: Mutex<HashMap<ConnectionId, Opened>>,
}

struct Opened {
    config_version: i64,
    max_sessions: u32,
    source: Arc<dyn Source>,
    last_used: Instant,
}

impl Sources {
    /// An empty registry, whose sessions at work count among the fleet's.
    #[must_use]
    pub fn new(settings: SourceSettings, capacity: Capacity) -> Self {
        Self { settings, capacity, open: Mutex::new(HashMap::new()) }
    }

    /// The source of a connection, if it is open as configured at this version: nobody has to unseal the configuration then.
    #[must_use]
    pub fn opened(&self, id: ConnectionId, config_version: i64, max_connections: u32) -> Option<Arc<dyn Source>> {
        find(&mut self.lock(), id, config_version, max_connections)
    }

    /// The source of a connection, as configured at this version, on which the fleet may have `max_connections` sessions at work. Does
    /// not connect: the first statement does.
    ///
    /// # Errors
    /// [`SourceError::Refused`] and [`SourceError::Tls`] for a configuration that can't be used.
    pub async fn open(
        &self,
        id: ConnectionId,
        config_version: i64,
        db_type: DbType,
        config: &ConnectionConfig,
        max_connections: u32,
    ) -> Result<Arc<dyn Source>, SourceError> {
        let mut open = self.lock();
        if let Some(source) = find(&mut open, id, config_version, max_connections) {
            return Ok(source);
        }
        let max_sessions = max_connections.max(1);
        let slots = Slots::new(self.capacity.clone(), Resource::source(id), max_sessions);
        let source = self.create(db_type, config, slots)?;
        open.insert(id, Opened { config_version, max_sessions, source: Arc::clone(&source), last_used: Instant::now() });
        Ok(source)
    }

    /// The SQLite file made of a workbook, which lies below this folder of ours. It is not kept among the open ones: a statement opens it
    /// anew, and whoever asks it holds it.
    #[must_use]
    pub fn workbook(&self, id: ConnectionId, file: &Path, folder: &Path) -> Arc<dyn Source> {
        let slots = Slots::new(self.capacity.clone(), Resource::source(id), WORKBOOK_SESSIONS);
        Arc::new(SqliteSource::new(file, &[folder.to_owned()], slots))
    }

    /// What is open, and of which version of its configuration.
    pub(super) fn versions(&self) -> Vec<(ConnectionId, i64)> {
        self.lock().iter().map(|(id, opened)| (*id, opened.config_version)).collect()
    }

    /// Closes the source of a connection that was changed or deleted, if it still is of this version.
    pub(super) async fn forget(&self, id: ConnectionId, config_version: i64) {
        let opened = {
            let mut open = self.lock();
            if open.get(&id).is_some_and(|opened| opened.config_version == config_version) { open.remove(&id) } else { None }
        };
        if let Some(opened) = opened {
            opened.source.close().await;
        }
    }

    /// Closes every source: the process ends.
    pub async fn close(&self) {
        let all: Vec<Opened> = self.lock().drain().map(|(_, opened)| opened).collect();
        futures::future::join_all(all.iter().map(|opened| opened.source.close())).await;
    }

    fn create(&self, db_type: DbType, config: &ConnectionConfig, slots: Slots) -> Result<Arc<dyn Source>, SourceError> {
        match (db_type, config) {
            (DbType::Postgresql, ConnectionConfig::Server(server)) => {
                Ok(Arc::new(PostgresSource::new(server, self.settings.connect_timeout, slots)?))
            }
            (DbType::Sqlite, ConnectionConfig::File(file)) => {
                Ok(Arc::new(SqliteSource::new(Path::new(&file.database), &self.settings.sqlite_roots, slots)))
            }
            (DbType::Mysql, ConnectionConfig::Server(server)) => {
                Ok(Arc::new(MysqlSource::new(server, self.settings.connect_timeout, slots)?))
            }
            (DbType::Postgresql | DbType::Mysql, ConnectionConfig::File(_)) => {
                Err(SourceError::refused(format!("a {db_type} connection needs host, port, database, username and password")))
            }
            (DbType::Sqlite, ConnectionConfig::Server(_)) => {
                Err(SourceError::refused("a sqlite connection needs `database`, the path of its file, and nothing else"))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Opened>> {
        // Nothing panics while the map is locked; if something ever does, the map is still whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source of a connection, if it is open at this version. Those that nobody has asked for are forgotten by the way.
fn find(open: &mut HashMap<ConnectionId, Opened>, id: ConnectionId, config_version: i64, max_connections: u32) -> Option<Arc<dyn Source>> {
    let now = Instant::now();
    // Dropping the last handle of a source closes its idle sessions; those at work close when their statement ends.
    open.retain(|_, opened| now.duration_since(opened.last_used) < UNUSED);
    let opened = open.get_mut(&id)?;
    if opened.config_version != config_version || opened.max_sessions != max_connections.max(1) {
        return None;
    }
    opened.last_used = now;
    Some(Arc::clone(&opened.source))
}

#[cfg(test)]
mod tests {
    use datagenie_common::model::connections::{FileConfig, ServerConfig};
    use secrecy::SecretString;

    use super::*;

    fn sources() -> Sources {
        let settings = SourceSettings { sqlite_roots: Vec::new(), connect_timeout: Duration::from_secs(1) };
        Sources::new(settings, Capacity::alone())
    }

    fn server() -> ConnectionConfig {
        ConnectionConfig::Server(ServerConfig {
            host: "127.0.0.1".to_owned(),
            port: 1,
            database: "shop".to_owned(),
            username: "reader".to_owned(),
            password: SecretString::from("secret"),
            ssl_mode: None,
            ssl_root_cert: None,
            pool_size: None,
            max_overflow: None,
        })
    }

    #[tokio::test]
    async fn a_source_is_kept_for_its_version_and_replaced_by_another() {
        let sources = sources();
        let id = ConnectionId::new();
        assert!(sources.opened(id, 1, 3).is_none());
        let first = sources.open(id, 1, DbType::Postgresql, &server(), 3).await.expect("opens lazily");
        let again = sources.open(id, 1, DbType::Postgresql, &server(), 3).await.expect("opens lazily");
        let changed = sources.open(id, 2, DbType::Postgresql, &server(), 3).await.expect("opens lazily");
        assert!(Arc::ptr_eq(&first, &again));
        assert!(sources.opened(id, 1, 3).is_none() && sources.opened(id, 2, 4).is_none(), "of another version or size it is another one");
        assert!(sources.opened(id, 2, 3).is_some_and(|opened| Arc::ptr_eq(&opened, &changed)), "nobody unseals its configuration again");
        assert!(!Arc::ptr_eq(&first, &changed));
    }

    #[tokio::test]
    async fn both_servers_open_without_being_asked() {
        for db_type in [DbType::Postgresql, DbType::Mysql] {
            let opened = sources().open(ConnectionId::new(), 1, db_type, &server(), 3).await;
            assert!(opened.is_ok(), "{db_type}");
        }
    }

    #[tokio::test]
    async fn a_configuration_of_another_engine_is_refused() {
        let file = ConnectionConfig::File(FileConfig { database: "/shop.sqlite".to_owned() });
        for (db_type, config) in [(DbType::Postgresql, &file), (DbType::Mysql, &file), (DbType::Sqlite, &server())] {
            let refused = sources().open(ConnectionId::new(), 1, db_type, config, 3).await.err();
            assert!(matches!(refused, Some(SourceError::Refused { .. })), "{db_type}: {refused:?}");
        }
    }
}
