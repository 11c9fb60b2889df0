//! The servers of one system: private ones, or the configured ones in their place.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::options::{BrokerKind, SystemOptions};
use crate::data_folder::DataFolder;
use crate::error::{LocalError, chain, on_database};
use crate::notes::note;
use crate::secrets::Secrets;
use crate::servers::mariadb::{Mariadb, MariadbOptions};
use crate::servers::postgres::{Postgres, PostgresOptions, create_database};
use crate::servers::rabbitmq::{Rabbitmq, RabbitmqOptions};
use crate::servers::redis::{Redis, RedisOptions};

/// The system database, and the role that owns it.
const DATABASE: &str = "datagenie";

/// Running private servers and the URLs that the programs are given.
pub struct Servers {
    /// Holds the system database unless one is configured, and the sample.
    pub postgres: Option<Postgres>,
    /// Cache and, unless another is, broker; not there when both are had elsewhere.
    pub redis: Option<Redis>,
    /// Broker where it was asked for.
    pub rabbitmq: Option<Rabbitmq>,
    /// Holds the sample, where it was asked for.
    pub mariadb: Option<Mariadb>,
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
    /// What starting the servers gave.
    pub async fn start(options: &SystemOptions, folder: &DataFolder, secrets: &Secrets) -> Result<Self, LocalError> {
        let configured = &options.configured;
        let needs_postgres = configured.database.is_none() || options.sample;
        let private_broker = configured.broker.is_none().then_some(options.broker);
        let needs_redis = configured.redis.is_none() || private_broker == Some(BrokerKind::Redis);
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
        let rabbitmq = async {
            if private_broker != Some(BrokerKind::Rabbitmq) {
                return Ok(None);
            }
            Rabbitmq::start(RabbitmqOptions {
                data_dir: folder.path("rabbitmq"),
                port: None,
                password: Some(secrets.rabbitmq_password.clone()),
                log: Some(folder.log("rabbitmq")),
            })
            .await
            .map(Some)
        };
        let mariadb = Box::pin(start_mariadb(options, folder, secrets));
        let (postgres, redis, rabbitmq, mariadb) = futures::future::try_join4(postgres, redis, rabbitmq, mariadb).await?;
        let urls = urls(options, secrets, postgres.as_ref(), redis.as_ref(), rabbitmq.as_ref())?;
        if let (true, Some(postgres)) = (urls.database_is_private, &postgres) {
            create_system_database(postgres, &secrets.database_password).await?;
        }
        Ok(Self { postgres, redis, rabbitmq, mariadb, urls })
    }

    /// Starts servers again that ended by themselves, on their old ports and data, side by side: none waits for another's start.
    pub async fn revive(&mut self) {
        let Self { postgres, redis, rabbitmq, mariadb, urls: _ } = self;
        futures::future::join4(
            revive_one(postgres, "PostgreSQL", Postgres::has_ended, Postgres::options, Postgres::start),
            revive_one(redis, "Redis", Redis::has_ended, Redis::options, Redis::start),
            revive_rabbitmq(rabbitmq),
            revive_one(mariadb, "MariaDB", Mariadb::has_ended, Mariadb::options, Mariadb::start),
        )
        .await;
    }

    /// Stops what runs, in order.
    pub async fn stop(&mut self) {
        if let Some(mariadb) = self.mariadb.take() {
            mariadb.stop().await;
        }
        if let Some(rabbitmq) = self.rabbitmq.take() {
            rabbitmq.stop().await;
        }
        if let Some(redis) = self.redis.take() {
            redis.stop().await;
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await;
        }
    }
}

async fn start_mariadb(options: &SystemOptions, folder: &DataFolder, secrets: &Secrets) -> Result<Option<Mariadb>, LocalError> {
    if !options.mysql {
        return Ok(None);
    }
    let options = MariadbOptions {
        dir: folder.path("mariadb"),
        port: None,
        persistent: options.durable,
        password: Some(secrets.mariadb_password.clone()),
        log: Some(folder.log("mariadb")),
    };
    Mariadb::start(options).await.map(Some)
}

async fn revive_one<S, O, F>(server: &mut Option<S>, name: &str, ended: fn(&mut S) -> bool, options: fn(&S) -> O, start: fn(O) -> F)
where
    F: Future<Output = Result<S, LocalError>>,
{
    let Some(old) = server.take_if(ended) else { return };
    note(&format!("{name} ended; it is started again"));
    match Box::pin(start(options(&old))).await {
        Ok(new) => *server = Some(new),
        Err(error) => {
            note(&chain(&error));
            *server = Some(old);
        }
    }
}

/// It may have ended in part only, so it is ended first.
async fn revive_rabbitmq(server: &mut Option<Rabbitmq>) {
    let Some(server) = server.as_mut() else { return };
    if server.has_ended() {
        note("RabbitMQ ended; it is started again");
        if let Err(error) = Box::pin(server.restart()).await {
            note(&chain(&error));
        }
    }
}

fn urls(
    options: &SystemOptions,
    secrets: &Secrets,
    postgres: Option<&Postgres>,
    redis: Option<&Redis>,
    rabbitmq: Option<&Rabbitmq>,
) -> Result<Urls, LocalError> {
    let configured = &options.configured;
    let missing = || LocalError::Refused("a server that is needed was not started".to_owned());
    let private_redis = || redis.map(Redis::url).ok_or_else(missing);
    let private_broker = || rabbitmq.map(Rabbitmq::url).map_or_else(private_redis, Ok);
    let (database, database_admin) = match (&configured.database, postgres) {
        (Some(url), _) => (url.clone(), url.clone()),
        (None, Some(server)) => (server.url_for(DATABASE, &secrets.database_password, DATABASE), server.url(DATABASE)),
        (None, None) => return Err(missing()),
    };
    Ok(Urls {
        database,
        database_admin,
        redis: configured.redis.clone().map_or_else(private_redis, Ok)?,
        broker: configured.broker.clone().map_or_else(private_broker, Ok)?,
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
