//! The sentence above a result: a model's wording with the rows' numbers, or a computed text.

#[cfg(test)]
mod tests;

use datagenie_common::{
    model::{
        language::Language,
        results::{ColumnKind, ResultView},
    },
    wording::{capital, josa::topic, names::display, numbers::grouped},
};

use super::{
    fill::fill,
    insights::{
        bottom,
        measures::Measure,
        range,
        shape::{Shape, is_partial},
        top, total, trend,
    },
};

/// So many columns of a row are told.
const TOLD_COLUMNS: usize = 5;

/// The summary of a result, and whether it is the proposed one. `proposed` is a model's sentence with placeholders (see [`fill`]); one that
/// brings numbers of its own or cannot be filled gives way to the computed text. A result that is not whole says so.
#[must_use]
pub fn summary(view: &ResultView<'_>, question: &str, language: Language, proposed: Option<&str>) -> (String, bool) {
    let filled = proposed.filter(|_| !view.rows.is_empty()).and_then(|proposed| match fill(proposed, view, question, language) {
        Ok(filled) => Some(filled),
        Err(rejection) => {
            tracing::debug!(%rejection, "proposed summary not used");
            None
        }
    });
    let from_proposal = filled.is_some();
    let mut text = filled.unwrap_or_else(|| computed(view, language));
    // Of a result cut off before its first row all is said.
    if is_partial(view) && !(view.truncated && view.rows.is_empty() && view.row_count == 0) {
        text.push(' ');
        text.push_str(&remark(view, language));
    }
    (text, from_proposal)
}

fn remark(view: &ResultView<'_>, language: Language) -> String {
    let (all, first) = (grouped(&view.row_count.to_string()), grouped(&view.rows.len().to_string()));
    match (language, view.truncated, view.complete) {
        (Language::Korean, true, true) => format!("(결과가 한도에서 잘려 처음 {first}개 행만 반영했습니다.)"),
        (Language::Korean, true, false) => format!("(결과가 한도에서 {all}개 행으로 잘렸고, 처음 {first}개 행만 반영했습니다.)"),
        (Language::Korean, false, _) => format!("(전체 {all}개 행 중 처음 {first}개 행만 반영했습니다.)"),
        (Language::English, true, true) => {
            format!("(The result was cut off at a limit; this covers its first {first} rows only.)")
        }
        (Language::English, true, false) => {
            format!("(The result was cut off at {all} rows; this covers the first {first} only.)")
        }
        (Language::English, false, _) => format!("(This covers the first {first} of {all} rows only.)"),
    }
}

fn computed(view: &ResultView<'_>, language: Language) -> String {
    let shape = Shape::of(view, language);
    let told = match view.rows.len() {
        0 => return no_rows(view, language),
        1 if is_partial(view) => one_row_text(&shape),
        1 => single(&shape),
        _ => series(&shape).or_else(|| ranking(&shape)),
    };
    told.unwrap_or_else(|| list(&shape))
}

fn no_rows(view: &ResultView<'_>, language: Language) -> String {
    match language {
        // Rows that are not at hand are no empty result.
        _ if view.row_count > 0 => rows_text(view, language),
        // Cut off before its first row: nobody knows whether there is one.
        Language::Korean if view.truncated => "결과가 첫 행 전에 한도에서 잘렸습니다.".to_owned(),
        Language::English if view.truncated => "The result was cut off at a limit before its first row.".to_owned(),
        Language::Korean => "조건에 맞는 데이터가 없습니다.".to_owned(),
        Language::English => "No rows match.".to_owned(),
    }
}

fn rows_text(view: &ResultView<'_>, language: Language) -> String {
    let rows = grouped(&view.row_count.to_string());
    match language {
        Language::Korean => format!("결과는 {rows}개 행입니다."),
        Language::English if view.row_count == 1 => format!("There is {rows} row."),
        Language::English => format!("There are {rows} rows."),
    }
}

/// One row: a value, a label and its measure, or several columns.
fn single(shape: &Shape<'_>) -> Option<String> {
    match shape.view.columns {
        [] => None,
        [column] => {
            let name = display(&column.name, shape.language);
            Some(match is_null(shape, 0) {
                true if is_expression(&column.name) => empty_value(&name, shape.language),
                true => no_value(&name, shape.language),
                false => value_is(&name, &shape.cell(0, 0), shape.language),
            })
        }
        [_, _] => pair(shape).or_else(|| one_row_text(shape)),
        _ => one_row_text(shape),
    }
}

fn is_null(shape: &Shape<'_>, column: usize) -> bool {
    shape.view.rows.first().and_then(|row| row.get(column)).is_none_or(serde_json::Value::is_null)
}

/// Whether a column is called by an expression without columns (`1 / 0`, `NULL`), or by nothing: that no data match is no reason then.
fn is_expression(name: &str) -> bool {
    name == "?column?" || name.eq_ignore_ascii_case("null") || !name.chars().any(char::is_alphabetic)
}

fn empty_value(name: &str, language: Language) -> String {
    match language {
        Language::Korean => format!("{name} 값이 비어 있습니다."),
        Language::English => format!("{} is empty.", capital(name)),
    }
}

fn no_value(name: &str, language: Language) -> String {
    match language {
        Language::Korean => format!("조건에 맞는 데이터가 없어 {} 값이 없습니다.", topic(name)),
        Language::English => format!("No data match, so {name} has no value."),
    }
}

fn value_is(name: &str, value: &str, language: Language) -> String {
    match language {
        Language::Korean => format!("{} {value}입니다.", topic(name)),
        Language::English => format!("{} is {value}.", capital(name)),
    }
}

fn pair(shape: &Shape<'_>) -> Option<String> {
    let ([label], [measure]) = (&shape.labels[..], &shape.measures[..]) else { return None };
    if is_null(shape, *label) || is_null(shape, measure.column) {
        return None;
    }
    let (label, value) = (shape.label(0), shape.cell(0, measure.column));
    Some(match shape.language {
        Language::Korean => format!("{label}의 {} {value}입니다.", topic(&measure.name)),
        Language::English => format!("{} of {label} is {value}.", capital(&measure.name)),
    })
}

/// `name: value, name: value`. Where not all columns are told, those that measure something come first: they are what was asked for.
fn one_row_text(shape: &Shape<'_>) -> Option<String> {
    let mut columns: Vec<_> = shape.view.columns.iter().enumerate().filter(|(_, column)| column.kind != ColumnKind::Binary).collect();
    if columns.len() > TOLD_COLUMNS {
        columns.sort_by_key(|(at, _)| !shape.measures.iter().any(|measure| measure.column == *at));
    }
    let told: Vec<String> = columns
        .into_iter()
        .take(TOLD_COLUMNS)
        .map(|(at, column)| format!("{}: {}", display(&column.name, shape.language), shape.cell(0, at)))
        .collect();
    (!told.is_empty()).then(|| format!("{}.", told.join(", ")))
}

fn series(shape: &Shape<'_>) -> Option<String> {
    trend(shape, shape.measures.first()?).map(|insight| insight.text)
}

/// The largest, and the total or the range.
fn ranking(shape: &Shape<'_>) -> Option<String> {
    let measure = shape.measures.first()?;
    if !shape.is_labelled() {
        return total(shape, measure).or_else(|| range(shape, measure)).map(|insight| insight.text);
    }
    let first = bottom(shape, measure).or_else(|| top(shape, measure))?.text;
    Some(match whole(shape, measure) {
        Some(second) => format!("{first} {second}"),
        None => first,
    })
}

fn whole(shape: &Shape<'_>, measure: &Measure) -> Option<String> {
    let insight = if measure.additive { total(shape, measure) } else { range(shape, measure) };
    insight.map(|insight| insight.text)
}

/// How many rows, and the first.
fn list(shape: &Shape<'_>) -> String {
    let rows = rows_text(&shape.view, shape.language);
    let columns = shape.view.columns.iter().enumerate().filter(|(_, column)| column.kind != ColumnKind::Binary).take(TOLD_COLUMNS);
    let cells: Vec<String> = columns.map(|(at, _)| shape.cell(0, at)).collect();
    if shape.view.rows.is_empty() || cells.is_empty() {
        return rows;
    }
    match shape.language {
        Language::Korean => format!("{rows} 첫 행: {}.", cells.join(", ")),
        Language::English => format!("{rows} The first: {}.", cells.join(", ")),
    }
}
