//! The name a column gets when none is given, as each engine derives it.

use datagenie_common::model::{connections::DbType, policies::MaskKind};
use sqlparser::ast::{AccessExpr, Expr, Function, Ident, ObjectNamePart, SelectItem, SetExpr, TrimWhereField};

use super::{names, scope::Column};

/// The output column of an expression without an alias.
pub(super) fn unnamed(db: DbType, expr: &Expr, mask: Option<MaskKind>) -> Column {
    if let Some(ident) = passed_on(db, expr) {
        return Column::named(db, ident, mask);
    }
    match db {
        DbType::Postgresql => {
            let name = figured(expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name);
            Column { certain: false, mask, ..Column::fixed(&name) }
        }
        // The others take the text of the expression.
        DbType::Mysql | DbType::Sqlite => {
            let text = expr.to_string();
            Column { key: text.to_ascii_lowercase(), shown: text, mask, certain: false, hidden: false }
        }
    }
}

// The column whose value an expression only passes on: it keeps its name.
fn passed_on(db: DbType, expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::Nested(inner) => passed_on(db, inner),
        Expr::Collate { expr: inner, .. } if db != DbType::Mysql => passed_on(db, inner),
        _ => None,
    }
}

// PostgreSQL's own rule (`FigureColname`): the name, and whether it is a strong one, which a cast or CASE around it keeps.
fn figured(expr: &Expr) -> Option<(String, bool)> {
    let strong = |name: &str| Some((name.to_owned(), true));
    let weak = |name: String| Some((name, false));
    let kept = |inner: &Expr| figured(inner).filter(|(_, strong)| *strong);
    match expr {
        Expr::Identifier(ident) => strong(&names::key(DbType::Postgresql, ident)),
        Expr::CompoundIdentifier(parts) => parts.last().and_then(|ident| strong(&names::key(DbType::Postgresql, ident))),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figured(inner),
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.first() {
            Some(AccessExpr::Dot(Expr::Identifier(column))) => strong(&names::key(DbType::Postgresql, column)),
            _ => figured(root),
        },
        Expr::Function(function) => function_name(function).and_then(|name| strong(&name)),
        Expr::Cast { expr: inner, data_type, .. } => kept(inner).or_else(|| weak(type_name(&data_type.to_string()))),
        Expr::TypedString(typed) => weak(type_name(&typed.data_type.to_string())),
        Expr::Interval(_) => weak("interval".to_owned()),
        Expr::Case { else_result, .. } => else_result.as_deref().and_then(kept).or_else(|| weak("case".to_owned())),
        Expr::Subquery(query) => single_column(&query.body).map(|name| (name, true)),
        _ => written_as_function(expr).and_then(strong),
    }
}

// What is a function to PostgreSQL, with a syntax of its own.
fn written_as_function(expr: &Expr) -> Option<&'static str> {
    let name = match expr {
        Expr::Exists { .. } => "exists",
        Expr::Extract { .. } => "extract",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        Expr::Position { .. } => "position",
        Expr::Substring { shorthand: true, .. } => "substr",
        Expr::Substring { .. } => "substring",
        Expr::Overlay { .. } => "overlay",
        Expr::Trim { trim_where: Some(TrimWhereField::Leading), .. } => "ltrim",
        Expr::Trim { trim_where: Some(TrimWhereField::Trailing), .. } => "rtrim",
        Expr::Trim { .. } => "btrim",
        Expr::AtTimeZone { .. } => "timezone",
        Expr::Array(_) => "array",
        Expr::Tuple(_) => "row",
        _ => return None,
    };
    Some(name)
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
        Some(SelectItem::UnnamedExpr(expr)) => figured(expr).map(|(name, _)| name),
        Some(SelectItem::ExprWithAlias { alias, .. }) => Some(names::key(DbType::Postgresql, alias)),
        _ => None,
    }
}

// PostgreSQL names a cast after the type as its catalogue calls it.
fn type_name(written: &str) -> String {
    let lower = written.to_ascii_lowercase();
    // Without sizes, array brackets and schema: `timestamp(3) with time zone` is a `timestamp with time zone`.
    let sizes = lower.split(['(', ')']).step_by(2).collect::<String>();
    let base = sizes.split('[').next().unwrap_or("").trim();
    let name = match base.rsplit('.').next().unwrap_or(base) {
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
