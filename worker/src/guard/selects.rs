//! One SELECT: its clauses in the order in which names come into scope.

use std::collections::HashSet;

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{
    Distinct, GroupByExpr, GroupByWithModifier, NamedWindowExpr, ObjectName, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, Spanned, WildcardAdditionalOptions,
};

use super::{
    names, outputs,
    refusal::{Checked, Refusal},
    rewrite::Expansion,
    scope::{Column, Level, Star},
    walk::{MAX_COLUMNS, Place, Walker},
};

impl Walker<'_> {
    /// Checks a SELECT; returns its output columns, and its level for the ORDER BY that may follow.
    pub(super) fn select(&mut self, select: &Select) -> Checked<(Vec<Column>, Level)> {
        plain_select(select)?;
        let outer = self.levels.len();
        self.levels.push(Level::default());
        self.within("FROM", |walker| walker.from(&select.from))?;
        let columns = self.within("an expression of SELECT", |walker| walker.projection(&select.projection))?;
        let level = self.level();
        level.aliases = columns.iter().filter(|column| !column.hidden).cloned().collect();
        level.naming = false;
        self.clauses(select, &columns)?;
        let level = self.levels.pop().unwrap_or_default();
        self.levels.truncate(outer);
        Ok((columns, level))
    }

    fn clauses(&mut self, select: &Select, columns: &[Column]) -> Checked<()> {
        // SQLite lets WHERE name output columns, MySQL and SQLite HAVING, all of them GROUP BY.
        let (sqlite, postgres) = (self.db == DbType::Sqlite, self.db == DbType::Postgresql);
        self.level().aliases_on = sqlite;
        self.late(&select.from)?;
        self.within("WHERE", |walker| walker.all_inside(&select.selection))?;
        self.level().aliases_on = true;
        self.within("GROUP BY", |walker| walker.group_by(&select.group_by, columns))?;
        self.level().aliases_on = !postgres;
        self.within("HAVING", |walker| walker.all_inside(&select.having))?;
        for window in &select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = &window.1 {
                self.within("WINDOW", |walker| walker.window(spec))?;
            }
        }
        self.level().aliases_on = true;
        let windows = std::mem::take(&mut self.level().windows);
        windows.iter().try_for_each(|window| self.window(window))?;
        match &select.distinct {
            None | Some(Distinct::All) => Ok(()),
            // Distinct values come sorted, which would tell the order of what is masked.
            Some(Distinct::Distinct) => match columns.iter().find(|column| column.mask.is_some()) {
                Some(column) => self.within("SELECT DISTINCT", |walker| Err(walker.masked(&column.shown).at(select.span()))),
                None => Ok(()),
            },
            Some(Distinct::On(exprs)) if postgres => self.within("DISTINCT ON", |walker| {
                for expr in exprs {
                    walker.ordinals(expr, columns)?;
                    walker.inside(expr)?;
                }
                Ok(())
            }),
            Some(Distinct::On(_)) => Err(Refusal::invalid("DISTINCT ON is PostgreSQL's.").hint("Use GROUP BY or a window function.")),
        }
    }

    fn group_by(&mut self, group_by: &GroupByExpr, columns: &[Column]) -> Checked<()> {
        let GroupByExpr::Expressions(exprs, modifiers) = group_by else {
            return Err(Refusal::refused("GROUP BY ALL is not allowed.").hint("Name what to group by."));
        };
        for expr in exprs {
            self.ordinals(expr, columns)?;
            self.inside(expr)?;
        }
        for modifier in modifiers {
            match modifier {
                GroupByWithModifier::Rollup => {}
                GroupByWithModifier::GroupingSets(sets) if self.db == DbType::Postgresql => {
                    self.ordinals(sets, columns)?;
                    self.inside(sets)?;
                }
                _ => return Err(Refusal::refused("This modifier of GROUP BY is not allowed.").hint("Use ROLLUP or none.")),
            }
        }
        Ok(())
    }

    fn projection(&mut self, items: &[SelectItem]) -> Checked<Vec<Column>> {
        if items.is_empty() {
            return Err(Refusal::refused("SELECT names no columns.").hint("Name at least one."));
        }
        // MySQL's windows and subqueries of SELECT may name its aliases, and for windows these come before the columns of FROM.
        let mysql = self.db == DbType::Mysql;
        let level = self.level();
        (level.naming, level.aliases_on) = (mysql, mysql);
        let mut columns = Vec::with_capacity(items.len());
        for item in items {
            let before = columns.len();
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let mask = self.expr(expr, Place::Bare)?;
                    let column = outputs::unnamed(self.db, expr, mask);
                    if mask.is_some() && !column.certain {
                        return Err(Refusal::refused(format!("`{expr}` is masked for you, and needs a name."))
                            .hint("Give it one: AS name.")
                            .at(expr.span()));
                    }
                    columns.push(column);
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let mask = self.expr(expr, Place::Bare)?;
                    columns.push(Column::named(self.db, alias, mask));
                }
                SelectItem::Wildcard(options) => columns.extend(self.star(None, options)?),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    columns.extend(self.star(Some(name), options)?);
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) | SelectItem::ExprWithAliases { .. } => {
                    return Err(Refusal::refused(format!("`{item}` is not allowed.")).hint("Name the columns.").at(item.span()));
                }
            }
            if columns.len() > MAX_COLUMNS {
                return Err(Refusal::refused(format!("A query has more than {MAX_COLUMNS} columns.")).hint("Name those you need."));
            }
            if mysql {
                let masked = columns[before..].iter().filter(|column| column.mask.is_some());
                let masked: Vec<Column> = masked.cloned().collect();
                self.level().aliases.extend(masked);
            }
        }
        Ok(columns)
    }

    // The columns of `*` or `alias.*`.
    fn star(&mut self, of: Option<&ObjectName>, options: &WildcardAdditionalOptions) -> Checked<Vec<Column>> {
        let span = options.wildcard_token.0.span;
        let plain = options.opt_ilike.is_none()
            && options.opt_exclude.is_none()
            && options.opt_except.is_none()
            && options.opt_replace.is_none()
            && options.opt_rename.is_none()
            && options.opt_alias.is_none();
        if !plain {
            return Err(Refusal::refused("Only a plain `*` is allowed.").hint("Name the columns.").at(span));
        }
        let stars = match of {
            None => self.level().star.clone(),
            Some(name) => self.stars_of(name).map_err(|refusal| refusal.at(span))?,
        };
        if stars.is_empty() {
            return Err(Refusal::invalid("There is nothing that `*` could mean here.").hint("Add a FROM, or name values.").at(span));
        }
        if self.catalog.any_masks() {
            let columns = self.expansion(&stars).map_err(|refusal| refusal.at(span));
            self.rewrites.wildcard(span, of.is_some(), columns);
        }
        Ok(stars.into_iter().map(|star| star.column).collect())
    }

    /// The columns of `alias.*`.
    pub(super) fn stars_of(&mut self, name: &ObjectName) -> Checked<Vec<Star>> {
        let keys: Vec<String> = names::parts(name)?.into_iter().map(|part| names::key(self.db, part)).collect();
        let (schema, alias) = match keys.as_slice() {
            [alias] => (None, alias),
            [schema, alias] => (Some(schema), alias),
            _ => return Err(Refusal::invalid(format!("`{name}` has too many parts."))),
        };
        let exact = names::parts(name)?.last().map(|part| names::text(part));
        let level = self.level();
        let fits = |index: &usize| {
            let source = &level.sources[*index];
            source.alias.as_ref() == Some(alias) && schema.is_none_or(|schema| source.schema.as_ref() == Some(schema))
        };
        let found: Vec<usize> = (0..level.sources.len()).filter(fits).collect();
        // Where MySQL tells aliases apart by case, so do we.
        let written = |index: &usize| level.sources[*index].qualifier.as_ref().map(names::text) == exact;
        let source = match found.as_slice() {
            [only] => *only,
            [] => {
                return Err(Refusal::invalid(format!("`{name}` names no table or alias of this FROM."))
                    .hint("Use the alias that the table has in FROM."));
            }
            several => match several.iter().copied().find(|index| written(index)) {
                Some(index) => index,
                None => return Err(Refusal::invalid(format!("`{name}` names more than one table.")).hint("Give each its own alias.")),
            },
        };
        let columns = level.sources[source].columns.iter().filter(|column| !column.hidden);
        Ok(columns.map(|column| Star { source: Some(source), column: column.clone() }).collect())
    }

    // The columns of a star, written out.
    fn expansion(&mut self, stars: &[Star]) -> Checked<Expansion> {
        let db = self.db;
        let level = self.level();
        let mut columns = Expansion::with_capacity(stars.len());
        let mut seen = HashSet::new();
        for star in stars {
            let repeated = !seen.insert((star.source, star.column.key.as_str()));
            if repeated || !star.column.certain {
                return Err(Refusal::refused("A `*` here includes a column without a name of its own, which masks require.")
                    .hint("Give every column of the subquery its own alias, or name the columns in place of `*`."));
            }
            let qualifier = star.source.and_then(|source| level.sources.get(source)).and_then(|source| source.qualifier.clone());
            columns.push((qualifier, names::quoted(db, &star.column.shown)));
        }
        Ok(columns)
    }
}

fn plain_select(select: &Select) -> Checked<()> {
    let unusual = if select.into.is_some() {
        Some("INTO")
    } else if !select.optimizer_hints.is_empty() {
        Some("An optimizer hint")
    } else if select.top.is_some() || select.top_before_distinct {
        Some("TOP")
    } else if select.exclude.is_some() || select.value_table_mode.is_some() || select.flavor != SelectFlavor::Standard {
        Some("This form of SELECT")
    } else if !select.lateral_views.is_empty() {
        Some("LATERAL VIEW")
    } else if select.prewhere.is_some() || select.qualify.is_some() {
        Some("PREWHERE or QUALIFY")
    } else if !select.connect_by.is_empty() {
        Some("CONNECT BY")
    } else if !(select.cluster_by.is_empty() && select.distribute_by.is_empty() && select.sort_by.is_empty()) {
        Some("CLUSTER BY, DISTRIBUTE BY or SORT BY")
    } else if select.select_modifiers.as_ref().is_some_and(|modifiers| modifiers.high_priority || modifiers.sql_calc_found_rows) {
        Some("HIGH_PRIORITY or SQL_CALC_FOUND_ROWS")
    } else {
        None
    };
    match unusual {
        Some(what) => Err(Refusal::refused(format!("{what} is not allowed.")).hint("Leave it out.").at(select.span())),
        None => Ok(()),
    }
}

/// A plain column of one part, for the lists of USING.
pub(super) fn single_ident(name: &ObjectName) -> Checked<&sqlparser::ast::Ident> {
    match names::parts(name)?.as_slice() {
        [ident] => Ok(*ident),
        _ => Err(Refusal::invalid(format!("`{name}` must be a plain column name."))),
    }
}
