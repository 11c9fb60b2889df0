//! Resources as tables and as lists of their fields.

use std::io;

use chrono::DateTime;
use serde_json::{Value, json};

use crate::{
    client::{Column, Row},
    console::Console,
    exit::Exit,
    screen::{Screen, Style},
    table,
    text::{pad, printable, width},
};

/// A column of a table, or a line of a list.
#[derive(Clone, Copy)]
pub struct Field {
    /// Its heading.
    pub heading: &'static str,
    /// Where its value is in a resource, as a JSON pointer.
    pub at: &'static str,
    /// Whether it is there to be copied: it is never cut.
    pub whole: bool,
}

/// A field that may be cut.
pub const fn field(heading: &'static str, at: &'static str) -> Field {
    Field { heading, at, whole: false }
}

/// A field to be copied.
pub const fn whole(heading: &'static str, at: &'static str) -> Field {
    Field { heading, at, whole: true }
}

/// Prints a list that was asked for: as JSON where that is wanted, else as a table; of none, it says `nothing`.
///
/// # Errors
/// Those of the screen.
pub fn print(console: &mut Console, items: Vec<Value>, fields: &[Field], nothing: &str) -> anyhow::Result<Exit> {
    if console.json {
        console.print_json(&Value::Array(items))?;
    } else {
        show(&mut console.screen, &items, fields, nothing)?;
    }
    Ok(Exit::Answered)
}

/// Prints a resource that was asked for: as JSON where that is wanted, else a line each of its fields.
///
/// # Errors
/// Those of the screen.
pub fn print_one(console: &mut Console, item: &Value, fields: &[Field]) -> anyhow::Result<Exit> {
    if console.json {
        console.print_json(item)?;
    } else {
        details(&mut console.screen, item, fields)?;
    }
    Ok(Exit::Answered)
}

/// Shows resources as a table, with times in UTC; a column that is empty in all of them is left out. Of none, it says `nothing`.
pub fn show(screen: &mut Screen, items: &[Value], fields: &[Field], nothing: &str) -> io::Result<()> {
    if items.is_empty() {
        return screen.line(nothing);
    }
    let filled = |field: &&Field| items.iter().any(|item| !value(item, field.at).is_null());
    let fields: Vec<&Field> = fields.iter().filter(filled).collect();
    let columns: Vec<Column> = fields
        .iter()
        .map(|field| {
            let is_number = items.iter().all(|item| matches!(value(item, field.at), Value::Number(_) | Value::Null));
            let kind = if is_number { "integer" } else { "text" };
            Column { name: field.heading.to_owned(), type_name: kind.to_owned(), kind: Some(kind.to_owned()) }
        })
        .collect();
    let rows: Vec<Row> = items
        .iter()
        .map(|item| {
            fields
                .iter()
                .map(|field| match value(item, field.at) {
                    Value::Null => json!(""),
                    found => found,
                })
                .collect()
        })
        .collect();
    let kept: Vec<usize> = fields.iter().enumerate().filter(|(_, field)| field.whole).map(|(at, _)| at).collect();
    // A list is asked for whole, and its names and ids are there to be copied.
    for line in table::render_whole(&columns, &rows, &kept, screen.list_width()) {
        screen.line(&line)?;
    }
    Ok(())
}

/// Shows the fields of a resource, a line each; empty ones are left out.
pub fn details(screen: &mut Screen, item: &Value, fields: &[Field]) -> io::Result<()> {
    let wide = fields.iter().map(|field| width(field.heading)).max().unwrap_or_default();
    for field in fields {
        let text = match value(item, field.at) {
            Value::Null => continue,
            Value::String(text) => text,
            other => other.to_string(),
        };
        let heading = screen.paint(Style::Dim, &pad(field.heading, wide, false));
        screen.line(&format!("{heading}  {}", printable(&text)))?;
    }
    Ok(())
}

/// How something ended, in words: `failed: timeout: …`.
pub fn outcome(item: &Value) -> String {
    let state = item["state"].as_str().or_else(|| item["status"].as_str()).unwrap_or("ended");
    match value(item, "/error") {
        Value::String(error) => format!("{state}: {error}"),
        _ => state.to_owned(),
    }
}

/// A value as it is shown; null where there is nothing to show.
fn value(item: &Value, at: &str) -> Value {
    match item.pointer(at) {
        None => Value::Null,
        Some(Value::String(text)) if text.is_empty() => Value::Null,
        Some(Value::String(text)) => json!(short_time(text)),
        Some(Value::Bool(flag)) => json!(if *flag { "yes" } else { "no" }),
        Some(Value::Array(all)) if all.is_empty() => Value::Null,
        // A failure is told by its message.
        Some(Value::Object(members)) => match (members.get("message"), members.get("code")) {
            (Some(Value::String(message)), Some(Value::String(code))) => json!(format!("{code}: {message}")),
            (Some(Value::String(message)), _) => json!(message),
            _ => json!(Value::Object(members.clone()).to_string()),
        },
        Some(other) => other.clone(),
    }
}

/// `2026-01-05 09:30:00` of `2026-01-05T09:30:00.123456Z`, in UTC as all times are; any other text as it is.
fn short_time(text: &str) -> String {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) if text.ends_with('Z') => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_people_read_them() {
        let item = json!({"at": "2026-01-05T09:30:00.123456Z", "on": true, "error": {"code": "timeout", "message": "too late"}, "none": null,
            "empty": "", "count": 3, "list": []});
        assert_eq!(value(&item, "/at"), "2026-01-05 09:30:00");
        assert_eq!((value(&item, "/on"), value(&item, "/count")), (json!("yes"), json!(3)));
        assert_eq!(value(&item, "/error"), "timeout: too late");
        assert_eq!(outcome(&json!({"state": "failed", "error": item["error"]})), "failed: timeout: too late");
        assert_eq!(outcome(&json!({"status": "cancelled", "error": null})), "cancelled");
        assert!(["/none", "/empty", "/missing", "/list"].iter().all(|at| value(&item, at).is_null()));
    }

    #[test]
    fn only_times_are_shortened() {
        assert_eq!(short_time("2026-01-05T09:30:00Z"), "2026-01-05 09:30:00");
        assert_eq!(short_time("2026-01-05T09:30:00.5Z"), "2026-01-05 09:30:00");
        assert_eq!(short_time("2026-01-05T09:30:00+09:00"), "2026-01-05T09:30:00+09:00");
        assert_eq!(short_time("가나다라마바사아자차카타파하가나다라마바사.Z"), "가나다라마바사아자차카타파하가나다라마바사.Z");
    }
}
