//! OpenDocument spreadsheets.

use super::*;
use crate::grid::CellRange;

fn ods(styles: &str, tables: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    );
    zip(&[("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), ("content.xml", content.as_bytes())])
}

#[test]
fn values_repetitions_and_merges_are_read() {
    let bytes = ods(
        "",
        "<table:table table:name=\"표\"><table:table-column table:number-columns-repeated=\"16384\"/>\
        <table:table-header-rows><table:table-row>\
        <table:table-cell office:value-type=\"string\" table:number-columns-spanned=\"2\"><office:annotation><text:p>note</text:p></office:annotation>\
        <text:p>가<text:s text:c=\"2\"/>나</text:p><text:p>다</text:p></table:table-cell><table:covered-table-cell/>\
        <table:table-cell office:value-type=\"boolean\" office:boolean-value=\"true\"/></table:table-row></table:table-header-rows>\
        <table:table-row table:number-rows-repeated=\"2\"><table:table-cell office:value-type=\"float\" office:value=\"1.5\" table:number-columns-repeated=\"2\"><text:p>1,5</text:p></table:table-cell>\
        <table:table-cell table:number-columns-repeated=\"16382\"/></table:table-row>\
        <table:table-row><table:table-cell office:value-type=\"date\" office:date-value=\"2024-03-05\"/>\
        <table:table-cell office:value-type=\"time\" office:time-value=\"PT09H05M00S\"/>\
        <table:table-cell office:value-type=\"string\" office:string-value=\"\" calcext:value-type=\"error\"><text:p>#DIV/0!</text:p></table:table-cell></table:table-row>\
        <table:table-row table:number-rows-repeated=\"1048572\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row></table:table>",
    );
    let workbook = read_bytes(&bytes).expect("it is a spreadsheet");
    assert_eq!(
        rows(&workbook, 0),
        [["가  나\n다", "", "true"], ["#1.5", "#1.5", ""], ["#1.5", "#1.5", ""], ["2024-03-05T00:00:00", "09:05:00", "!#DIV/0!"]]
    );
    assert_eq!((workbook.sheets[0].name.as_str(), workbook.sheets[0].row_count()), ("표", 4));
    assert_eq!(workbook.sheets[0].merges, [CellRange { top: 0, left: 0, bottom: 0, right: 1 }]);
}

#[test]
fn hidden_sheets_are_told_by_their_style() {
    let cell = "<table:table-row><table:table-cell office:value-type=\"float\" office:value=\"1\"/></table:table-row>";
    let bytes = ods(
        "<style:style style:name=\"ta2\"><style:table-properties table:display=\"false\"/></style:style>",
        &format!(
            "<table:table table:name=\"A\" table:style-name=\"ta2\">{cell}</table:table><table:table table:name=\"B\" table:style-name=\"ta1\">{cell}</table:table>"
        ),
    );
    let workbook = read_bytes(&bytes).expect("it is a spreadsheet");
    let seen: Vec<_> = workbook.sheets.iter().map(|sheet| (sheet.name.as_str(), sheet.hidden, sheet.filled())).collect();
    assert_eq!(seen, [("A", true, 0), ("B", false, 1)]);
}

#[test]
fn values_that_repeat_without_end_are_bounded_and_passwords_told() {
    let bytes = ods(
        "",
        "<table:table table:name=\"A\"><table:table-row table:number-rows-repeated=\"4000000000\"><table:table-cell office:value-type=\"float\" \
        office:value=\"1\" table:number-columns-repeated=\"4000000000\"/></table:table-row></table:table>",
    );
    assert!(read_bytes(&bytes).is_err());
    let locked = zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", b"<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"),
    ]);
    assert!(matches!(detect(&locked), Err(ReadError::Encrypted)));
}

#[test]
fn hidden_rows_and_columns_and_formulas_without_values_are_told() {
    let bytes = ods(
        "",
        "<table:table table:name=\"A\"><table:table-column/><table:table-column table:visibility=\"collapse\" table:number-columns-repeated=\"2\"/>\
        <table:table-row><table:table-cell office:value-type=\"float\" office:value=\"1\"/><table:table-cell table:formula=\"of:=[.A1]\"/></table:table-row>\
        <table:table-row table:visibility=\"filter\" table:number-rows-repeated=\"2\"><table:table-cell office:value-type=\"float\" office:value=\"2\"/></table:table-row>\
        </table:table>",
    );
    let workbook = read_bytes(&bytes).expect("it is a spreadsheet");
    let sheet = &workbook.sheets[0];
    assert_eq!((&sheet.hidden_rows[..], &sheet.hidden_columns[..]), (&[(1, 2)][..], &[(1, 2)][..]));
    assert_eq!(sheet.uncomputed.map(|uncomputed| uncomputed.count), Some(1));
}
