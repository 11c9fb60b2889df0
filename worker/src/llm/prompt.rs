//! The prompts: what a model is told about the schema, the question and the rules.

#[cfg(test)]
mod tests;

use std::{fmt::Write as _, sync::LazyLock};

use chrono::NaiveDate;
use datagenie_common::model::{
    connections::DbType,
    language::Language,
    schemas::{Shape, SourceSchema, Table, TableColumn},
};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::identifiers::{is_reserved, quote, quoted};

/// How many of a column's sampled values the prompt shows.
pub(crate) const SHOWN_VALUES: usize = 12;
/// How many characters of a comment it shows.
const SHOWN_COMMENT: usize = 160;
/// Longer values it leaves out.
const SHOWN_VALUE: usize = 60;
/// Fewer NULLs than this, in percent, it does not speak of.
const SHOWN_NULLS: u64 = 5;

/// The two messages of a request to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftPrompt {
    /// The rules.
    pub system: String,
    /// The schema and the question, as data.
    pub user: String,
}

/// The answered question that a new one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// As asked.
    pub question: String,
    /// As it ran.
    pub sql: String,
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::None);
    // A variable that the code forgot to pass must not become an empty line in a prompt.
    templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    for (name, source) in [
        ("draft_system", include_str!("prompts/draft_system.md")),
        ("draft_user", include_str!("prompts/draft_user.md")),
        ("repair_user", include_str!("prompts/repair_user.md")),
        ("general_system", include_str!("prompts/general_system.md")),
    ] {
        templates.add_template(name, source).expect("the embedded templates parse, which the tests of this module prove");
    }
    templates
});

// What is filled in is text and never a template, so no data can make this fail: only an edit of the embedded files could.
fn render(template: &str, values: minijinja::Value) -> String {
    let rendered = TEMPLATES.get_template(template).and_then(|template| template.render(values));
    rendered.expect("the embedded templates render, which the tests of this module prove")
}

/// The request for the SQL of a question about a schema as [`schema_text`] writes it. `max_rows` is where results are cut off.
#[must_use]
pub fn draft(
    question: &str,
    schema: &str,
    dialect: DbType,
    today: NaiveDate,
    language: Language,
    previous: Option<&Previous>,
    max_rows: u64,
) -> DraftPrompt {
    let language_name = language_name(language);
    let system = context! {
        dialect => dialect_name(dialect),
        quote => quote(dialect).to_string(),
        example_alias => match language { Language::Korean => "매출 합계", Language::English => "total sales" },
        date_advice => date_advice(dialect),
        language => language_name,
        max_rows => max_rows,
    };
    let user = context! {
        schema => fenced("schema", schema),
        previous_question => previous.map(|previous| fenced("previous_question", &previous.question)),
        previous_sql => previous.map(|previous| fenced("previous_sql", &previous.sql)),
        today => today.to_string(),
        language => language_name,
        question => fenced("question", question),
    };
    DraftPrompt { system: render("draft_system", system), user: render("draft_user", user) }
}

/// The request for another try: the same, and what was wrong. `bad_sql` is empty if the answer held no SQL.
#[must_use]
pub fn repair(original: &DraftPrompt, bad_sql: &str, problem: &str) -> DraftPrompt {
    let rejected = (!bad_sql.trim().is_empty()).then(|| fenced("rejected_sql", bad_sql));
    let user = context! { original => original.user.clone(), rejected => rejected, problem => fenced("problem", problem) };
    DraftPrompt { system: original.system.clone(), user: render("repair_user", user) }
}

/// The request for an answer in text, to a question without any data.
#[must_use]
pub fn general(question: &str, language: Language) -> DraftPrompt {
    let system = render("general_system", context! { language => language_name(language) });
    DraftPrompt { system, user: question.trim().to_owned() }
}

/// The JSON schema of an answer, strict in OpenAI's sense: every key required, no other allowed, null for what does not apply.
pub static REPLY_SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = |description: &str| json!({ "type": ["string", "null"], "description": description });
    json!({
        "type": "object",
        "properties": {
            "sql": text("One read-only SELECT, or null"),
            "explanation": text("How the query answers the question"),
            "chart": {
                "type": ["string", "null"],
                "enum": ["number", "bar", "grouped_bar", "line", "area", "pie", "scatter", "histogram", "table", null],
                "description": "The fitting chart"
            },
            "summary": text("One sentence with placeholders instead of numbers"),
            "answerable": { "type": "boolean", "description": "Whether the listed tables can answer the question" },
            "clarification": text("What to ask back if the question is ambiguous")
        },
        "required": ["sql", "explanation", "chart", "summary", "answerable", "clarification"],
        "additionalProperties": false
    })
});

/// A schema as a model reads it: one block a table, one line a column, with types, keys, comments and a few values.
#[must_use]
pub fn schema_text(schema: &SourceSchema, dialect: DbType) -> String {
    let blocks: Vec<String> =
        schema.tables().map(|(schema_name, name, table)| table_text(schema, schema_name, name, table, dialect)).collect();
    blocks.join("\n")
}

/// One table's block of [`schema_text`], ending in a line break.
pub(crate) fn table_text(schema: &SourceSchema, schema_name: &str, name: &str, table: &Table, dialect: DbType) -> String {
    let kind = if table.kind.contains("view") { "VIEW" } else { "TABLE" };
    let mut text = format!("{kind} {}", relation(schema, schema_name, name, dialect));
    remark(&mut text, table.comment.as_deref());
    if let Some(rows) = table.row_estimate {
        let _ = write!(text, " (about {rows} rows)");
    }
    text.push('\n');
    for (column_name, column) in table.ordered_columns() {
        column_line(&mut text, schema, table, column_name, column, dialect);
    }
    for key in table.foreign_keys.iter().filter(|key| key.columns.len() > 1) {
        let to = relation(schema, &key.ref_schema, &key.ref_table, dialect);
        let (from, columns) = (names(&key.columns, dialect), names(&key.ref_columns, dialect));
        let _ = writeln!(text, "  FOREIGN KEY ({from}) REFERENCES {to}({columns})");
    }
    text
}

fn column_line(text: &mut String, schema: &SourceSchema, table: &Table, name: &str, column: &TableColumn, dialect: DbType) {
    let _ = write!(text, "  {} {}", identifier(name, dialect), one_line(&column.data_type, SHOWN_COMMENT));
    if column.primary_key {
        text.push_str(" PRIMARY KEY");
    }
    for key in table.foreign_keys.iter().filter(|key| key.columns.len() == 1 && key.columns.first().is_some_and(|own| own == name)) {
        let _ = write!(text, " REFERENCES {}", relation(schema, &key.ref_schema, &key.ref_table, dialect));
        if !key.ref_columns.is_empty() {
            let _ = write!(text, "({})", names(&key.ref_columns, dialect));
        }
    }
    remark(text, column.comment.as_deref());
    let shown: Vec<String> = column.values.iter().take(SHOWN_VALUES).filter(|value| is_short(value)).map(|value| literal(value)).collect();
    if !shown.is_empty() {
        let more = if column.values.len() > shown.len() { ", …" } else { "" };
        let _ = write!(text, " [values: {}{more}]", shown.join(", "));
    }
    let is_key = column.primary_key || table.foreign_keys.iter().any(|key| key.columns.iter().any(|own| own == name));
    let facts = facts(column, is_key);
    if !facts.is_empty() {
        let _ = write!(text, " [sample: {}]", facts.join(", "));
    }
    text.push('\n');
}

/// What a sample of the column's values shows that helps to draft: from where to where numbers and days go, and how many are missing.
fn facts(column: &TableColumn, is_key: bool) -> Vec<String> {
    let mut facts = Vec::new();
    let Some(profile) = &column.profile else { return facts };
    let ordered = matches!(profile.shape, Some(Shape::Integer | Shape::Number | Shape::Date | Shape::Timestamp));
    if let (Some(min), Some(max)) = (&profile.min, &profile.max)
        && ordered
        && !is_key
        && is_plain(min)
        && is_plain(max)
    {
        facts.push(if min == max { format!("always {min}") } else { format!("{min}..{max}") });
    }
    let nulls = (profile.nulls * 100).checked_div(profile.rows).unwrap_or_default();
    if nulls >= SHOWN_NULLS {
        facts.push(format!("{nulls}% NULL"));
    }
    facts
}

/// One value in twenty may be something else than its column's shape says: such a one is not told.
fn is_plain(value: &str) -> bool {
    value.len() <= 32 && value.chars().all(|c| c.is_ascii_digit() || "+-.:/eETZ ".contains(c))
}

fn remark(text: &mut String, comment: Option<&str>) {
    if let Some(comment) = comment.map(|comment| one_line(comment, SHOWN_COMMENT)).filter(|comment| !comment.is_empty()) {
        let _ = write!(text, " -- {comment}");
    }
}

// A value is shown so that it can be copied into a filter: one that would have to be cut or cleaned is left out.
fn is_short(value: &str) -> bool {
    value.chars().count() <= SHOWN_VALUE && !value.chars().any(char::is_control)
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn relation(schema: &SourceSchema, schema_name: &str, name: &str, dialect: DbType) -> String {
    let name = identifier(name, dialect);
    if schema_name == schema.default_schema { name } else { format!("{}.{name}", identifier(schema_name, dialect)) }
}

fn names(columns: &[String], dialect: DbType) -> String {
    columns.iter().map(|name| identifier(name, dialect)).collect::<Vec<_>>().join(", ")
}

/// A name as the dialect needs it written; PostgreSQL folds capitals, so they need quotes there.
fn identifier(name: &str, dialect: DbType) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_' || (c.is_ascii_uppercase() && dialect != DbType::Postgresql);
    let bare = name.chars().next().is_some_and(plain) && name.chars().all(|c| plain(c) || c.is_ascii_digit()) && !is_reserved(name);
    if bare {
        return name.to_owned();
    }
    quoted(name, dialect)
}

fn dialect_name(dialect: DbType) -> &'static str {
    match dialect {
        DbType::Postgresql => "PostgreSQL",
        DbType::Mysql => "MySQL",
        DbType::Sqlite => "SQLite",
    }
}

fn date_advice(dialect: DbType) -> &'static str {
    match dialect {
        DbType::Postgresql => "For months and years use date_trunc or to_char(column, 'YYYY-MM'); compare times with half-open ranges.",
        DbType::Mysql => "For months and years use DATE_FORMAT(column, '%Y-%m') or YEAR(column); compare times with half-open ranges.",
        DbType::Sqlite => {
            "Dates and times are ISO 8601 text: use strftime('%Y-%m', column), and compare them as text with half-open ranges."
        }
    }
}

fn language_name(language: Language) -> &'static str {
    match language {
        Language::Korean => "Korean",
        Language::English => "English",
    }
}

/// Text in one line without control characters, cut where it is too long.
fn one_line(text: &str, most: usize) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let mut cut: String = line.chars().take(most).collect();
    cut.push('…');
    cut
}

/// Data between tags that it cannot close: text that speaks of the tag itself gets one named after its own hash.
fn fenced(tag: &str, data: &str) -> String {
    let speaks_of_it = |data: &str| {
        let folded = data.to_lowercase();
        folded.contains(&format!("<{tag}")) || folded.contains(&format!("</{tag}"))
    };
    let name = if data.contains('<') && speaks_of_it(data) {
        let hash = hex::encode(Sha256::digest(data.as_bytes()));
        format!("{tag}-{}", &hash[..16])
    } else {
        tag.to_owned()
    };
    format!("<{name}>\n{}\n</{name}>", data.trim_end())
}
