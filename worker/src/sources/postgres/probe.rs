//! What a PostgreSQL server is, and what the role could do to it. A role that can only read is the last of the four locks.

use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::time::timeout;

use super::{connect::Sessions, errors, session};
use crate::sources::{Probe, SourceError};

/// The oldest version the catalogue queries are written for.
const OLDEST: i32 = 120_000;
/// How many names are told; of more it is only said that there are more.
const TOLD: usize = 5;

const ROLE: &str = "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int4 AS number, \
    rolsuper, rolreplication, rolcreaterole, rolcreatedb, rolbypassrls, \
    has_database_privilege(current_database(), 'CREATE') AS creates_schemas \
    FROM pg_catalog.pg_roles WHERE rolname = current_user";

/// Roles of the server's own that reach beyond tables.
const MEMBERSHIPS: &str = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname IN \
    ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_write_all_data', 'pg_maintain', \
    'pg_signal_backend', 'pg_create_subscription') AND pg_has_role(oid, 'MEMBER') ORDER BY rolname";

const SCHEMAS: &str = "SELECT nspname::text FROM pg_catalog.pg_namespace \
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND has_schema_privilege(oid, 'CREATE') ORDER BY nspname LIMIT $1";

const TABLES: &str = "SELECT n.nspname::text || '.' || c.relname::text FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') OR has_any_column_privilege(c.oid, 'INSERT, UPDATE')) \
    ORDER BY 1 LIMIT $1";

/// Looks by a connection of its own, so that a wrong password or a full server is told at once.
pub(super) async fn probe(sessions: &Sessions) -> Result<Probe, SourceError> {
    let _slot = sessions.slot_to_look().await?;
    let mut connection = sessions.connect().await?;
    let time = sessions.connect_timeout();
    match timeout(2 * time, look(&mut connection, time)).await {
        Ok(looked) => {
            let probe = looked.map_err(|error| errors::beginning(&error))?;
            sessions.seen_to_work();
            // Nothing is left to lose with this connection: a failed farewell changes nothing.
            let _closed = timeout(time, connection.close()).await;
            Ok(probe)
        }
        Err(_elapsed) => Err(SourceError::unreachable("the server accepted the connection, then did not answer")),
    }
}

async fn look(connection: &mut PgConnection, time: std::time::Duration) -> Result<Probe, sqlx::Error> {
    session::begin(connection, time).await?;
    let row = sqlx::query(ROLE).persistent(false).fetch_one(&mut *connection).await?;
    let version: String = row.try_get("version")?;
    let number: i32 = row.try_get("number")?;
    let mut probe = Probe { version: format!("PostgreSQL {version}"), ..Probe::default() };
    if number < OLDEST {
        probe.warnings.push(format!("PostgreSQL {version} is older than 12, with which DataGenie is tested."));
    }
    if row.try_get("rolbypassrls")? {
        probe.warnings.push("The role passes by row-level security, so every row can be asked for.".to_owned());
    }
    if row.try_get("rolsuper")? {
        // All that follows is implied.
        probe.writable.push("is a superuser, who may do everything".to_owned());
        return Ok(probe);
    }
    for (right, words) in [
        ("rolreplication", "may replicate, and so copy, the whole server"),
        ("rolcreaterole", "may create and change roles"),
        ("rolcreatedb", "may create databases"),
        ("creates_schemas", "may create schemas in the database"),
    ] {
        if row.try_get(right)? {
            probe.writable.push(words.to_owned());
        }
    }
    let memberships: Vec<String> = sqlx::query_scalar(MEMBERSHIPS).persistent(false).fetch_all(&mut *connection).await?;
    probe.writable.extend(memberships.iter().map(|role| format!("is a member of {role}")));
    let schemas = names(connection, SCHEMAS).await?;
    probe.writable.extend(listed("may create objects in the schemas", &schemas));
    let tables = names(connection, TABLES).await?;
    probe.writable.extend(listed("may change the tables", &tables));
    Ok(probe)
}

async fn names(connection: &mut PgConnection, sql: &'static str) -> Result<Vec<String>, sqlx::Error> {
    // One more than is told shows that there are more.
    sqlx::query_scalar(sql).persistent(false).bind(TOLD as i64 + 1).fetch_all(&mut *connection).await
}

fn listed(words: &str, names: &[String]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let told = names.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    Some(format!("{words} {told}{}", if names.len() > TOLD { " and more" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let names = |count: usize| (1..=count).map(|n| format!("t{n}")).collect::<Vec<_>>();
        assert_eq!(listed("may change", &names(0)), None);
        assert_eq!(listed("may change", &names(2)).as_deref(), Some("may change t1, t2"));
        assert_eq!(listed("may change", &names(6)).as_deref(), Some("may change t1, t2, t3, t4, t5 and more"));
    }
}
