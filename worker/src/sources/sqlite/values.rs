//! SQLite's values and types. A value has a storage class of its own; what a column is follows from its declared type where the values
//! agree with it, else from the class of the first value. Expressions (`sum(amount)`) have no declared type.

use datagenie_common::model::results::{Column, ColumnKind};
use rusqlite::types::{Type, ValueRef};
use serde_json::Value;

use crate::sources::values;

/// A column as the statement declares it.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) type_name: Option<String>,
    kind: Option<ColumnKind>,
}

impl Declared {
    pub(super) fn new(name: &str, type_name: Option<&str>) -> Self {
        Self { name: without_nul(name), type_name: type_name.map(str::to_owned), kind: type_name.and_then(declared_kind) }
    }

    /// The column, given the class of its first value; none: there was no value.
    pub(super) fn column(&self, class: Option<Type>) -> Column {
        let kind = match (self.kind, class) {
            (Some(kind), Some(class)) if agrees(kind, class) => kind,
            (Some(kind), None) => kind,
            (_, Some(class)) => kind_of_class(class),
            (None, None) => ColumnKind::Other,
        };
        let type_name = self.type_name.clone().unwrap_or_else(|| class.map_or("null", class_name).to_owned());
        Column { name: self.name.clone(), type_name, kind }
    }

    /// A value in the contract's form. Text that is not UTF-8 is shown as binary.
    pub(super) fn value(&self, value: ValueRef<'_>) -> Value {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number @ (0 | 1)) if self.kind == Some(ColumnKind::Boolean) => Value::Bool(number == 1),
            ValueRef::Integer(number) => values::integer(number),
            ValueRef::Real(number) => values::float(number),
            ValueRef::Blob(bytes) => values::binary(bytes, false),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if self.kind == Some(ColumnKind::Timestamp) => values::moment(&without_nul(text)),
                Ok(text) => Value::String(without_nul(text)),
                Err(_) => values::binary(bytes, false),
            },
        }
    }
}

/// The text with U+FFFD for U+0000, which SQLite stores and PostgreSQL, where answers are kept, does not.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// What a declared type means. SQLite takes any words, so this goes by the usual ones; none: the words say nothing.
fn declared_kind(type_name: &str) -> Option<ColumnKind> {
    let name = type_name.to_ascii_uppercase();
    let word = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let has = |part: &str| name.contains(part);
    Some(match word {
        "DATE" => ColumnKind::Date,
        "TIME" | "INTERVAL" => ColumnKind::Time,
        "BOOL" | "BOOLEAN" => ColumnKind::Boolean,
        "JSON" | "JSONB" => ColumnKind::Other,
        _ if word.starts_with("TIMESTAMP") || word.starts_with("DATETIME") => ColumnKind::Timestamp,
        // SQLite's own rules of affinity, in their order.
        _ if has("INT") => ColumnKind::Integer,
        _ if is_textual(type_name) || has("UUID") || has("ENUM") => ColumnKind::Text,
        _ if has("BLOB") || has("BINARY") => ColumnKind::Binary,
        _ if has("REAL") || has("FLOA") || has("DOUB") || has("DEC") || has("NUM") || has("MONEY") => ColumnKind::Number,
        _ => return None,
    })
}

/// Whether a declared type is one of text.
fn is_textual(type_name: &str) -> bool {
    let name = type_name.to_ascii_uppercase();
    ["CHAR", "CLOB", "TEXT"].iter().any(|part| name.contains(part))
}

fn agrees(kind: ColumnKind, class: Type) -> bool {
    match class {
        Type::Null => true,
        Type::Integer => matches!(kind, ColumnKind::Integer | ColumnKind::Number | ColumnKind::Boolean),
        Type::Real => kind == ColumnKind::Number,
        Type::Text => {
            matches!(kind, ColumnKind::Text | ColumnKind::Date | ColumnKind::Timestamp | ColumnKind::Time | ColumnKind::Other)
        }
        Type::Blob => kind == ColumnKind::Binary,
    }
}

fn kind_of_class(class: Type) -> ColumnKind {
    match class {
        Type::Null => ColumnKind::Other,
        Type::Integer => ColumnKind::Integer,
        Type::Real => ColumnKind::Number,
        Type::Text => ColumnKind::Text,
        Type::Blob => ColumnKind::Binary,
    }
}

fn class_name(class: Type) -> &'static str {
    match class {
        Type::Null => "null",
        Type::Integer => "integer",
        Type::Real => "real",
        Type::Text => "text",
        Type::Blob => "blob",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn declared_types_mean_what_they_usually_do() {
        let cases = [
            ("INTEGER", Some(ColumnKind::Integer)),
            ("unsigned big int", Some(ColumnKind::Integer)),
            ("VARCHAR(20)", Some(ColumnKind::Text)),
            ("DECIMAL(10,2)", Some(ColumnKind::Number)),
            ("double precision", Some(ColumnKind::Number)),
            ("date", Some(ColumnKind::Date)),
            ("TIMESTAMP WITH TIME ZONE", Some(ColumnKind::Timestamp)),
            ("datetime", Some(ColumnKind::Timestamp)),
            ("BOOLEAN", Some(ColumnKind::Boolean)),
            ("BLOB", Some(ColumnKind::Binary)),
            ("GEOMETRY", None),
            ("", None),
        ];
        for (name, kind) in cases {
            assert_eq!(declared_kind(name), kind, "{name}");
        }
    }

    #[test]
    fn values_that_disagree_with_the_declaration_win() {
        let date = Declared::new("d", Some("DATE"));
        assert_eq!(date.column(Some(Type::Text)).kind, ColumnKind::Date);
        assert_eq!(date.column(Some(Type::Integer)).kind, ColumnKind::Integer);
        assert_eq!(date.column(None).kind, ColumnKind::Date);
        let expression = Declared::new("sum(a)", None);
        assert_eq!(expression.column(Some(Type::Real)).kind, ColumnKind::Number);
        assert_eq!(expression.column(Some(Type::Real)).type_name, "real");
        assert_eq!(expression.column(None).kind, ColumnKind::Other);
    }

    #[test]
    fn values_keep_their_class() {
        let boolean = Declared::new("b", Some("BOOLEAN"));
        assert_eq!(boolean.value(ValueRef::Integer(1)), json!(true));
        assert_eq!(boolean.value(ValueRef::Integer(2)), json!(2));
        let plain = Declared::new("t", Some("TEXT"));
        assert_eq!(plain.value(ValueRef::Text(b"2024-03-05 10:20:30")), json!("2024-03-05 10:20:30"));
        assert_eq!(plain.value(ValueRef::Text(b"\xff")), json!({ "base64": "/w==", "truncated": false }));
        assert_eq!(plain.value(ValueRef::Text(b"a\0b")), json!("a\u{FFFD}b"));
        let moment = Declared::new("t", Some("TIMESTAMP"));
        assert_eq!(moment.value(ValueRef::Text(b"2024-03-05 10:20:30")), json!("2024-03-05T10:20:30"));
    }
}
