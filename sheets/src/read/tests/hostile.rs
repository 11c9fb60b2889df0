//! Files that are made, or broken, to do harm.

use rust_xlsxwriter::Workbook as Writer;

use super::*;
use crate::limits::Limits;

fn limited(limits: Limits) -> Options {
    Options { limits, ..Options::default() }
}

fn too_large(bytes: &[u8], limits: Limits) -> String {
    match read_with(bytes, &limited(limits)) {
        Err(ReadError::TooLarge(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was read"),
    }
}

fn corrupt(bytes: &[u8]) -> String {
    match read_bytes(bytes) {
        Err(ReadError::Corrupt(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was read"),
    }
}

#[test]
fn far_cells_and_false_sizes_cost_nothing() {
    let sheet = "<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData><row r=\"1\"><c r=\"A1\"><v>1</v></c></row>\
        <row r=\"1048576\"><c r=\"XFD1048576\"><v>2</v></c></row></sheetData></worksheet>";
    let workbook = read_bytes(&xlsx_of(sheet)).expect("two cells are no harm");
    assert_eq!((workbook.sheets[0].filled(), workbook.sheets[0].row_count()), (2, 1_048_576));
}

#[test]
fn counts_of_texts_are_not_believed() {
    let sheet = "<worksheet><sheetData><row><c t=\"s\"><v>0</v></c></row></sheetData></worksheet>";
    let mut parts = xlsx_parts(sheet);
    parts.push(("xl/sharedStrings.xml", b"<sst count=\"9\" uniqueCount=\"18446744073709551615\"><si><t>a</t></si></sst>"));
    assert_eq!(rows(&read_bytes(&zip(&parts)).expect("the count is a lie"), 0), [["a"]]);
    let sheet = "<worksheet><sheetData><row><c t=\"s\"><v>1</v></c></row></sheetData></worksheet>";
    parts[2].1 = sheet.as_bytes();
    assert!(corrupt(&zip(&parts)).contains("a text that is not there"));
}

#[test]
fn unzipped_sizes_are_bounded_before_and_while_unzipping() {
    let zeros = vec![b' '; 12 * 1_048_576];
    let mut parts = xlsx_parts("<worksheet><sheetData/></worksheet>");
    parts.push(("xl/media/blank.bin", &zeros));
    let bytes = zip(&parts);
    let why = too_large(&bytes, Limits { max_ratio: 100, ..Limits::default() });
    assert!(why.contains("times its size"), "{why}");
    let why = too_large(&bytes, Limits { max_ratio: u64::MAX, max_unzipped_bytes: 10 * 1_048_576, ..Limits::default() });
    assert!(why.contains("12 MiB or more, and at most 10 MiB"), "{why}");
}

#[test]
fn sizes_that_lie_are_found_out() {
    let mut sheet = b"<worksheet><sheetData>".to_vec();
    sheet.extend(std::iter::repeat_n(b' ', 12 * 1_048_576));
    sheet.extend(b"</sheetData></worksheet>");
    let sheet = String::from_utf8(sheet).expect("it is a text");
    let mut bytes = xlsx_of(&sheet);
    // What the archive says of the size of the sheet, in both places.
    let said = u32::try_from(sheet.len()).expect("it fits").to_le_bytes();
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, &said).collect();
    assert_eq!(places.len(), 2);
    for place in places {
        bytes[place..place + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    let outcome = read_with(&bytes, &limited(Limits { max_ratio: 100, ..Limits::default() }));
    assert!(matches!(outcome, Err(ReadError::TooLarge(_) | ReadError::Corrupt(_))));
}

#[test]
fn limits_are_told_with_figures() {
    let mut writer = Writer::new();
    for _ in 0..3 {
        let sheet = writer.add_worksheet();
        for row in 0..10 {
            sheet.write(row, 0, format!("text {row}")).expect("in range");
        }
    }
    let bytes = writer.save_to_buffer().expect("memory can be written");
    assert!(too_large(&bytes, Limits { max_cells: 29, ..Limits::default() }).contains("more than 29 cells"));
    assert!(too_large(&bytes, Limits { max_sheets: 2, ..Limits::default() }).contains("more than 2 sheets"));
    assert!(too_large(&bytes, Limits { max_text_bytes: 20, ..Limits::default() }).contains("texts"));
    assert!(read_with(&bytes, &limited(Limits { max_cells: 30, max_sheets: 3, ..Limits::default() })).is_ok());
}

#[test]
fn entities_and_cells_beyond_any_sheet_are_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]><worksheet><sheetData><row><c t=\"str\"><v>&b;</v></c></row></sheetData></worksheet>";
    assert!(corrupt(&xlsx_of(bomb)).contains("entities"));
    let beyond = "<worksheet><sheetData><row><c r=\"XFE1\"><v>1</v></c></row></sheetData></worksheet>";
    assert!(corrupt(&xlsx_of(beyond)).contains("beyond any sheet"));
}

#[test]
fn cut_files_are_damaged_ones() {
    let mut writer = Writer::new();
    writer.add_worksheet().write(0, 0, 1).expect("in range");
    let bytes = writer.save_to_buffer().expect("memory can be written");
    for length in (4..bytes.len()).step_by(97) {
        assert!(matches!(read_bytes(&bytes[..length]), Err(ReadError::Corrupt(_))), "{length}");
    }
    assert!(matches!(read_bytes(&xlsx_of("<worksheet><sheetData/></worksheet>")), Err(ReadError::Empty(_))));
}
