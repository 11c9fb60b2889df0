//! Customers' MariaDB databases for a test app, on the server of the run: the shop, registered and ready, or what a test makes.

use std::sync::Arc;

use datagenie_local::with_servers::{MYSQL_CA, MYSQL_URL};
use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{app::TestApp, gate::Gate, servers::word, shop, sources::gate_before};

const PASSWORD: &str = "only-reads";

/// A customers' MariaDB database of one test's own with a user that can only read; dropping it drops both.
pub struct MysqlReader {
    /// The database's name.
    pub database: String,
    /// What the connection's `config` holds. Its `ssl_mode` is `disable`.
    pub config: Value,
    user: String,
    server: Opts,
}

impl TestApp {
    /// The shop in a MariaDB database: the id of its connection, which is ready.
    ///
    /// # Panics
    /// If it does not get ready, or the tests do not run beside a MariaDB.
    pub async fn shop_mysql(&self) -> Uuid {
        let make = async {
            let reader = self.mysql_reader(&shop::mysql()).await;
            let id = self.connect("shop-mysql", "mysql", reader.config.clone()).await;
            (id, Arc::new(reader))
        };
        self.shop_mysql.get_or_init(|| Box::pin(make)).await.0
    }

    /// The customers' database behind [`TestApp::shop_mysql`], to change it.
    pub async fn shop_mysql_database(&self) -> Arc<MysqlReader> {
        self.shop_mysql().await;
        let (_, reader) = self.shop_mysql.get().expect("it was just made");
        reader.clone()
    }

    /// A customers' MariaDB database made by these statements, with a user that can read its tables. It is not registered.
    ///
    /// # Panics
    /// If it can't be made, or the tests do not run beside a MariaDB.
    pub async fn mysql_reader(&self, statements: &[impl AsRef<str>]) -> MysqlReader {
        let server = Opts::from_url(&mysql_url()).expect("the server has a URL");
        let word = word();
        let (database, user) = (format!("dg_customer_{word}"), format!("reader_{word}"));
        let config = json!({
            "host": server.ip_or_hostname(), "port": server.tcp_port(), "database": database, "username": user, "password": PASSWORD,
            "ssl_mode": "disable",
        });
        // From here on it is dropped at the end, whatever fails.
        let reader = MysqlReader { database, config, user, server };
        let made = [
            format!("CREATE DATABASE {} CHARACTER SET utf8mb4", reader.database),
            format!("USE {}", reader.database),
            format!("CREATE USER {}@'%' IDENTIFIED BY '{PASSWORD}'", reader.user),
            format!("GRANT SELECT ON {}.* TO {}@'%'", reader.database, reader.user),
        ];
        let all: Vec<&str> = made.iter().map(String::as_str).chain(statements.iter().map(AsRef::as_ref)).collect();
        run(&reader.server, None, &all).await;
        reader
    }
}

impl MysqlReader {
    /// Runs statements in it, as the administrator.
    ///
    /// # Panics
    /// If one fails.
    pub async fn execute(&self, sql: impl AsRef<str>) {
        run(&self.server, Some(&self.database), &[sql.as_ref()]).await;
    }

    /// The user who only reads: `execute` may give him more, by `GRANT … TO {user}`.
    #[must_use]
    pub fn user(&self) -> String {
        format!("{}@'%'", self.user)
    }

    /// A gate before this database, and the `config` that leads through it.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn gated(&self) -> (Gate, Value) {
        gate_before(&self.config).await
    }
}

impl Drop for MysqlReader {
    fn drop(&mut self) {
        let (server, database, user) = (self.server.clone(), self.database.clone(), self.user.clone());
        // A destructor can't await, and the test's runtime may be ending: a thread with one of its own does it.
        let dropping = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                // A server that is gone took the database with it.
                let Ok(mut connection) = Conn::new(options(&server, None)).await else { return };
                for statement in [
                    // A session that still reads would keep the database from going.
                    format!("DROP USER IF EXISTS {user}@'%'"),
                    format!("KILL CONNECTION USER {user}"),
                    "SET SESSION lock_wait_timeout = 10".to_owned(),
                    format!("DROP DATABASE IF EXISTS {database}"),
                ] {
                    let _ = connection.query_drop(statement).await;
                }
                let _ = connection.disconnect().await;
            });
        });
        let _ = dropping.join();
    }
}

/// The administrator's URL of the MariaDB that all tests of this run share, without a database.
///
/// # Panics
/// If the tests do not run beside one.
#[must_use]
pub fn mysql_url() -> String {
    std::env::var(MYSQL_URL).ok().filter(|url| !url.is_empty()).unwrap_or_else(|| {
        panic!(
            "{MYSQL_URL} is not set: run the tests by ./deploy/test.sh, or by datagenie-local with-servers --mariadb -- COMMAND; \
             or set it to the URL of a MariaDB for tests, mysql://USER:PASSWORD@HOST:PORT/"
        )
    })
}

/// The certificate, in PEM, of the authority that signed this MariaDB's, which is for `localhost` and `127.0.0.1`.
///
/// # Panics
/// If the tests do not run beside a MariaDB that offers TLS.
#[must_use]
pub fn mysql_ca() -> String {
    let file = std::env::var_os(MYSQL_CA).filter(|file| !file.is_empty()).unwrap_or_else(|| {
        panic!("{MYSQL_CA} is not set: run the tests beside a MariaDB (see {MYSQL_URL}) on a machine that has openssl");
    });
    std::fs::read_to_string(file).expect("the certificate can be read")
}

/// Runs statements one after the other on one connection of the administrator.
async fn run(server: &Opts, database: Option<&str>, statements: &[&str]) {
    let mut connection = Conn::new(options(server, database)).await.expect("the test's MariaDB answers");
    for statement in statements {
        connection.query_drop(*statement).await.expect("the test's own statements run");
    }
    connection.disconnect().await.expect("a connection closes");
}

/// By TCP, as the programs do: left to itself the client goes over to the server's socket.
fn options(server: &Opts, database: Option<&str>) -> OptsBuilder {
    OptsBuilder::from_opts(server.clone()).db_name(database).prefer_socket(false)
}
