//! Workbooks as a writer makes them, and as writers should not.

use chrono::{NaiveDate, NaiveTime};
use rust_xlsxwriter::{Format, Formula, Workbook as Writer};

use super::*;
use crate::grid::CellRange;

fn saved(mut writer: Writer) -> Vec<u8> {
    writer.save_to_buffer().expect("memory can be written")
}

#[test]
fn values_of_all_types_are_read() {
    let mut writer = Writer::new();
    let sheet = writer.add_worksheet().set_name("매출 & 비용").expect("the name is good");
    sheet.write(0, 0, "도시").expect("in range").write(0, 1, " a <b> \"c\" ").expect("in range");
    sheet.write(1, 0, -12.5).expect("in range").write(1, 1, true).expect("in range");
    let day = NaiveDate::from_ymd_opt(2024, 3, 5).expect("a day");
    sheet.write_with_format(2, 0, &day, &Format::new().set_num_format("yyyy\"년\" m\"월\" d\"일\"")).expect("in range");
    let moment = day.and_hms_opt(18, 30, 15).expect("a time");
    sheet.write_with_format(2, 1, &moment, &Format::new().set_num_format("yyyy-mm-dd hh:mm:ss")).expect("in range");
    let time = NaiveTime::from_hms_opt(9, 5, 0).expect("a time");
    sheet.write_with_format(3, 0, &time, &Format::new().set_num_format("h:mm")).expect("in range");
    sheet.write_with_format(3, 1, 1.5, &Format::new().set_num_format("[h]:mm:ss")).expect("in range");
    sheet.write_with_format(4, 0, 0.25, &Format::new().set_num_format("0.0%")).expect("in range");
    sheet.write_formula(4, 1, Formula::new("=1+2").set_result("3")).expect("in range");
    sheet.write_formula(5, 0, Formula::new("=1/0").set_result("#DIV/0!")).expect("in range");
    sheet.write_formula(5, 1, Formula::new("=\"a\"&\"b\"").set_result("ab")).expect("in range");
    let workbook = read_bytes(&saved(writer)).expect("it is a workbook");
    assert_eq!(workbook.sheets[0].name, "매출 & 비용");
    assert_eq!(
        rows(&workbook, 0),
        [
            ["도시", " a <b> \"c\" "],
            ["#-12.5", "true"],
            ["2024-03-05T00:00:00", "2024-03-05T18:30:15"],
            ["09:05:00", "36:00:00"],
            ["#0.25", "#3"],
            ["!#DIV/0!", "ab"],
        ]
    );
    assert_eq!(workbook.notes, []);
}

#[test]
fn merged_ranges_are_told() {
    let mut writer = Writer::new();
    let sheet = writer.add_worksheet();
    sheet.merge_range(0, 1, 0, 3, "title", &Format::new()).expect("in range");
    sheet.merge_range(2, 0, 4, 0, "side", &Format::new()).expect("in range");
    let workbook = read_bytes(&saved(writer)).expect("it is a workbook");
    let range = |top, left, bottom, right| CellRange { top, left, bottom, right };
    assert_eq!(workbook.sheets[0].merges, [range(0, 1, 0, 3), range(2, 0, 4, 0)]);
    assert_eq!(workbook.sheets[0].filled(), 2);
}

#[test]
fn hidden_sheets_are_left_out_unless_asked_for() {
    let bytes = || {
        let mut writer = Writer::new();
        writer.add_worksheet().write(0, 0, 1).expect("in range");
        writer.add_worksheet().set_hidden(true).write(0, 0, 2).expect("in range");
        writer.add_worksheet().set_very_hidden(true).write(0, 0, 3).expect("in range");
        saved(writer)
    };
    let seen = |options: &Options| {
        let workbook = read_with(&bytes(), options).expect("it is a workbook");
        workbook.sheets.iter().map(|sheet| (sheet.hidden, sheet.filled())).collect::<Vec<_>>()
    };
    assert_eq!(seen(&Options::default()), [(false, 1), (true, 0), (true, 0)]);
    assert_eq!(seen(&Options { include_hidden: true, ..Options::default() }), [(false, 1), (true, 1), (true, 1)]);
}

#[test]
fn charts_on_sheets_of_their_own_are_told_of() {
    let mut writer = Writer::new();
    writer.add_worksheet().write(0, 0, 1).expect("in range");
    let mut chart = rust_xlsxwriter::Chart::new(rust_xlsxwriter::ChartType::Column);
    chart.add_series().set_values("Sheet1!$A$1:$A$1");
    writer.add_chartsheet().insert_chart(0, 0, &chart).expect("in range");
    let workbook = read_bytes(&saved(writer)).expect("it is a workbook");
    assert_eq!(workbook.sheets.len(), 2);
    assert_eq!(left_out(&workbook, 1), "not_a_worksheet: The sheet “Chart1” is a chart and has no cells to read.");
}

#[test]
fn days_are_counted_from_1904_where_the_workbook_says_so() {
    let parts = [
        ("xl/workbook.xml", "<workbook><workbookPr date1904=\"1\"/><sheets><sheet name=\"S\" r:id=\"r1\"/></sheets></workbook>"),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships><Relationship Id=\"r1\" Type=\"x/worksheet\" Target=\"/xl/Sheet1.XML\"/></Relationships>",
        ),
        (
            "xl/styles.xml",
            "<styleSheet><cellStyleXfs><xf numFmtId=\"0\"/></cellStyleXfs><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>",
        ),
        (
            "xl\\sheet1.xml",
            "<worksheet><sheetData><row><c s=\"1\"><v>43894</v></c><c s=\"0\"><v>43894</v></c></row></sheetData></worksheet>",
        ),
    ];
    let workbook = read_bytes(&zip(&parts.map(|(name, text)| (name, text.as_bytes())))).expect("it is a workbook");
    assert_eq!(rows(&workbook, 0), [["2024-03-05T00:00:00", "#43894"]]);
    assert!(workbook.notes[0].english.contains("1904"));
}

#[test]
fn cells_without_places_prefixes_and_inline_texts_are_read() {
    let sheet = "<x:worksheet xmlns:x=\"m\"><x:sheetData><x:row><x:c t=\"inlineStr\"><x:is><x:t>a</x:t></x:is></x:c><x:c/>\
        <x:c t=\"str\"><x:f>X()</x:f><x:v>b&amp;c</x:v></x:c></x:row><x:row r=\"4\"><x:c r=\"B4\" t=\"d\"><x:v>2024-03-05</x:v></x:c>\
        <x:c t=\"e\"><x:v>#SPILL!</x:v></x:c><x:c t=\"b\"><x:v>0</x:v></x:c></x:row></x:sheetData></x:worksheet>";
    let workbook = read_bytes(&xlsx_of(sheet)).expect("it is a workbook");
    let found = rows(&workbook, 0);
    assert_eq!(found[0], ["a", "", "b&c", ""]);
    assert_eq!(found[3], ["", "2024-03-05T00:00:00", "!#SPILL!", "false"]);
}

#[test]
fn one_broken_sheet_leaves_the_others() {
    let mut parts = xlsx_parts("<worksheet><sheetData><row><c r=\"A1\"><v>1</v></c></row>");
    parts[0].1 = b"<workbook><sheets><sheet name=\"Bad\" r:id=\"r1\"/><sheet name=\"Good\" r:id=\"r2\"/></sheets></workbook>";
    parts[1].1 = b"<Relationships><Relationship Id=\"r1\" Type=\"x/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
        <Relationship Id=\"r2\" Type=\"x/worksheet\" Target=\"good.xml\"/></Relationships>";
    let broken = zip(&parts);
    assert!(matches!(read_bytes(&broken), Err(ReadError::Corrupt(_))));
    parts.push(("xl/good.xml", b"<worksheet><sheetData><row><c r=\"A1\"><v>2</v></c></row></sheetData></worksheet>"));
    let workbook = read_bytes(&zip(&parts)).expect("one sheet is good");
    assert_eq!((workbook.sheets.len(), rows(&workbook, 1)), (2, vec![vec!["#2".to_owned()]]));
    let why = left_out(&workbook, 0);
    assert!(why.starts_with("unreadable: The sheet “Bad” could not be read: "), "{why}");
}

#[test]
fn formulas_without_values_and_what_is_hidden_are_told() {
    let sheet = "<worksheet><cols><col min=\"2\" max=\"3\" hidden=\"1\"/><col min=\"4\" max=\"4\"/></cols><sheetData>\
        <row r=\"1\"><c r=\"A1\"><f>B1</f></c><c r=\"B1\"><f>1</f><v>1</v></c></row>\
        <row r=\"2\" hidden=\"1\"><c r=\"A2\"><v>2</v></c></row><row r=\"3\" hidden=\"true\"><c r=\"C3\"><f/><v></v></c></row>\
        <row r=\"4\"><c r=\"A4\" t=\"str\"><f>X</f><v></v></c></row></sheetData></worksheet>";
    let workbook = read_bytes(&xlsx_of(sheet)).expect("it is a workbook");
    let sheet = &workbook.sheets[0];
    assert_eq!((&sheet.hidden_rows[..], &sheet.hidden_columns[..]), (&[(1, 2)][..], &[(1, 2)][..]));
    let uncomputed = sheet.uncomputed.expect("two are");
    assert_eq!((uncomputed.count, uncomputed.range), (2, CellRange { top: 0, left: 0, bottom: 2, right: 2 }));
}

#[test]
fn cells_out_of_order_are_read_and_doubled_ones_told() {
    let sheet = "<worksheet><sheetData><row r=\"3\"><c r=\"A3\"><v>3</v></c></row><row r=\"1\"><c r=\"A1\"><v>1</v></c></row>\
        <row r=\"3\"><c r=\"A3\"><v>4</v></c></row></sheetData></worksheet>";
    let workbook = read_bytes(&xlsx_of(sheet)).expect("it is a workbook");
    assert_eq!(rows(&workbook, 0), [["#1"], [""], ["#3"]]);
    assert_eq!(workbook.notes[0].english, "1 cells of “S” stand twice in the file; the first value of each was read.");
}

#[test]
fn progress_is_told_over_all_sheets() {
    let mut writer = Writer::new();
    for _ in 0..2 {
        let sheet = writer.add_worksheet();
        for row in 0..3_000 {
            sheet.write(row, 0, row).expect("in range");
        }
    }
    let scratch = Scratch::new(&saved(writer));
    let mut told = Vec::new();
    read(&scratch.0, &Options::default(), &mut |rows| told.push(rows)).expect("it is a workbook");
    assert_eq!(told, [4_096]);
}
