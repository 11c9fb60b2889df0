//! `run.json`: where a running system is and how to get in, for people and for checks.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::LocalError;
use crate::private_file::write_json;

/// The content of `run.json`, as the HTTP contract fixes it. It has no `Debug`: it is full of secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// Base URL of the API, `http://127.0.0.1:PORT`.
    pub url: String,
    /// Who may do everything.
    pub admin: Admin,
    /// An API key of the admin with every scope.
    pub api_key: String,
    /// The system database; a private one for its superuser.
    pub postgres_url: Option<String>,
    /// Redis.
    pub redis_url: Option<String>,
    /// RabbitMQ, where it is the broker.
    pub amqp_url: Option<String>,
    /// The private MariaDB for its administrator, where there is one; else the field is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql_url: Option<String>,
    /// Connection name → id.
    pub connections: BTreeMap<String, String>,
    /// The processes as they are now.
    pub pids: Pids,
}

/// The first user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    /// `admin`.
    pub username: String,
    /// Made at the first start.
    pub password: String,
}

/// Process ids. A server that is not private has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pids {
    /// `datagenie-api`.
    pub api: Vec<u32>,
    /// `datagenie-worker`.
    pub worker: Vec<u32>,
    /// `datagenie-scheduler`.
    pub scheduler: Vec<u32>,
    /// The private PostgreSQL that holds the system database.
    pub postgres: Option<u32>,
    /// The private Redis.
    pub redis: Option<u32>,
    /// The private RabbitMQ.
    pub rabbitmq: Option<u32>,
    /// The private MariaDB, where there is one; else the field is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mariadb: Option<u32>,
}

impl RunFile {
    /// Writes it, mode 0600, in one step.
    ///
    /// # Errors
    /// [`LocalError::File`] when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LocalError> {
        write_json(path, self)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn it_has_the_shape_of_the_contract_and_only_its_owner_reads_it() {
        let mut run = RunFile {
            url: "http://127.0.0.1:8080".to_owned(),
            admin: Admin { username: "admin".to_owned(), password: "p".to_owned() },
            api_key: "dg_k".to_owned(),
            postgres_url: Some("postgres://postgres:x@127.0.0.1:5433/datagenie".to_owned()),
            redis_url: Some("redis://127.0.0.1:6380/0".to_owned()),
            amqp_url: None,
            mysql_url: None,
            connections: BTreeMap::from([("shop".to_owned(), "0190".to_owned())]),
            pids: Pids {
                api: vec![1],
                worker: vec![2, 3],
                scheduler: vec![4],
                postgres: Some(5),
                redis: Some(6),
                rabbitmq: None,
                mariadb: None,
            },
        };
        let path = std::env::temp_dir().join(format!("datagenie-run-{}.json", std::process::id()));
        run.write(&path).expect("writable");
        run.write(&path).expect("writable again");
        let written = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&path).expect("readable")).expect("JSON");
        assert_eq!(
            written(),
            json!({
                "url": "http://127.0.0.1:8080",
                "admin": {"username": "admin", "password": "p"},
                "api_key": "dg_k",
                "postgres_url": "postgres://postgres:x@127.0.0.1:5433/datagenie",
                "redis_url": "redis://127.0.0.1:6380/0",
                "amqp_url": null,
                "connections": {"shop": "0190"},
                "pids": {"api": [1], "worker": [2, 3], "scheduler": [4], "postgres": 5, "redis": 6, "rabbitmq": null},
            })
        );
        (run.mysql_url, run.pids.mariadb) = (Some("mysql://root:x@127.0.0.1:3307/".to_owned()), Some(7));
        run.write(&path).expect("writable");
        assert_eq!((&written()["mysql_url"], &written()["pids"]["mariadb"]), (&json!("mysql://root:x@127.0.0.1:3307/"), &json!(7)));
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_file(&path).expect("removable");
    }
}
