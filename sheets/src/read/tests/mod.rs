//! Reads whole files that the tests make, whose right answers are stated.

mod hostile;
mod kinds;
mod old;
mod open_document;
mod text;
mod xlsx;

use std::{
    fs,
    io::{Cursor, Write},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{
    error::ReadError,
    grid::{Cell, Sheet, Workbook},
    limits::Options,
    read::{kind, read},
    times,
};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A file that is gone with its test. Its name says nothing of its kind.
struct Scratch(PathBuf);

impl Scratch {
    fn new(bytes: &[u8]) -> Self {
        let name = format!("datagenie-read-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).expect("the temporary folder can be written");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is the temporary folder's business.
        drop(fs::remove_file(&self.0));
    }
}

fn read_with(bytes: &[u8], options: &Options) -> Result<Workbook, ReadError> {
    read(&Scratch::new(bytes).0, options, &mut |_| {})
}

fn read_bytes(bytes: &[u8]) -> Result<Workbook, ReadError> {
    read_with(bytes, &Options::default())
}

fn detect(bytes: &[u8]) -> Result<kind::Format, ReadError> {
    kind::detect(&Scratch::new(bytes).0)
}

fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).expect("names differ");
        writer.write_all(bytes).expect("memory can be written");
    }
    writer.finish().expect("memory can be written").into_inner()
}

/// A workbook of one sheet whose XML is given.
pub(crate) fn xlsx_of(sheet: &str) -> Vec<u8> {
    zip(&xlsx_parts(sheet))
}

fn xlsx_parts(sheet: &str) -> Vec<(&str, &[u8])> {
    vec![
        ("xl/workbook.xml", b"<workbook><sheets><sheet name=\"S\" r:id=\"r1\"/></sheets></workbook>"),
        (
            "xl/_rels/workbook.xml.rels",
            b"<Relationships><Relationship Id=\"r1\" Type=\"x/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>",
        ),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ]
}

/// Why a sheet was left out, as it is told.
fn left_out(workbook: &Workbook, place: usize) -> String {
    let sheet = &workbook.sheets[place];
    let why = sheet.left_out.as_ref().expect("it was left out");
    format!("{}: {}", why.reason(), why.words(&sheet.name).english)
}

/// The value of a cell as the tests write it.
fn shown(workbook: &Workbook, sheet: &Sheet, row: u32, col: u32) -> String {
    match sheet.get(row, col) {
        Cell::Empty => String::new(),
        Cell::Text(id) => workbook.texts.get(id).to_owned(),
        Cell::Number(number) => format!("#{number}"),
        Cell::Written(number, decimals) => format!("#{number:.*}", usize::from(decimals)),
        Cell::Bool(value) => value.to_string(),
        Cell::Moment(micros) => times::moment(micros),
        Cell::Duration(micros) => times::time(micros),
        Cell::Error(id) => format!("!{}", workbook.texts.get(id)),
    }
}

fn rows(workbook: &Workbook, place: usize) -> Vec<Vec<String>> {
    let sheet = &workbook.sheets[place];
    (0..sheet.row_count()).map(|row| (0..sheet.column_count()).map(|col| shown(workbook, sheet, row, col)).collect()).collect()
}
