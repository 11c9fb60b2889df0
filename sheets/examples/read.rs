//! Prints what is found in the workbooks that are named: their kind, their sheets and what was assumed of them.
#![expect(clippy::print_stdout, reason = "a program for people to look at")]

use std::{env, path::Path};

use datagenie_sheets::{
    grid::{CellRange, Sheet},
    limits::Options,
    read::{kind, read},
};

fn main() {
    for name in env::args().skip(1) {
        let path = Path::new(&name);
        let kind = kind::detect(path).map_or_else(|error| error.code(), kind::Format::as_str);
        match read(path, &Options::default(), &mut |_| {}) {
            Ok(workbook) => {
                let texts = workbook.texts.len();
                println!("{name}: {kind}, {} sheets, {texts} different texts", workbook.sheets.len());
                workbook.sheets.iter().for_each(print_sheet);
                workbook.notes.iter().for_each(|note| println!("  {}", note.english));
            }
            Err(error) => println!("{name}: {kind}, {}: {error}", error.code()),
        }
    }
}

fn print_sheet(sheet: &Sheet) {
    let hidden = if sheet.hidden { ", hidden" } else { "" };
    let corner = sheet.row_count().checked_sub(1).zip(sheet.column_count().checked_sub(1));
    let range = corner.map_or_else(String::new, |(bottom, right)| format!(", {}", CellRange { top: 0, left: 0, bottom, right }));
    println!("  {}: {} cells{range}, {} merged{hidden}", sheet.name, sheet.filled(), sheet.merges.len());
}
