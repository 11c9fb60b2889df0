//! PostgreSQL's types as the contract shows them. Values arrive as text, which every type has: decoding the binary form type by type
//! has holes (extensions, composites, ranges, infinite dates).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use datagenie_common::model::results::{Column, ColumnKind, Row};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{DataRowBody, RowDescriptionBody};
use serde_json::Value;

use super::{
    errors,
    wire::{Batch, Wire, WireError},
};
use crate::sources::{SourceError, values};

/// Types remembered of one database, about 100 bytes each.
const KEPT: usize = 4_096;

const LOOK_UP: &str = "SELECT oid, pg_catalog.format_type(oid, NULL), typcategory::pg_catalog.text FROM pg_catalog.pg_type \
    WHERE oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])";

/// How the text of a value becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    Integer,
    Float,
    Boolean,
    Moment,
    Bytes,
    Document,
    Text,
}

/// A column with its decoder.
#[derive(Clone, Debug)]
pub(super) struct TypedColumn {
    pub(super) column: Column,
    pub(super) decoder: Decoder,
}

/// The types with object ids that are the same on every server, by the names `format_type` gives.
fn built_in(oid: u32) -> Option<(&'static str, ColumnKind, Decoder)> {
    Some(match oid {
        16 => ("boolean", ColumnKind::Boolean, Decoder::Boolean),
        17 => ("bytea", ColumnKind::Binary, Decoder::Bytes),
        18 => ("\"char\"", ColumnKind::Text, Decoder::Text),
        19 => ("name", ColumnKind::Text, Decoder::Text),
        20 => ("bigint", ColumnKind::Integer, Decoder::Integer),
        21 => ("smallint", ColumnKind::Integer, Decoder::Integer),
        23 => ("integer", ColumnKind::Integer, Decoder::Integer),
        25 => ("text", ColumnKind::Text, Decoder::Text),
        26 => ("oid", ColumnKind::Integer, Decoder::Integer),
        114 => ("json", ColumnKind::Other, Decoder::Document),
        700 => ("real", ColumnKind::Number, Decoder::Float),
        701 => ("double precision", ColumnKind::Number, Decoder::Float),
        1042 => ("character", ColumnKind::Text, Decoder::Text),
        1043 => ("character varying", ColumnKind::Text, Decoder::Text),
        1082 => ("date", ColumnKind::Date, Decoder::Text),
        1083 => ("time without time zone", ColumnKind::Time, Decoder::Text),
        1114 => ("timestamp without time zone", ColumnKind::Timestamp, Decoder::Moment),
        1184 => ("timestamp with time zone", ColumnKind::Timestamp, Decoder::Moment),
        1186 => ("interval", ColumnKind::Time, Decoder::Text),
        1266 => ("time with time zone", ColumnKind::Time, Decoder::Text),
        1700 => ("numeric", ColumnKind::Number, Decoder::Text),
        2950 => ("uuid", ColumnKind::Text, Decoder::Text),
        3802 => ("jsonb", ColumnKind::Other, Decoder::Document),
        _ => return None,
    })
}

/// A column as the server describes it: its name and its type's object id.
pub(super) type Described = (String, u32);

/// What a server says of the columns that follow.
pub(super) fn described(columns: &RowDescriptionBody) -> Result<Vec<Described>, WireError> {
    let mut found = Vec::new();
    let mut fields = columns.fields();
    while let Some(field) = fields.next().map_err(|_unreadable| WireError::Protocol)? {
        found.push((field.name().to_owned(), field.type_oid()));
    }
    Ok(found)
}

/// The types of a database that are not built in, as far as they were met. Bounded; what was looked up once is not asked for again.
#[derive(Default)]
pub(super) struct Types {
    known: Mutex<HashMap<u32, (String, ColumnKind)>>,
}

impl Types {
    /// The columns, and the types among theirs that must be looked up. The decoders are right in any case: what is not built in is shown
    /// as its text.
    pub(super) fn columns(&self, described: &[Described]) -> (Vec<TypedColumn>, Vec<u32>) {
        let known = self.lock();
        let mut unknown: Vec<u32> =
            described.iter().map(|(_, oid)| *oid).filter(|oid| built_in(*oid).is_none() && !known.contains_key(oid)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        (described.iter().map(|(name, oid)| typed(name.clone(), *oid, &known)).collect(), unknown)
    }

    /// Looks types up, on a connection that is between two answers. It may be outside of a transaction, and so without its settings:
    /// every name is written so that it means the system's own.
    pub(super) async fn look_up(&self, oids: &[u32], wire: &mut Wire) -> Result<(), SourceError> {
        let list = oids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let mut batch = Batch::default();
        batch.query(LOOK_UP, &[&format!("{{{list}}}")])?;
        let looked = async {
            wire.send(&batch).await?;
            let mut found = Vec::new();
            for mut row in wire.rows().await? {
                let oid: u32 = row.number()?;
                found.push((oid, (row.text()?, kind_of_category(&row.text()?))));
            }
            Ok::<_, WireError>(found)
        };
        let found = looked.await.map_err(|error| errors::beginning(&error))?;
        let mut known = self.lock();
        if known.len() + found.len() > KEPT {
            known.clear();
        }
        known.extend(found);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, (String, ColumnKind)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn typed(name: String, oid: u32, found: &HashMap<u32, (String, ColumnKind)>) -> TypedColumn {
    let (type_name, kind, decoder) = match (built_in(oid), found.get(&oid)) {
        (Some((type_name, kind, decoder)), _) => (type_name.to_owned(), kind, decoder),
        (None, Some((type_name, kind))) => (type_name.clone(), *kind, Decoder::Text),
        // Dropped meanwhile, or not looked up.
        (None, None) => ("unknown".to_owned(), ColumnKind::Other, Decoder::Text),
    };
    TypedColumn { column: Column { name, type_name, kind }, decoder }
}

/// Enums and string types of extensions (citext) are text; everything else that is not built in is shown as its text.
fn kind_of_category(category: &str) -> ColumnKind {
    match category {
        "E" | "S" => ColumnKind::Text,
        _ => ColumnKind::Other,
    }
}

/// A row as text. Bytes that are no UTF-8 (a server without an encoding) are replaced by U+FFFD.
pub(super) fn decode_row(row: &DataRowBody, columns: &[TypedColumn]) -> Result<Row, WireError> {
    let mut decoded = Row::with_capacity(columns.len());
    let mut ranges = row.ranges();
    for column in columns {
        let range = ranges.next().ok().flatten().ok_or(WireError::Protocol)?;
        decoded.push(match range {
            None => Value::Null,
            Some(range) => {
                let bytes = row.buffer().get(range).ok_or(WireError::Protocol)?;
                decode(&String::from_utf8_lossy(bytes), column.decoder)
            }
        });
    }
    Ok(decoded)
}

fn decode(text: &str, decoder: Decoder) -> Value {
    let own_text = || Value::String(text.to_owned());
    match decoder {
        Decoder::Integer => text.parse::<i64>().map_or_else(|_| own_text(), values::integer),
        // `NaN` and `Infinity` parse too, and come back as the same words.
        Decoder::Float => text.parse::<f64>().map_or_else(|_| own_text(), values::float),
        Decoder::Boolean => match text {
            "t" => Value::Bool(true),
            "f" => Value::Bool(false),
            _ => own_text(),
        },
        Decoder::Moment => values::moment(text),
        Decoder::Bytes => bytes(text).unwrap_or_else(own_text),
        Decoder::Document => values::document(text),
        Decoder::Text => own_text(),
    }
}

/// `\x4142…`: only what is shown is decoded.
fn bytes(text: &str) -> Option<Value> {
    let digits = text.strip_prefix("\\x")?;
    let shown = digits.get(..2 * values::LARGE).unwrap_or(digits);
    Some(values::binary(&hex::decode(shown).ok()?, shown.len() < digits.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_arrive_exactly() {
        assert_eq!(decode("9007199254740993", Decoder::Integer), json!("9007199254740993"));
        assert_eq!(decode("42", Decoder::Integer), json!(42));
        assert_eq!(decode("2.75", Decoder::Float), json!(2.75));
        assert_eq!(decode("NaN", Decoder::Float), json!("NaN"));
        assert_eq!(decode("-Infinity", Decoder::Float), json!("-Infinity"));
        assert_eq!(decode("1e+300", Decoder::Float), json!(1e300));
        let numeric = "123456789012345678901234567890123456789.5";
        assert_eq!(decode(numeric, built_in(1700).expect("numeric is built in").2), json!(numeric));
        assert_eq!(decode("t", Decoder::Boolean), json!(true));
        assert_eq!(decode("2024-03-05 10:20:30.5+00", Decoder::Moment), json!("2024-03-05T10:20:30.5Z"));
        assert_eq!(decode("0044-03-15 BC", Decoder::Text), json!("0044-03-15 BC"));
        assert_eq!(decode(r#"{"a": 1}"#, Decoder::Document), json!({ "a": 1 }));
    }

    #[test]
    fn bytes_are_decoded_and_cut() {
        assert_eq!(decode("\\x616263", Decoder::Bytes), json!({ "base64": "YWJj", "truncated": false }));
        let long = format!("\\x{}", "00".repeat(values::LARGE + 1));
        assert_eq!(decode(&long, Decoder::Bytes)["truncated"], json!(true));
        assert_eq!(decode("not hex", Decoder::Bytes), json!("not hex"));
    }

    #[test]
    fn columns_keep_their_type_names() {
        let types = Types::default();
        types.lock().insert(70_000, ("mood".to_owned(), kind_of_category("E")));
        let described = [("m".to_owned(), 70_000), ("count".to_owned(), 20), ("x".to_owned(), 70_001), ("y".to_owned(), 70_001)];
        let (columns, unknown) = types.columns(&described);
        let shown: Vec<_> = columns.iter().map(|typed| (typed.column.type_name.as_str(), typed.column.kind)).collect();
        assert_eq!(
            shown,
            [("mood", ColumnKind::Text), ("bigint", ColumnKind::Integer), ("unknown", ColumnKind::Other), ("unknown", ColumnKind::Other)]
        );
        assert_eq!(unknown, [70_001], "each is looked up once");
    }
}
