//! How each engine folds and quotes names, and which known name is nearest to a misspelt one.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::refusal::{Checked, Refusal};

/// PostgreSQL cuts longer identifiers off.
const POSTGRES_BYTES: usize = 63;

/// The identifier's own text, its quotes undone.
pub(super) fn text(ident: &Ident) -> String {
    match ident.quote_style {
        Some(quote @ ('"' | '`' | '\'')) => ident.value.replace(&format!("{quote}{quote}"), &quote.to_string()),
        _ => ident.value.clone(),
    }
}

/// The form in which an identifier is compared.
pub(super) fn key(db: DbType, ident: &Ident) -> String {
    match (db, ident.quote_style) {
        (DbType::Postgresql, None) => cut(ident.value.to_ascii_lowercase()),
        (DbType::Postgresql, Some(_)) => cut(text(ident)),
        (DbType::Mysql, _) => folded(&text(ident)),
        (DbType::Sqlite, _) => text(ident).to_ascii_lowercase(),
    }
}

// MySQL compares the names of columns without case by Unicode's simple folding, one character for one: to it the Kelvin sign is a K.
fn folded(name: &str) -> String {
    name.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

/// The same for a name as the catalogue has it.
pub(super) fn catalog_key(db: DbType, name: &str) -> String {
    match db {
        DbType::Postgresql => name.to_owned(),
        DbType::Mysql => folded(name),
        DbType::Sqlite => name.to_ascii_lowercase(),
    }
}

/// The name a column of this identifier gets: PostgreSQL folds it, the others keep it.
pub(super) fn shown(db: DbType, ident: &Ident) -> String {
    match db {
        DbType::Postgresql => key(db, ident),
        DbType::Mysql | DbType::Sqlite => text(ident),
    }
}

/// An identifier that means exactly this name. Literals are kept as written (`unescape` is off), so quotes are doubled here.
pub(super) fn quoted(db: DbType, name: &str) -> Ident {
    // SQLite would take an unknown name in double quotes for a text.
    let quote = if db == DbType::Postgresql { '"' } else { '`' };
    Ident::with_quote(quote, name.replace(quote, &format!("{quote}{quote}")))
}

/// The parts of a dotted name.
pub(super) fn parts(name: &ObjectName) -> Checked<Vec<&Ident>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Ok(ident),
            ObjectNamePart::Function(_) => Err(Refusal::refused(format!("The name `{name}` is not allowed here."))),
        })
        .collect()
}

fn cut(mut name: String) -> String {
    if name.len() > POSTGRES_BYTES {
        let end = (0..=POSTGRES_BYTES).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
        name.truncate(end);
    }
    name
}

/// The nearest of the names, if one is near enough to be meant.
pub(super) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().take(64).collect();
    let limit = (wanted.len() / 3).clamp(1, 4);
    names
        .take(2_000)
        .map(|name| (distance(&wanted, &name.to_lowercase().chars().take(64).collect::<Vec<_>>()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

// Levenshtein's distance, one row at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
