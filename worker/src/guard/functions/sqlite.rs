//! SQLite's functions.

/// In expressions.
pub(super) const SCALAR: &[&[&str]] = &[AGGREGATES, SCALARS, MATHS, DATES, JSON, SEARCH];
/// In FROM.
pub(super) const TABLE: &[&[&str]] = &[ROWS];

#[rustfmt::skip]
const AGGREGATES: &[&str] = &[
    "avg", "count", "group_concat", "max", "min", "string_agg", "sum", "total", "median", "percentile", "percentile_cont", "percentile_disc",
    "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp",
    "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank", "row_number",
    "grouping", "rollup", "cube",
];

#[rustfmt::skip]
const SCALARS: &[&str] = &[
    "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "if", "ifnull", "iif", "instr", "length", "like", "likelihood", "likely",
    "lower", "ltrim", "nullif", "octet_length", "printf", "quote", "random", "randomblob", "replace", "rtrim", "soundex", "substr",
    "substring", "trim", "typeof", "unhex", "unicode", "unistr", "unistr_quote", "unlikely", "upper", "zeroblob",
];

#[rustfmt::skip]
const MATHS: &[&str] = &[
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh", "degrees", "exp", "floor", "ln",
    "log", "log10", "log2", "mod", "pi", "pow", "power", "radians", "round", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
];

#[rustfmt::skip]
const DATES: &[&str] = &[
    "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday", "strftime", "time", "timediff", "unixepoch",
];

#[rustfmt::skip]
const JSON: &[&str] = &[
    "json", "json_array", "json_array_length", "json_error_position", "json_extract", "json_group_array", "json_group_object", "json_insert",
    "json_object", "json_patch", "json_pretty", "json_quote", "json_remove", "json_replace", "json_set", "json_type", "json_valid",
    "jsonb", "jsonb_array", "jsonb_extract", "jsonb_group_array", "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch",
    "jsonb_remove", "jsonb_replace", "jsonb_set",
];

// Of the full-text index; they need a table of it, which must be allowed.
#[rustfmt::skip]
const SEARCH: &[&str] = &["bm25", "highlight", "snippet"];

#[rustfmt::skip]
const ROWS: &[&str] = &["json_each", "json_tree", "jsonb_each", "jsonb_tree", "generate_series"];
