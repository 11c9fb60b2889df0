//! The guard: decides on the syntax tree whether a statement may run, and renders what runs. Pure code, no I/O.
//!
//! It fails closed. Everything that is accepted is on an allow-list: nodes of the tree, functions, operators, cast targets; every
//! relation and column was found in the catalogue or in the statement's own scopes. What runs is the tree rendered anew, never the
//! text that came in. The dialect is the policy's `db_type`.

mod bounds;
mod calls;
mod catalog;
mod columns;
mod dialects;
mod expressions;
mod forms;
mod from;
mod from_functions;
mod functions;
mod joins;
mod late;
mod names;
mod ordinals;
mod outputs;
mod parse;
mod queries;
mod refusal;
mod rewrite;
mod scope;
mod selects;
mod tidy;
mod tokens;
mod types;
mod walk;

#[cfg(test)]
mod name_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod tests;

use datagenie_common::model::{
    policies::{MaskKind, Policy},
    questions::FailureCode,
    schemas::SourceSchema,
};
use sqlparser::ast::Query;

pub(crate) use functions::is_listed;
pub use refusal::Refusal;

/// Trees with longer chains of operators are not compared, which is recursive; what their rendered text means is checked instead.
const COMPARABLE_CHAIN: usize = 150;

/// What a check is about.
#[derive(Clone, Copy, Debug)]
pub struct GuardInput<'a> {
    /// The statement as proposed by a model or a person.
    pub sql: &'a str,
    /// The whole catalogue of the connection, not only what the user may see.
    pub schema: &'a SourceSchema,
    /// What this user may read, and in which dialect.
    pub policy: &'a Policy,
    /// Functions an admin added for this connection, as `name` or `schema.name`.
    pub extra_functions: &'a [String],
}

/// A relation the statement reads, by its catalogue names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
}

/// A statement that may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// What runs: the checked tree, rendered anew.
    pub sql: String,
    /// What it reads, each once, in the order of appearance.
    pub relations: Vec<Relation>,
    /// How each output column is masked, one entry a column; empty when no relation that is read has masks.
    pub masked: Vec<Option<MaskKind>>,
}

/// Checks a statement.
///
/// # Errors
/// A [`Refusal`] that says what is wrong, where, and what to do about it. A relation that exists and is not allowed is answered
/// exactly as one that does not exist.
pub fn check(input: &GuardInput<'_>) -> Result<Guarded, Refusal> {
    if !input.policy.can_query {
        return Err(Refusal::new(FailureCode::PermissionDenied, "You may not query this connection.")
            .hint("Ask an administrator for permission to query it."));
    }
    let db = input.policy.db_type;
    let parse::Read { tokens, mut query } = parse::statement(input.sql, db)?;
    let (mut columns, mut found) = walk(input, &query)?;
    if found.rewrites.needed(found.masks_matter) {
        query = parse::query(found.rewrites.apply(tokens, found.masks_matter)?, db)?;
        (columns, found) = walk(input, &query)?;
    }
    let rendered = parse::render(&query, db)?;
    if found.longest_chain <= COMPARABLE_CHAIN {
        parse::same(&query, &rendered)?;
    } else {
        (columns, found) = walk(input, &rendered.again)?;
    }
    let masked = if found.masks_matter { columns.iter().map(|column| column.mask).collect() } else { Vec::new() };
    Ok(Guarded { sql: rendered.sql, relations: found.relations, masked })
}

fn walk(input: &GuardInput<'_>, query: &Query) -> Result<(Vec<scope::Column>, walk::Found), Refusal> {
    let mut walker = walk::Walker::new(input);
    let columns = walker.statement(query)?;
    Ok((columns, walker.finish()))
}
