//! One sheet that is written from top to bottom: header, typed cells, widths.

use rust_xlsxwriter::{Color, DocProperties, ExcelDateTime, Format, FormatBorder, Workbook, Worksheet};
use unicode_width::UnicodeWidthStr;

use super::{ExportError, MAX_SHEET_COLUMNS, MAX_SHEET_ROWS, cells::Cell};

/// Widths of columns, in the width of a digit.
const NARROWEST: usize = 8;
const WIDEST: usize = 60;
const SENTENCE: f64 = 100.0;
/// So many rows tell how wide a column must be.
const MEASURED_ROWS: u32 = 1_000;
/// The button of the filter covers the end of a name.
const BUTTON: usize = 3;

/// The formats of a workbook's cells.
#[derive(Clone)]
struct Formats {
    header: Format,
    day: Format,
    moment: Format,
    fine_moment: Format,
    time: Format,
    lines: Format,
}

impl Formats {
    fn new() -> Self {
        let header = Format::new().set_bold().set_background_color(Color::RGB(0x00E4_E7EC)).set_border_bottom(FormatBorder::Thin);
        Self {
            header,
            day: Format::new().set_num_format("yyyy-mm-dd"),
            moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            fine_moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
            time: Format::new().set_num_format("hh:mm:ss"),
            lines: Format::new().set_text_wrap(),
        }
    }
}

/// A sheet being written.
pub(super) struct Sheet {
    sheet: Worksheet,
    formats: Formats,
    next_row: u32,
    header: Option<u16>,
    widths: Vec<usize>,
}

impl Sheet {
    /// A sheet whose rows go to a temporary file as they come.
    pub(super) fn new(workbook: &mut Workbook, name: &str) -> Result<Self, ExportError> {
        let mut sheet = workbook.new_worksheet_with_constant_memory()?;
        sheet.set_name(name)?;
        Ok(Self { sheet, formats: Formats::new(), next_row: 0, header: None, widths: Vec::new() })
    }

    /// The first row: bold, frozen, with a filter.
    pub(super) fn header<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<(), ExportError> {
        let mut columns = 0;
        for (column, name) in (0..MAX_SHEET_COLUMNS).zip(names) {
            self.sheet.write_string_with_format(self.next_row, column, name, &self.formats.header)?;
            self.measure(column, name.width() + BUTTON);
            columns = column + 1;
        }
        self.header = Some(columns);
        self.next_row += 1;
        self.sheet.set_freeze_panes(1, 0)?;
        Ok(())
    }

    /// Whether no further row fits.
    pub(super) fn is_full(&self) -> bool {
        self.next_row >= MAX_SHEET_ROWS
    }

    /// Rows so far, the header included.
    pub(super) fn rows(&self) -> u32 {
        self.next_row
    }

    /// Writes a row; what lies beyond the last column of a sheet is left out.
    pub(super) fn row(&mut self, cells: impl Iterator<Item = Cell>) -> Result<(), ExportError> {
        let row = self.next_row;
        for (column, cell) in (0..MAX_SHEET_COLUMNS).zip(cells) {
            let width = self.write(row, column, &cell)?;
            if row <= MEASURED_ROWS {
                self.measure(column, width);
            }
        }
        self.next_row += 1;
        Ok(())
    }

    /// Writes a sentence over the width of the page.
    pub(super) fn sentence(&mut self, text: &str) -> Result<(), ExportError> {
        self.sheet.write_string_with_format(self.next_row, 0, text, &self.formats.lines)?;
        self.sheet.set_column_width(0, SENTENCE)?;
        self.next_row += 1;
        Ok(())
    }

    fn write(&mut self, row: u32, column: u16, cell: &Cell) -> Result<usize, ExportError> {
        let Self { sheet, formats, .. } = self;
        Ok(match cell {
            Cell::Empty => 0,
            Cell::Number(number) => {
                sheet.write_number(row, column, *number)?;
                // As many digits as the General format shows.
                number.to_string().len().min(12)
            }
            Cell::Boolean(flag) => {
                sheet.write_boolean(row, column, *flag)?;
                5
            }
            Cell::Text(text) => {
                sheet.write_string(row, column, text)?;
                text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
            }
            Cell::Day(day) => {
                sheet.write_datetime_with_format(row, column, day, &formats.day)?;
                10
            }
            Cell::Moment(moment, fine) => {
                let format = if *fine { &formats.fine_moment } else { &formats.moment };
                sheet.write_datetime_with_format(row, column, moment, format)?;
                if *fine { 23 } else { 19 }
            }
            Cell::Time(time) => {
                sheet.write_datetime_with_format(row, column, time, &formats.time)?;
                8
            }
        })
    }

    fn measure(&mut self, column: u16, width: usize) {
        let column = usize::from(column);
        self.widths.resize(self.widths.len().max(column + 1), 0);
        if let Some(widest) = self.widths.get_mut(column) {
            *widest = (*widest).max(width);
        }
    }

    /// Sets widths and filter, and hands the sheet to its workbook.
    pub(super) fn finish(mut self, workbook: &mut Workbook) -> Result<(), ExportError> {
        for (column, width) in (0..MAX_SHEET_COLUMNS).zip(&self.widths) {
            self.sheet.set_column_width(column, (width + 2).clamp(NARROWEST, WIDEST) as f64)?;
        }
        if let Some(last) = self.header.and_then(|columns| columns.checked_sub(1)) {
            self.sheet.autofilter(0, 0, self.next_row.saturating_sub(1), last)?;
        }
        workbook.push_worksheet(self.sheet);
        Ok(())
    }
}

/// A workbook that is the same for the same contents.
pub(super) fn workbook() -> Result<Workbook, ExportError> {
    let mut workbook = Workbook::new();
    // Without a time of its own the library asks the machine's clock.
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_author("DataGenie").set_creation_datetime(&made));
    Ok(workbook)
}
