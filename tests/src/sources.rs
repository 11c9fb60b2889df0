//! Customers' databases for a test app: the shop in PostgreSQL and in a SQLite file, registered and ready.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use crate::{
    app::TestApp,
    gate::Gate,
    servers::{Database, word},
    shop,
    wait::until,
};

/// A customers' PostgreSQL database with a role that can only read.
pub struct Reader {
    /// The database, for its owner.
    pub database: Database,
    /// What the connection's `config` holds.
    pub config: Value,
}

impl TestApp {
    /// The shop in a PostgreSQL database: the id of its connection, which is ready.
    ///
    /// # Panics
    /// If it does not get ready.
    pub async fn shop_pg(&self) -> Uuid {
        let make = async {
            let reader = self.reader(&shop::postgres()).await;
            let id = self.connect("shop-pg", "postgresql", reader.config.clone()).await;
            (id, Arc::new(reader))
        };
        self.shop_pg.get_or_init(|| Box::pin(make)).await.0
    }

    /// The customers' database behind [`TestApp::shop_pg`], to change it.
    pub async fn shop_pg_database(&self) -> Arc<Reader> {
        self.shop_pg().await;
        let (_, reader) = self.shop_pg.get().expect("it was just made");
        reader.clone()
    }

    /// The shop in a SQLite file: the id of its connection, which is ready.
    ///
    /// # Panics
    /// If it does not get ready.
    pub async fn shop_sqlite(&self) -> Uuid {
        let make = async {
            let path = self.sqlite_folder().join("shop.sqlite");
            let file = rusqlite::Connection::open(&path).expect("a SQLite file can be made");
            file.execute_batch(&format!("BEGIN; {} COMMIT;", shop::sqlite())).expect("the shop is made");
            file.close().map_err(|(_, error)| error).expect("the file closes");
            self.connect("shop-sqlite", "sqlite", json!({ "database": path })).await
        };
        *self.shop_sqlite.get_or_init(|| Box::pin(make)).await
    }

    /// Registers a database, waits until it has been looked at and gives its id. Where the app has no worker, one runs meanwhile.
    ///
    /// # Panics
    /// If it is not `ready`.
    pub async fn connect(&self, name: &str, db_type: &str, config: Value) -> Uuid {
        let helper = if self.has_worker() { None } else { Some(self.start_worker().await) };
        let body = json!({ "name": name, "db_type": db_type, "config": config });
        let id = self.admin.post("/v1/connections", body).await.expect(201).id();
        let connection = self.looked_at(id).await;
        assert_eq!(connection["state"], "ready", "{connection}");
        if let Some(helper) = helper {
            helper.stop().await;
        }
        id
    }

    /// Waits until a connection is no longer `probing`: the whole of it.
    pub async fn looked_at(&self, id: Uuid) -> Value {
        until(
            || async {
                let connection = self.admin.get(format!("/v1/connections/{id}"), None).await.expect(200).body;
                (connection["state"] != "probing").then_some(connection)
            },
            "the connection has been looked at",
        )
        .await
    }

    /// A customers' PostgreSQL database made by these statements, with a role that can read its tables.
    ///
    /// # Panics
    /// If it can't be made.
    pub async fn reader(&self, sql: &str) -> Reader {
        let mut database = self.servers.database("customer").await;
        let role = format!("reader_{}", word());
        database.execute(sql).await;
        database
            .execute(format!(
                "CREATE ROLE {role} LOGIN PASSWORD 'only-reads'; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
                 GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
                 ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role};"
            ))
            .await;
        database.afterwards(format!("DROP ROLE IF EXISTS {role}"));
        let options: PgConnectOptions = database.url.parse().expect("the database has a URL");
        let config = json!({
            "host": options.get_host(), "port": options.get_port(), "database": database.name, "username": role, "password": "only-reads",
        });
        Reader { database, config }
    }
}

impl Reader {
    /// A gate before this database, and the `config` that leads through it.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn gated(&self) -> (Gate, Value) {
        gate_before(&self.config).await
    }
}

/// A gate before the server of this `config`, and the `config` that leads through it.
pub(crate) async fn gate_before(config: &Value) -> (Gate, Value) {
    let host = config["host"].as_str().expect("a server has a host");
    let port = config["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a server has a port");
    let gate = Gate::before(host, port).await;
    let mut config = config.clone();
    config["host"] = json!("127.0.0.1");
    config["port"] = json!(gate.port());
    // Without a handshake before the first message, a shut gate ends every connection in the same place.
    config["ssl_mode"] = json!("disable");
    (gate, config)
}
