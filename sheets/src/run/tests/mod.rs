//! Whole workbooks as people make them, with the right answers: what the analysis says of them, and what the database holds.

mod shapes;
mod texts;
mod told;
mod values;

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use datagenie_common::analyses::{AnalysedColumn, AnalysedTable};
use rusqlite::{Connection, types::Value};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook as Writer, Worksheet};

use super::*;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A workbook on its whole way, and the files that are gone with it.
struct Went {
    found: Found,
    database: PathBuf,
}

impl Drop for Went {
    fn drop(&mut self) {
        // What is left behind is the temporary folder's business.
        drop(fs::remove_file(&self.database));
    }
}

fn go(bytes: &[u8], options: Options, language: Option<Language>) -> Result<Went, ReadError> {
    let name = format!("datagenie-run-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let input = std::env::temp_dir().join(&name);
    let database = std::env::temp_dir().join(format!("{name}.sqlite"));
    fs::write(&input, bytes).expect("the temporary folder can be written");
    let request = Request { input, database: database.clone(), language, options };
    let found = run(&request, &mut |_| {});
    drop(fs::remove_file(&request.input));
    found.map(|found| Went { found, database })
}

fn went(bytes: &[u8]) -> Went {
    go(bytes, Options::default(), Some(Language::English)).expect("it is a workbook")
}

impl Went {
    fn table(&self, place: usize) -> &AnalysedTable {
        &self.found.analysis.tables[place]
    }

    fn only(&self) -> &AnalysedTable {
        assert_eq!(self.ranges().len(), 1, "{:?}", self.ranges());
        self.table(0)
    }

    fn column(&self, name: &str) -> &AnalysedColumn {
        let columns = || self.found.analysis.tables.iter().flat_map(|table| &table.columns);
        columns()
            .find(|column| column.name == name)
            .unwrap_or_else(|| panic!("{name} is not among {:?}", columns().map(|c| &c.name).collect::<Vec<_>>()))
    }

    fn names(&self, place: usize) -> Vec<&str> {
        self.table(place).columns.iter().map(|column| column.name.as_str()).collect()
    }

    fn ranges(&self) -> Vec<String> {
        self.found.analysis.tables.iter().map(|table| format!("{}!{}", table.sheet, table.range)).collect()
    }

    /// The sum of a column of numbers.
    fn sum(&self, name: &str) -> Option<f64> {
        self.column(name).sum
    }

    fn kind(&self, name: &str) -> &'static str {
        self.column(name).kind.as_str()
    }

    fn assumed(&self, kind: &str) -> Vec<String> {
        let all = self.found.analysis.tables.iter().flat_map(|table| &table.assumptions);
        all.filter(|assumption| assumption.kind == kind)
            .map(|assumption| format!("{} {}", assumption.range.as_deref().unwrap_or_default(), assumption.text))
            .collect()
    }

    /// The rows of a statement on the database, cells parted by `|`.
    fn rows(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(&self.database).expect("it was made");
        let mut statement = connection.prepare(sql).expect("it is SQL");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("it runs");
        let mut found = Vec::new();
        while let Some(row) = rows.next().expect("it runs") {
            let cell = |place| match row.get::<_, Value>(place).expect("a value") {
                Value::Null => String::new(),
                Value::Integer(number) => number.to_string(),
                Value::Real(number) => number.to_string(),
                Value::Text(text) => text,
                Value::Blob(_) => "blob".to_owned(),
            };
            found.push((0..columns).map(cell).collect::<Vec<_>>().join("|"));
        }
        found
    }
}

/// A workbook of one sheet: a line is a row, `|` parts its cells. Plain numbers are numbers; `'` before something keeps it a text; `d:` a
/// day, `t:` a time, `%` a number shown as a percentage, `=` a formula with its stored value, `#` an error, `TRUE` a truth value.
fn sheet(name: &str, lines: &[&str], merges: &[&str]) -> Vec<u8> {
    let mut writer = Writer::new();
    fill(writer.add_worksheet().set_name(name).expect("a name"), lines, merges);
    writer.save_to_buffer().expect("memory can be written")
}

fn fill(sheet: &mut Worksheet, lines: &[&str], merges: &[&str]) {
    for merge in merges {
        let (first, last) = merge.split_once(':').expect("two corners");
        let ((top, left), (bottom, right)) = (corner(first), corner(last));
        sheet.merge_range(top, left, bottom, right, "", &Format::new()).expect("in range");
    }
    for (row, line) in (0..).zip(lines) {
        for (col, text) in (0..).zip(line.split('|')) {
            write(sheet, row, col, text.trim());
        }
    }
}

fn corner(name: &str) -> (u32, u16) {
    let (letter, row) = name.split_at(1);
    let col = u16::from(letter.as_bytes()[0] - b'A');
    (row.parse::<u32>().expect("a row") - 1, col)
}

fn write(sheet: &mut Worksheet, row: u32, col: u16, text: &str) {
    let number = |text: &str| text.parse::<f64>();
    let done = if text.is_empty() {
        return;
    } else if let Some(text) = text.strip_prefix('\'') {
        sheet.write_string(row, col, text)
    } else if let Some(day) = text.strip_prefix("d:") {
        let day = ExcelDateTime::parse_from_str(day).expect("a day");
        sheet.write_datetime_with_format(row, col, &day, &Format::new().set_num_format("yyyy-mm-dd"))
    } else if let Some(days) = text.strip_prefix("t:") {
        sheet.write_number_with_format(row, col, number(days).expect("a number"), &Format::new().set_num_format("[h]:mm"))
    } else if let Some(formula) = text.strip_prefix('=') {
        let (formula, value) = formula.split_once('→').expect("a formula and its value");
        sheet.write_formula(row, col, Formula::new(formula).set_result(value))
    } else if text.starts_with('#') {
        sheet.write_formula(row, col, Formula::new("NA()").set_result(text))
    } else if text == "TRUE" || text == "FALSE" {
        sheet.write_boolean(row, col, text == "TRUE")
    } else if let Ok(number) = number(text) {
        sheet.write_number(row, col, number)
    } else {
        sheet.write_string(row, col, text)
    };
    done.expect("in range");
}
