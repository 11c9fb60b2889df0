//! A system database without any program on it, for tests of the store alone.

use datagenie_common::store::{self, migrations};
use datagenie_local::with_servers::TempFolder;
use datagenie_tests::{Database, Servers};
use sqlx::{PgPool, postgres::PgConnectOptions, postgres::PgPoolOptions};

/// Connections that one test may hold at once.
const CONNECTIONS: u32 = 12;

/// A database of one test's own, as a program connects to it. The order of the fields is that of their end.
pub struct BareDatabase {
    /// The pool that a program would have.
    pub pool: PgPool,
    /// The superuser's URL.
    pub url: String,
    _database: Database,
    _servers: Servers,
    _folder: TempFolder,
}

impl BareDatabase {
    /// An empty one.
    pub async fn empty() -> Self {
        let folder = TempFolder::new("test").expect("a temporary folder");
        let servers = Servers::start(folder.path()).await;
        let database = servers.database("bare").await;
        let url = database.url.clone();
        let pool = store::connect(&url, CONNECTIONS, "datagenie-test").expect("the URL is one of PostgreSQL");
        Self { pool, url, _database: database, _servers: servers, _folder: folder }
    }

    /// One with the schema of this program.
    pub async fn migrated() -> Self {
        let bare = Self::empty().await;
        migrations::up(&bare.url).await.expect("the migrations apply");
        bare
    }

    /// A pool whose sessions have the system's clock shifted by an interval such as `PT2H`.
    pub async fn shifted(&self, interval: &str) -> PgPool {
        let options: PgConnectOptions = self.url.parse().expect("the URL is one of PostgreSQL");
        let options = options.options([("datagenie.clock_offset", interval)]);
        PgPoolOptions::new().max_connections(2).connect_with(options).await.expect("the database answers")
    }
}
