//! The names of types, by what servers send of their columns.

use super::*;

const UTF8: u16 = 45;

fn column(column_type: ColumnType, length: u32, decimals: u8, flags: ColumnFlags, character_set: u16) -> mysql_async::Column {
    mysql_async::Column::new(column_type)
        .with_name("값".as_bytes())
        .with_column_length(length)
        .with_decimals(decimals)
        .with_flags(flags)
        .with_character_set(character_set)
}

fn number(column_type: ColumnType, length: u32, decimals: u8, flags: ColumnFlags) -> (String, ColumnKind) {
    shown(&column(column_type, length, decimals, flags, BINARY))
}

fn text(column_type: ColumnType, length: u32, flags: ColumnFlags, character_set: u16) -> (String, ColumnKind) {
    shown(&column(column_type, length, 0, flags, character_set))
}

fn shown(definition: &mysql_async::Column) -> (String, ColumnKind) {
    let typed = TypedColumn::new(definition).expect("it is known");
    assert_eq!(typed.column.name, "값");
    (typed.column.type_name, typed.column.kind)
}

// The lengths and flags are those that MariaDB 10.11 sends for columns of these types.
#[test]
fn numbers_have_the_servers_names() {
    use ColumnKind::{Integer, Number};
    use ColumnType::*;
    let (none, unsigned) = (ColumnFlags::empty(), ColumnFlags::UNSIGNED_FLAG);
    let cases = [
        (number(MYSQL_TYPE_TINY, 4, 0, none), "tinyint", Integer),
        (number(MYSQL_TYPE_TINY, 3, 0, unsigned), "tinyint unsigned", Integer),
        (number(MYSQL_TYPE_TINY, 1, 0, none), "tinyint(1)", Integer),
        (number(MYSQL_TYPE_INT24, 9, 0, none), "mediumint", Integer),
        (number(MYSQL_TYPE_LONG, 10, 0, unsigned), "int unsigned", Integer),
        (number(MYSQL_TYPE_LONGLONG, 20, 0, unsigned), "bigint unsigned", Integer),
        (number(MYSQL_TYPE_LONGLONG, 21, 0, none), "bigint", Integer),
        (number(MYSQL_TYPE_YEAR, 4, 0, unsigned), "year", Integer),
        (number(MYSQL_TYPE_BIT, 8, 0, unsigned), "bit(8)", Integer),
        (number(MYSQL_TYPE_NEWDECIMAL, 12, 2, none), "decimal(10,2)", Number),
        (number(MYSQL_TYPE_NEWDECIMAL, 6, 0, none), "decimal(5,0)", Number),
        (number(MYSQL_TYPE_NEWDECIMAL, 9, 3, unsigned), "decimal(8,3) unsigned", Number),
        (number(MYSQL_TYPE_NEWDECIMAL, 67, 30, none), "decimal(65,30)", Number),
        (number(MYSQL_TYPE_FLOAT, 12, 31, none), "float", Number),
        (number(MYSQL_TYPE_FLOAT, 7, 2, none), "float(7,2)", Number),
        (number(MYSQL_TYPE_DOUBLE, 22, 31, none), "double", Number),
    ];
    for ((name, kind), expected, expected_kind) in cases {
        assert_eq!((name.as_str(), kind), (expected, expected_kind));
    }
}

#[test]
fn texts_and_bytes_are_told_apart_by_their_character_set() {
    use ColumnKind::{Binary, Text};
    use ColumnType::*;
    let none = ColumnFlags::empty();
    let cases = [
        (text(MYSQL_TYPE_STRING, 12, none, UTF8), "char(3)", Text),
        (text(MYSQL_TYPE_VAR_STRING, 120, none, UTF8), "varchar(30)", Text),
        (text(MYSQL_TYPE_STRING, 4, none, BINARY), "binary(4)", Binary),
        (text(MYSQL_TYPE_VAR_STRING, 10, none, BINARY), "varbinary(10)", Binary),
        (text(MYSQL_TYPE_BLOB, 1_020, none, UTF8), "tinytext", Text),
        (text(MYSQL_TYPE_BLOB, 262_140, none, UTF8), "text", Text),
        (text(MYSQL_TYPE_BLOB, 67_108_860, none, UTF8), "mediumtext", Text),
        (text(MYSQL_TYPE_BLOB, u32::MAX, none, UTF8), "longtext", Text),
        (text(MYSQL_TYPE_BLOB, 255, none, BINARY), "tinyblob", Binary),
        (text(MYSQL_TYPE_BLOB, 65_535, none, BINARY), "blob", Binary),
        (text(MYSQL_TYPE_BLOB, 16_777_215, none, BINARY), "mediumblob", Binary),
        (text(MYSQL_TYPE_BLOB, u32::MAX, none, BINARY), "longblob", Binary),
        (text(MYSQL_TYPE_GEOMETRY, u32::MAX, none, BINARY), "geometry", Binary),
        (text(MYSQL_TYPE_STRING, 4, ColumnFlags::ENUM_FLAG, UTF8), "enum", Text),
        (text(MYSQL_TYPE_STRING, 12, ColumnFlags::SET_FLAG, UTF8), "set", Text),
    ];
    for ((name, kind), expected, expected_kind) in cases {
        assert_eq!((name.as_str(), kind), (expected, expected_kind));
    }
    assert!(is_binary(&column(MYSQL_TYPE_BLOB, 255, 0, none, BINARY)) && !is_binary(&column(MYSQL_TYPE_BLOB, 255, 0, none, UTF8)));
}

#[test]
fn times_tell_their_decimals() {
    use ColumnType::*;
    let none = ColumnFlags::empty();
    assert_eq!(number(MYSQL_TYPE_DATETIME, 26, 6, none), ("datetime(6)".to_owned(), ColumnKind::Timestamp));
    assert_eq!(number(MYSQL_TYPE_DATETIME, 19, 0, none), ("datetime".to_owned(), ColumnKind::Timestamp));
    assert_eq!(number(MYSQL_TYPE_TIME, 13, 2, none), ("time(2)".to_owned(), ColumnKind::Time));
    assert_eq!(number(MYSQL_TYPE_DATE, 10, 0, none), ("date".to_owned(), ColumnKind::Date));
    let typed = TypedColumn::new(&column(MYSQL_TYPE_TIMESTAMP, 23, 3, none, BINARY)).expect("it is known");
    assert_eq!((typed.column.type_name.as_str(), typed.decoder), ("timestamp(3)", Decoder::Moment { decimals: 3, is_instant: true }));
}

#[test]
fn json_is_a_document_and_the_unknown_is_none() {
    use ColumnType::*;
    let none = ColumnFlags::empty();
    let json = TypedColumn::new(&column(MYSQL_TYPE_JSON, u32::MAX, 0, none, BINARY)).expect("it is known");
    assert_eq!((json.decoder, json.column.kind), (Decoder::Document, ColumnKind::Other));
    assert!(TypedColumn::new(&column(MYSQL_TYPE_TYPED_ARRAY, 0, 0, none, BINARY)).is_none());
}
