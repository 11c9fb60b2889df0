//! What a PostgreSQL server is, and what the role could do to it. A role that can only read is the last of the four locks.

use tokio::time::timeout;

use super::{
    connect::Sessions,
    errors,
    wire::{Batch, OwnRow, Wire, WireError},
};
use crate::sources::{Probe, SourceError, idle};

/// The oldest version the catalogue queries are written for.
const OLDEST: i32 = 120_000;
/// How many names are told; of more it is only said that there are more.
const TOLD: usize = 5;

/// Of the role and of all that it may become: a membership that is not inherited still lets a session take the other role on.
const ROLE: &str = "SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number, \
    bool_or(rolbypassrls AND rolname = current_user), \
    bool_or(rolsuper), bool_or(rolreplication), bool_or(rolcreaterole), bool_or(rolcreatedb), \
    bool_or(has_database_privilege(oid, current_database(), 'CREATE')) AS creates_schemas, \
    (SELECT pg_has_role(datdba, 'MEMBER') FROM pg_catalog.pg_database WHERE datname = current_database()) AS owns_database \
    FROM pg_catalog.pg_roles WHERE pg_has_role(oid, 'MEMBER')";

/// Roles of the server's own that reach beyond tables.
const MEMBERSHIPS: &str = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname IN \
    ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_write_all_data', 'pg_maintain', \
    'pg_signal_backend', 'pg_create_subscription') AND pg_has_role(oid, 'MEMBER') ORDER BY rolname";

/// What the queries below begin with: the same roles, but for a superuser, of whom nothing more is asked.
const HELD: &str = "WITH held AS (SELECT oid FROM pg_catalog.pg_roles WHERE pg_has_role(oid, 'MEMBER') \
    AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))";

/// An owner gives himself what he has not as soon as he wants to.
const SCHEMAS: &str = "SELECT n.nspname::text FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND (pg_has_role(n.nspowner, 'MEMBER') OR EXISTS (SELECT FROM held WHERE has_schema_privilege(held.oid, n.oid, 'CREATE'))) \
    ORDER BY n.nspname LIMIT $1";

/// Whoever may make a trigger has what others write run what he wants.
const TABLES: &str = "SELECT n.nspname::text || '.' || c.relname::text FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND (pg_has_role(c.relowner, 'MEMBER') OR EXISTS (SELECT FROM held \
        WHERE has_table_privilege(held.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER') \
        OR has_any_column_privilege(held.oid, c.oid, 'INSERT, UPDATE'))) \
    ORDER BY 1 LIMIT $1";

const SEQUENCES: &str = "SELECT n.nspname::text || '.' || c.relname::text FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE CASE WHEN c.relkind = 'S' AND n.nspname !~ '^pg_' THEN pg_has_role(c.relowner, 'MEMBER') \
        OR EXISTS (SELECT FROM held WHERE has_sequence_privilege(held.oid, c.oid, 'USAGE, UPDATE')) END \
    ORDER BY 1 LIMIT $1";

/// Looks by a connection of its own, so that a wrong password or a full server is told at once.
pub(super) async fn probe(sessions: &Sessions) -> Result<Probe, SourceError> {
    let _place = sessions.place_to_look().await?;
    let mut wire = sessions.connect().await?;
    let time = sessions.connect_timeout();
    let mut batch = Batch::begin(time)?;
    // One more than is told shows that there are more.
    let most = (TOLD + 1).to_string();
    batch.query(ROLE, &[])?;
    batch.query(MEMBERSHIPS, &[])?;
    for listing in [SCHEMAS, TABLES, SEQUENCES] {
        batch.query(&format!("{HELD} {listing}"), &[&most])?;
    }
    batch.rollback()?;
    match timeout(2 * time, look(&mut wire, &batch)).await {
        Ok(looked) => {
            let probe = looked.map_err(|error| errors::looking(&error, time.as_secs()))?;
            sessions.seen_to_work();
            idle::close(wire).await;
            Ok(probe)
        }
        Err(_elapsed) => Err(SourceError::unreachable("the server accepted the connection, then did not answer")),
    }
}

async fn look(wire: &mut Wire, batch: &Batch) -> Result<Probe, WireError> {
    wire.send(batch).await?;
    wire.done().await?;
    let mut row = wire.rows().await?.into_iter().next().ok_or(WireError::Protocol)?;
    let version = row.text()?;
    let number: i32 = row.number()?;
    let mut probe = Probe { version: format!("PostgreSQL {version}"), ..Probe::default() };
    if number < OLDEST {
        probe.warnings.push(format!("PostgreSQL {version} is older than 12, with which DataGenie is tested."));
    }
    if row.flag()? {
        probe.warnings.push("The role passes by row-level security, so every row can be asked for.".to_owned());
    }
    if row.flag()? {
        // All that follows is implied.
        probe.writable.push("is a superuser, or may become one, who may do everything".to_owned());
        return Ok(probe);
    }
    for words in [
        "may replicate, and so copy, the whole server",
        "may create and change roles",
        "may create databases",
        "may create schemas in the database",
        "owns the database",
    ] {
        if row.flag()? {
            probe.writable.push(words.to_owned());
        }
    }
    probe.writable.extend(names(wire).await?.iter().map(|role| format!("is a member of {role}")));
    probe.writable.extend(listed("may create objects in the schemas", &names(wire).await?));
    probe.writable.extend(listed("may change the tables", &names(wire).await?));
    probe.writable.extend(listed("may change the sequences", &names(wire).await?));
    Ok(probe)
}

async fn names(wire: &mut Wire) -> Result<Vec<String>, WireError> {
    wire.rows().await?.iter_mut().map(OwnRow::text).collect()
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
