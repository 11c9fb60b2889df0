//! Finds the tables that people made on a sheet, and gives every column a type.
//!
//! A sheet is cut into rectangles (`regions`), each divided into titles, header and data (`layout`, `rows`), its columns named
//! (`names`) and typed (`typing`). Whatever is taken for granted on the way is told in [`Table::assumptions`].

mod beside;
mod cells;
mod classes;
mod clocks;
mod dates;
mod layout;
mod names;
mod numbers;
mod plan;
mod regions;
mod rows;
mod sums;
#[cfg(test)]
mod tests;
mod told;
mod totals;
mod typing;
mod view;

use std::collections::HashMap;

use datagenie_common::model::{language::Language, workbooks::SheetColumnType};

use self::{
    classes::Classes,
    names::{Names, said},
    plan::Plan,
    typing::Typed,
};
use crate::{
    error::ReadError,
    grid::{CellRange, Sheet, Workbook},
    limits::Options,
    skipped::{Skipped, Why},
    texts::{TextId, Texts},
    words::{Said, Words},
};

/// The tables of a workbook, and what is needed to read their values.
#[derive(Default)]
pub struct Tables {
    /// In the order of the sheets and from top left.
    pub tables: Vec<Table>,
    /// Sheets without one.
    pub skipped: Vec<Skipped>,
    /// What was assumed for the whole file.
    pub notes: Vec<Words>,
    /// The texts of [`Values::Texts`].
    pub texts: Texts,
}

/// A table of a sheet, by columns.
pub struct Table {
    /// Unique in the workbook without regard to case, fit for SQL: made of the sheet's name (and a number where it has several tables).
    pub name: String,
    /// The sheet's name.
    pub sheet: String,
    /// Header, data and total rows.
    pub range: CellRange,
    /// Rows of the header.
    pub header_rows: u32,
    /// A line above it that is its title.
    pub title: Option<String>,
    /// The sheet's row of each row of data, counted from 0.
    pub rows: Vec<u32>,
    /// Rows with totals, counted from 0, not among `rows`.
    pub total_rows: Vec<u32>,
    /// What was taken for granted.
    pub assumptions: Vec<Said>,
    /// From left to right; each has a value (or none) for each of `rows`.
    pub columns: Vec<TypedColumn>,
}

/// A column of one type.
pub struct TypedColumn {
    /// Unique in its table without regard to case, on one line, never empty.
    pub name: String,
    /// The sheet's column, counted from 0.
    pub col: u32,
    /// What it holds.
    pub kind: SheetColumnType,
    /// Its values; where `present` is false a value stands without meaning.
    pub values: Values,
    /// Which rows have a value.
    pub present: Vec<bool>,
    /// Cells that are errors; they are not present.
    pub errors: u64,
    /// Of a mixed column, how many values are of each type.
    pub mixture: Vec<(SheetColumnType, u64)>,
}

/// The values of a column, as long as the table has rows.
pub enum Values {
    /// Of [`SheetColumnType::Integer`].
    Integers(Vec<i64>),
    /// Of [`SheetColumnType::Number`]; finite.
    Numbers(Vec<f64>),
    /// Of [`SheetColumnType::Text`] and [`SheetColumnType::Mixed`] (values as a person would see them), trimmed, never empty.
    Texts(Vec<TextId>),
    /// Of [`SheetColumnType::Boolean`].
    Booleans(Vec<bool>),
    /// Of [`SheetColumnType::Date`]: days since 1970-01-01.
    Days(Vec<i32>),
    /// Of [`SheetColumnType::Timestamp`] (microseconds since 1970-01-01) and [`SheetColumnType::Time`] (microseconds).
    Micros(Vec<i64>),
    /// Of [`SheetColumnType::Empty`].
    None,
}

/// Finds the tables of all sheets. Cells are freed as they are typed.
///
/// # Errors
/// [`ReadError::TooLarge`] beyond the limits, [`ReadError::Empty`] if there is no cell with a value. Where there are cells and no table on
/// any sheet, all cells of a sheet are one table without a header.
pub fn find(workbook: Workbook, options: &Options) -> Result<Tables, ReadError> {
    let Workbook { sheets, mut texts, notes } = workbook;
    let mut found = Tables { notes, ..Tables::default() };
    let mut classes = Classes::default();
    let mut names = Names::default();
    let mut shapeless = Vec::new();
    for mut sheet in sheets {
        let why = sheet.left_out.take().or_else(|| (sheet.filled() == 0).then_some(Why::Empty));
        if let Some(why) = why {
            found.skipped.push(Skipped { sheet: sheet.name, why });
            continue;
        }
        let plans = plan::of(&sheet, &texts, &mut classes, options)?;
        if plans.is_empty() {
            found.skipped.push(Skipped { sheet: sheet.name.clone(), why: Why::NoTable });
            shapeless.push(sheet);
            continue;
        }
        let most = options.limits.max_tables;
        if found.tables.len() + plans.len() > most {
            return Err(ReadError::TooLarge(format!("it has more than {most} tables")));
        }
        type_all(&mut sheet, plans, &mut texts, &mut classes, &mut names, &mut found.tables);
    }
    if found.tables.is_empty() && !shapeless.is_empty() {
        // Somebody's few cells are what the file is about, if there is nothing else.
        found.skipped.retain(|skipped| skipped.why != Why::NoTable);
        for mut sheet in shapeless {
            let plan = plan::whole(&sheet, &texts, &mut classes, options)?;
            type_all(&mut sheet, vec![plan], &mut texts, &mut classes, &mut names, &mut found.tables);
        }
    }
    if found.tables.is_empty() {
        let told = found.skipped.iter().map(|skipped| skipped.told(Language::English).text);
        let why: Vec<String> = told.take(5).collect();
        return Err(ReadError::Empty(if why.is_empty() { "it has no sheet with cells".to_owned() } else { why.join(" ") }));
    }
    found.texts = texts;
    Ok(found)
}

/// Types the columns of a sheet's tables, and frees each column of the sheet after the last table that has a part of it.
fn type_all(sheet: &mut Sheet, plans: Vec<Plan>, texts: &mut Texts, classes: &mut Classes, names: &mut Names, tables: &mut Vec<Table>) {
    let mut users: HashMap<u32, usize> = HashMap::new();
    for plan in &plans {
        for &(col, _) in &plan.columns {
            *users.entry(col).or_default() += 1;
        }
    }
    let several = plans.len() > 1;
    for mut plan in plans {
        told::of_sheet(sheet, &plan.range, plan.body, several, &mut plan.assumptions);
        let fills = cells::by_column(&plan.fills);
        let commas = cells::has_decimal_commas(sheet, &plan.columns, plan.body, plan.range.bottom, texts, classes);
        let mut columns = Vec::with_capacity(plan.columns.len());
        for (col, name) in std::mem::take(&mut plan.columns) {
            let mut cells = cells::of(sheet, col, &plan.range, &plan.rows, fills.get(&col).map_or(&[], Vec::as_slice));
            let range = CellRange { top: plan.body, left: col, bottom: plan.range.bottom, right: col }.to_string();
            if columns.is_empty() && cells::fill_outline(&mut cells) {
                plan.assumptions.push(told::of_outline(&name, &range));
            }
            let typed = typing::column(&cells, &name, commas, classes, texts);
            let left = users.entry(col).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                if matches!(typed.kind, SheetColumnType::Integer | SheetColumnType::Number) {
                    plan.assumptions.extend(told::of_signs(sheet.signs(col), &name, &range));
                }
                drop(sheet.take_column(col));
            }
            columns.push(column(typed, name, col, &range, &mut plan.assumptions));
        }
        tables.push(Table {
            name: names::table(&sheet.name, names),
            sheet: sheet.name.clone(),
            range: plan.range,
            header_rows: plan.header_rows,
            title: plan.title,
            rows: plan.rows,
            total_rows: plan.total_rows,
            assumptions: plan.assumptions,
            columns,
        });
    }
}

/// A column with its values; what was assumed for them is told.
fn column(typed: Typed, name: String, col: u32, range: &str, assumptions: &mut Vec<Said>) -> TypedColumn {
    assumptions.extend(typed.assumed.into_iter().map(|(kind, words)| {
        let words = Words::new(format!("‘{name}’ 열: {}.", words.korean), format!("In the column “{name}” {}.", words.english));
        said(kind, words, range)
    }));
    let (kind, values, present, errors, mixture) = (typed.kind, typed.values, typed.present, typed.errors, typed.mixture);
    TypedColumn { name, col, kind, values, present, errors, mixture }
}
