//! Databases for the checks of the build: made and migrated without any of the programs that depend on them.

use std::path::Path;
use std::str::FromStr;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::error::{LocalError, on_database};
use crate::servers::postgres::create_database;

/// Makes the database `name` on the server of `server_url`, applies the migrations of a folder, and gives its URL.
///
/// # Errors
/// [`LocalError::Database`], [`LocalError::Migrate`], [`LocalError::Refused`] for a URL without a database.
pub async fn make(server_url: &str, name: &str, migrations: Option<&Path>) -> Result<String, LocalError> {
    let options = PgConnectOptions::from_str(server_url).map_err(on_database("reading the server's URL"))?;
    let mut admin = Box::pin(options.connect()).await.map_err(on_database("connecting to the server"))?;
    create_database(&mut admin, name, options.get_username()).await?;
    admin.close().await.map_err(on_database("closing a connection"))?;
    if let Some(folder) = migrations {
        let migrator = Migrator::new(folder).await.map_err(|error| LocalError::Migrate(Box::new(error)))?;
        let target = options.clone().database(name);
        let mut connection = Box::pin(target.connect()).await.map_err(on_database("connecting to the new database"))?;
        Box::pin(migrator.run(&mut connection)).await.map_err(|error| LocalError::Migrate(Box::new(error)))?;
        connection.close().await.map_err(on_database("closing a connection"))?;
    }
    let (server, _) = server_url.rsplit_once('/').ok_or_else(|| {
        LocalError::Refused("the server's URL has no database: postgres://USER@HOST:PORT/DATABASE is expected".to_owned())
    })?;
    Ok(format!("{server}/{name}"))
}
