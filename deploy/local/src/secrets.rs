//! The secrets of one system, made at its first start and kept in its data folder (mode 0600).

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{LocalError, on_file};
use crate::private_file::write_json;

/// Passwords and keys. It has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// What customer connections are sealed with; made by `datagenie-api keygen`.
    pub sealing_key: Option<String>,
    /// The user `admin`.
    pub admin_password: String,
    /// An API key of the admin.
    pub api_key: Option<String>,
    /// PostgreSQL's superuser.
    pub postgres_password: String,
    /// The role that owns the system database.
    pub database_password: String,
    /// The reader of the sample, on PostgreSQL and on MariaDB.
    pub shop_password: String,
    /// Redis.
    pub redis_password: String,
    /// RabbitMQ's user. A folder of an older version has none; it is made when the folder is used again.
    #[serde(default)]
    pub rabbitmq_password: String,
    /// MariaDB's administrator, likewise.
    #[serde(default)]
    pub mariadb_password: String,
}

impl Secrets {
    /// Reads the secrets of a kept folder, or makes new ones and writes them down.
    ///
    /// # Errors
    /// [`LocalError::File`] when the file cannot be read or written.
    pub fn load_or_create(path: &Path) -> Result<Self, LocalError> {
        if path.exists() {
            let text = fs::read_to_string(path).map_err(on_file("reading", path))?;
            let mut secrets: Self = serde_json::from_str(&text).map_err(|error| on_file("reading", path)(error.into()))?;
            let mut made = false;
            for password in [&mut secrets.rabbitmq_password, &mut secrets.mariadb_password] {
                if password.is_empty() {
                    *password = random_word();
                    made = true;
                }
            }
            if made {
                secrets.save(path)?;
            }
            return Ok(secrets);
        }
        let secrets = Self {
            sealing_key: None,
            admin_password: random_word(),
            api_key: None,
            postgres_password: random_word(),
            database_password: random_word(),
            shop_password: random_word(),
            redis_password: random_word(),
            rabbitmq_password: random_word(),
            mariadb_password: random_word(),
        };
        secrets.save(path)?;
        Ok(secrets)
    }

    /// Writes them down.
    ///
    /// # Errors
    /// [`LocalError::File`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), LocalError> {
        write_json(path, self)
    }
}

/// 128 random bits in 32 hexadecimal digits: nothing that a URL, SQL or a configuration file would have to quote.
#[must_use]
pub fn random_word() -> String {
    format!("{:032x}", rand::random::<u128>())
}
