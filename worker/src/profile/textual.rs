//! Which columns hold text, by the names of their types: only these have a list of choices, and only these hold what people type in.

use datagenie_common::model::connections::DbType;

/// Types, by their first word, whose values are numbers, times, bytes, documents, places or addresses of machines. What is not here is text:
/// enums and types of the database's own.
#[rustfmt::skip]
const NOT_TEXT: &[&str] = &[
    // Numbers.
    "int", "int1", "int2", "int3", "int4", "int8", "integer", "tinyint", "smallint", "mediumint", "middleint", "bigint", "serial",
    "smallserial", "bigserial", "numeric", "decimal", "dec", "fixed", "number", "real", "float", "float4", "float8", "double", "money",
    "smallmoney", "oid", "xid", "xid8", "cid", "tid", "bit", "varbit", "unsigned", "signed",
    // Truth.
    "boolean", "bool",
    // Times.
    "date", "time", "timetz", "timestamp", "timestamptz", "datetime", "smalldatetime", "interval", "year",
    // Bytes.
    "bytea", "binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob", "image",
    // Documents, ids, search.
    "json", "jsonb", "xml", "uuid", "uniqueidentifier", "hstore", "tsvector", "tsquery", "vector", "halfvec", "sparsevec",
    // Addresses of machines, places, ranges.
    "inet", "inet4", "inet6", "cidr", "macaddr", "macaddr8", "pg_lsn", "point", "line", "lseg", "box", "path", "polygon", "circle", "cube",
    "geometry", "geography", "linestring", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection", "raster",
    "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "int4multirange", "int8multirange", "nummultirange",
    "tsmultirange", "tstzmultirange", "datemultirange",
];

/// Whether a type is none of text in any engine. A type without a name, which SQLite has, is not known to be one.
pub(super) fn is_never_text(data_type: &str) -> bool {
    let name = data_type.trim().to_lowercase();
    if name.ends_with(']') {
        return true;
    }
    let word = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    NOT_TEXT.contains(&word)
}

/// Whether a column of this type holds text.
pub(super) fn is_textual(db_type: DbType, data_type: &str) -> bool {
    let named = !data_type.trim().is_empty();
    match db_type {
        DbType::Postgresql | DbType::Mysql => named && !is_never_text(data_type),
        // SQLite takes any words, and reads them by their parts.
        DbType::Sqlite => {
            let name = data_type.to_ascii_uppercase();
            let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
            let of_text = has(&["CHAR", "CLOB", "TEXT", "ENUM"]);
            let of_others = has(&["BLOB", "BINARY", "REAL", "FLOA", "DOUB", "DEC", "NUM", "MONEY", "DATE", "TIME", "BOOL"]);
            !has(&["INT"]) && (of_text || (named && !of_others && !is_never_text(data_type)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn text_enums_and_types_of_the_databases_own_are_textual() {
        let cases: [(DbType, &[&str]); 3] = [
            (
                DbType::Postgresql,
                &["text", "character varying(20)", "character(1)", "\"char\"", "name", "citext", "order_status", "shop.mood", "\"Mood\"", "분류"],
            ),
            (DbType::Mysql, &["varchar(20)", "char(3)", "tinytext", "longtext", "enum('a','b')", "set('x','y')"]),
            (DbType::Sqlite, &["TEXT", "VARCHAR(80)", "nvarchar", "STRING", "ENUM('a')", "NAME"]),
        ];
        for (db_type, types) in cases {
            for data_type in types {
                assert!(is_textual(db_type, data_type), "{db_type} {data_type}");
            }
        }
    }

    #[test]
    #[rustfmt::skip]
    fn numbers_times_bytes_and_documents_are_not() {
        let cases: [(DbType, &[&str]); 3] = [
            (
                DbType::Postgresql,
                &[
                    "integer", "bigint", "numeric(12,2)", "double precision", "money", "boolean", "date", "timestamp without time zone",
                    "time with time zone", "interval", "bytea", "uuid", "jsonb", "text[]", "character varying(10)[]", "int4range", "inet",
                    "tsvector", "bit varying(8)", "geometry(Point,4326)",
                ],
            ),
            (
                DbType::Mysql,
                &["int", "tinyint(1)", "bigint unsigned", "decimal(10,2)", "datetime(6)", "year", "blob", "varbinary(16)", "json", "bit(1)", ""],
            ),
            (DbType::Sqlite, &["INTEGER", "unsigned big int", "REAL", "DECIMAL(10,2)", "BLOB", "BOOLEAN", "TIMESTAMP", "date", "JSON", "UUID", ""]),
        ];
        for (db_type, types) in cases {
            for data_type in types {
                assert!(!is_textual(db_type, data_type), "{db_type} {data_type}");
            }
        }
    }
}
