//! Which columns an administrator might want to mask: by what their names and comments say, and by what their values look like. Proposals
//! only: nothing is masked before somebody says so.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use datagenie_common::model::{
    policies::{ColumnMask, MaskKind},
    schemas::{Shape, SourceSchema, Table, TableColumn},
};

use super::{
    said::{Said, is_of_people, of_column},
    textual::is_never_text,
};

/// More proposals than this nobody reads.
const MOST: usize = 1_000;
/// Longer comments tell a story, and name whatever occurs in it.
const COMMENT_CHARS: usize = 30;
/// Digits that a telephone number has at least.
const PHONE_DIGITS: usize = 7;

/// The columns that look personal and are not masked, in the order of their names.
#[must_use]
pub fn proposed_masks(schema: &SourceSchema, masked: &[ColumnMask]) -> Vec<ColumnMask> {
    let key = |schema: &str, table: &str, column: &str| [schema, table, column].map(str::to_lowercase);
    let masked: HashSet<[String; 3]> = masked.iter().map(|mask| key(&mask.schema, &mask.table, &mask.column)).collect();
    let mut proposals = Vec::new();
    for (schema_name, name, table) in schema.tables() {
        let of_people = is_of_people(name) || table.comment.as_deref().and_then(short).is_some_and(is_of_people);
        for (column_name, column) in &table.columns {
            let Some(kind) = kind_of(column_name, column, table, of_people) else { continue };
            if masked.contains(&key(schema_name, name, column_name)) {
                continue;
            }
            if proposals.len() == MOST {
                tracing::debug!("there are more columns that look personal than are proposed");
                return proposals;
            }
            let [schema, table, column] = [schema_name, name, column_name.as_str()].map(str::to_owned);
            proposals.push(ColumnMask { schema, table, column, kind });
        }
    }
    proposals
}

fn kind_of(name: &str, column: &TableColumn, table: &Table, of_people: bool) -> Option<MaskKind> {
    let text = !is_never_text(&column.data_type);
    let shape = column.profile.as_ref().and_then(|profile| profile.shape);
    // What the values are counts for more than what the column is called.
    let shown = match shape {
        Some(Shape::Email) => Some(MaskKind::Email),
        Some(Shape::Phone) => Some(MaskKind::Phone),
        Some(Shape::CardNumber) => Some(MaskKind::CardNumber),
        _ => None,
    };
    if text && shown.is_some() {
        return shown;
    }
    let said = of_column(name).or_else(|| column.comment.as_deref().and_then(short).and_then(of_column))?;
    let kind = match said {
        Said::Surely(kind) => kind,
        Said::Names if of_people => MaskKind::Name,
        Said::Somebody if shape == Some(Shape::PersonName) => MaskKind::Name,
        Said::Names | Said::Somebody => return None,
    };
    let held =
        text || (matches!(kind, MaskKind::Phone | MaskKind::CardNumber) && is_number(&column.data_type) && !is_key(name, column, table));
    (held && !contradicted(kind, column)).then_some(kind)
}

/// A comment that may be another name.
fn short(comment: &str) -> Option<&str> {
    (comment.chars().count() <= COMMENT_CHARS).then_some(comment)
}

/// Types that hold the digits of a telephone's or a card's number.
fn is_number(data_type: &str) -> bool {
    let name = data_type.to_lowercase();
    ["bigint", "int8", "numeric", "decimal", "integer"].iter().any(|word| name.starts_with(word))
}

fn is_key(name: &str, column: &TableColumn, table: &Table) -> bool {
    column.primary_key || table.foreign_keys.iter().any(|key| key.columns.iter().any(|own| own == name))
}

/// Whether what is known of the values is something else than the name says: a `mobile` that is a mark, a `mail` that is a way to pay.
fn contradicted(kind: MaskKind, column: &TableColumn) -> bool {
    let Some(profile) = &column.profile else { return false };
    let other = matches!(profile.shape, Some(Shape::Boolean | Shape::Date | Shape::Timestamp | Shape::Url | Shape::Json | Shape::Uuid));
    let mut seen =
        column.values.iter().chain(profile.frequent.iter().map(|one| &one.value)).chain(&profile.min).chain(&profile.max).peekable();
    if other || seen.peek().is_none() {
        return other;
    }
    let digits = |value: &String| value.chars().filter(char::is_ascii_digit).count();
    match kind {
        MaskKind::Email => !seen.any(|value| value.contains('@')),
        MaskKind::Phone | MaskKind::CardNumber => !seen.any(|value| digits(value) >= PHONE_DIGITS),
        // A name may be anything but a number.
        MaskKind::Name => seen.all(|value| digits(value) == value.chars().count()),
    }
}
