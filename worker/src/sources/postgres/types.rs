//! PostgreSQL's types as the contract shows them. Values arrive as text, which every type has: decoding the binary form type by type
//! has holes (extensions, composites, ranges, infinite dates).

use std::collections::HashMap;

use datagenie_common::model::results::{Column, ColumnKind, Row};
use serde_json::Value;
use sqlx::{
    Column as _, PgConnection, Row as _, ValueRef as _,
    postgres::{PgColumn, PgRow, PgTypeInfo, types::Oid},
};

use crate::sources::values;

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

/// The columns of a row as far as they are known without asking, and whether all are. The decoders are right in any case: what is not
/// built in is shown as its text.
pub(super) fn known_columns(row: &PgRow) -> (Vec<TypedColumn>, bool) {
    let mut all_known = true;
    let mut known = |column: &PgColumn| {
        let oid = type_oid(column.type_info());
        all_known &= oid.is_some_and(|oid| built_in(oid.0).is_some());
        typed(column.name().to_owned(), oid, &HashMap::new())
    };
    let columns = row.columns().iter().map(&mut known).collect();
    (columns, all_known)
}

/// The columns of a row. Types that are not built in are looked up in the catalogue, so the connection must be between two queries.
pub(super) async fn columns_of(row: &PgRow, connection: &mut PgConnection) -> Result<Vec<TypedColumn>, sqlx::Error> {
    let described: Vec<(String, Option<Oid>)> =
        row.columns().iter().map(|column| (column.name().to_owned(), type_oid(column.type_info()))).collect();
    let mut unknown: Vec<Oid> = described.iter().filter_map(|(_, oid)| *oid).filter(|oid| built_in(oid.0).is_none()).collect();
    unknown.sort_unstable_by_key(|oid| oid.0);
    unknown.dedup();
    let found = if unknown.is_empty() { HashMap::new() } else { look_up(&unknown, connection).await? };
    Ok(described.into_iter().map(|(name, oid)| typed(name, oid, &found)).collect())
}

/// The type's object id. Never `kind()`, which panics on types that were not resolved.
fn type_oid(info: &PgTypeInfo) -> Option<Oid> {
    info.oid()
}

fn typed(name: String, oid: Option<Oid>, found: &HashMap<u32, (String, ColumnKind)>) -> TypedColumn {
    let oid = oid.map_or(0, |oid| oid.0);
    let (type_name, kind, decoder) = match (built_in(oid), found.get(&oid)) {
        (Some((type_name, kind, decoder)), _) => (type_name.to_owned(), kind, decoder),
        (None, Some((type_name, kind))) => (type_name.clone(), *kind, Decoder::Text),
        (None, None) => ("unknown".to_owned(), ColumnKind::Other, Decoder::Text),
    };
    TypedColumn { column: Column { name, type_name, kind }, decoder }
}

async fn look_up(oids: &[Oid], connection: &mut PgConnection) -> Result<HashMap<u32, (String, ColumnKind)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT oid, pg_catalog.format_type(oid, NULL) AS name, typcategory::text AS category \
         FROM pg_catalog.pg_type WHERE oid = ANY($1)",
    )
    .persistent(false)
    .bind(oids)
    .fetch_all(&mut *connection)
    .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let oid: Oid = row.try_get("oid")?;
        let name: String = row.try_get("name")?;
        let category: String = row.try_get("category")?;
        found.insert(oid.0, (name, kind_of_category(&category)));
    }
    Ok(found)
}

/// Enums and string types of extensions (citext) are text; everything else that is not built in is shown as its text.
fn kind_of_category(category: &str) -> ColumnKind {
    match category {
        "E" | "S" => ColumnKind::Text,
        _ => ColumnKind::Other,
    }
}

/// A row fetched as text. Bytes that are no UTF-8 (a server without an encoding) are replaced by U+FFFD.
pub(super) fn decode_row(row: &PgRow, columns: &[TypedColumn]) -> Result<Row, sqlx::Error> {
    let mut decoded = Row::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let value = row.try_get_raw(index)?;
        decoded.push(if value.is_null() {
            Value::Null
        } else {
            let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
            decode(&String::from_utf8_lossy(bytes), column.decoder)
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
        let found = HashMap::from([(70_000, ("mood".to_owned(), kind_of_category("E")))]);
        let mood = typed("m".to_owned(), Some(Oid(70_000)), &found);
        assert_eq!((mood.column.type_name.as_str(), mood.column.kind), ("mood", ColumnKind::Text));
        let count = typed("count".to_owned(), Some(Oid(20)), &found);
        assert_eq!((count.column.type_name.as_str(), count.column.kind), ("bigint", ColumnKind::Integer));
        let gone = typed("x".to_owned(), Some(Oid(70_001)), &found);
        assert_eq!((gone.column.type_name.as_str(), gone.column.kind), ("unknown", ColumnKind::Other));
    }
}
