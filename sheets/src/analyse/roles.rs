//! What the columns of a table are to charts and sentences: points in time, categories, measures.

use datagenie_common::{
    analyses::{AnalysedColumn, AnalysedTable},
    charts::Unit,
    model::{language::Language, workbooks::SheetColumnType},
    wording::names::{display, is_additive, is_calendar, is_identifier},
};

use super::relations::{Found, Place, is_running_number};
use crate::tables::{Table, TypedColumn, Values};

/// More different values are no categories.
pub(super) const MAX_CATEGORIES: u64 = 30;
/// Years that a whole number may be.
const YEARS: std::ops::RangeInclusive<i64> = 1_900..=2_100;
/// Words of names that say what a table is about.
const IMPORTANT: &[&str] =
    &["매출", "금액", "총액", "합계", "판매액", "비용", "예산", "급여", "amount", "revenue", "sales", "total", "cost", "budget"];
const COUNTED: &[&str] = &["수량", "건수", "개수", "인원", "quantity", "qty", "count"];
/// Times that say nothing of when things happened.
const OTHER_TIMES: &[&str] = &["생년", "생일", "birth", "updated", "수정", "변경"];

/// A column that measures something.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    pub(super) column: usize,
    /// What it is called in a sentence.
    pub(super) name: String,
    /// Whether its sum means anything.
    pub(super) additive: bool,
    pub(super) unit: Unit,
}

/// The columns by what they are good for, the best first.
#[derive(Debug, Default)]
pub(super) struct Roles {
    /// Days and moments, and whole numbers that are years.
    pub(super) times: Vec<usize>,
    /// Columns of few different values.
    pub(super) categories: Vec<usize>,
    pub(super) measures: Vec<Measure>,
}

impl Roles {
    /// Looks at names, types and figures.
    pub(super) fn of(index: usize, seen: &AnalysedTable, table: &Table, found: &Found, language: Language) -> Self {
        let mut roles = Self::default();
        let columns = || seen.columns.iter().zip(&table.columns).enumerate();
        let is_key = |column: usize| found.keys.get(index).copied().flatten() == Some(column);
        let refers = |column: usize| found.referring.contains(&Place { table: index, column });
        for (at, (column, typed)) in columns() {
            if column.distinct < 2 || column.nulls * 2 > seen.rows {
                continue;
            }
            if is_time(column, typed) {
                roles.times.push(at);
            } else if is_category(column, seen.rows) {
                roles.categories.push(at);
            } else if matches!(column.kind, SheetColumnType::Integer | SheetColumnType::Number) && !is_key(at) && !refers(at) {
                roles.measures.extend(measure(at, column, seen, language));
            }
        }
        roles.times.sort_by_key(|at| {
            seen.columns.get(*at).map(|column| (says(&column.name, OTHER_TIMES), column.kind == SheetColumnType::Integer))
        });
        roles.categories.sort_by_key(|at| {
            let distinct = seen.columns.get(*at).map_or(0, |column| column.distinct);
            let named = seen.columns.get(*at).is_some_and(|column| is_identifier(&column.name));
            (named || refers(*at), !(3..=12).contains(&distinct))
        });
        roles.measures.sort_by_key(|measure| {
            let name = seen.columns.get(measure.column).map_or("", |column| column.name.as_str());
            (!measure.additive, !says(name, IMPORTANT), !says(name, COUNTED))
        });
        roles
    }

    /// The most telling measure whose sum means anything.
    pub(super) fn total(&self) -> Option<&Measure> {
        self.measures.first().filter(|measure| measure.additive)
    }
}

fn says(name: &str, words: &[&str]) -> bool {
    let name = name.to_lowercase();
    words.iter().any(|word| name.contains(word))
}

fn is_time(column: &AnalysedColumn, typed: &TypedColumn) -> bool {
    match column.kind {
        SheetColumnType::Date | SheetColumnType::Timestamp => true,
        SheetColumnType::Integer => is_calendar(&column.name) && are_years(typed),
        SheetColumnType::Number
        | SheetColumnType::Text
        | SheetColumnType::Time
        | SheetColumnType::Boolean
        | SheetColumnType::Mixed
        | SheetColumnType::Empty => false,
    }
}

fn are_years(typed: &TypedColumn) -> bool {
    let Values::Integers(numbers) = &typed.values else { return false };
    numbers.iter().zip(&typed.present).all(|(number, present)| !present || YEARS.contains(number))
}

// Of a short table the names of its rows are categories, too.
fn is_category(column: &AnalysedColumn, rows: u64) -> bool {
    let few = column.distinct <= MAX_CATEGORIES && (column.distinct < rows || rows <= MAX_CATEGORIES);
    few && matches!(column.kind, SheetColumnType::Text | SheetColumnType::Boolean)
}

fn measure(at: usize, column: &AnalysedColumn, seen: &AnalysedTable, language: Language) -> Option<Measure> {
    // Months, weeks and hours, and numbers that only tell rows apart.
    if is_identifier(&column.name)
        || is_running_number(&column.name)
        || (is_calendar(&column.name) && column.kind == SheetColumnType::Integer)
    {
        return None;
    }
    let ends = [&column.min, &column.max].into_iter().flatten().filter_map(serde_json::Value::as_f64);
    let unit = Unit::of_column(&column.name, ends);
    let unit = if unit == Unit::None && is_percent(seen, column) { Unit::Fraction } else { unit };
    let additive = is_additive(&column.name) && !matches!(unit, Unit::Percent | Unit::Fraction);
    Some(Measure { column: at, name: display(&column.name, language), additive, unit })
}

// Whether the cells are shown as percentages, so that 0.12 is 12 %.
fn is_percent(seen: &AnalysedTable, column: &AnalysedColumn) -> bool {
    let in_column = |range: &str| {
        let first = range.split(':').next().unwrap_or_default();
        first.trim_end_matches(|c: char| c.is_ascii_digit()) == column.column
    };
    seen.assumptions.iter().any(|assumption| assumption.kind == "percent" && assumption.range.as_deref().is_some_and(in_column))
}
