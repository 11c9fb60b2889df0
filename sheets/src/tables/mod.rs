//! Finds the tables that people made on a sheet, and gives every column a type.
//!
//! A sheet is cut into rectangles (`regions`), each divided into titles, header and data (`layout`, `rows`), its columns named
//! (`names`) and typed (`typing`). Whatever is taken for granted on the way is told in [`Table::assumptions`].

mod beside;
mod classes;
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
mod typing;
mod view;

use std::collections::HashMap;

use datagenie_common::{
    analyses::{Assumption, SkippedSheet},
    model::workbooks::SheetColumnType,
};

use self::{
    classes::Classes,
    names::{Names, said},
    plan::Plan,
};
use crate::{
    error::ReadError,
    grid::{Cell, CellRange, Sheet, Workbook},
    limits::Options,
    texts::{TextId, Texts},
};

/// The tables of a workbook, and what is needed to read their values.
#[derive(Default)]
pub struct Tables {
    /// In the order of the sheets and from top left.
    pub tables: Vec<Table>,
    /// Sheets without one.
    pub skipped: Vec<SkippedSheet>,
    /// What was assumed for the whole file.
    pub notes: Vec<String>,
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
    pub assumptions: Vec<Assumption>,
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
/// [`ReadError::TooLarge`] beyond the limits, [`ReadError::Empty`] if there is no table at all.
pub fn find(workbook: Workbook, options: &Options) -> Result<Tables, ReadError> {
    let Workbook { sheets, mut texts, notes } = workbook;
    let mut found = Tables { notes, ..Tables::default() };
    let mut classes = Classes::default();
    let mut names = Names::default();
    for mut sheet in sheets {
        if sheet.filled() == 0 {
            found.skipped.push(without_cells(&sheet));
            continue;
        }
        let plans = plan::of(&sheet, &texts, &mut classes, options)?;
        if plans.is_empty() {
            let text = format!("The sheet “{}” has cells, but no table: two rows or two columns that belong together.", sheet.name);
            found.skipped.push(SkippedSheet { sheet: sheet.name.clone(), reason: "no_table".to_owned(), text });
            continue;
        }
        let most = options.limits.max_tables;
        if found.tables.len() + plans.len() > most {
            return Err(ReadError::TooLarge(format!("it has more than {most} tables")));
        }
        type_all(&mut sheet, plans, &mut texts, &mut classes, &mut names, &mut found.tables);
    }
    if found.tables.is_empty() {
        let why: Vec<&str> = found.skipped.iter().map(|skipped| skipped.text.as_str()).take(5).collect();
        return Err(ReadError::Empty(if why.is_empty() { "it has no sheet with cells".to_owned() } else { why.join(" ") }));
    }
    found.texts = texts;
    Ok(found)
}

fn without_cells(sheet: &Sheet) -> SkippedSheet {
    let (reason, text) = if sheet.hidden {
        ("hidden", format!("The sheet “{}” is hidden and was left out.", sheet.name))
    } else {
        ("empty", format!("The sheet “{}” is empty.", sheet.name))
    };
    SkippedSheet { sheet: sheet.name.clone(), reason: reason.to_owned(), text }
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
    for plan in plans {
        let mut assumptions = plan.assumptions;
        if several {
            assumptions.push(said(
                "several_tables",
                "The sheet has several tables; this is one of them.".to_owned(),
                &plan.range.to_string(),
            ));
        }
        let mut columns = Vec::with_capacity(plan.columns.len());
        for (col, name) in plan.columns {
            let cells = cells_of(sheet, col, &plan.range, &plan.rows, &plan.fills);
            let typed = typing::column(&cells, &name, classes, texts);
            let range = CellRange { top: plan.body, left: col, bottom: plan.range.bottom, right: col }.to_string();
            assumptions.extend(typed.assumed.into_iter().map(|(kind, text)| said(kind, format!("In the column “{name}” {text}."), &range)));
            columns.push(TypedColumn {
                name,
                col,
                kind: typed.kind,
                values: typed.values,
                present: typed.present,
                errors: typed.errors,
                mixture: typed.mixture,
            });
            if let Some(left) = users.get_mut(&col) {
                *left -= 1;
                if *left == 0 {
                    drop(sheet.take_column(col));
                }
            }
        }
        tables.push(Table {
            name: names::table(&sheet.name, names),
            sheet: sheet.name.clone(),
            range: plan.range,
            header_rows: plan.header_rows,
            title: plan.title,
            rows: plan.rows,
            total_rows: plan.total_rows,
            assumptions,
            columns,
        });
    }
}

/// The cells of a column in the rows of data, merged ones filled down.
fn cells_of(sheet: &Sheet, col: u32, range: &CellRange, rows: &[u32], fills: &[CellRange]) -> Vec<Cell> {
    let mut cells = vec![Cell::Empty; rows.len()];
    let Some(column) = sheet.column(col) else { return cells };
    let mut place = 0;
    for (row, cell) in column.cells_between(range.top, range.bottom) {
        while rows.get(place).is_some_and(|&next| next < row) {
            place += 1;
        }
        if rows.get(place) == Some(&row)
            && let Some(slot) = cells.get_mut(place)
        {
            *slot = cell;
        }
    }
    for fill in fills.iter().filter(|fill| fill.left == col) {
        let value = column.get(fill.top);
        let first = rows.partition_point(|&row| row < fill.top);
        for (slot, _) in cells.iter_mut().zip(rows).skip(first).take_while(|(_, row)| **row <= fill.bottom) {
            if slot.is_empty() {
                *slot = value;
            }
        }
    }
    cells
}
