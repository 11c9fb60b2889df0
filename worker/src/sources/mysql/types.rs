//! MySQL's types as the contract shows them: the server's own name of a column's type, rebuilt from the definition that comes with a
//! result, what the column is to charts, and how its values are read.
//!
//! MariaDB's JSON is a LONGTEXT with a check, and nothing in the definition tells it from other texts: it stays text. A BIT is a whole
//! number. A `tinyint(1)` stays a number too, because it holds 2 as well.

use datagenie_common::model::results::{Column, ColumnKind};
use mysql_async::consts::{ColumnFlags, ColumnType};

/// A column of this kind can't be shown.
pub(super) const UNKNOWN: &str = "the result has a column of a type that DataGenie does not know";

/// The character set of what is no text.
const BINARY: u16 = 63;
/// Bytes of a character in utf8mb4, in which lengths are told.
const CHAR_BYTES: u32 = 4;
/// More decimals than this mean: as many as there are.
const MOST_DECIMALS: u8 = 30;

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    Integer,
    Bits,
    Float,
    /// As the server writes it, a number too.
    Text,
    Bytes,
    Document,
    Day,
    Moment {
        decimals: u8,
        /// Of one place on the time line: sessions are in UTC.
        is_instant: bool,
    },
    Time {
        decimals: u8,
    },
}

/// A column with its decoder.
#[derive(Clone, Debug)]
pub(super) struct TypedColumn {
    pub(super) column: Column,
    pub(super) decoder: Decoder,
}

impl TypedColumn {
    /// Of a definition; none if its values can't be read.
    pub(super) fn new(definition: &mysql_async::Column) -> Option<Self> {
        let (type_name, kind, decoder) = Definition::of(definition).shown()?;
        Some(Self { column: Column { name: definition.name_str().into_owned(), type_name, kind }, decoder })
    }
}

/// Whether a column's values are no text, so that a sample of them says nothing.
pub(super) fn is_binary(definition: &mysql_async::Column) -> bool {
    matches!(Definition::of(definition).shown(), None | Some((_, ColumnKind::Binary, _)))
}

/// Whether a column's values are bits, which must be counted on as a number before they are text.
pub(super) fn is_bits(definition: &mysql_async::Column) -> bool {
    definition.column_type() == ColumnType::MYSQL_TYPE_BIT
}

/// What of a definition makes the type.
struct Definition {
    column_type: ColumnType,
    flags: ColumnFlags,
    length: u32,
    decimals: u8,
    is_text: bool,
}

type Shown = (String, ColumnKind, Decoder);

impl Definition {
    fn of(definition: &mysql_async::Column) -> Self {
        Self {
            column_type: definition.column_type(),
            flags: definition.flags(),
            length: definition.column_length(),
            decimals: definition.decimals(),
            is_text: definition.character_set() != BINARY,
        }
    }

    fn shown(&self) -> Option<Shown> {
        Some(match self.column_type {
            ColumnType::MYSQL_TYPE_TINY if self.length == 1 && !self.is_unsigned() => self.integer("tinyint(1)"),
            ColumnType::MYSQL_TYPE_TINY => self.integer("tinyint"),
            ColumnType::MYSQL_TYPE_SHORT => self.integer("smallint"),
            ColumnType::MYSQL_TYPE_INT24 => self.integer("mediumint"),
            ColumnType::MYSQL_TYPE_LONG => self.integer("int"),
            ColumnType::MYSQL_TYPE_LONGLONG => self.integer("bigint"),
            ColumnType::MYSQL_TYPE_YEAR => ("year".to_owned(), ColumnKind::Integer, Decoder::Integer),
            ColumnType::MYSQL_TYPE_BIT => (format!("bit({})", self.length), ColumnKind::Integer, Decoder::Bits),
            ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => {
                (self.with_sign(format!("decimal({},{})", self.precision(), self.decimals)), ColumnKind::Number, Decoder::Text)
            }
            ColumnType::MYSQL_TYPE_FLOAT => self.float("float"),
            ColumnType::MYSQL_TYPE_DOUBLE => self.float("double"),
            ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => ("date".to_owned(), ColumnKind::Date, Decoder::Day),
            ColumnType::MYSQL_TYPE_DATETIME => self.moment("datetime", false),
            ColumnType::MYSQL_TYPE_TIMESTAMP => self.moment("timestamp", true),
            ColumnType::MYSQL_TYPE_TIME => (self.with_decimals("time"), ColumnKind::Time, Decoder::Time { decimals: self.decimals }),
            ColumnType::MYSQL_TYPE_JSON => ("json".to_owned(), ColumnKind::Other, Decoder::Document),
            ColumnType::MYSQL_TYPE_GEOMETRY => ("geometry".to_owned(), ColumnKind::Binary, Decoder::Bytes),
            ColumnType::MYSQL_TYPE_VECTOR => ("vector".to_owned(), ColumnKind::Binary, Decoder::Bytes),
            ColumnType::MYSQL_TYPE_NULL => ("null".to_owned(), ColumnKind::Other, Decoder::Text),
            ColumnType::MYSQL_TYPE_ENUM => ("enum".to_owned(), ColumnKind::Text, Decoder::Text),
            ColumnType::MYSQL_TYPE_SET => ("set".to_owned(), ColumnKind::Text, Decoder::Text),
            ColumnType::MYSQL_TYPE_STRING if self.flags.contains(ColumnFlags::ENUM_FLAG) => {
                ("enum".to_owned(), ColumnKind::Text, Decoder::Text)
            }
            ColumnType::MYSQL_TYPE_STRING if self.flags.contains(ColumnFlags::SET_FLAG) => {
                ("set".to_owned(), ColumnKind::Text, Decoder::Text)
            }
            ColumnType::MYSQL_TYPE_STRING => self.characters("char", "binary"),
            ColumnType::MYSQL_TYPE_VAR_STRING | ColumnType::MYSQL_TYPE_VARCHAR => self.characters("varchar", "varbinary"),
            ColumnType::MYSQL_TYPE_TINY_BLOB
            | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
            | ColumnType::MYSQL_TYPE_LONG_BLOB
            | ColumnType::MYSQL_TYPE_BLOB => self.large(),
            _ => return None,
        })
    }

    fn is_unsigned(&self) -> bool {
        self.flags.contains(ColumnFlags::UNSIGNED_FLAG)
    }

    fn with_sign(&self, name: String) -> String {
        if self.is_unsigned() { format!("{name} unsigned") } else { name }
    }

    fn with_decimals(&self, name: &str) -> String {
        if (1..=6).contains(&self.decimals) { format!("{name}({})", self.decimals) } else { name.to_owned() }
    }

    fn integer(&self, name: &str) -> Shown {
        (self.with_sign(name.to_owned()), ColumnKind::Integer, Decoder::Integer)
    }

    fn float(&self, name: &str) -> Shown {
        let name = if self.decimals > MOST_DECIMALS { name.to_owned() } else { format!("{name}({},{})", self.length, self.decimals) };
        (self.with_sign(name), ColumnKind::Number, Decoder::Float)
    }

    /// Digits, without the places of the point and the sign.
    fn precision(&self) -> u32 {
        self.length.saturating_sub(u32::from(self.decimals > 0)).saturating_sub(u32::from(!self.is_unsigned()))
    }

    fn moment(&self, name: &str, is_instant: bool) -> Shown {
        (self.with_decimals(name), ColumnKind::Timestamp, Decoder::Moment { decimals: self.decimals, is_instant })
    }

    fn characters(&self, text: &str, binary: &str) -> Shown {
        if self.is_text {
            (format!("{text}({})", self.length / CHAR_BYTES), ColumnKind::Text, Decoder::Text)
        } else {
            (format!("{binary}({})", self.length), ColumnKind::Binary, Decoder::Bytes)
        }
    }

    /// All the sizes arrive as one type; the length tells, as bytes of the longest value.
    fn large(&self) -> Shown {
        let bytes = if self.is_text { self.length / CHAR_BYTES } else { self.length };
        let size = match bytes {
            0..=255 => "tiny",
            256..=65_535 => "",
            65_536..=16_777_216 => "medium",
            // Longer ones do not fit into the field, which then holds its highest number.
            _ => "long",
        };
        if self.is_text {
            (format!("{size}text"), ColumnKind::Text, Decoder::Text)
        } else {
            (format!("{size}blob"), ColumnKind::Binary, Decoder::Bytes)
        }
    }
}

#[cfg(test)]
mod tests;
