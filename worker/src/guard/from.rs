//! FROM: relations, CTEs and subqueries, and the names under which they can be used.

use std::{collections::HashSet, slice};

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{
    Ident, ObjectName, Query, Spanned, TableAlias, TableFactor, TableSampleKind, TableSampleMethod, TableSampleModifier, TableWithJoins,
};

use super::{
    names,
    queries::renamed,
    refusal::{Checked, Refusal},
    scope::{Column, CteState, Source, Star},
    walk::{MAX_SOURCE_COLUMNS, MAX_SOURCES, Walker},
};

impl Walker<'_> {
    /// Checks a FROM; its sources become the current level's.
    pub(super) fn from(&mut self, from: &[TableWithJoins]) -> Checked<()> {
        for item in from {
            // To SQLite a comma is a join like any other: NATURAL and USING look at all that stands before.
            let before = if self.db == DbType::Sqlite { std::mem::take(&mut self.level().star) } else { Vec::new() };
            let stars = self.joined(item, before)?;
            self.level().star.extend(stars);
        }
        Ok(())
    }

    /// Checks a part of a FROM; returns what `*` means for it.
    pub(super) fn factor(&mut self, factor: &TableFactor) -> Checked<Vec<Star>> {
        self.sources += 1;
        if self.sources > MAX_SOURCES {
            return Err(
                Refusal::refused(format!("The statement reads more than {MAX_SOURCES} tables and subqueries.")).hint("Use fewer joins.")
            );
        }
        match factor {
            TableFactor::Table { name, alias, args: None, sample, .. } => {
                plain_table(factor)?;
                self.sample(sample.as_ref())?;
                self.named(name, alias.as_ref())
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => self.derived(*lateral, subquery, alias.as_ref()),
            TableFactor::NestedJoin { table_with_joins, alias } => self.nested(table_with_joins, alias.as_ref()),
            _ => self.table_function(factor),
        }
    }

    // A name in FROM: a CTE in scope, else a relation of the catalogue.
    fn named(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Checked<Vec<Star>> {
        if let [ident] = names::parts(name)?.as_slice() {
            if let Some(columns) = self.cte(ident)? {
                return self.add_query(columns, Some(*ident), alias);
            }
            // `FROM DUAL` is MySQL's way to say that there is no table.
            if self.db == DbType::Mysql && ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("dual") && alias.is_none() {
                return self.add(Vec::new(), None, None, None);
            }
        }
        let relation = self.catalog.relation(name)?;
        let columns = self.catalog.columns(&relation);
        self.masks_matter |= self.catalog.has_masks(&relation);
        let schema = names::catalog_key(self.db, relation.schema);
        let read = relation.relation();
        if !self.relations.contains(&read) {
            self.relations.push(read);
        }
        let table = names::parts(name)?.last().copied().cloned();
        self.add(columns, table.as_ref(), alias, Some(schema))
    }

    // The columns of the CTE this name means, if it means one.
    fn cte(&self, ident: &Ident) -> Checked<Option<Vec<Column>>> {
        let key = names::key(self.db, ident);
        let Some(cte) = self.ctes.iter().rev().find(|cte| cte.key == key) else { return Ok(None) };
        let text = names::text(ident);
        // MySQL may or may not ignore case here; where that would make a difference, it must be the same.
        let differs = self.db == DbType::Mysql && cte.exact != text;
        if differs && (self.catalog.has(ident) || self.ctes.iter().any(|other| other.exact == text)) {
            return Err(Refusal::invalid(format!("`{text}` differs from `{}` of WITH only by case.", cte.exact))
                .hint(format!("Write `{}`.", cte.exact))
                .at(ident.span));
        }
        match &cte.state {
            CteState::Ready(columns) => Ok(Some(columns.clone())),
            CteState::Open => Err(Refusal::invalid(format!("`{text}` of WITH names itself where it is not defined yet."))
                .hint("Give it another name than the table's, or begin it with a part that does not name it, then UNION ALL.")
                .at(ident.span)),
            CteState::Upcoming => Err(Refusal::invalid(format!("`{text}` is used before WITH defines it."))
                .hint("Define it before the part that uses it.")
                .at(ident.span)),
        }
    }

    fn derived(&mut self, lateral: bool, subquery: &Query, alias: Option<&TableAlias>) -> Checked<Vec<Star>> {
        // Without LATERAL a subquery does not see the FROM it stands in.
        let hidden = if lateral { None } else { self.levels.pop() };
        let columns = self.query(subquery)?;
        self.levels.extend(hidden);
        self.add_query(columns, None, alias)
    }

    fn nested(&mut self, item: &TableWithJoins, alias: Option<&TableAlias>) -> Checked<Vec<Star>> {
        let first = self.level().sources.len();
        let stars = self.joined(item, Vec::new())?;
        if alias.is_none() {
            return Ok(stars);
        }
        // An alias of a join hides the names inside, from here on.
        self.late(slice::from_ref(item))?;
        self.level().sources.truncate(first);
        self.add(stars.into_iter().map(|star| star.column).collect(), None, alias, None)
    }

    // Adds a subquery or a CTE.
    fn add_query(&mut self, columns: Vec<Column>, own: Option<&Ident>, alias: Option<&TableAlias>) -> Checked<Vec<Star>> {
        // SQLite gives the second column of a name another one (`email:1`), which would pass for an unknown name here.
        if self.db == DbType::Sqlite && columns.iter().any(|column| column.mask.is_some()) {
            let mut keys = HashSet::new();
            if let Some(twice) = columns.iter().find(|column| !keys.insert(column.key.as_str())) {
                return Err(Refusal::refused(format!("Two columns of a subquery are called `{}`, which masks do not allow.", twice.shown))
                    .hint("Give each column of the subquery its own alias."));
            }
        }
        let stars = self.add(columns, own, alias, None)?;
        if let Some(source) = self.level().sources.last_mut() {
            source.queried = true;
        }
        Ok(stars)
    }

    /// Adds a source under its alias or own name; returns what `*` means for it.
    pub(super) fn add(
        &mut self,
        mut columns: Vec<Column>,
        own: Option<&Ident>,
        alias: Option<&TableAlias>,
        schema: Option<String>,
    ) -> Checked<Vec<Star>> {
        if let Some(alias) = alias {
            if alias.at.is_some() || alias.columns.iter().any(|column| column.data_type.is_some()) {
                return Err(Refusal::refused(format!("The alias `{alias}` is unusual.")).hint("Write AS name.").at(alias.name.span));
            }
            // By place: that of a table may have changed since the last look at it.
            if schema.is_some() && !alias.columns.is_empty() && columns.iter().any(|column| column.mask.is_some()) {
                return Err(Refusal::refused("The columns of a table with masked columns can't be renamed here.")
                    .hint("Use the columns' own names.")
                    .at(alias.name.span));
            }
            let list: Vec<Ident> = alias.columns.iter().map(|column| column.name.clone()).collect();
            columns = renamed(self.db, columns, &list, &names::text(&alias.name))?;
        }
        let qualifier = alias.map(|alias| &alias.name).or(own).cloned();
        let source = Source {
            alias: qualifier.as_ref().map(|ident| names::key(self.db, ident)),
            qualifier,
            stored: schema.is_some(),
            queried: false,
            schema: schema.filter(|_| alias.is_none() || self.db != DbType::Postgresql),
            columns,
        };
        self.source_columns += source.columns.len();
        if self.source_columns > MAX_SOURCE_COLUMNS {
            return Err(Refusal::refused(format!(
                "The tables and subqueries of the statement have more than {MAX_SOURCE_COLUMNS} columns."
            ))
            .hint("Use fewer joins, and name the columns of subqueries."));
        }
        let level = self.level();
        let index = level.sources.len();
        let visible = source.columns.iter().filter(|column| !column.hidden);
        let stars = visible.map(|column| Star { source: Some(index), column: column.clone() }).collect();
        level.sources.push(source);
        Ok(stars)
    }

    fn sample(&mut self, sample: Option<&TableSampleKind>) -> Checked<()> {
        let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample else { return Ok(()) };
        let plain = matches!(sample.modifier, TableSampleModifier::TableSample)
            && matches!(sample.name, Some(TableSampleMethod::Bernoulli | TableSampleMethod::System))
            && sample.bucket.is_none()
            && sample.offset.is_none();
        match &sample.quantity {
            Some(quantity) if plain && quantity.unit.is_none() => {
                if let Some(seed) = &sample.seed {
                    self.value(&seed.value)?;
                }
                self.inside(&quantity.value)
            }
            _ => Err(Refusal::refused("This form of TABLESAMPLE is not allowed.").hint("Write TABLESAMPLE SYSTEM (percent).")),
        }
    }
}

fn plain_table(factor: &TableFactor) -> Checked<()> {
    match factor {
        TableFactor::Table { with_hints, version: None, with_ordinality: false, partitions, json_path: None, .. }
            if with_hints.is_empty() && partitions.is_empty() =>
        {
            Ok(())
        }
        _ => Err(Refusal::refused(format!("`{factor}` is an unusual way of naming a table."))
            .hint("Write the table's name and an alias.")
            .at(factor.span())),
    }
}
