//! What a column reference means, whether a masked column may stand there, and the refusals of names that mean nothing.

use datagenie_common::model::{connections::DbType, policies::MaskKind};
use sqlparser::{ast::Ident, tokenizer::Span};

use super::{
    names,
    refusal::{Checked, Refusal},
    scope::{self, Meaning},
    walk::{Place, Walker},
};

impl Walker<'_> {
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
        if self.is_implicit(&key) && scope::stored_first(&self.levels, None, &key) {
            return if self.implicit_allowed() { Meaning::Column(None) } else { Meaning::Unknown };
        }
        scope::unqualified(&self.levels, &key, self.wide)
    }

    /// Resolves `alias.column` or `schema.table.column`.
    pub(super) fn qualified_column(&self, parts: &[Ident], place: Place) -> Checked<Option<MaskKind>> {
        let (schema, alias, column) = match parts {
            [alias, column] => (None, alias, column),
            [schema, alias, column] => (Some(names::key(self.db, schema)), alias, column),
            _ => return Err(Refusal::invalid(format!("`{}` has too many parts.", dotted(parts))).at(span_of(parts))),
        };
        let (alias_key, key) = (names::key(self.db, alias), names::key(self.db, column));
        if self.is_implicit(&key) && scope::stored_first(&self.levels, Some(&alias_key), &key) {
            return if self.implicit_allowed() { Ok(None) } else { Err(self.no_such_column(alias, &alias_key, column)) };
        }
        match scope::qualified(self.db, &self.levels, schema.as_deref(), &alias_key, &key, self.wide) {
            Meaning::Column(mask) => self.used(mask, place, column).map_err(|refusal| refusal.at(alias.span)),
            Meaning::NoSuchColumn => Err(self.no_such_column(alias, &alias_key, column)),
            Meaning::Unknown => {
                Err(Refusal::invalid(format!("`{}` names no table or alias that can be named here.", dotted(&parts[..parts.len() - 1])))
                    .hint("Qualify columns with the alias that the table has in FROM. A join condition sees only the tables it joins.")
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

    // Names that every stored table has besides its columns; they are another name of its integer key.
    fn is_implicit(&self, key: &str) -> bool {
        match self.db {
            DbType::Postgresql => false,
            DbType::Mysql => key == "_rowid",
            DbType::Sqlite => matches!(key, "rowid" | "_rowid_" | "oid"),
        }
    }

    // The key may be what is masked.
    fn implicit_allowed(&self) -> bool {
        self.db == DbType::Sqlite && !self.catalog.any_masks()
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

fn span_of(parts: &[Ident]) -> Span {
    parts.first().map_or_else(Span::empty, |part| part.span)
}
