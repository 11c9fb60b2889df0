//! The servers of one system: private ones, or the configured ones in their place.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::options::{BrokerKind, SystemOptions};
use crate::data_folder::DataFolder;
use crate::error::{LocalError, chain, on_database};
use crate::notes::note;
use crate::secrets::Secrets;
use crate::servers::postgres::{Postgres, PostgresOptions, create_database};
use crate::servers::redis::{Redis, RedisOptions};

/// The system database, and the role that owns it.
const DATABASE: &str = "datagenie";

/// Running private servers and the URLs that the programs are given. RabbitMQ will be a third field.
pub struct Servers {
    /// Holds the system database unless one is configured, and the sample.
    pub postgres: Option<Postgres>,
    /// Broker and cache unless both are configured.
    pub redis: Option<Redis>,
    /// What the programs are given.
    pub urls: Urls,
}

/// Where the programs find their servers. It has no `Debug`: URLs hold passwords.
#[derive(Clone)]
pub struct Urls {
    /// The system database, for the role that owns it.
    pub database: String,
    /// The same for people and checks: for the superuser where the server is private.
    pub database_admin: String,
    /// The cache.
    pub redis: String,
    /// The broker.
    pub broker: String,
    /// Whether the system database is on the private server.
    pub database_is_private: bool,
}

impl Servers {
    /// Starts what is not configured and makes the system database.
    ///
    /// # Errors
    /// [`LocalError::Refused`] for a broker that cannot be had, else what starting the servers gave.
    pub async fn start(options: &SystemOptions, folder: &DataFolder, secrets: &Secrets) -> Result<Self, LocalError> {
        let configured = &options.configured;
        if configured.broker.is_none() && options.broker == BrokerKind::Rabbitmq {
            return Err(LocalError::Refused(
                "a private RabbitMQ cannot be started yet; use --broker redis, or name a running RabbitMQ in DATAGENIE_BROKER__URL"
                    .to_owned(),
            ));
        }
        let needs_postgres = configured.database.is_none() || options.sample;
        let needs_redis = configured.redis.is_none() || configured.broker.is_none();
        let postgres = async {
            if !needs_postgres {
                return Ok(None);
            }
            Postgres::start(PostgresOptions {
                data_dir: folder.path("postgres"),
                durable: options.durable,
                port: None,
                password: Some(secrets.postgres_password.clone()),
                log: Some(folder.log("postgres")),
            })
            .await
            .map(Some)
        };
        let redis = async {
            if !needs_redis {
                return Ok(None);
            }
            Redis::start(RedisOptions {
                dir: folder.path("redis"),
                port: None,
                persistent: true,
                password: Some(secrets.redis_password.clone()),
                log: Some(folder.log("redis")),
            })
            .await
            .map(Some)
        };
        let (postgres, redis) = futures::future::try_join(postgres, redis).await?;
        let urls = urls(options, secrets, postgres.as_ref(), redis.as_ref())?;
        if let (true, Some(postgres)) = (urls.database_is_private, &postgres) {
            create_system_database(postgres, &secrets.database_password).await?;
        }
        Ok(Self { postgres, redis, urls })
    }

    /// Starts servers again that ended by themselves, on their old ports and data.
    pub async fn revive(&mut self) {
        if let Some(old) = self.postgres.take_if(Postgres::has_ended) {
            note("PostgreSQL ended; it is started again");
            match Postgres::start(old.options()).await {
                Ok(new) => self.postgres = Some(new),
                Err(error) => {
                    note(&chain(&error));
                    self.postgres = Some(old);
                }
            }
        }
        if let Some(old) = self.redis.take_if(Redis::has_ended) {
            note("Redis ended; it is started again");
            match Redis::start(old.options()).await {
                Ok(new) => self.redis = Some(new),
                Err(error) => {
                    note(&chain(&error));
                    self.redis = Some(old);
                }
            }
        }
    }

    /// Stops what runs, in order.
    pub async fn stop(&mut self) {
        if let Some(redis) = self.redis.take() {
            redis.stop().await;
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await;
        }
    }
}

fn urls(options: &SystemOptions, secrets: &Secrets, postgres: Option<&Postgres>, redis: Option<&Redis>) -> Result<Urls, LocalError> {
    let configured = &options.configured;
    let missing = || LocalError::Refused("a server that is needed was not started".to_owned());
    let private_redis = || redis.map(Redis::url).ok_or_else(missing);
    let (database, database_admin) = match (&configured.database, postgres) {
        (Some(url), _) => (url.clone(), url.clone()),
        (None, Some(server)) => (server.url_for(DATABASE, &secrets.database_password, DATABASE), server.url(DATABASE)),
        (None, None) => return Err(missing()),
    };
    Ok(Urls {
        database,
        database_admin,
        redis: configured.redis.clone().map_or_else(private_redis, Ok)?,
        broker: configured.broker.clone().map_or_else(private_redis, Ok)?,
        database_is_private: configured.database.is_none(),
    })
}

/// Makes the database and the role that owns it; the programs need no superuser.
async fn create_system_database(postgres: &Postgres, password: &str) -> Result<(), LocalError> {
    let mut admin = postgres.connect("postgres").await?;
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_roles WHERE rolname = $1")
        .bind(DATABASE)
        .fetch_optional(&mut admin)
        .await
        .map_err(on_database("listing roles"))?;
    if found.is_none() {
        let sql = format!("CREATE ROLE {DATABASE} LOGIN PASSWORD '{password}'");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.map_err(on_database("making the role of the system"))?;
    }
    create_database(&mut admin, DATABASE, DATABASE).await?;
    let mut system = postgres.connect(DATABASE).await?;
    give_statistics(&mut system).await
}

/// Only a superuser may make this extension; the migrations find it made.
async fn give_statistics(system: &mut PgConnection) -> Result<(), LocalError> {
    let offered: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'")
        .fetch_optional(&mut *system)
        .await
        .map_err(on_database("listing extensions"))?;
    if offered.is_some() {
        sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements; GRANT pg_read_all_stats TO datagenie")
            .execute(system)
            .await
            .map_err(on_database("making the extension pg_stat_statements"))?;
    }
    Ok(())
}
