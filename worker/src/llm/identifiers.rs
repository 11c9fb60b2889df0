//! Names in drafted SQL: which ones need quotes, and which quotes.

use datagenie_common::model::connections::DbType;

/// Words that at least one of the dialects takes for something else where a name could stand, in alphabetical order.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "check",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_user",
    "default",
    "delete",
    "desc",
    "distinct",
    "do",
    "drop",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "full",
    "grant",
    "group",
    "groups",
    "having",
    "in",
    "index",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "keys",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "primary",
    "range",
    "rank",
    "references",
    "right",
    "row",
    "rows",
    "select",
    "session_user",
    "set",
    "some",
    "table",
    "then",
    "to",
    "trigger",
    "true",
    "union",
    "unique",
    "update",
    "user",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
    "year_month",
];

/// Whether a name is such a word, however it is written.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name.to_ascii_lowercase().as_str()).is_ok()
}

/// The dialect's quotes of names.
pub(crate) fn quote(dialect: DbType) -> char {
    match dialect {
        DbType::Postgresql | DbType::Sqlite => '"',
        DbType::Mysql => '`',
    }
}

/// A name in the dialect's quotes.
pub(crate) fn quoted(name: &str, dialect: DbType) -> String {
    let mark = quote(dialect);
    let doubled: String = [mark, mark].iter().collect();
    format!("{mark}{}{mark}", name.replace(mark, &doubled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_found_in_any_case() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("Order") && is_reserved("WITH") && !is_reserved("orders"));
    }

    #[test]
    fn a_quote_in_a_name_does_not_end_it() {
        assert_eq!(quoted("a\"b", DbType::Sqlite), "\"a\"\"b\"");
        assert_eq!(quoted("a`b", DbType::Mysql), "`a``b`");
    }
}
