//! Expressions: which nodes and operators are allowed, and what becomes of masked values in them.

use datagenie_common::model::{connections::DbType, policies::MaskKind};
use sqlparser::ast::{BinaryOperator, Expr, Ident, Query, Spanned, UnaryOperator, Value, ValueWithSpan};

use super::{
    refusal::{Checked, Refusal},
    scope::Meaning,
    walk::{Place, Walker},
};

impl Walker<'_> {
    /// Checks an expression. Returns the mask of its value: only a bare masked column has one, in a [`Place::Bare`].
    pub(super) fn expr(&mut self, expr: &Expr, place: Place) -> Checked<Option<MaskKind>> {
        self.deeper(|walker| walker.node(expr, place))
    }

    /// Checks an expression whose value takes part in something.
    pub(super) fn inside(&mut self, expr: &Expr) -> Checked<()> {
        self.expr(expr, Place::Inside).map(drop)
    }

    /// Checks several.
    pub(super) fn all_inside<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Checked<()> {
        exprs.into_iter().try_for_each(|expr| self.inside(expr))
    }

    fn node(&mut self, expr: &Expr, place: Place) -> Checked<Option<MaskKind>> {
        match expr {
            Expr::Identifier(ident) => self.identifier(ident, place),
            Expr::CompoundIdentifier(parts) => self.qualified_column(parts, place),
            Expr::Nested(inner) => self.expr(inner, place),
            Expr::Subquery(query) => self.scalar(query, place),
            Expr::Value(value) => self.value(value).map(|()| None),
            _ => self.composite(expr).map(|()| None),
        }
    }

    fn identifier(&mut self, ident: &Ident, place: Place) -> Checked<Option<MaskKind>> {
        // MySQL's functions without parentheses, which the parser takes for names.
        let clock = self.db == DbType::Mysql
            && ident.quote_style.is_none()
            && ["utc_date", "utc_time", "utc_timestamp"].iter().any(|name| ident.value.eq_ignore_ascii_case(name));
        if clock && self.meaning(ident) == Meaning::Unknown {
            return Ok(None);
        }
        self.column(ident, place)
    }

    fn composite(&mut self, expr: &Expr) -> Checked<()> {
        match expr {
            Expr::BinaryOp { .. } => self.chain(expr),
            Expr::Function(function) => self.function(function),
            Expr::UnaryOp { op, expr: inner } => {
                if unary_allowed(self.db, *op) {
                    self.inside(inner)
                } else {
                    Err(unsupported(expr))
                }
            }
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => self.expr(inner, Place::Counted).map(drop),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.all_inside(operand.as_deref())?;
                for when in conditions {
                    match operand {
                        Some(operand) => self.operand(operand, &when.condition)?,
                        None => self.inside(&when.condition)?,
                    }
                    self.inside(&when.result)?;
                }
                self.all_inside(else_result.as_deref())
            }
            Expr::Exists { subquery, .. } => self.query(subquery).map(drop),
            Expr::Tuple(values) => self.all_inside(values),
            Expr::Cast { .. } | Expr::Convert { .. } | Expr::TypedString(_) | Expr::Interval(_) | Expr::Collate { .. } => {
                self.conversion(expr)
            }
            Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::SimilarTo { .. }
            | Expr::RLike { .. }
            | Expr::AnyOp { .. }
            | Expr::AllOp { .. }
            | Expr::MatchAgainst { .. }
            | Expr::MemberOf(_) => self.predicate(expr),
            _ => self.form(expr),
        }
    }

    // A chain of binary operators is as deep a tree as it is long, so it is followed, not recursed into.
    fn chain(&mut self, expr: &Expr) -> Checked<()> {
        let mut links = Vec::new();
        let mut node = expr;
        while let Expr::BinaryOp { left, op, right } = node {
            if !binary_allowed(self.db, op) {
                return Err(unsupported(node));
            }
            links.push((left, op, right));
            node = left;
        }
        self.longest_chain = self.longest_chain.max(links.len());
        self.inside(node)?;
        for (left, op, right) in links.into_iter().rev() {
            if is_comparison(op) {
                self.operand(left, right)?;
            } else {
                self.inside(right)?;
            }
        }
        Ok(())
    }

    /// Checks what a value is compared with. SQLite takes a name in double quotes for a text if there is no such column: where it
    /// is compared with something, that is what was meant, and it is rewritten as a text; anywhere else it is an error.
    pub(super) fn operand(&mut self, other: &Expr, operand: &Expr) -> Checked<()> {
        match operand {
            Expr::Identifier(ident) if self.is_text(ident) && !matches!(other, Expr::Value(_)) => {
                self.rewrites.text(ident.span);
                Ok(())
            }
            Expr::Nested(inner) => self.operand(other, inner),
            _ => self.inside(operand),
        }
    }

    /// Checks an argument of a function: there a quoted name is a text only if no column could be called so.
    pub(super) fn argument(&mut self, argument: &Expr, place: Place) -> Checked<Option<MaskKind>> {
        match argument {
            Expr::Identifier(ident) if self.is_text(ident) && !looks_like_a_name(&ident.value) => {
                self.rewrites.text(ident.span);
                Ok(None)
            }
            _ => self.expr(argument, place),
        }
    }

    /// Whether a name in double quotes is a text to SQLite.
    pub(super) fn is_text(&self, ident: &Ident) -> bool {
        self.db == DbType::Sqlite && ident.quote_style == Some('"') && self.meaning(ident) == Meaning::Unknown
    }

    // A subquery used as a value.
    fn scalar(&mut self, query: &Query, place: Place) -> Checked<Option<MaskKind>> {
        let columns = self.query(query)?;
        match columns.iter().find_map(|column| column.mask.map(|kind| (kind, column))) {
            None => Ok(None),
            Some((kind, _)) if place == Place::Bare && columns.len() == 1 => Ok(Some(kind)),
            Some(_) if place == Place::Counted => Ok(None),
            Some((_, column)) => Err(self.masked(&column.shown).at(query.span())),
        }
    }

    /// A subquery whose values take part in something.
    pub(super) fn values_of(&mut self, query: &Query) -> Checked<()> {
        self.scalar(query, Place::Inside).map(drop)
    }

    /// Checks a literal.
    pub(super) fn value(&self, value: &ValueWithSpan) -> Checked<()> {
        let allowed = match &value.value {
            Value::Number(_, long) => !long,
            Value::SingleQuotedString(_) | Value::NationalStringLiteral(_) | Value::HexStringLiteral(_) => true,
            Value::Boolean(_) | Value::Null => true,
            Value::DollarQuotedString(_) | Value::EscapedStringLiteral(_) | Value::UnicodeStringLiteral(_) => self.db == DbType::Postgresql,
            Value::SingleQuotedByteStringLiteral(_) => self.db != DbType::Sqlite,
            Value::DoubleQuotedString(_) => self.db == DbType::Mysql,
            Value::Placeholder(name) => {
                return Err(Refusal::refused(format!("The placeholder `{name}` has no value."))
                    .hint("Write the value itself into the statement.")
                    .at(value.span));
            }
            _ => false,
        };
        if allowed { Ok(()) } else { Err(Refusal::refused(format!("The literal {value} is not allowed.")).at(value.span)) }
    }
}

/// The refusal for a node that is on no list.
pub(super) fn unsupported(expr: &Expr) -> Refusal {
    let text: String = expr.to_string().chars().take(60).collect();
    Refusal::refused(format!("The expression `{text}` is not allowed."))
        .hint("Use ordinary operators, CASE, CAST and functions.")
        .at(expr.span())
}

fn looks_like_a_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ' ')
}

fn unary_allowed(db: DbType, op: UnaryOperator) -> bool {
    match op {
        UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not | UnaryOperator::BitwiseNot => true,
        UnaryOperator::BangNot => db == DbType::Mysql,
        UnaryOperator::PGAbs | UnaryOperator::PGSquareRoot | UnaryOperator::PGCubeRoot => db == DbType::Postgresql,
        _ => false,
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(op, B::Eq | B::NotEq | B::Gt | B::GtEq | B::Lt | B::LtEq | B::Spaceship | B::Glob | B::Regexp | B::Match)
}

/// Whether an operator between two values is allowed.
pub(super) fn binary_allowed(db: DbType, op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    match op {
        B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo | B::StringConcat => true,
        B::Gt | B::Lt | B::GtEq | B::LtEq | B::Eq | B::NotEq | B::And | B::Or => true,
        B::BitwiseOr | B::BitwiseAnd | B::BitwiseXor | B::PGBitwiseShiftLeft | B::PGBitwiseShiftRight => true,
        B::Arrow | B::LongArrow => true,
        B::Spaceship | B::Xor | B::MyIntegerDivide => db == DbType::Mysql,
        B::Match | B::Regexp | B::Glob => db == DbType::Sqlite,
        B::PGBitwiseXor
        | B::PGExp
        | B::PGOverlap
        | B::PGRegexMatch
        | B::PGRegexIMatch
        | B::PGRegexNotMatch
        | B::PGRegexNotIMatch
        | B::PGLikeMatch
        | B::PGILikeMatch
        | B::PGNotLikeMatch
        | B::PGNotILikeMatch
        | B::PGStartsWith
        | B::HashArrow
        | B::HashLongArrow
        | B::AtAt
        | B::AtArrow
        | B::ArrowAt
        | B::HashMinus
        | B::AtQuestion
        | B::Question
        | B::QuestionAnd
        | B::QuestionPipe
        | B::Overlaps
        | B::LtDashGt
        | B::AndLt
        | B::AndGt => db == DbType::Postgresql,
        _ => false,
    }
}
