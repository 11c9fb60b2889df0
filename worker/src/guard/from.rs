//! FROM: relations, subqueries and joins.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{
    Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Spanned, TableAlias, TableFactor, TableSampleKind, TableSampleMethod,
    TableSampleModifier, TableWithJoins,
};

use super::{
    names,
    queries::renamed,
    refusal::{Checked, Refusal},
    scope::{Column, CteState, Source, Star},
    selects::single_ident,
    walk::{MAX_SOURCES, Walker},
};

impl Walker<'_> {
    /// Checks a FROM; its sources become the current level's.
    pub(super) fn from(&mut self, from: &[TableWithJoins]) -> Checked<()> {
        for item in from {
            let stars = self.joined(item)?;
            self.level().star.extend(stars);
        }
        Ok(())
    }

    fn joined(&mut self, item: &TableWithJoins) -> Checked<Vec<Star>> {
        self.deeper(|walker| {
            let mut left = walker.factor(&item.relation)?;
            for join in &item.joins {
                let right = walker.factor(&join.relation)?;
                left = walker.join(join, left, right)?;
            }
            Ok(left)
        })
    }

    fn join(&mut self, join: &Join, mut left: Vec<Star>, right: Vec<Star>) -> Checked<Vec<Star>> {
        let constraint = match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => Some(constraint),
            JoinOperator::StraightJoin(constraint) if self.db == DbType::Mysql => Some(constraint),
            _ => None,
        };
        let Some(constraint) = constraint.filter(|_| !join.global) else {
            return Err(
                Refusal::refused("This kind of join is not allowed.").hint("Use JOIN, LEFT JOIN, RIGHT JOIN, FULL JOIN or CROSS JOIN.")
            );
        };
        match constraint {
            JoinConstraint::None => {}
            JoinConstraint::On(condition) => self.within("a join condition", |walker| walker.inside(condition))?,
            JoinConstraint::Using(columns) => {
                let idents = columns.iter().map(single_ident).collect::<Checked<Vec<_>>>()?;
                let keys: Vec<String> = idents.iter().map(|ident| names::key(self.db, ident)).collect();
                for (ident, key) in idents.iter().zip(&keys) {
                    let known = |side: &[Star]| side.iter().any(|star| star.column.key == *key);
                    if !(known(&left) && known(&right)) {
                        return Err(Refusal::invalid(format!("USING needs a column `{}` on both sides.", names::text(ident)))
                            .hint("Use ON with the columns of each side.")
                            .at(ident.span));
                    }
                }
                return self.merged(&keys, left, right);
            }
            JoinConstraint::Natural => {
                let keys: Vec<String> = left
                    .iter()
                    .map(|star| star.column.key.clone())
                    .filter(|key| right.iter().any(|star| star.column.key == *key))
                    .collect();
                return self.merged(&keys, left, right);
            }
        }
        left.extend(right);
        Ok(left)
    }

    // What `*` means after USING or NATURAL: the common columns once, then the rest of each side.
    fn merged(&mut self, keys: &[String], left: Vec<Star>, right: Vec<Star>) -> Checked<Vec<Star>> {
        let mut stars = Vec::with_capacity(left.len() + right.len());
        for key in keys {
            let common = left.iter().chain(&right).filter(|star| star.column.key == *key);
            for star in common {
                if star.column.mask.is_some() {
                    return self.within("a join condition", |walker| Err(walker.masked(&star.column.shown)));
                }
            }
            let first = left.iter().find(|star| star.column.key == *key);
            stars.extend(first.map(|star| Star { source: None, column: star.column.clone() }));
        }
        let rest = |star: &Star| !keys.contains(&star.column.key);
        stars.extend(left.into_iter().filter(rest));
        stars.extend(right.into_iter().filter(rest));
        Ok(stars)
    }

    fn factor(&mut self, factor: &TableFactor) -> Checked<Vec<Star>> {
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
        if let [ident] = names::parts(name)?.as_slice()
            && let Some(columns) = self.cte(ident)?
        {
            return self.add_query(columns, Some(*ident), alias);
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
        let stars = self.joined(item)?;
        if alias.is_none() {
            return Ok(stars);
        }
        // An alias of a join hides the names inside.
        self.level().sources.truncate(first);
        self.add(stars.into_iter().map(|star| star.column).collect(), None, alias, None)
    }

    // Adds a subquery or a CTE.
    fn add_query(&mut self, columns: Vec<Column>, own: Option<&Ident>, alias: Option<&TableAlias>) -> Checked<Vec<Star>> {
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
            let list: Vec<Ident> = alias.columns.iter().map(|column| column.name.clone()).collect();
            columns = renamed(self.db, columns, &list, &names::text(&alias.name))?;
        }
        let qualifier = alias.map(|alias| &alias.name).or(own).cloned();
        let source = Source {
            alias: qualifier.as_ref().map(|ident| names::key(self.db, ident)),
            qualifier,
            stored: schema.is_some(),
            queried: false,
            schema: schema.filter(|_| alias.is_none()),
            columns,
        };
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
