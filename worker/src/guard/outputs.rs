//! The name a column gets when none is given, as each engine derives it.

use datagenie_common::model::{connections::DbType, policies::MaskKind};
use sqlparser::ast::{Expr, Function, ObjectNamePart, SetExpr};

use super::{names, scope::Column};

/// The output column of an expression without an alias.
pub(super) fn unnamed(db: DbType, expr: &Expr, mask: Option<MaskKind>) -> Column {
    let ident = match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    };
    match (ident, db) {
        (Some(ident), _) => Column::named(db, ident, mask),
        (None, DbType::Postgresql) => {
            let name = postgres_name(expr);
            Column { certain: false, mask, ..Column::fixed(name.as_deref().unwrap_or("?column?")) }
        }
        // The others take the text of the expression.
        (None, DbType::Mysql | DbType::Sqlite) => {
            let text = expr.to_string();
            Column { key: text.to_ascii_lowercase(), shown: text, mask, certain: false, hidden: false }
        }
    }
}

fn postgres_name(expr: &Expr) -> Option<String> {
    let name = match expr {
        Expr::Identifier(ident) => return Some(names::key(DbType::Postgresql, ident)),
        Expr::CompoundIdentifier(parts) => return parts.last().map(|ident| names::key(DbType::Postgresql, ident)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => return postgres_name(inner),
        Expr::CompoundFieldAccess { root, .. } => return postgres_name(root),
        Expr::Function(function) => return function_name(function),
        Expr::Cast { expr, data_type, .. } => {
            return postgres_name(expr).or_else(|| Some(type_name(&data_type.to_string())));
        }
        Expr::TypedString(typed) => return Some(type_name(&typed.data_type.to_string())),
        Expr::Case { else_result, .. } => {
            return else_result.as_deref().and_then(postgres_name).or_else(|| Some("case".to_owned()));
        }
        Expr::Subquery(query) => return single_column(&query.body),
        Expr::Exists { .. } => "exists",
        Expr::Extract { .. } => "extract",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        Expr::Position { .. } => "position",
        Expr::Substring { .. } => "substring",
        Expr::Overlay { .. } => "overlay",
        Expr::Trim { trim_where, .. } => match trim_where {
            Some(sqlparser::ast::TrimWhereField::Leading) => "ltrim",
            Some(sqlparser::ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        },
        Expr::AtTimeZone { .. } => "timezone",
        Expr::Interval(_) => "interval",
        Expr::Array(_) => "array",
        Expr::Tuple(_) => "row",
        _ => return None,
    };
    Some(name.to_owned())
}

fn function_name(function: &Function) -> Option<String> {
    match function.name.0.last() {
        Some(ObjectNamePart::Identifier(ident)) => Some(names::key(DbType::Postgresql, ident)),
        _ => None,
    }
}

fn single_column(body: &SetExpr) -> Option<String> {
    let SetExpr::Select(select) = body else { return None };
    match select.projection.first() {
        Some(sqlparser::ast::SelectItem::UnnamedExpr(expr)) => postgres_name(expr),
        Some(sqlparser::ast::SelectItem::ExprWithAlias { alias, .. }) => Some(names::key(DbType::Postgresql, alias)),
        _ => None,
    }
}

// PostgreSQL names a cast after the type as its catalogue calls it.
fn type_name(written: &str) -> String {
    let lower = written.to_ascii_lowercase();
    let base = lower.split(['(', '[']).next().unwrap_or("").trim();
    let name = match base {
        "int" | "integer" | "int4" => "int4",
        "bigint" | "int8" => "int8",
        "smallint" | "int2" => "int2",
        "real" | "float4" => "float4",
        "float" | "double precision" | "float8" | "double" => "float8",
        "decimal" | "dec" | "numeric" => "numeric",
        "boolean" | "bool" => "bool",
        "character varying" | "char varying" | "varchar" => "varchar",
        "character" | "char" => "bpchar",
        "timestamp with time zone" | "timestamptz" => "timestamptz",
        "time with time zone" | "timetz" => "timetz",
        "timestamp without time zone" => "timestamp",
        "time without time zone" => "time",
        other => other,
    };
    name.to_owned()
}
