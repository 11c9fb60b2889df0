//! PostgreSQL's functions.

/// In expressions.
pub(super) const SCALAR: &[&[&str]] = &[AGGREGATES, CONDITIONS, STRINGS, MATHS, DATES, JSON, ARRAYS, OTHERS, ROWS];
/// In FROM.
pub(super) const TABLE: &[&[&str]] = &[ROWS];

#[rustfmt::skip]
const AGGREGATES: &[&str] = &[
    "count", "sum", "avg", "min", "max", "any_value", "array_agg", "string_agg", "bool_and", "bool_or", "every", "bit_and", "bit_or",
    "bit_xor", "json_agg", "json_agg_strict", "jsonb_agg", "jsonb_agg_strict", "json_object_agg", "jsonb_object_agg", "json_arrayagg",
    "json_objectagg", "range_agg", "range_intersect_agg", "corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_count",
    "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "stddev", "stddev_pop", "stddev_samp", "variance",
    "var_pop", "var_samp", "mode", "percentile_cont", "percentile_disc", "rank", "dense_rank", "percent_rank", "cume_dist", "row_number",
    "ntile", "lag", "lead", "first_value", "last_value", "nth_value", "grouping",
];

#[rustfmt::skip]
const CONDITIONS: &[&str] = &[
    "coalesce", "nullif", "greatest", "least", "num_nulls", "num_nonnulls", "row", "array", "width_bucket",
];

#[rustfmt::skip]
const STRINGS: &[&str] = &[
    "ascii", "bit_length", "btrim", "char_length", "character_length", "chr", "concat", "concat_ws", "convert_from", "convert_to", "decode",
    "encode", "format", "initcap", "left", "length", "lower", "lpad", "ltrim", "md5", "normalize", "octet_length", "overlay", "parse_ident",
    "position", "quote_ident", "quote_literal", "quote_nullable", "regexp_count", "regexp_instr", "regexp_like", "regexp_match",
    "regexp_replace", "regexp_split_to_array", "regexp_substr", "repeat", "replace", "reverse", "right", "rpad", "rtrim", "split_part",
    "starts_with", "string_to_array", "strpos", "substr", "substring", "text", "to_ascii", "to_hex", "translate", "trim", "unistr", "upper",
    "varchar", "bpchar", "get_bit", "get_byte", "bit_count", "sha224", "sha256", "sha384", "sha512", "casefold", "to_bin", "to_oct",
];

#[rustfmt::skip]
const MATHS: &[&str] = &[
    "abs", "acos", "acosd", "acosh", "asin", "asind", "asinh", "atan", "atan2", "atan2d", "atand", "atanh", "cbrt", "ceil", "ceiling",
    "cos", "cosd", "cosh", "cot", "cotd", "degrees", "div", "erf", "erfc", "exp", "floor", "gcd", "lcm", "ln", "log", "log10",
    "min_scale", "mod", "pi", "pow", "power", "radians", "random", "random_normal", "round", "scale", "sign", "sin", "sind", "sinh",
    "sqrt", "tan", "tand", "tanh", "trim_scale", "trunc", "int2", "int4", "int8", "float4", "float8", "numeric", "bool", "to_number",
];

#[rustfmt::skip]
const DATES: &[&str] = &[
    "age", "clock_timestamp", "current_date", "current_time", "current_timestamp", "date", "date_add", "date_bin", "date_part",
    "date_subtract", "date_trunc", "extract", "isfinite", "justify_days", "justify_hours", "justify_interval", "localtime",
    "localtimestamp", "make_date", "make_interval", "make_time", "make_timestamp", "make_timestamptz", "now", "overlaps",
    "statement_timestamp", "time", "timeofday", "timestamp", "timestamptz", "timezone", "to_char", "to_date", "to_timestamp",
    "transaction_timestamp", "interval",
];

#[rustfmt::skip]
const JSON: &[&str] = &[
    "array_to_json", "json_array", "json_array_length", "json_build_array", "json_build_object", "json_exists", "json_extract_path",
    "json_extract_path_text", "json_object", "json_query", "json_scalar", "json_strip_nulls", "json_typeof", "json_value",
    "jsonb_array_length", "jsonb_build_array", "jsonb_build_object", "jsonb_concat", "jsonb_contains", "jsonb_exists", "jsonb_exists_all",
    "jsonb_exists_any", "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert", "jsonb_object", "jsonb_path_exists",
    "jsonb_path_exists_tz", "jsonb_path_match", "jsonb_path_match_tz", "jsonb_path_query_array", "jsonb_path_query_array_tz",
    "jsonb_path_query_first", "jsonb_path_query_first_tz", "jsonb_pretty", "jsonb_set", "jsonb_set_lax",
    "jsonb_strip_nulls", "jsonb_typeof", "row_to_json", "to_json", "to_jsonb",
];

#[rustfmt::skip]
const ARRAYS: &[&str] = &[
    "array_append", "array_cat", "array_dims", "array_length", "array_lower", "array_ndims", "array_position", "array_positions",
    "array_prepend", "array_remove", "array_replace", "array_reverse", "array_sample", "array_shuffle", "array_sort", "array_to_string",
    "array_upper", "cardinality", "trim_array", "arrayoverlap", "arraycontains", "arraycontained",
];

#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "daterange", "int4range", "int8range", "numrange", "tsrange", "tstzrange", "datemultirange", "int4multirange", "int8multirange",
    "nummultirange", "tsmultirange", "isempty", "lower_inc", "lower_inf", "upper_inc", "upper_inf", "range_merge", "multirange", "abbrev",
    "broadcast", "family", "host", "hostmask", "inet_merge", "inet_same_family", "masklen", "netmask", "network", "set_masklen",
    "array_to_tsvector", "numnode", "phraseto_tsquery", "plainto_tsquery", "querytree", "setweight", "strip", "to_tsquery", "to_tsvector",
    "ts_delete", "ts_filter", "ts_headline", "ts_rank", "ts_rank_cd", "tsquery_phrase", "tsvector_to_array", "websearch_to_tsquery",
    "json_to_tsvector", "jsonb_to_tsvector", "gen_random_uuid", "uuid_extract_timestamp", "uuid_extract_version", "uuidv4", "uuidv7",
    "area", "center", "diameter", "height", "width", "radius", "point", "box", "circle", "crc32", "crc32c", "enum_first", "enum_last",
    "enum_range",
];

/// Functions that make rows; also in expressions.
#[rustfmt::skip]
const ROWS: &[&str] = &[
    "generate_series", "generate_subscripts", "unnest", "json_array_elements", "json_array_elements_text", "json_each", "json_each_text",
    "json_object_keys", "json_to_record", "json_to_recordset", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_each",
    "jsonb_each_text", "jsonb_object_keys", "jsonb_path_query", "jsonb_path_query_tz", "jsonb_to_record", "jsonb_to_recordset",
    "regexp_matches", "regexp_split_to_table", "string_to_table",
];
