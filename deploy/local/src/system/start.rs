//! How a system comes up, step by step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::http::Api;
use super::options::SystemOptions;
use super::programs::{self, ADMIN, Programs};
use super::register::{self, Wanted};
use super::servers::Servers;
use super::{Running, System, pids, watch};
use crate::data_folder::DataFolder;
use crate::error::LocalError;
use crate::net::ensure_port_free;
use crate::process::Process;
use crate::run_file::{Admin, Pids, RunFile};
use crate::sample::shop::Shop;
use crate::sample::{mysql as shop_mysql, postgres as shop_postgres, sqlite as shop_sqlite};
use crate::secrets::Secrets;
use crate::servers::mariadb::Mariadb;

const SECRETS: &str = "secrets";
const RUN_FILE: &str = "run.json";
const SQLITE_SAMPLE: &str = "sample/shop.sqlite";

/// Brings everything up, see [`System::start`].
pub(super) async fn start(options: SystemOptions) -> Result<System, LocalError> {
    ensure_port_free(options.port)?;
    for program in ["datagenie-api", "datagenie-worker", "datagenie-scheduler"] {
        programs::built(&options.bin_dir, program)?;
    }
    let folder = DataFolder::open(&options.data, options.keep)?;
    let mut secrets = Secrets::load_or_create(&folder.path(SECRETS))?;
    let sealing_key = sealing_key(&options, &folder, &mut secrets).await?;
    let admin_password = options.setting("DATAGENIE_ADMIN_PASSWORD").unwrap_or(&secrets.admin_password).to_owned();
    let url = format!("http://127.0.0.1:{}", options.port);
    let api = Api::new(&url)?;
    let changed = Arc::new(Notify::new());

    // From here on the order of the variables is the order of the end: programs before servers, servers before the folder.
    let servers = Box::pin(Servers::start(&options, &folder, &secrets)).await?;
    let env = programs::environment(&options, &folder, sealing_key.as_deref(), &servers.urls);
    let programs = async {
        programs::prepare_database(&options, &env, &admin_password).await?;
        let programs = Programs::start(&options, &folder, &env, &changed)?;
        programs.wait_ready(api.http(), api.url()).await?;
        Ok::<_, LocalError>(programs)
    };
    let sample = load_sample(&options, &folder, &secrets, &servers);
    let (programs, wanted) = futures::future::try_join(Box::pin(programs), Box::pin(sample)).await?;

    let api_key = register::api_key(&api, secrets.api_key.as_deref(), &admin_password).await?;
    secrets.api_key = Some(api_key.clone());
    secrets.save(&folder.path(SECRETS))?;
    let connections = match register::connections(&api, &api_key, &wanted).await {
        Ok(connections) => connections,
        Err(error) => {
            return Err(programs.all().find_map(Process::first_death).unwrap_or(error));
        }
    };
    let run = run_file(url, Admin { username: ADMIN.to_owned(), password: admin_password }, api_key, connections, &servers);
    up(run, folder, servers, programs, changed)
}

/// Writes `run.json` and begins to watch. Should that fail, the parameters end in the right order, the last one first.
fn up(mut run: RunFile, folder: DataFolder, servers: Servers, programs: Programs, changed: Arc<Notify>) -> Result<System, LocalError> {
    let run_path = folder.path(RUN_FILE);
    run.pids = pids(&programs, &servers);
    run.write(&run_path)?;
    let running = Arc::new(Running { programs, servers: tokio::sync::Mutex::new(servers), run: Mutex::new(run), run_path });
    #[expect(clippy::disallowed_methods, reason = "this crate depends on none of the others; the handle is kept and aborted")]
    let watch = tokio::spawn(watch(Arc::clone(&running), changed));
    Ok(System { running, watch, folder: Some(folder) })
}

/// The key to be handed to the programs: none when the caller set one himself, else the folder's own, made once.
async fn sealing_key(options: &SystemOptions, folder: &DataFolder, secrets: &mut Secrets) -> Result<Option<String>, LocalError> {
    if options.setting("DATAGENIE_SEALING__KEY").or(options.setting("ENCRYPTION_KEY")).is_some() {
        return Ok(None);
    }
    if secrets.sealing_key.is_none() {
        secrets.sealing_key = Some(programs::make_sealing_key(options).await?);
        secrets.save(&folder.path(SECRETS))?;
    }
    Ok(secrets.sealing_key.clone())
}

/// Makes the sample databases and says how to register them. The PostgreSQL one is always private: a configured server
/// gets no database that it was not asked to have. A private MariaDB holds the sample too.
async fn load_sample(
    options: &SystemOptions,
    folder: &DataFolder,
    secrets: &Secrets,
    servers: &Servers,
) -> Result<Vec<Wanted>, LocalError> {
    let (true, Some(postgres)) = (options.sample, &servers.postgres) else {
        return Ok(Vec::new());
    };
    let path = folder.path(SQLITE_SAMPLE);
    let sqlite_path = path.clone();
    let ended = |error: tokio::task::JoinError| LocalError::Refused(format!("making the sample ended early: {error}"));
    let shop = Arc::new(tokio::task::spawn_blocking(Shop::generate).await.map_err(ended)?);
    let for_sqlite = Arc::clone(&shop);
    let sqlite = async { tokio::task::spawn_blocking(move || shop_sqlite::load(&sqlite_path, &for_sqlite)).await.map_err(ended)? };
    let mysql = Box::pin(load_mysql(servers.mariadb.as_ref(), secrets, &shop));
    let ((), (), mysql) = futures::future::try_join3(sqlite, shop_postgres::load(postgres, &secrets.shop_password, &shop), mysql).await?;
    let mut wanted = vec![
        Wanted {
            name: "shop",
            display_name: "Shop (PostgreSQL)",
            db_type: "postgresql",
            config: server_config(postgres.port(), shop_postgres::DATABASE, shop_postgres::READER, secrets),
        },
        Wanted {
            name: "shop_sqlite",
            display_name: "Shop (SQLite)",
            db_type: "sqlite",
            config: json!({"database": path.display().to_string()}),
        },
    ];
    wanted.extend(mysql);
    Ok(wanted)
}

async fn load_mysql(server: Option<&Mariadb>, secrets: &Secrets, shop: &Shop) -> Result<Option<Wanted>, LocalError> {
    let Some(server) = server else { return Ok(None) };
    shop_mysql::load(server, &secrets.shop_password, shop).await?;
    let config = server_config(server.port(), shop_mysql::DATABASE, shop_mysql::READER, secrets);
    Ok(Some(Wanted { name: "shop_mysql", display_name: "Shop (MariaDB)", db_type: "mysql", config }))
}

/// How the reader of the sample gets into a private server.
fn server_config(port: u16, database: &str, reader: &str, secrets: &Secrets) -> Value {
    json!({
        "host": "127.0.0.1",
        "port": port,
        "database": database,
        "username": reader,
        "password": secrets.shop_password,
        "ssl_mode": "disable",
    })
}

fn run_file(url: String, admin: Admin, api_key: String, connections: BTreeMap<String, String>, servers: &Servers) -> RunFile {
    let urls = &servers.urls;
    let amqp_url = urls.broker.starts_with("amqp").then(|| urls.broker.clone());
    RunFile {
        url,
        admin,
        api_key,
        postgres_url: Some(urls.database_admin.clone()),
        redis_url: Some(urls.redis.clone()),
        amqp_url,
        mysql_url: servers.mariadb.as_ref().map(Mariadb::url),
        connections,
        pids: Pids::default(),
    }
}
