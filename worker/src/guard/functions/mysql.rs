//! The functions of MySQL and MariaDB.

/// In expressions.
pub(super) const SCALAR: &[&[&str]] = &[AGGREGATES, CONDITIONS, STRINGS, MATHS, DATES, JSON, OTHERS];

#[rustfmt::skip]
const AGGREGATES: &[&str] = &[
    "any_value", "avg", "bit_and", "bit_or", "bit_xor", "count", "group_concat", "json_arrayagg", "json_objectagg", "max", "median", "min",
    "percentile_cont", "percentile_disc", "std", "stddev", "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance",
    "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number",
    "grouping", "rollup", "cube",
];

#[rustfmt::skip]
const CONDITIONS: &[&str] = &[
    "coalesce", "greatest", "if", "ifnull", "interval", "isnull", "least", "nullif", "nvl", "nvl2", "row",
];

#[rustfmt::skip]
const STRINGS: &[&str] = &[
    "ascii", "bin", "bit_length", "char", "char_length", "character_length", "chr", "concat", "concat_ws", "elt", "export_set", "field",
    "find_in_set", "format", "from_base64", "hex", "initcap", "insert", "instr", "lcase", "left", "length", "lengthb", "like", "locate",
    "lower", "lpad", "ltrim", "make_set", "mid", "natural_sort_key", "oct", "octet_length", "ord", "position", "quote", "regexp_instr",
    "regexp_like", "regexp_replace", "regexp_substr", "repeat", "replace", "reverse", "right", "rpad", "rtrim", "soundex",
    "space", "strcmp", "substr", "substring", "substring_index", "to_base64", "to_char", "trim", "ucase", "unhex", "upper",
];

#[rustfmt::skip]
const MATHS: &[&str] = &[
    "abs", "acos", "asin", "atan", "atan2", "bit_count", "ceil", "ceiling", "conv", "cos", "cot", "crc32", "crc32c", "degrees", "exp",
    "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power", "radians", "rand", "round", "sign", "sin", "sqrt", "tan",
    "truncate", "to_number",
];

#[rustfmt::skip]
const DATES: &[&str] = &[
    "add_months", "adddate", "addtime", "convert_tz", "curdate", "current_date", "current_time", "current_timestamp", "curtime", "date",
    "date_add", "date_format", "date_sub", "datediff", "day", "dayname", "dayofmonth", "dayofweek", "dayofyear", "extract", "from_days",
    "from_unixtime", "get_format", "hour", "last_day", "localtime", "localtimestamp", "makedate", "maketime", "microsecond", "minute",
    "month", "monthname", "months_between", "now", "period_add", "period_diff", "quarter", "sec_to_time", "second", "str_to_date",
    "subdate", "subtime", "sysdate", "time", "time_format", "time_to_sec", "timediff", "timestamp", "timestampadd", "timestampdiff",
    "to_days", "to_seconds", "unix_timestamp", "utc_date", "utc_time", "utc_timestamp", "week", "weekday", "weekofyear", "year", "yearweek",
];

#[rustfmt::skip]
const JSON: &[&str] = &[
    "json_array", "json_array_append", "json_array_insert", "json_compact", "json_contains", "json_contains_path", "json_depth",
    "json_detailed", "json_equals", "json_exists", "json_extract", "json_insert", "json_keys", "json_length", "json_loose", "json_merge",
    "json_merge_patch", "json_merge_preserve", "json_normalize", "json_object", "json_overlaps", "json_pretty", "json_query", "json_quote",
    "json_remove", "json_replace", "json_search", "json_set", "json_storage_size", "json_type", "json_unquote", "json_valid", "json_value",
];

#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "bin_to_uuid", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_ntoa", "is_ipv4", "is_ipv6", "is_uuid", "md5", "sha", "sha1", "sha2",
    "uuid", "uuid_to_bin", "charset", "coercibility", "collation", "st_astext", "st_x", "st_y", "st_distance", "st_distance_sphere", "point",
    "random_bytes",
];
