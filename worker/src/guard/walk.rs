//! The walker: what is known while the tree is read from top to bottom. Its rules are in the modules named after the nodes.

use datagenie_common::model::{connections::DbType, policies::MaskKind};
use sqlparser::ast::{Ident, Query};

use super::{
    GuardInput, Relation,
    catalog::Catalog,
    names,
    refusal::{Checked, Refusal},
    rewrite::Rewrites,
    scope::{self, Column, Cte, Level, Meaning},
};

/// How deep expressions and queries may be nested; a bound of our own recursion, above what the parser lets through.
const MAX_DEPTH: usize = 120;
/// How many relations and subqueries may stand in all FROM clauses together.
pub(super) const MAX_SOURCES: usize = 100;

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

    /// Resolves a column reference of one part.
    pub(super) fn column(&self, ident: &Ident, place: Place) -> Checked<Option<MaskKind>> {
        match self.meaning(ident) {
            Meaning::Column(mask) => self.used(mask, place, ident),
            Meaning::NoSuchColumn | Meaning::Unknown => Err(self.unknown_column(ident)),
        }
    }

    /// What an identifier means here.
    pub(super) fn meaning(&self, ident: &Ident) -> Meaning {
        if ident.quote_style == Some('\'') {
            return Meaning::Unknown;
        }
        let key = names::key(self.db, ident);
        match scope::unqualified(&self.levels, &key) {
            Meaning::Unknown if self.is_rowid(&key) && self.has_stored(None) => Meaning::Column(None),
            meaning => meaning,
        }
    }

    /// Resolves `alias.column` or `schema.table.column`.
    pub(super) fn qualified_column(&self, parts: &[Ident], place: Place) -> Checked<Option<MaskKind>> {
        let (schema, alias, column) = match parts {
            [alias, column] => (None, alias, column),
            [schema, alias, column] => (Some(names::key(self.db, schema)), alias, column),
            _ => return Err(Refusal::invalid(format!("`{}` has too many parts.", dotted(parts))).at(span_of(parts))),
        };
        let (alias_key, key) = (names::key(self.db, alias), names::key(self.db, column));
        match scope::qualified(self.db, &self.levels, schema.as_deref(), &alias_key, &key) {
            Meaning::Column(mask) => self.used(mask, place, column).map_err(|refusal| refusal.at(alias.span)),
            Meaning::NoSuchColumn if self.is_rowid(&key) && self.has_stored(Some(&alias_key)) => Ok(None),
            Meaning::NoSuchColumn => Err(self.no_such_column(alias, &alias_key, column)),
            Meaning::Unknown => {
                Err(Refusal::invalid(format!("`{}` names no table or alias of this FROM.", dotted(&parts[..parts.len() - 1])))
                    .hint("Qualify columns with the alias that the table has in FROM.")
                    .at(alias.span))
            }
        }
    }

    /// Decides whether a masked value may be used here.
    pub(super) fn used(&self, mask: Option<MaskKind>, place: Place, ident: &Ident) -> Checked<Option<MaskKind>> {
        match (mask, place) {
            (None, _) | (Some(_), Place::Counted) => Ok(None),
            (Some(kind), Place::Bare) => Ok(Some(kind)),
            (Some(_), Place::Inside) => Err(self.masked(&names::text(ident)).at(ident.span)),
        }
    }

    /// The refusal for a masked column in a place where its value would be told.
    pub(super) fn masked(&self, column: &str) -> Refusal {
        Refusal::refused(format!("`{column}` is masked for you, and can't be used in {}.", self.clause))
            .hint("A masked column may only be selected as it is, or counted with COUNT.")
    }

    /// Whether an identifier means the whole row of a subquery or a CTE without masked columns, whose every column was checked.
    pub(super) fn is_plain_row(&self, ident: &Ident) -> bool {
        if self.db != DbType::Postgresql || self.meaning(ident) != Meaning::Unknown {
            return false;
        }
        let key = names::key(self.db, ident);
        let mut sources = self.levels.iter().rev().flat_map(|level| &level.sources);
        let named = sources.find(|source| source.alias.as_deref() == Some(key.as_str()));
        named.is_some_and(|source| source.queried && source.columns.iter().all(|column| column.mask.is_none()))
    }

    fn is_rowid(&self, key: &str) -> bool {
        self.db == DbType::Sqlite && !self.catalog.any_masks() && matches!(key, "rowid" | "_rowid_" | "oid")
    }

    fn has_stored(&self, alias: Option<&str>) -> bool {
        let fits = |source: &scope::Source| source.stored && alias.is_none_or(|alias| source.alias.as_deref() == Some(alias));
        self.levels.iter().flat_map(|level| &level.sources).any(fits)
    }

    fn unknown_column(&self, ident: &Ident) -> Refusal {
        let name = names::text(ident);
        if name.starts_with('@') {
            return Refusal::refused(format!("Variables like `{name}` are not allowed.")).at(ident.span);
        }
        let key = names::key(self.db, ident);
        let mut sources = self.levels.iter().flat_map(|level| &level.sources);
        if sources.any(|source| source.alias.as_deref() == Some(key.as_str())) {
            return Refusal::refused(format!("`{name}` is a table, and can't be used as a value."))
                .hint("Name its columns.")
                .at(ident.span);
        }
        let refusal = Refusal::invalid(format!("There is no column `{name}` here.")).at(ident.span);
        if self.db == DbType::Sqlite && ident.quote_style == Some('"') {
            return refusal.hint("Double quotes are for names. If it is a text, write it in single quotes.");
        }
        let columns = self.levels.iter().flat_map(|level| &level.sources).flat_map(|source| &source.columns);
        match names::nearest(&name, columns.map(|column| column.shown.as_str())) {
            Some(near) => refusal.hint(format!("Did you mean `{near}`?")),
            None => refusal.hint("Use only columns of the tables in FROM."),
        }
    }

    fn no_such_column(&self, alias: &Ident, alias_key: &str, column: &Ident) -> Refusal {
        let sources = self.levels.iter().flat_map(|level| &level.sources).filter(|source| source.alias.as_deref() == Some(alias_key));
        let refusal = Refusal::invalid(format!("`{}` has no column `{}`.", names::text(alias), names::text(column))).at(column.span);
        match names::nearest(&names::text(column), sources.flat_map(|source| &source.columns).map(|column| column.shown.as_str())) {
            Some(near) => refusal.hint(format!("Did you mean `{near}`?")),
            None => refusal.hint("Use only columns that the table has."),
        }
    }
}

fn dotted(parts: &[Ident]) -> String {
    parts.iter().map(names::text).collect::<Vec<_>>().join(".")
}

fn span_of(parts: &[Ident]) -> sqlparser::tokenizer::Span {
    parts.first().map_or_else(sqlparser::tokenizer::Span::empty, |part| part.span)
}
