//! Expressions with a syntax of their own: casts, predicates, and what SQL writes as a function with words inside.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{
    AccessExpr, CastKind, CeilFloorKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Interval, ObjectName,
    ObjectNamePart, Spanned, Subscript, TypedString, Value,
};

use super::{
    expressions::{binary_allowed, unsupported},
    names,
    refusal::{Checked, Refusal},
    types,
    walk::{Place, Walker},
};

impl Walker<'_> {
    /// Casts and literals of a type.
    pub(super) fn conversion(&mut self, expr: &Expr) -> Checked<()> {
        match expr {
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: inner, data_type, format: None } => {
                if self.db == DbType::Mysql && matches!(data_type, DataType::Binary(None)) && !binds_tightly(inner) {
                    // The parser takes all that follows BINARY as its operand, the server only the next term.
                    return Err(Refusal::invalid("BINARY is used before a longer expression.")
                        .hint("Put what it applies to in parentheses: CAST(column AS BINARY) = 'x'.")
                        .at(expr.span()));
                }
                types::check(self.db, data_type).map_err(|refusal| refusal.at(expr.span()))?;
                self.inside(inner)
            }
            Expr::Convert { is_try: false, expr: inner, data_type, charset, styles, .. } if styles.is_empty() => {
                if let Some(data_type) = data_type {
                    types::check(self.db, data_type).map_err(|refusal| refusal.at(expr.span()))?;
                }
                if let Some(charset) = charset {
                    single_name(charset, expr)?;
                }
                self.inside(inner)
            }
            Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false }) => {
                types::check(self.db, data_type).map_err(|refusal| refusal.at(value.span))?;
                self.value(value)
            }
            Expr::Interval(interval) => self.interval(interval),
            Expr::Collate { expr: inner, collation } => {
                single_name(collation, expr)?;
                self.inside(inner)
            }
            _ => Err(unsupported(expr)),
        }
    }

    fn interval(&mut self, interval: &Interval) -> Checked<()> {
        self.inside(&interval.value)
    }

    /// Tests of a value against others.
    pub(super) fn predicate(&mut self, expr: &Expr) -> Checked<()> {
        match expr {
            Expr::InList { expr: inner, list, .. } => {
                self.inside(inner)?;
                list.iter().try_for_each(|item| self.operand(inner, item))
            }
            Expr::InSubquery { expr: inner, subquery, .. } => {
                self.inside(inner)?;
                self.values_of(subquery)
            }
            Expr::Between { expr: inner, low, high, .. } => {
                self.inside(inner)?;
                self.operand(inner, low)?;
                self.operand(inner, high)
            }
            Expr::Like { any, expr: inner, pattern, escape_char, .. } | Expr::ILike { any, expr: inner, pattern, escape_char, .. }
                if !*any || self.db == DbType::Postgresql =>
            {
                self.inside(inner)?;
                match pattern.as_ref() {
                    Expr::Function(function) if self.db == DbType::Postgresql => self.patterns(function)?,
                    pattern => self.operand(inner, pattern)?,
                }
                self.all_inside(escape_char.as_deref())
            }
            Expr::SimilarTo { expr: inner, pattern, escape_char, .. } => {
                self.inside(inner)?;
                self.inside(pattern)?;
                self.all_inside(escape_char.as_deref())
            }
            Expr::RLike { expr: inner, pattern, .. } => {
                self.inside(inner)?;
                self.inside(pattern)
            }
            Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right }
                if binary_allowed(self.db, compare_op) =>
            {
                self.inside(left)?;
                self.inside(right)
            }
            Expr::MatchAgainst { columns, match_value, .. } => {
                for column in columns {
                    let parts: Vec<_> = names::parts(column)?.into_iter().cloned().collect();
                    match parts.as_slice() {
                        [name] => self.column(name, Place::Inside)?,
                        parts => self.qualified_column(parts, Place::Inside)?,
                    };
                }
                self.value(match_value)
            }
            Expr::MemberOf(member) => {
                self.inside(&member.value)?;
                self.inside(&member.array)
            }
            _ => Err(unsupported(expr)),
        }
    }

    // `LIKE ALL (ARRAY[…])` arrives as the call of a function `ALL`.
    fn patterns(&mut self, function: &Function) -> Checked<()> {
        let quantifier = function.name.to_string().eq_ignore_ascii_case("all") && function.over.is_none() && function.filter.is_none();
        match &function.args {
            FunctionArguments::List(list) if quantifier && list.clauses.is_empty() => match list.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(patterns))] => self.inside(patterns),
                _ => self.function(function),
            },
            _ => self.function(function),
        }
    }

    /// Everything else that is allowed.
    pub(super) fn form(&mut self, expr: &Expr) -> Checked<()> {
        match expr {
            Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::IsJson { expr: inner, .. }
            | Expr::IsNormalized { expr: inner, .. }
            | Expr::Extract { expr: inner, .. } => self.inside(inner),
            Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right)
            | Expr::AtTimeZone { timestamp: left, time_zone: right }
            | Expr::Position { expr: left, r#in: right } => {
                self.inside(left)?;
                self.operand(left, right)
            }
            Expr::Ceil { expr: inner, field } | Expr::Floor { expr: inner, field } => {
                if let CeilFloorKind::Scale(scale) = field {
                    self.value(scale)?;
                }
                self.inside(inner)
            }
            Expr::Substring { expr: inner, substring_from, substring_for, .. } => {
                self.inside(inner)?;
                self.all_inside(substring_from.as_deref())?;
                self.all_inside(substring_for.as_deref())
            }
            Expr::Trim { expr: inner, trim_what, trim_characters, .. } => {
                self.inside(inner)?;
                self.all_inside(trim_what.as_deref())?;
                self.all_inside(trim_characters.iter().flatten())
            }
            Expr::Overlay { expr: inner, overlay_what, overlay_from, overlay_for } => {
                self.all_inside([&**inner, &**overlay_what, &**overlay_from])?;
                self.all_inside(overlay_for.as_deref())
            }
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => sets.iter().try_for_each(|set| self.all_inside(set)),
            Expr::Prefixed { prefix, value } if self.db == DbType::Mysql && prefix.value.starts_with('_') => match value.as_ref() {
                Expr::Value(value) if !matches!(value.value, Value::Placeholder(_)) => self.value(value),
                _ => Err(unsupported(expr)),
            },
            Expr::Array(array) if self.db == DbType::Postgresql => self.all_inside(&array.elem),
            Expr::CompoundFieldAccess { root, access_chain } if self.db == DbType::Postgresql => self.subscripts(expr, root, access_chain),
            _ => Err(unsupported(expr)),
        }
    }

    // `value[1]`, `value[1:2]`; a field access could call a function, and is refused.
    fn subscripts(&mut self, expr: &Expr, root: &Expr, chain: &[AccessExpr]) -> Checked<()> {
        // `alias.column[1]` arrives as the identifier `alias` with `.column` as the first access.
        let first = match (root, chain) {
            (Expr::Identifier(alias), [AccessExpr::Dot(Expr::Identifier(column)), ..]) => {
                self.qualified_column(&[alias.clone(), column.clone()], Place::Inside)?;
                1
            }
            _ => {
                self.inside(root)?;
                0
            }
        };
        for access in &chain[first..] {
            match access {
                AccessExpr::Subscript(Subscript::Index { index }) => self.inside(index)?,
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: None }) => {
                    self.all_inside(lower_bound)?;
                    self.all_inside(upper_bound)?;
                }
                _ => return Err(unsupported(expr).hint("Fields of composite values can't be read: name the columns.")),
            }
        }
        Ok(())
    }
}

// What a prefix operator's operand can be without parentheses.
fn binds_tightly(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::Nested(_)
            | Expr::Function(_)
            | Expr::Cast { .. }
            | Expr::Convert { .. }
            | Expr::Subquery(_)
            | Expr::Case { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Prefixed { .. }
    )
}

fn single_name(name: &ObjectName, expr: &Expr) -> Checked<()> {
    let allowed = match name.0.as_slice() {
        [ObjectNamePart::Identifier(_)] => true,
        [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(_)] => schema.value.eq_ignore_ascii_case("pg_catalog"),
        _ => false,
    };
    if allowed { Ok(()) } else { Err(unsupported(expr)) }
}
