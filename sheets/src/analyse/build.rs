//! Tables made by hand, for tests.

use datagenie_common::model::workbooks::SheetColumnType;

use crate::{
    grid::CellRange,
    tables::{Table, Tables, TypedColumn, Values},
    times,
};

/// A workbook, one table after the other.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) tables: Tables,
}

impl Book {
    /// Begins a table at A1 with a header row; its rows begin in row 2.
    pub(crate) fn table(mut self, name: &str) -> Self {
        let range = CellRange { top: 0, left: 0, bottom: 0, right: 0 };
        let (name, sheet) = (name.to_owned(), name.to_owned());
        let (rows, total_rows, assumptions, columns) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.tables.tables.push(Table { name, sheet, range, header_rows: 1, title: None, rows, total_rows, assumptions, columns });
        self
    }

    fn column(mut self, name: &str, kind: SheetColumnType, values: Values, present: Vec<bool>) -> Self {
        let table = self.tables.tables.last_mut().expect("a table was begun");
        let col = u32::try_from(table.columns.len()).expect("few columns");
        table.rows = (1..=u32::try_from(present.len()).expect("few rows")).collect();
        table.range = CellRange { top: 0, left: 0, bottom: table.rows.last().copied().unwrap_or(0), right: col };
        table.columns.push(TypedColumn { name: name.to_owned(), col, kind, values, present, errors: 0, mixture: Vec::new() });
        self
    }

    pub(crate) fn whole(self, name: &str, values: &[Option<i64>]) -> Self {
        let (values, present) = split(values);
        self.column(name, SheetColumnType::Integer, Values::Integers(values), present)
    }

    pub(crate) fn floats(self, name: &str, values: &[Option<f64>]) -> Self {
        let (values, present) = split(values);
        self.column(name, SheetColumnType::Number, Values::Numbers(values), present)
    }

    pub(crate) fn truths(self, name: &str, values: &[Option<bool>]) -> Self {
        let (values, present) = split(values);
        self.column(name, SheetColumnType::Boolean, Values::Booleans(values), present)
    }

    pub(crate) fn texts<'a>(mut self, name: &str, values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut id = |text: &str| self.tables.texts.intern(text).expect("room");
        let nothing = id("");
        let ids: Vec<_> = values.into_iter().map(|text| text.map(&mut id)).collect();
        let present = ids.iter().map(Option::is_some).collect();
        let ids = ids.into_iter().map(|id| id.unwrap_or(nothing)).collect();
        self.column(name, SheetColumnType::Text, Values::Texts(ids), present)
    }

    /// Days by year, month and day.
    pub(crate) fn days(self, name: &str, values: &[Option<(i64, i64, i64)>]) -> Self {
        let day = |(year, month, day)| i32::try_from(times::month_start(year, month) + day - 1).expect("a day");
        let (values, present) = split(&values.iter().map(|value| value.map(day)).collect::<Vec<_>>());
        self.column(name, SheetColumnType::Date, Values::Days(values), present)
    }

    pub(crate) fn moments(self, name: &str, values: &[Option<i64>]) -> Self {
        let (values, present) = split(values);
        self.column(name, SheetColumnType::Timestamp, Values::Micros(values), present)
    }

    pub(crate) fn times(self, name: &str, values: &[Option<i64>]) -> Self {
        let (values, present) = split(values);
        self.column(name, SheetColumnType::Time, Values::Micros(values), present)
    }

    pub(crate) fn nothing(self, name: &str, rows: usize) -> Self {
        self.column(name, SheetColumnType::Empty, Values::None, vec![false; rows])
    }
}

fn split<T: Copy + Default>(values: &[Option<T>]) -> (Vec<T>, Vec<bool>) {
    (values.iter().map(|value| value.unwrap_or_default()).collect(), values.iter().map(Option::is_some).collect())
}

/// Numbers without any order to be seen, always the same.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
