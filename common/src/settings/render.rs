//! The settings for people: a commented default file and the text of `--help`.

use std::fmt::Write;

use super::{
    keys::{Fallback, KEYS, Key, Kind},
    programs::{Program, used_by},
};

/// A configuration file that holds every setting, commented out, with its meaning and its default.
#[must_use]
pub fn default_file() -> String {
    let mut text = String::from(
        "# DataGenie: every setting with its default. Take the # away to change one.\n\
         # Environment variables override this file, and so do the rows of the table system_settings.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (its_section, name) = key.parts();
        if its_section != section {
            section = its_section;
            push(&mut text, format_args!("\n[{section}]\n"));
        }
        push(&mut text, format_args!("# {}\n# {}\n# {name} = {}\n", key.doc, facts(key), value(key)));
    }
    text
}

/// The settings as `--help` lists them.
#[must_use]
pub fn help() -> String {
    let mut text = String::from(
        "Settings, in this order: environment variable, table system_settings, configuration file\n\
         (--config FILE or DATAGENIE_CONFIG), default.\n",
    );
    for key in KEYS {
        push(&mut text, format_args!("\n  {}  [{}]\n      {}\n      {}\n", key.environment(), default(key), key.doc, facts(key)));
    }
    text
}

/// The tables of docs/settings.md: every setting with its form, default, users, and whether a change needs a restart.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        let (its_section, name) = key.parts();
        if its_section != section {
            section = its_section;
            push(&mut text, format_args!("\n## `[{section}]`\n\n"));
            text.push_str("| key | value | default | used by | a change | meaning |\n| --- | --- | --- | --- | --- | --- |\n");
        }
        let users: Vec<&str> = used_by(key).iter().map(|program| program.as_str()).collect();
        let users = if users.len() == Program::ALL.len() { "all".to_owned() } else { users.join(", ") };
        let change = key.stored.map_or_else(|| "restart".to_owned(), |stored| format!("live: `{stored}`"));
        let alias = key.alias.map(|alias| format!(" Also `{alias}`.")).unwrap_or_default();
        let row = [
            format!("`{name}`"),
            key.kind.expected(),
            default(key).trim_start_matches("default: ").to_owned(),
            users,
            change,
            format!("{}{alias}", key.doc),
        ];
        push(&mut text, format_args!("| {} |\n", row.map(|cell| cell.replace('|', "\\|")).join(" | ")));
    }
    text
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(piece);
}

/// What is expected and where else it may be set, in one line.
fn facts(key: &Key) -> String {
    let mut facts = format!("Expected: {}. Environment: {}", key.kind.expected(), key.environment());
    if let Some(alias) = key.alias {
        push(&mut facts, format_args!(" or {alias}"));
    }
    facts.push('.');
    if let Some(stored) = key.stored {
        push(&mut facts, format_args!(" system_settings: {stored}."));
    }
    facts
}

fn default(key: &Key) -> String {
    match key.fallback {
        Fallback::Required => "required".to_owned(),
        Fallback::Absent => "not set".to_owned(),
        Fallback::SameAs(other) => format!("default: as {other}"),
        Fallback::Value("") => "default: empty".to_owned(),
        Fallback::Value(value) => format!("default: {value}"),
    }
}

/// The default as TOML; empty text for what has none, which counts as not set.
fn value(key: &Key) -> String {
    match (key.fallback, key.kind) {
        (Fallback::Value(value), Kind::Integer(..) | Kind::Decimal(..) | Kind::Boolean) => value.to_owned(),
        (Fallback::Value(value), _) => format!("\"{value}\""),
        _ => "\"\"".to_owned(),
    }
}
