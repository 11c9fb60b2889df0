//! Reading what a model answered. Models are sloppy, so this is tolerant of form; what the SQL may do is the guard's to decide.

#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::{Map, Value};

use super::Draft;

/// A longer answer is refused unread.
pub const MAX_REPLY_BYTES: usize = 256 * 1024;
/// At so many opening braces the search for a JSON object ends: it keeps hostile answers from costing quadratic time.
const MAX_STARTS: usize = 4096;
/// So many blocks of SQL are kept apart from JSON.
const MAX_BLOCKS: usize = 64;
/// The keys by which an object is known to be an answer.
const KEYS: [&str; 7] = ["sql", "explanation", "chart", "summary", "answerable", "clarification", "answer"];

/// Why an answer cannot be used, in words that tell the model what to do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Nothing, or nothing but white space and reasoning.
    #[error("The answer was empty. Answer with the one JSON object that was asked for.")]
    Empty,
    /// Text that holds neither JSON nor SQL.
    #[error("The answer was prose without a JSON object. Answer with the one JSON object that was asked for and nothing else.")]
    Prose,
    /// A JSON object that does not parse, or has none of the keys.
    #[error(
        "The answer was no valid JSON object with the keys asked for. Answer with one complete JSON object: all strings quoted and escaped, \
         nothing before or after it."
    )]
    BrokenJson,
    /// More than [`MAX_REPLY_BYTES`].
    #[error("The answer was longer than 256 KiB. Answer with one short JSON object.")]
    TooLong,
}

/// Takes the draft out of an answer: plain JSON, JSON in a fence or amid prose, a fenced SQL block, or SQL alone. Of several JSON
/// objects the first with one of our keys counts. A field of the wrong type, or empty, counts as absent.
///
/// # Errors
/// [`ReplyError`] if there is nothing of the kind.
pub fn parse(text: &str) -> Result<Draft, ReplyError> {
    if text.len() > MAX_REPLY_BYTES {
        return Err(ReplyError::TooLong);
    }
    let text = without_reasoning(text);
    if text.is_empty() {
        return Err(ReplyError::Empty);
    }
    if let Some(object) = find_object(text).or_else(|| find_object(&with_escaped_controls(text))) {
        return Ok(draft(&object));
    }
    if let Some(sql) = fenced_sql(text).or_else(|| bare_sql(text)) {
        return Ok(Draft { sql: Some(sql), ..Draft::default() });
    }
    Err(if looks_like_json(text) { ReplyError::BrokenJson } else { ReplyError::Prose })
}

/// The text of an answer to a general question: the `answer` of a JSON object if the model wrapped it so, else all of it. Empty if the
/// model said nothing; cut at [`MAX_REPLY_BYTES`].
#[must_use]
pub fn parse_general(text: &str) -> String {
    let text = without_reasoning(&text[..text.floor_char_boundary(MAX_REPLY_BYTES)]);
    let bare = fences(text).into_iter().next().filter(|fence| fence.whole).map_or(text, |fence| fence.body);
    let wrapped = if bare.starts_with('{') { find_object(bare) } else { None };
    wrapped.and_then(|object| draft(&object).answer).unwrap_or_else(|| text.to_owned())
}

// Reasoning models put their thoughts in front; these may hold half-finished JSON and SQL.
fn without_reasoning(text: &str) -> &str {
    let text = text.trim_start_matches('\u{FEFF}').trim();
    if !text.starts_with("<think>") {
        return text;
    }
    text.rsplit_once("</think>").map_or("", |(_, answer)| answer.trim())
}

fn draft(object: &Map<String, Value>) -> Draft {
    let text = |key: &str| object.get(key).and_then(Value::as_str).and_then(present);
    Draft {
        sql: text("sql").map(|sql| unfenced(&sql)).filter(|sql| !sql.is_empty()),
        explanation: text("explanation"),
        chart: text("chart"),
        summary: text("summary"),
        answerable: object.get("answerable").and_then(Value::as_bool),
        clarification: text("clarification"),
        answer: text("answer"),
    }
}

// Models without strict output write the word where null is meant; as a clarification it would turn a good answer down.
fn present(text: &str) -> Option<String> {
    let text = text.trim();
    let absent = text.is_empty() || ["null", "none", "n/a"].iter().any(|word| text.eq_ignore_ascii_case(word));
    // PostgreSQL's text can't hold a NUL, and no honest text does.
    (!absent).then(|| text.replace('\0', "\u{FFFD}"))
}

fn unfenced(sql: &str) -> String {
    match fences(sql).into_iter().next() {
        Some(fence) if fence.whole => fence.body.to_owned(),
        _ => sql.to_owned(),
    }
}

/// The first JSON object with one of our keys, at any depth, but not inside a block of SQL.
fn find_object(text: &str) -> Option<Map<String, Value>> {
    let is_sql = |fence: &Fence<'_>| fence.is_sql() && !fence.body.starts_with('{');
    let sql_blocks: Vec<Range<usize>> = fences(text).into_iter().filter(is_sql).take(MAX_BLOCKS).map(|fence| fence.range).collect();
    let starts = text.match_indices('{').map(|(at, _)| at).filter(|at| !sql_blocks.iter().any(|block| block.contains(at)));
    for start in starts.take(MAX_STARTS) {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        if let Some(Ok(Value::Object(object))) = values.next()
            && KEYS.iter().any(|key| object.contains_key(*key))
        {
            return Some(object);
        }
    }
    None
}

/// The text with raw line breaks and tabs inside of strings escaped, which many models forget in SQL.
fn with_escaped_controls(text: &str) -> String {
    let Some(start) = text.find('{') else { return String::new() };
    let mut escaped = String::with_capacity(text.len() + 64);
    // Quotes in prose need not pair, so strings are counted from the first brace on.
    escaped.push_str(&text[..start]);
    let (mut in_string, mut after_backslash) = (false, false);
    for c in text[start..].chars() {
        match c {
            '\n' if in_string => escaped.push_str("\\n"),
            '\r' if in_string => escaped.push_str("\\r"),
            '\t' if in_string => escaped.push_str("\\t"),
            other => escaped.push(other),
        }
        if c == '"' && !after_backslash {
            in_string = !in_string;
        }
        after_backslash = in_string && c == '\\' && !after_backslash;
    }
    escaped
}

fn looks_like_json(text: &str) -> bool {
    text.match_indices('{').any(|(at, _)| text[at + 1..].trim_start().starts_with(['"', '}']))
}

/// A block between lines of three backticks.
struct Fence<'a> {
    /// What the opening line says, in lower case.
    language: String,
    /// The text between, trimmed.
    body: &'a str,
    /// Where it stands, its fences included.
    range: Range<usize>,
    /// Whether there is nothing around it.
    whole: bool,
}

impl Fence<'_> {
    fn is_sql(&self) -> bool {
        matches!(self.language.as_str(), "sql" | "postgresql" | "postgres" | "pgsql" | "mysql" | "sqlite" | "sqlite3")
    }
}

/// The fenced blocks of a text; the last one may lack its end.
fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("```").map(|at| from + at) {
        let after = open + 3;
        let word = text[after..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(text.len(), |at| after + at);
        let close = text[word..].find("```").map(|at| word + at);
        let end = close.map_or(text.len(), |at| at + 3);
        let body = &text[word..close.unwrap_or(text.len())];
        // A block on one line may begin with its first word instead of a language: "```SELECT 1```".
        let (language, body) = match body.chars().next() {
            Some(c) if !c.is_whitespace() || starts_query(&text[after..word]) => ("", &text[after..word + body.len()]),
            _ => (&text[after..word], body),
        };
        let whole = text[..open].trim().is_empty() && text[end..].trim().is_empty();
        found.push(Fence { language: language.to_ascii_lowercase(), body: body.trim(), range: open..end, whole });
        from = end;
    }
    found
}

fn starts_query(text: &str) -> bool {
    let word: String = text.trim_start_matches(['(', ' ', '\n', '\t', '\r']).chars().take_while(char::is_ascii_alphabetic).collect();
    word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with")
}

/// The SQL of the first block that is marked as SQL, else of the first that begins like a query.
fn fenced_sql(text: &str) -> Option<String> {
    let blocks = fences(text);
    let marked = blocks.iter().find(|fence| fence.is_sql() && !fence.body.is_empty() && !fence.body.starts_with('{'));
    marked.or_else(|| blocks.iter().find(|fence| starts_query(without_comments(fence.body)))).map(|fence| fence.body.to_owned())
}

/// The whole text if it is a query. "With pleasure: …" is not: a WITH must name something AS.
fn bare_sql(text: &str) -> Option<String> {
    let query = without_comments(text);
    if !starts_query(query) {
        return None;
    }
    let folded = query.trim_start_matches('(').trim_start().to_ascii_lowercase();
    let is_query = match folded.strip_prefix("with") {
        Some(rest) => rest.contains("select") && rest.split_whitespace().any(|word| word == "as" || word.starts_with("as(")),
        None => true,
    };
    is_query.then(|| text.to_owned())
}

fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, after)| after.trim_start());
    }
    rest
}
