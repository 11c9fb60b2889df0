//! What a result is made of: the columns that measure, those that label, and a time axis if the labels are one.

use std::collections::HashSet;

use datagenie_common::{
    model::{
        language::Language,
        results::{Column, ColumnKind, ResultView, Row},
    },
    wording::{
        names::{display, is_additive, is_calendar, is_identifier, one_line},
        numbers::Amount,
    },
};
use serde_json::Value;

use super::{
    axis::{self, Axis},
    measures::Measure,
};

/// Longer labels are cut.
const MAX_LABEL: usize = 60;
/// So many label columns are shown together; of more only one.
const JOINED_LABELS: usize = 2;

/// The parts that columns play in a result.
#[derive(Debug)]
pub(crate) struct Shape<'a> {
    /// The result.
    pub(crate) view: ResultView<'a>,
    /// The language of the sentences.
    pub(crate) language: Language,
    /// Columns of numbers that measure something.
    pub(crate) measures: Vec<Measure>,
    /// Columns that say what is measured.
    pub(crate) labels: Vec<usize>,
    /// The rows in the order of time, if one column of time labels them.
    pub(crate) axis: Option<Axis>,
    /// Those of the labels that tell every row from all others; empty: none do.
    told_by: Vec<usize>,
}

impl<'a> Shape<'a> {
    /// Looks at the columns and their values.
    pub(crate) fn of(view: &ResultView<'a>, language: Language) -> Self {
        let mut measures = Vec::new();
        let mut labels = Vec::new();
        for (at, column) in view.columns.iter().enumerate() {
            if is_measure(column, at, view.rows) {
                let name = display(&column.name, language);
                measures.push(Measure::of(view.rows, at, name, is_additive(&column.name)));
            } else if column.kind != ColumnKind::Binary {
                labels.push(at);
            }
        }
        let axis = match labels[..] {
            [only] => axis::find(&view.columns[only], view.rows, only),
            _ => None,
        };
        let told_by = telling(view, &labels, language);
        Self { view: *view, language, measures, labels, axis, told_by }
    }

    /// Whether each row has a name of its own, by which a sentence can speak of it.
    pub(crate) fn is_labelled(&self) -> bool {
        self.axis.is_some() || !self.told_by.is_empty()
    }

    /// Whether the rows are not the whole answer, so that sums over them are not either.
    pub(crate) fn is_partial(&self) -> bool {
        is_partial(&self.view)
    }

    /// What a row is called.
    pub(crate) fn label(&self, row: usize) -> String {
        if let Some(axis) = &self.axis
            && let Some(label) = axis.label(row)
        {
            let name = self.labels.first().and_then(|column| self.view.columns.get(*column)).filter(|_| axis.recurring);
            // A bare 14 says nothing without its `hour`.
            return name.map_or_else(|| label.to_owned(), |column| format!("{} {label}", display(&column.name, self.language)));
        }
        let shown = if self.told_by.is_empty() { &self.labels } else { &self.told_by };
        let texts: Vec<String> = shown.iter().take(JOINED_LABELS).map(|column| self.named_cell(row, *column)).collect();
        texts.join(" · ")
    }

    // An identifier is said with its name (`id 10011`), everything else speaks for itself.
    fn named_cell(&self, row: usize, column: usize) -> String {
        let text = self.cell(row, column);
        match self.view.columns.get(column) {
            Some(column) if is_identifier(&column.name) => format!("{} {text}", display(&column.name, self.language)),
            _ => text,
        }
    }

    /// A cell as a sentence shows it.
    pub(crate) fn cell(&self, row: usize, column: usize) -> String {
        let value = self.view.rows.get(row).and_then(|row| row.get(column)).unwrap_or(&Value::Null);
        match self.view.columns.get(column) {
            Some(column) => cell_text(column, value, self.language),
            None => String::new(),
        }
    }
}

/// Whether rows are missing from the view, or from the result.
pub(crate) fn is_partial(view: &ResultView<'_>) -> bool {
    view.truncated || !view.complete
}

/// The label columns by which to call the rows: their values differ in all of them. What is written comes before identifiers; `status`
/// and the like, which many rows share, name none.
fn telling(view: &ResultView<'_>, labels: &[usize], language: Language) -> Vec<usize> {
    let shown = |row: &Row, at: usize| match (view.columns.get(at), row.get(at)) {
        (Some(column), Some(value)) => cell_text(column, value, language),
        _ => String::new(),
    };
    let differ = |columns: &[usize]| {
        let mut seen = HashSet::new();
        view.rows.iter().all(|row| seen.insert(columns.iter().map(|at| shown(row, *at)).collect::<Vec<_>>()))
    };
    let (identifiers, plain): (Vec<usize>, Vec<usize>) = labels.iter().copied().partition(|at| is_identifier(&view.columns[*at].name));
    let identifier = identifiers.into_iter().find(|at| differ(&[*at]));
    if identifier.is_none() && (1..=JOINED_LABELS).contains(&plain.len()) && differ(&plain) {
        return plain;
    }
    let is_text = |at: &usize| view.columns[*at].kind == ColumnKind::Text;
    let text = plain.iter().copied().filter(is_text).find(|at| differ(&[*at]));
    let single = text.or(identifier).or_else(|| plain.iter().copied().find(|at| differ(&[*at])));
    match single {
        Some(single) => vec![single],
        None if labels.len() == JOINED_LABELS && differ(labels) => labels.to_vec(),
        None => Vec::new(),
    }
}

fn is_measure(column: &Column, at: usize, rows: &[Row]) -> bool {
    if !column.kind.is_numeric() || is_identifier(&column.name) {
        return false;
    }
    !(is_calendar(&column.name) && rows.iter().filter_map(|row| row.get(at)).all(|cell| cell.is_null() || axis::is_calendar_number(cell)))
}

/// A cell as a sentence shows it: quantities with thousands separators, years and identifiers without, midnights as days.
pub(crate) fn cell_text(column: &Column, value: &Value, language: Language) -> String {
    let empty = match language {
        Language::Korean => "(빈 값)",
        Language::English => "(empty)",
    };
    match value {
        Value::Null => empty.to_owned(),
        Value::Bool(is) => is.to_string(),
        Value::Number(_) | Value::String(_) if column.kind.is_numeric() => number_text(column, value),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.trim().is_empty() => empty.to_owned(),
        Value::String(text) if column.kind.is_temporal() => one_line(axis::without_midnight(text), MAX_LABEL),
        Value::String(text) => one_line(text, MAX_LABEL),
        Value::Object(_) if column.kind == ColumnKind::Binary => "(binary)".to_owned(),
        Value::Array(_) | Value::Object(_) => one_line(&value.to_string(), MAX_LABEL),
    }
}

fn number_text(column: &Column, value: &Value) -> String {
    let as_is = || match value {
        Value::String(text) => one_line(text, MAX_LABEL),
        other => other.to_string(),
    };
    let is_quantity = !(is_identifier(&column.name) || is_calendar(&column.name) && axis::is_calendar_number(value));
    Amount::of(value).filter(|_| is_quantity).map_or_else(as_is, |amount| amount.show())
}
