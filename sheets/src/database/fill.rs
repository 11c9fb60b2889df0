//! Writes the rows of a table, many with one statement.

use datagenie_common::model::workbooks::SheetColumnType;
use rusqlite::{Connection, Result, Statement, types::Null};

use super::schema::quoted;
use crate::{
    tables::{Table, TypedColumn, Values},
    texts::Texts,
    times,
};

/// SQLite's own limit is 32,766 variables; half of them are enough rows for what a statement costs.
const MOST_VARIABLES: usize = 16_000;
/// More rows for one statement gain nothing.
const MOST_ROWS: usize = 48;

/// Writes all rows.
pub(super) fn fill(connection: &Connection, table: &Table, texts: &Texts) -> Result<()> {
    let (rows, columns) = (table.rows.len(), table.columns.len());
    if columns == 0 {
        return Ok(());
    }
    let together = (MOST_VARIABLES / columns).clamp(1, MOST_ROWS);
    let mut writer = Writer { texts, text: String::with_capacity(32) };
    let whole = rows - rows % together;
    if whole > 0 {
        let mut statement = connection.prepare(&insert(table, together))?;
        for first in (0..whole).step_by(together) {
            for row in 0..together {
                writer.bind(&mut statement, table, first + row, row * columns)?;
            }
            statement.raw_execute()?;
        }
    }
    if whole < rows {
        let mut statement = connection.prepare(&insert(table, 1))?;
        for row in whole..rows {
            writer.bind(&mut statement, table, row, 0)?;
            statement.raw_execute()?;
        }
    }
    Ok(())
}

fn insert(table: &Table, rows: usize) -> String {
    let row = format!("({})", vec!["?"; table.columns.len()].join(","));
    format!("INSERT INTO {} VALUES {}", quoted(&table.name), vec![row; rows].join(","))
}

struct Writer<'a> {
    texts: &'a Texts,
    /// A day, moment or time that is being written.
    text: String,
}

impl Writer<'_> {
    // The values of a row, as the variables after `before`.
    fn bind(&mut self, statement: &mut Statement<'_>, table: &Table, row: usize, before: usize) -> Result<()> {
        for (place, column) in table.columns.iter().enumerate() {
            self.bind_value(statement, before + place + 1, column, row)?;
        }
        Ok(())
    }

    fn bind_value(&mut self, statement: &mut Statement<'_>, variable: usize, column: &TypedColumn, row: usize) -> Result<()> {
        if column.present.get(row) != Some(&true) {
            return statement.raw_bind_parameter(variable, Null);
        }
        self.text.clear();
        match &column.values {
            Values::Integers(numbers) => return statement.raw_bind_parameter(variable, numbers.get(row)),
            Values::Numbers(numbers) => return statement.raw_bind_parameter(variable, numbers.get(row)),
            Values::Texts(ids) => return statement.raw_bind_parameter(variable, ids.get(row).map(|id| self.texts.get(*id))),
            Values::Booleans(values) => return statement.raw_bind_parameter(variable, values.get(row)),
            Values::None => return statement.raw_bind_parameter(variable, Null),
            Values::Days(days) => times::push_day(&mut self.text, i64::from(days.get(row).copied().unwrap_or_default())),
            Values::Micros(micros) if column.kind == SheetColumnType::Time => {
                times::push_time(&mut self.text, micros.get(row).copied().unwrap_or_default());
            }
            Values::Micros(micros) => times::push_moment(&mut self.text, micros.get(row).copied().unwrap_or_default(), ' '),
        }
        statement.raw_bind_parameter(variable, self.text.as_str())
    }
}
