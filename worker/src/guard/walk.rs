//! The walker: what is known while the tree is read from top to bottom. Its rules are in the modules named after the nodes.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::Query;

use super::{
    GuardInput, Relation,
    catalog::Catalog,
    refusal::{Checked, Refusal},
    rewrite::Rewrites,
    scope::{Column, Cte, Level},
};

/// How deep expressions and queries may be nested; a bound of our own recursion, above what the parser lets through.
const MAX_DEPTH: usize = 120;
/// How many relations and subqueries may stand in all FROM clauses together.
pub(super) const MAX_SOURCES: usize = 100;
/// How many columns a query may have; no engine has more. `SELECT *, *` of a `SELECT *, *` doubles them with each level.
pub(super) const MAX_COLUMNS: usize = 4_096;
/// How many columns all sources may have together.
pub(super) const MAX_SOURCE_COLUMNS: usize = 50_000;

/// How an expression is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is an output column as it is.
    Bare,
    /// Only whether it is NULL, or how many there are, is told.
    Counted,
    /// Its value takes part in something.
    Inside,
}

/// What the walk collected.
pub(super) struct Found {
    pub relations: Vec<Relation>,
    pub masks_matter: bool,
    pub rewrites: Rewrites,
    pub longest_chain: usize,
}

/// The state of a walk.
pub(super) struct Walker<'a> {
    pub(super) db: DbType,
    pub(super) catalog: Catalog<'a>,
    pub(super) extra_functions: &'a [String],
    pub(super) levels: Vec<Level>,
    pub(super) ctes: Vec<Cte>,
    pub(super) sources: usize,
    /// How many columns they have together.
    pub(super) source_columns: usize,
    /// Whether the order in which names are searched is not known here, so that masks of all enclosing levels count.
    pub(super) wide: bool,
    /// The part of the statement that is being read, for messages.
    pub(super) clause: &'static str,
    /// How much the functions around this place may multiply the size of a value.
    pub(super) growth: u64,
    pub(super) rewrites: Rewrites,
    pub(super) relations: Vec<Relation>,
    pub(super) masks_matter: bool,
    /// The longest chain of binary operators so far: the tree is that deep there.
    pub(super) longest_chain: usize,
    depth: usize,
}

impl<'a> Walker<'a> {
    pub fn new(input: &'a GuardInput<'a>) -> Self {
        Self {
            db: input.policy.db_type,
            catalog: Catalog::new(input),
            extra_functions: input.extra_functions,
            levels: Vec::new(),
            ctes: Vec::new(),
            sources: 0,
            source_columns: 0,
            wide: false,
            clause: "the statement",
            growth: 1,
            rewrites: Rewrites::default(),
            relations: Vec::new(),
            masks_matter: false,
            longest_chain: 0,
            depth: 0,
        }
    }

    /// Checks the whole statement; returns its output columns.
    pub fn statement(&mut self, query: &Query) -> Checked<Vec<Column>> {
        self.query(query)
    }

    pub fn finish(self) -> Found {
        Found { relations: self.relations, masks_matter: self.masks_matter, rewrites: self.rewrites, longest_chain: self.longest_chain }
    }

    /// Runs one step a level deeper.
    pub(super) fn deeper<T>(&mut self, step: impl FnOnce(&mut Self) -> Checked<T>) -> Checked<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Refusal::refused("The statement is nested too deeply.").hint("Use fewer levels of parentheses and subqueries."));
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }

    /// Runs one step as part of a clause, named in messages.
    pub(super) fn within<T>(&mut self, clause: &'static str, step: impl FnOnce(&mut Self) -> Checked<T>) -> Checked<T> {
        let outer = std::mem::replace(&mut self.clause, clause);
        let result = step(self);
        self.clause = outer;
        result
    }

    /// The level of the SELECT that is being read.
    pub(super) fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }
}
