//! What a MySQL server is, and what the role could do to it. A role that can only read is the last of the four locks.

use std::time::Duration;

use mysql_async::{Conn, Error, Row, prelude::Queryable as _};
use tokio::time::timeout;

use super::{
    cells,
    connect::Sessions,
    errors,
    grants::{self, Grants},
    server::{Bounds, Product, Server},
    wire::Connection,
};
use crate::sources::{Probe, SourceError, idle, sql_text::quote_in_backticks};

/// Older versions are used too, and warned of.
const OLDEST_MARIADB: (u16, u16) = (10, 5);
const OLDEST_MYSQL: (u16, u16) = (8, 0);
/// How many other roles are taken on to see what they may do; of more it is told that nobody looked.
const MOST_ROLES: usize = 32;

/// Looks by a connection of its own, so that a wrong password or a full server is told at once.
pub(super) async fn probe(sessions: &Sessions) -> Result<Probe, SourceError> {
    let _place = sessions.place_to_look().await?;
    let mut connection = sessions.connect().await?;
    let time = sessions.connect_timeout();
    match timeout(2 * time, look(&mut connection, time)).await {
        Ok(looked) => {
            let probe = looked?;
            sessions.seen_to_work();
            idle::close(connection).await;
            Ok(probe)
        }
        Err(_elapsed) => Err(SourceError::unreachable("the server accepted the connection, then did not answer")),
    }
}

async fn look(connection: &mut Connection, time: Duration) -> Result<Probe, SourceError> {
    connection.begin(&Bounds::look(time)).await?;
    let product = connection.server().product;
    let grants = granted(connection.conn()?, product).await.map_err(|error| errors::beginning(&error))?;
    let mut probe = Probe { version: connection.server().title(), warnings: Vec::new(), writable: grants.writable };
    probe.warnings.extend(too_old(connection.server()));
    if grants.reads_everything {
        probe.warnings.push("The role may read every database, the server's own with its accounts among them.".to_owned());
    }
    if !grants.roles.is_empty() {
        let current = told(connection.conn()?, "SELECT CURRENT_ROLE()").await.map_err(|error| errors::beginning(&error))?;
        let current = current.concat();
        let others: Vec<&str> = grants.roles.iter().map(String::as_str).filter(|role| !current.contains(role)).collect();
        if !others.is_empty() {
            let others = others.join(", ");
            probe.warnings.push(format!("The role may take on others ({others}), whose privileges were not looked at."));
        }
    }
    Ok(probe)
}

/// What the role may do by itself, and by every role that it may take on: a session need only say so.
async fn granted(conn: &mut Conn, product: Product) -> Result<Grants, Error> {
    if product == Product::MySql {
        // MySQL tells the privileges of the roles that a session has as its own, and gives it all of them at once. Versions without roles
        // do not know the statement.
        taken_on(conn, "SET ROLE ALL").await?;
    }
    let mut lines = told(conn, "SHOW GRANTS").await?;
    if product == Product::MariaDb {
        // A session of MariaDB's has one at a time.
        for role in grants::read(lines.iter().map(String::as_str)).roles.iter().take(MOST_ROLES) {
            if taken_on(conn, &format!("SET ROLE {}", quote_in_backticks(role))).await? {
                let more = told(conn, "SHOW GRANTS").await?;
                lines.extend(more);
            }
        }
        lines.sort_unstable();
        lines.dedup();
    }
    Ok(grants::read(lines.iter().map(String::as_str)))
}

/// Whether the server lets the session take a role on.
async fn taken_on(conn: &mut Conn, sql: &str) -> Result<bool, Error> {
    match conn.query_drop(sql).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_fatal() => Err(error),
        Err(_refused) => Ok(false),
    }
}

/// The first cells of a statement's rows; NULL is left out.
async fn told(conn: &mut Conn, sql: &'static str) -> Result<Vec<String>, Error> {
    let rows: Vec<Row> = conn.query(sql).await?;
    Ok(rows.iter().filter_map(|row| cells::text(row, 0)).collect())
}

fn too_old(server: &Server) -> Option<String> {
    let (product, (major, minor)) = match server.product {
        Product::MariaDb => ("MariaDB", OLDEST_MARIADB),
        Product::MySql => ("MySQL", OLDEST_MYSQL),
    };
    let is_old = (server.version.0, server.version.1) < (major, minor);
    is_old.then(|| format!("{} is older than {product} {major}.{minor}, from which on DataGenie is tried.", server.title()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(product: Product, version: (u16, u16, u16)) -> Server {
        Server { product, version, identity: String::new(), folds_names: false, database: String::new() }
    }

    #[test]
    fn old_servers_are_used_with_a_warning() {
        let warned = too_old(&server(Product::MariaDb, (10, 3, 39)));
        assert_eq!(warned.as_deref(), Some("MariaDB 10.3.39 is older than MariaDB 10.5, from which on DataGenie is tried."));
        assert!(too_old(&server(Product::MySql, (5, 7, 44))).is_some());
        for current in [server(Product::MariaDb, (10, 5, 0)), server(Product::MariaDb, (11, 4, 2)), server(Product::MySql, (8, 0, 11))] {
            assert_eq!(too_old(&current), None, "{}", current.title());
        }
    }
}
