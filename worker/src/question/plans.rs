//! The second opinion on a guarded statement: what the database itself says that it would read and cost, asked once for each statement
//! and version of configuration and schema.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use datagenie_common::{
    ids::ConnectionId,
    model::{
        connections::DbType,
        jobs::JobError,
        questions::{Failure, FailureCode},
    },
};
use sha2::{Digest, Sha256};

use super::{failures, target::Target};
use crate::{
    run::Context,
    sources::{Plan, Statement},
};

/// Plans remembered by a process, about 100 bytes each.
const KEPT: usize = 16_384;

/// The statement, by its SHA-256, on a connection at these versions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    connection: ConnectionId,
    config_version: i64,
    schema_version: i64,
    statement: [u8; 32],
}

/// What databases said of statements. Bounded; a repeated statement is not explained again until configuration or schema change.
#[derive(Default)]
pub struct Plans {
    /// None: the database has no opinion.
    known: Mutex<HashMap<Key, Option<Plan>>>,
}

impl Plans {
    fn get(&self, key: &Key) -> Option<Option<Plan>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: Key, plan: Option<Plan>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key, plan);
    }
}

/// Lets a guarded statement pass if the database reads no more than the guard allowed, and if it is not dearer than the connection
/// allows.
///
/// # Errors
/// `sql_refused` and `too_costly`, or what kept the database from explaining the statement.
pub async fn check(context: &Context, target: &Target, statement: &Statement) -> Result<(), JobError> {
    let connection = &target.connection;
    let wanted = context.env.settings.sources.second_opinion;
    if !wanted && connection.max_plan_cost.is_none() {
        return Ok(());
    }
    let key = Key {
        connection: target.id,
        config_version: connection.config_version,
        schema_version: connection.schema_version,
        statement: Sha256::digest(statement.sql()).into(),
    };
    let plan = match context.env.plans.get(&key) {
        Some(plan) => plan,
        None => {
            let explained = target.source.explain(context.turn_of(), statement, &target.policy.limits, &context.stop).await;
            let plan = explained.map_err(|error| failures::source(context, &error))?;
            // That the role may not ask may change without anything that we would hear of.
            if plan.is_some() || connection.db_type == DbType::Sqlite {
                context.env.plans.keep(key, plan.clone());
            }
            plan
        }
    };
    match plan {
        Some(plan) => judge(&plan, wanted, connection.max_plan_cost).map_err(JobError::Fail),
        // SQLite has no costs, and its authorizer is the second opinion.
        None if connection.db_type == DbType::Sqlite || connection.max_plan_cost.is_none() => Ok(()),
        None => Err(JobError::Fail(
            Failure::new(FailureCode::TooCostly, "What this statement costs can't be known, and this connection has a limit.")
                .hint("Query the tables instead of the view, or have SHOW VIEW and SELECT on its tables granted to the role."),
        )),
    }
}

fn judge(plan: &Plan, wanted: bool, max_cost: Option<f64>) -> Result<(), Failure> {
    if wanted && !plan.outside.is_empty() {
        // Told to operators only: a name may be one that the asker must not learn.
        tracing::warn!(outside = ?plan.outside, "guard and database understand a statement differently: it is refused");
        return Err(Failure::new(FailureCode::SqlRefused, "The database would read more than the tables that this statement names.")
            .hint("Name the tables directly, without functions or views that read others."));
    }
    match (plan.cost, max_cost) {
        (Some(cost), Some(most)) if cost > most => Err(Failure::new(
            FailureCode::TooCostly,
            format!("The database expects this statement to cost {cost:.0}, more than the {most:.0} that this connection allows."),
        )
        .hint("Narrow it: filter by a date or a key, ask for fewer rows or columns, aggregate, and join on keys.")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(outside: &[&str], cost: Option<f64>) -> Plan {
        Plan { outside: outside.iter().map(|name| (*name).to_owned()).collect(), cost }
    }

    #[test]
    fn what_reads_more_than_it_names_is_refused_without_naming_it() {
        let refused = judge(&plan(&["hr.salaries"], None), true, None).expect_err("it reads more");
        assert_eq!(refused.code, FailureCode::SqlRefused);
        assert!(!format!("{refused:?}").contains("salaries"));
        assert!(judge(&plan(&["hr.salaries"], None), false, None).is_ok(), "nobody asked");
        assert!(judge(&plan(&[], Some(1e12)), true, None).is_ok());
    }

    #[test]
    fn what_costs_more_than_allowed_is_refused_with_advice() {
        let refused = judge(&plan(&[], Some(1_001.0)), true, Some(1_000.0)).expect_err("it costs more");
        assert_eq!(refused.code, FailureCode::TooCostly);
        assert!(refused.hint.is_some_and(|hint| hint.contains("filter")));
        assert!(judge(&plan(&[], Some(1_000.0)), true, Some(1_000.0)).is_ok());
        assert!(judge(&plan(&[], None), true, Some(1.0)).is_ok(), "SQLite says nothing");
    }

    #[test]
    fn plans_belong_to_versions_and_are_bounded() {
        let plans = Plans::default();
        let key = |schema_version| Key { connection: ConnectionId::new(), config_version: 1, schema_version, statement: [0; 32] };
        let first = key(1);
        plans.keep(first, None);
        assert_eq!(plans.get(&first), Some(None));
        assert_eq!(plans.get(&Key { schema_version: 2, ..first }), None);
        for _ in 0..2 * KEPT {
            plans.keep(key(1), None);
        }
        assert!(plans.known.lock().expect("nothing panicked").len() <= KEPT);
    }
}
