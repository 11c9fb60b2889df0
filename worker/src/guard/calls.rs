//! Function calls: the name must be on the dialect's list, the arguments and clauses ordinary, sizes bounded.

use std::borrow::Cow;

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause, FunctionArgumentList, FunctionArguments,
    ObjectName, OrderByExpr, Spanned, Value, WindowFrameBound, WindowSpec, WindowType,
};

use super::{
    bounds, functions, names,
    refusal::{Checked, Refusal},
    types,
    walk::{Place, Walker},
};

/// PostgreSQL's functions that take a whole row.
const OF_ROWS: [&str; 5] = ["json_agg", "jsonb_agg", "row_to_json", "to_json", "to_jsonb"];

impl Walker<'_> {
    /// Checks a call in an expression.
    pub(super) fn function(&mut self, function: &Function) -> Checked<()> {
        let name = self.function_name(&function.name, functions::Kind::Scalar)?;
        if function.uses_odbc_syntax || !matches!(function.parameters, FunctionArguments::None) {
            return Err(Refusal::refused(format!("This way of calling `{name}` is not allowed.")).at(function.name.span()));
        }
        match &function.args {
            FunctionArguments::None => {
                if !functions::without_parentheses(&name) {
                    return Err(self.not_allowed(&name).at(function.name.span()));
                }
            }
            FunctionArguments::Subquery(query) if name == "array" && self.db == DbType::Postgresql => self.values_of(query)?,
            FunctionArguments::Subquery(_) => {
                return Err(Refusal::refused(format!("`{name}` can't be called with a bare subquery."))
                    .hint("Put the subquery in parentheses of its own.")
                    .at(function.name.span()));
            }
            FunctionArguments::List(list) => {
                let args = self.plain_args(list);
                let args: Vec<Option<&Expr>> = args.iter().map(Option::as_deref).collect();
                let growth = bounds::check(self.db, &name, &args).map_err(|refusal| refusal.at(function.name.span()))?;
                self.growing(growth, function, |walker| walker.argument_list(&name, list))?;
            }
        }
        self.within("ORDER BY", |walker| walker.order(&function.within_group))?;
        if let Some(filter) = &function.filter {
            self.within("FILTER", |walker| walker.inside(filter))?;
        }
        match &function.over {
            Some(WindowType::WindowSpec(spec)) if self.level().naming => {
                self.level().windows.push(spec.clone());
                Ok(())
            }
            Some(WindowType::WindowSpec(spec)) => self.window(spec),
            Some(WindowType::NamedWindow(_)) | None => Ok(()),
        }
    }

    /// The name of a function as the lists have it, if it is on the list.
    pub(super) fn function_name(&self, name: &ObjectName, kind: functions::Kind) -> Checked<String> {
        let parts = names::parts(name)?;
        let keys: Vec<String> = parts.iter().map(|part| names::key(self.db, part)).collect();
        let dotted = keys.join(".");
        if self.extra_functions.iter().any(|extra| self.is_added(extra, &keys)) {
            return Ok(dotted);
        }
        let key = match keys.as_slice() {
            [key] => key,
            [schema, key] if self.db == DbType::Postgresql && schema == "pg_catalog" => key,
            _ => return Err(self.not_allowed(&dotted).at(name.span())),
        };
        // MySQL looks a quoted name up among the stored functions.
        let quoted = self.db == DbType::Mysql && parts.iter().any(|part| part.quote_style.is_some());
        if quoted || !functions::allowed(self.db, key, kind) {
            return Err(self.not_allowed(key).at(name.span()));
        }
        Ok(key.clone())
    }

    // In PostgreSQL an admin may write a folded name in any case, but `"Fin"."gross"` is another function than `fin.gross`.
    fn is_added(&self, extra: &str, keys: &[String]) -> bool {
        let same = |(part, key): (&str, &String)| match self.db {
            DbType::Postgresql => key.as_str() == part || *key == part.to_ascii_lowercase(),
            DbType::Mysql | DbType::Sqlite => key.eq_ignore_ascii_case(part),
        };
        extra.split('.').count() == keys.len() && extra.split('.').zip(keys).all(same)
    }

    fn not_allowed(&self, name: &str) -> Refusal {
        let refusal = Refusal::refused(format!("The function `{name}` is not on the list of allowed functions."));
        match functions::nearest(self.db, name) {
            Some(near) => {
                refusal.hint(format!("Did you mean `{near}`? Otherwise use other functions, or ask an administrator to allow it."))
            }
            None => refusal.hint("Use ordinary functions, or ask an administrator to allow it for this connection."),
        }
    }

    // Arguments of a function that multiplies sizes may themselves multiply only so much.
    fn growing<T>(&mut self, growth: u64, function: &Function, step: impl FnOnce(&mut Self) -> Checked<T>) -> Checked<T> {
        let outer = self.growth;
        self.growth = outer.saturating_mul(growth.max(1));
        if self.growth > bounds::MAX_GROWTH {
            self.growth = outer;
            return Err(Refusal::refused("Functions that make values longer are nested too far.")
                .hint("Use smaller lengths, or fewer levels.")
                .at(function.name.span()));
        }
        let result = step(self);
        self.growth = outer;
        result
    }

    fn argument_list(&mut self, name: &str, list: &FunctionArgumentList) -> Checked<()> {
        let place = if name == "count" { Place::Counted } else { Place::Inside };
        for (index, arg) in list.args.iter().enumerate() {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(word)))
                    if index == 0 && word.quote_style.is_none() && functions::takes_word(self.db, name, &word.value) => {}
                FunctionArg::Unnamed(arg) => self.call_argument(name, arg, place)?,
                FunctionArg::Named { arg, operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment, .. } => {
                    self.call_argument(name, arg, Place::Inside)?;
                }
                FunctionArg::ExprNamed { name: key, arg, operator: FunctionArgOperator::Colon | FunctionArgOperator::Value } => {
                    self.inside(key)?;
                    self.call_argument(name, arg, Place::Inside)?;
                }
                _ => return Err(Refusal::refused(format!("This way of passing an argument to `{name}` is not allowed."))),
            }
        }
        list.clauses.iter().try_for_each(|clause| self.argument_clause(name, clause))
    }

    fn call_argument(&mut self, name: &str, arg: &FunctionArgExpr, place: Place) -> Checked<()> {
        match arg {
            FunctionArgExpr::Expr(Expr::Wildcard(_)) | FunctionArgExpr::Wildcard if name == "count" => Ok(()),
            // It counts the rows, and tells nothing of them.
            FunctionArgExpr::QualifiedWildcard(alias) if name == "count" && self.db == DbType::Postgresql => self.stars_of(alias).map(drop),
            FunctionArgExpr::Expr(Expr::Identifier(row)) if OF_ROWS.contains(&name) && self.is_plain_row(row) => Ok(()),
            FunctionArgExpr::Expr(expr) => {
                let clause = if self.clause == "an expression of SELECT" { "a function" } else { self.clause };
                self.within(clause, |walker| walker.argument(expr, place)).map(drop)
            }
            _ => Err(Refusal::refused(format!("`{name}` can't take whole rows.")).hint("Name the columns.")),
        }
    }

    fn argument_clause(&mut self, name: &str, clause: &FunctionArgumentClause) -> Checked<()> {
        match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(_) | FunctionArgumentClause::JsonNullClause(_) => Ok(()),
            FunctionArgumentClause::OrderBy(order) => self.within("ORDER BY", |walker| walker.order(order)),
            FunctionArgumentClause::Separator(value) => self.value(value),
            FunctionArgumentClause::Limit(rows) if self.db == DbType::Mysql => self.inside(rows),
            FunctionArgumentClause::JsonReturningClause(returning) => types::check(self.db, &returning.data_type),
            _ => Err(Refusal::refused(format!("`{name}` can't have this clause here."))),
        }
    }

    // The positional arguments, for the bounds; a place that is no expression keeps its position.
    fn plain_args<'e>(&self, list: &'e FunctionArgumentList) -> Vec<Option<Cow<'e, Expr>>> {
        let plain = |arg: &'e FunctionArg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(ident))) if self.is_text(ident) => {
                Some(Cow::Owned(Expr::value(Value::SingleQuotedString(ident.value.clone()))))
            }
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(Cow::Borrowed(expr)),
            _ => None,
        };
        list.args.iter().map(plain).collect()
    }

    /// Checks the expressions of an ORDER BY that is not a query's own.
    pub(super) fn order(&mut self, order: &[OrderByExpr]) -> Checked<()> {
        for item in order {
            plain_order(item)?;
            self.inside(&item.expr)?;
        }
        Ok(())
    }

    /// Checks the definition of a window.
    pub(super) fn window(&mut self, spec: &WindowSpec) -> Checked<()> {
        self.within("PARTITION BY", |walker| walker.all_inside(&spec.partition_by))?;
        self.within("ORDER BY", |walker| walker.order(&spec.order_by))?;
        if let Some(frame) = &spec.window_frame {
            for bound in std::iter::once(&frame.start_bound).chain(&frame.end_bound) {
                match bound {
                    WindowFrameBound::CurrentRow => {}
                    WindowFrameBound::Preceding(size) | WindowFrameBound::Following(size) => self.all_inside(size.as_deref())?,
                }
            }
        }
        Ok(())
    }
}

/// Refuses what no engine of ours has in an ORDER BY.
pub(super) fn plain_order(item: &OrderByExpr) -> Checked<()> {
    let custom = matches!(item.options.sort, Some(sqlparser::ast::OrderBySort::Using(_)));
    if custom || item.with_fill.is_some() {
        return Err(Refusal::refused("Only ASC, DESC and NULLS FIRST or LAST are allowed in ORDER BY.").at(item.expr.span()));
    }
    Ok(())
}
