//! Numbers in ORDER BY, GROUP BY and DISTINCT ON that mean an output column, which must not be a masked one.
//!
//! The engines look through much to find one: parentheses and collations, signs (`-(-1)`), MySQL's `TRUE` and `NOT FALSE`, SQLite's
//! hints, and the lists of ROLLUP, CUBE and GROUPING SETS. What is a constant of another form than a plain number may mean any column.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, UnaryOperator, Value};

use super::{refusal::Checked, scope::Column, walk::Walker};

/// Which column a constant may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ordinal {
    /// The one of this number.
    Number(usize),
    /// That is the server's business.
    Any,
}

impl Walker<'_> {
    /// Refuses what may mean a masked column by its number.
    pub(super) fn ordinals(&self, expr: &Expr, columns: &[Column]) -> Checked<()> {
        match expr {
            Expr::Tuple(items) => items.iter().try_for_each(|item| self.ordinals(item, columns)),
            Expr::Nested(inner) if matches!(inner.as_ref(), Expr::Tuple(_)) => self.ordinals(inner, columns),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                sets.iter().flatten().try_for_each(|item| self.ordinals(item, columns))
            }
            Expr::Function(function) if is_named(function, &["rollup", "cube"]) => {
                arguments(function).try_for_each(|item| self.ordinals(item, columns))
            }
            _ => self.ordinal(expr, columns),
        }
    }

    fn ordinal(&self, expr: &Expr, columns: &[Column]) -> Checked<()> {
        let column = match ordinal_of(expr) {
            None => None,
            Some(Ordinal::Number(place)) => {
                place.checked_sub(1).and_then(|index| columns.get(index)).filter(|column| column.mask.is_some())
            }
            Some(Ordinal::Any) => columns.iter().find(|column| column.mask.is_some()),
        };
        match column {
            Some(column) => Err(self.masked(&column.shown).at(expr.span())),
            None => Ok(()),
        }
    }
}

fn ordinal_of(expr: &Expr) -> Option<Ordinal> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => Some(digits.parse::<usize>().map_or(Ordinal::Any, Ordinal::Number)),
            Value::Boolean(_) => Some(Ordinal::Any),
            _ => None,
        },
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } | Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => {
            ordinal_of(inner)
        }
        Expr::UnaryOp { expr: inner, .. } => ordinal_of(inner).map(|_| Ordinal::Any),
        Expr::Function(function) if is_named(function, &["likely", "unlikely", "likelihood"]) => {
            arguments(function).next().and_then(ordinal_of)
        }
        _ => None,
    }
}

fn is_named(function: &Function, names: &[&str]) -> bool {
    let name = function.name.to_string();
    let bare = name.trim_matches(['"', '`', '[', ']']);
    names.iter().any(|known| bare.eq_ignore_ascii_case(known))
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let args = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    args.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}
