//! Filling a model's sentence: it may only word, every number comes from the rows. A sentence that brings numbers of its own is refused.

#[cfg(test)]
mod tests;
mod wording;

use std::cmp::Ordering;

use datagenie_common::{
    model::{
        language::Language,
        results::{ColumnKind, ResultView},
    },
    wording::numbers::{Amount, grouped},
};

use super::insights::{
    measures::Measure,
    shape::{cell_text, is_partial},
};

/// The longest proposal, in characters.
const MAX_PROPOSED: usize = 600;
/// The longest sentence once filled.
const MAX_FILLED: usize = 2000;

/// Why a proposed sentence is not used. Holds no data of the customer's, only words of the proposal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// Over 600 characters, or far more once filled.
    #[error("it is too long")]
    TooLong,
    /// A brace without its other half, or one inside another.
    #[error("its braces do not pair")]
    Unbalanced,
    /// Two placeholders without a word between, which would run two numbers together.
    #[error("two placeholders touch")]
    Touching,
    /// Not one of the eight placeholders.
    #[error("`{{{0}}}` is no placeholder")]
    UnknownPlaceholder(String),
    /// No column of that name.
    #[error("no column is named `{0}`")]
    UnknownColumn(String),
    /// Several columns of that name.
    #[error("several columns are named `{0}`")]
    AmbiguousColumn(String),
    /// No value to fill in: no rows, NULL, or a column without numbers.
    #[error("`{{{0}}}` has no value")]
    NoValue(String),
    /// A number, in digits, signs or words, that is neither in a placeholder nor in the question.
    #[error("it holds a number of its own: `{0}`")]
    OwnNumber(String),
    /// A placeholder that speaks of all rows, where there are only the first ones.
    #[error("`{{{0}}}` speaks of the whole of a result of which only a part is there")]
    OfPart(String),
}

/// A piece of a proposal.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece<'a> {
    Words(&'a str),
    /// What stands between the braces.
    Placeholder(&'a str),
}

/// Fills the placeholders `{rows}`, `{first.COLUMN}`, `{last.…}`, `{sum.…}`, `{avg.…}`, `{min.…}`, `{max.…}` and `{count.…}` of a proposed
/// sentence. What is filled in is never read for placeholders again.
///
/// # Errors
/// [`Rejection`] if the proposal is not to be used.
pub fn fill(proposed: &str, view: &ResultView<'_>, question: &str, language: Language) -> Result<String, Rejection> {
    let line = proposed.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return Err(Rejection::Empty);
    }
    if line.chars().count() > MAX_PROPOSED {
        return Err(Rejection::TooLong);
    }
    let pieces = pieces(&line)?;
    if pieces.windows(2).any(|pair| matches!(pair, [Piece::Placeholder(_), Piece::Placeholder(_)])) {
        return Err(Rejection::Touching);
    }
    let mut filled = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Words(words) => {
                let place = wording::Place { after_value: at > 0, before_value: at + 1 < pieces.len() };
                wording::check(words, place, question).map_err(Rejection::OwnNumber)?;
                filled.push_str(words);
            }
            Piece::Placeholder(name) => filled.push_str(&value(name, view, language)?),
        }
    }
    if filled.chars().count() > MAX_FILLED {
        return Err(Rejection::TooLong);
    }
    Ok(filled)
}

// Words and placeholders take turns, so a piece that is not at an end has a placeholder on either side.
fn pieces(line: &str) -> Result<Vec<Piece<'_>>, Rejection> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['{', '}']) {
        let (words, from_brace) = rest.split_at(at);
        let inner = from_brace.strip_prefix('{').ok_or(Rejection::Unbalanced)?;
        let end = inner.find(['{', '}']).ok_or(Rejection::Unbalanced)?;
        if inner[end..].starts_with('{') {
            return Err(Rejection::Unbalanced);
        }
        if !words.is_empty() {
            pieces.push(Piece::Words(words));
        }
        pieces.push(Piece::Placeholder(inner[..end].trim()));
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Words(rest));
    }
    Ok(pieces)
}

fn value(placeholder: &str, view: &ResultView<'_>, language: Language) -> Result<String, Rejection> {
    let no_value = || Rejection::NoValue(placeholder.to_owned());
    if placeholder == "rows" {
        return Ok(grouped(&view.row_count.to_string()));
    }
    let unknown = || Rejection::UnknownPlaceholder(placeholder.to_owned());
    let (what, column) = placeholder.split_once('.').ok_or_else(unknown)?;
    if !["first", "last", "sum", "avg", "min", "max", "count"].contains(&what) {
        return Err(unknown());
    }
    let at = column_named(column.trim(), view)?;
    if what == "first" {
        return cell(view, 0, at, language).ok_or_else(no_value);
    }
    // The last of the first rows is as little the last as their sum is the sum.
    if is_partial(view) {
        return Err(Rejection::OfPart(placeholder.to_owned()));
    }
    match what {
        "last" => cell(view, view.rows.len().saturating_sub(1), at, language).ok_or_else(no_value),
        "count" => {
            let present = view.rows.iter().filter(|row| row.get(at).is_some_and(|value| !value.is_null())).count();
            Ok(grouped(&present.to_string()))
        }
        _ => computed(what, view, at, language).ok_or_else(no_value),
    }
}

fn column_named(name: &str, view: &ResultView<'_>) -> Result<usize, Rejection> {
    let named = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        view.columns.iter().enumerate().filter(|(_, column)| same(&column.name)).map(|(at, _)| at).collect()
    };
    let exact = named(&|other| other == name);
    let found = if exact.is_empty() { named(&|other| other.to_lowercase() == name.to_lowercase()) } else { exact };
    match found[..] {
        [only] => Ok(only),
        [] => Err(Rejection::UnknownColumn(name.to_owned())),
        _ => Err(Rejection::AmbiguousColumn(name.to_owned())),
    }
}

/// A cell's text; none for NULL and for bytes.
fn cell(view: &ResultView<'_>, row: usize, at: usize, language: Language) -> Option<String> {
    let column = view.columns.get(at).filter(|column| column.kind != ColumnKind::Binary)?;
    let value = view.rows.get(row)?.get(at).filter(|value| !value.is_null())?;
    Some(cell_text(column, value, language))
}

fn computed(what: &str, view: &ResultView<'_>, at: usize, language: Language) -> Option<String> {
    let kind = view.columns.get(at)?.kind;
    if kind.is_temporal() && matches!(what, "min" | "max") {
        return extreme_time(what, view, at, language);
    }
    if !kind.is_numeric() {
        return None;
    }
    let measure = Measure::of(view.rows, at, String::new(), true);
    let shown = |row: &(usize, Amount)| cell(view, row.0, at, language);
    match what {
        "sum" => measure.total().map(|sum| sum.show()),
        "avg" => measure.average().map(|average| average.show()),
        "min" => measure.values.iter().min_by(|a, b| a.1.compare(&b.1)).and_then(shown),
        _ => measure.values.iter().max_by(|a, b| a.1.compare(&b.1)).and_then(shown),
    }
}

// ISO dates and times of one column sort as text; others (infinity, BC) have no place in that order.
fn extreme_time(what: &str, view: &ResultView<'_>, at: usize, language: Language) -> Option<String> {
    let mut times: Vec<(&str, usize)> = Vec::new();
    for (row, cells) in view.rows.iter().enumerate() {
        match cells.get(at)? {
            serde_json::Value::Null => {}
            serde_json::Value::String(text) if text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with("BC") => {
                times.push((text.as_str(), row));
            }
            _ => return None,
        }
    }
    let wanted = if what == "min" { Ordering::Less } else { Ordering::Greater };
    let found = times.into_iter().reduce(|best, time| if time.0.cmp(best.0) == wanted { time } else { best })?;
    cell(view, found.1, at, language)
}
