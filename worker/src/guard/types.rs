//! What may be cast to: the built-in types, by name, with bounded sizes. Never a type that names a relation or is looked up by name
//! (`regclass`), nor one that only this database has.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{ArrayElemTypeDef, BinaryLength, CharacterLength, DataType, ExactNumberInfo, ObjectName};

use super::{
    names,
    refusal::{Checked, Refusal},
};

/// Types of a fixed length pad their values: the length is bounded.
const MAX_LENGTH: u64 = 65_535;
const MAX_PADDED: u64 = 10_000;

const POSTGRES: [&str; 43] = [
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "money",
    "bool",
    "text",
    "varchar",
    "bpchar",
    "name",
    "citext",
    "uuid",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "bytea",
    "bit",
    "varbit",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "int4multirange",
    "int8multirange",
    "nummultirange",
    "tsmultirange",
    "datemultirange",
    "tsvector",
    "tsquery",
];

/// Checks the target of a cast, or the type of a column definition.
pub(super) fn check(db: DbType, data_type: &DataType) -> Checked<()> {
    if allowed(db, data_type) {
        return Ok(());
    }
    Err(Refusal::refused(format!("The type `{data_type}` can't be cast to here."))
        .hint("Use a built-in type such as INTEGER, NUMERIC, TEXT, DATE or TIMESTAMP, with a small length."))
}

fn allowed(db: DbType, data_type: &DataType) -> bool {
    match data_type {
        DataType::Custom(name, modifiers) => custom(db, name, modifiers),
        DataType::Array(element) => db == DbType::Postgresql && array(element),
        DataType::Character(length) | DataType::Char(length) => fits(length.as_ref(), MAX_PADDED),
        DataType::CharacterVarying(length) | DataType::CharVarying(length) | DataType::Varchar(length) | DataType::Nvarchar(length) => {
            fits(length.as_ref(), MAX_LENGTH)
        }
        DataType::Binary(length) | DataType::Bit(length) | DataType::BitVarying(length) | DataType::VarBit(length) => {
            length.is_none_or(|length| length <= MAX_PADDED)
        }
        DataType::Varbinary(length) => match length {
            None | Some(BinaryLength::Max) => true,
            Some(BinaryLength::IntegerLength { length }) => *length <= MAX_LENGTH,
        },
        DataType::Numeric(info)
        | DataType::Decimal(info)
        | DataType::DecimalUnsigned(info)
        | DataType::Dec(info)
        | DataType::DecUnsigned(info) => exact(info),
        other => plain(other),
    }
}

fn plain(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Uuid
            | DataType::Clob(_)
            | DataType::Blob(_)
            | DataType::Float(_)
            | DataType::FloatUnsigned(_)
            | DataType::TinyInt(_)
            | DataType::TinyIntUnsigned(_)
            | DataType::Int2(_)
            | DataType::SmallInt(_)
            | DataType::SmallIntUnsigned(_)
            | DataType::MediumInt(_)
            | DataType::Int(_)
            | DataType::Int4(_)
            | DataType::Int8(_)
            | DataType::Integer(_)
            | DataType::IntUnsigned(_)
            | DataType::IntegerUnsigned(_)
            | DataType::BigInt(_)
            | DataType::BigIntUnsigned(_)
            | DataType::Signed
            | DataType::SignedInteger
            | DataType::Unsigned
            | DataType::UnsignedInteger
            | DataType::Float4
            | DataType::Float8
            | DataType::Real
            | DataType::RealUnsigned
            | DataType::Double(_)
            | DataType::DoubleUnsigned(_)
            | DataType::DoublePrecision
            | DataType::DoublePrecisionUnsigned
            | DataType::Bool
            | DataType::Boolean
            | DataType::Date
            | DataType::Time(..)
            | DataType::Datetime(_)
            | DataType::Timestamp(..)
            | DataType::Interval { .. }
            | DataType::JSON
            | DataType::JSONB
            | DataType::Text
            | DataType::TinyText
            | DataType::MediumText
            | DataType::LongText
            | DataType::String(_)
            | DataType::Bytea
            | DataType::GeometricType(_)
            | DataType::TsVector
            | DataType::TsQuery
    )
}

fn custom(db: DbType, name: &ObjectName, modifiers: &[String]) -> bool {
    let Ok(parts) = names::parts(name) else { return false };
    let small = modifiers.iter().all(|modifier| modifier.trim().parse::<u64>().is_ok_and(|size| size <= MAX_PADDED));
    let last = match parts.as_slice() {
        [last] => *last,
        [schema, last] if db == DbType::Postgresql && names::key(db, schema) == "pg_catalog" => *last,
        _ => return false,
    };
    let key = names::key(db, last);
    small
        && match db {
            DbType::Postgresql => POSTGRES.contains(&key.as_str()),
            DbType::Mysql => ["year", "json"].contains(&key.as_str()),
            // To SQLite any name is a type; it only tells the affinity.
            DbType::Sqlite => key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
        }
}

fn array(element: &ArrayElemTypeDef) -> bool {
    match element {
        ArrayElemTypeDef::SquareBracket(inner, _) => allowed(DbType::Postgresql, inner),
        _ => false,
    }
}

fn fits(length: Option<&CharacterLength>, limit: u64) -> bool {
    match length {
        None | Some(CharacterLength::Max) => true,
        Some(CharacterLength::IntegerLength { length, .. }) => *length <= limit,
    }
}

fn exact(info: &ExactNumberInfo) -> bool {
    match info {
        ExactNumberInfo::None => true,
        ExactNumberInfo::Precision(precision) => *precision <= 1_000,
        ExactNumberInfo::PrecisionAndScale(precision, scale) => *precision <= 1_000 && scale.unsigned_abs() <= 1_000,
    }
}
