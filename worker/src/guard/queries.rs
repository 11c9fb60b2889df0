//! Queries: WITH, set operations, VALUES, ORDER BY and LIMIT.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{Expr, LimitClause, OrderBy, OrderByKind, Query, SetExpr, SetOperator, SetQuantifier, Spanned, Values, With};

use super::{
    calls::plain_order,
    names, outputs,
    refusal::{Checked, Refusal},
    scope::{Column, Cte, CteState, Level},
    walk::Walker,
};

impl Walker<'_> {
    /// Checks a query; returns its output columns.
    pub(super) fn query(&mut self, query: &Query) -> Checked<Vec<Column>> {
        self.deeper(|walker| {
            let (levels, ctes) = (walker.levels.len(), walker.ctes.len());
            let columns = walker.query_parts(query, None)?;
            walker.levels.truncate(levels);
            walker.ctes.truncate(ctes);
            Ok(columns)
        })
    }

    // `open`: the place of the recursive CTE this is the body of.
    fn query_parts(&mut self, query: &Query, open: Option<usize>) -> Checked<Vec<Column>> {
        plain_query(query)?;
        if let Some(with) = &query.with {
            self.with(with)?;
        }
        let (columns, level) = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select)?,
            body => (self.set_expr(body, open)?, Level::default()),
        };
        // ORDER BY sees the output columns, and those of FROM if this is a plain SELECT.
        self.levels.push(Level { aliases: columns.clone(), aliases_on: true, ..level });
        if let Some(order_by) = &query.order_by {
            self.within("ORDER BY", |walker| walker.order_by(order_by, &columns))?;
        }
        self.within("LIMIT", |walker| walker.limits(query))?;
        self.levels.pop();
        Ok(columns)
    }

    fn order_by(&mut self, order_by: &OrderBy, columns: &[Column]) -> Checked<()> {
        let OrderByKind::Expressions(items) = &order_by.kind else {
            return Err(Refusal::refused("ORDER BY ALL is not allowed.").hint("Name what to order by."));
        };
        if order_by.interpolate.is_some() {
            return Err(Refusal::refused("INTERPOLATE is not allowed."));
        }
        for item in items {
            plain_order(item)?;
            self.ordinals(&item.expr, columns)?;
            self.inside(&item.expr)?;
        }
        Ok(())
    }

    fn limits(&mut self, query: &Query) -> Checked<()> {
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                self.all_inside(limit)?;
                self.all_inside(offset.as_ref().map(|offset| &offset.value))?;
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => self.all_inside([offset, limit])?,
            Some(LimitClause::LimitOffset { .. }) => return Err(Refusal::refused("LIMIT BY is not allowed.").at(query.span())),
        }
        match &query.fetch {
            Some(fetch) if fetch.percent => Err(Refusal::refused("FETCH … PERCENT is not allowed.").hint("Use LIMIT.")),
            Some(fetch) => self.all_inside(&fetch.quantity),
            None => Ok(()),
        }
    }

    fn with(&mut self, with: &With) -> Checked<()> {
        // SQLite lets every CTE see itself and all others of its WITH; elsewhere that takes the word RECURSIVE.
        let recursive = with.recursive || self.db == DbType::Sqlite;
        let first = self.ctes.len();
        for cte in &with.cte_tables {
            let alias = &cte.alias;
            let entry = Cte {
                key: names::key(self.db, &alias.name),
                exact: names::text(&alias.name),
                renamed: alias.columns.iter().map(|column| column.name.clone()).collect(),
                state: CteState::Upcoming,
            };
            if cte.from.is_some() || alias.at.is_some() || alias.columns.iter().any(|column| column.data_type.is_some()) {
                return Err(Refusal::refused(format!("The definition of `{}` is unusual.", entry.exact)).at(alias.name.span));
            }
            if recursive {
                self.ctes.push(entry);
            } else {
                let columns = self.query(&cte.query)?;
                let columns = renamed(self.db, columns, &entry.renamed, &entry.exact)?;
                self.ctes.push(Cte { state: CteState::Ready(columns), ..entry });
            }
        }
        self.no_duplicates(first)?;
        if recursive {
            for (offset, cte) in with.cte_tables.iter().enumerate() {
                self.recursive_cte(first + offset, &cte.query)?;
            }
        }
        Ok(())
    }

    fn no_duplicates(&self, first: usize) -> Checked<()> {
        for (index, cte) in self.ctes.iter().enumerate().skip(first) {
            if self.ctes[first..index].iter().any(|other| other.key == cte.key) {
                return Err(Refusal::invalid(format!("WITH defines `{}` twice.", cte.exact)).hint("Give each its own name."));
            }
        }
        Ok(())
    }

    // A body that may name itself. Its columns are those of its first arm.
    fn recursive_cte(&mut self, place: usize, body: &Query) -> Checked<()> {
        self.set_cte(place, CteState::Open);
        let columns = self.deeper(|walker| {
            let (levels, ctes) = (walker.levels.len(), walker.ctes.len());
            let columns = walker.query_parts(body, Some(place))?;
            walker.levels.truncate(levels);
            walker.ctes.truncate(ctes);
            Ok(columns)
        })?;
        self.open_cte(place, columns)
    }

    fn set_cte(&mut self, place: usize, state: CteState) {
        if let Some(cte) = self.ctes.get_mut(place) {
            cte.state = state;
        }
    }

    // From here on the CTE has these columns.
    fn open_cte(&mut self, place: usize, columns: Vec<Column>) -> Checked<()> {
        let Some(cte) = self.ctes.get(place) else { return Ok(()) };
        let columns = renamed(self.db, columns, &cte.renamed, &cte.exact)?;
        self.set_cte(place, CteState::Ready(columns));
        Ok(())
    }

    fn set_expr(&mut self, body: &SetExpr, open: Option<usize>) -> Checked<Vec<Column>> {
        match body {
            SetExpr::Select(select) => self.select(select).map(|(columns, _)| columns),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { .. } => self.set_operation(body, open),
            SetExpr::Table(_) => Err(Refusal::refused("TABLE is not allowed.").hint("Write SELECT * FROM the table.").at(body.span())),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(Refusal::refused("Only SELECT is allowed, nothing that changes data.").at(body.span()))
            }
        }
    }

    // Arms in a row are a tree as deep as they are many, so they are followed, not recursed into.
    fn set_operation(&mut self, body: &SetExpr, open: Option<usize>) -> Checked<Vec<Column>> {
        let mut arms = Vec::new();
        let mut node = body;
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = node {
            let plain = matches!(op, SetOperator::Union | SetOperator::Except | SetOperator::Intersect)
                && matches!(set_quantifier, SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None);
            if !plain {
                return Err(Refusal::refused("This set operation is not allowed.").hint("Use UNION, INTERSECT or EXCEPT.").at(body.span()));
            }
            arms.push(right);
            node = left;
        }
        let columns = self.arm(node, open)?;
        if let Some(place) = open {
            self.open_cte(place, columns.clone())?;
        }
        for arm in arms.into_iter().rev() {
            self.arm(arm, None)?;
        }
        Ok(columns)
    }

    fn arm(&mut self, arm: &SetExpr, open: Option<usize>) -> Checked<Vec<Column>> {
        let columns = self.deeper(|walker| walker.set_expr(arm, open))?;
        match columns.iter().find(|column| column.mask.is_some()) {
            Some(column) => self.within("a set operation", |walker| Err(walker.masked(&column.shown).at(arm.span()))),
            None => Ok(columns),
        }
    }

    fn values(&mut self, values: &Values) -> Checked<Vec<Column>> {
        if values.value_keyword || (values.explicit_row && self.db != DbType::Mysql) {
            return Err(Refusal::refused("This form of VALUES is not allowed.").hint("Write VALUES (…), (…)."));
        }
        for row in &values.rows {
            self.within("VALUES", |walker| walker.all_inside(&row.content))?;
        }
        let first = values.rows.first().map(|row| row.content.as_slice()).unwrap_or_default();
        let named = |(index, expr): (usize, &Expr)| match self.db {
            DbType::Postgresql | DbType::Sqlite => Column::fixed(&format!("column{}", index + 1)),
            // MySQL says `column_0`, MariaDB takes the first row's texts.
            DbType::Mysql if values.explicit_row => Column::fixed(&format!("column_{index}")),
            DbType::Mysql => outputs::unnamed(self.db, expr, None),
        };
        Ok(first.iter().enumerate().map(named).collect())
    }
}

fn plain_query(query: &Query) -> Checked<()> {
    let unusual = if !query.locks.is_empty() {
        Some("Locking rows (FOR UPDATE, FOR SHARE)")
    } else if query.for_clause.is_some() {
        Some("A FOR clause")
    } else if query.settings.is_some() {
        Some("A SETTINGS clause")
    } else if query.format_clause.is_some() {
        Some("A FORMAT clause")
    } else if !query.pipe_operators.is_empty() {
        Some("The pipe operator")
    } else {
        None
    };
    match unusual {
        Some(what) => Err(Refusal::refused(format!("{what} is not allowed.")).hint("Leave it out.").at(query.span())),
        None => Ok(()),
    }
}

/// Gives columns the names of an alias list, from the left.
pub(super) fn renamed(db: DbType, mut columns: Vec<Column>, list: &[sqlparser::ast::Ident], of: &str) -> Checked<Vec<Column>> {
    let mut open = columns.iter_mut().filter(|column| !column.hidden);
    for ident in list {
        let Some(column) = open.next() else {
            return Err(Refusal::invalid(format!("`{of}` has fewer columns than its list of names.")).at(ident.span));
        };
        *column = Column::named(db, ident, column.mask);
    }
    Ok(columns)
}
