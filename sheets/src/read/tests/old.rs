//! Workbooks of binary records: xls in a compound file, and xlsb.

use super::*;
use crate::grid::CellRange;

fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("it fits");
    [&kind.to_le_bytes(), &length.to_le_bytes(), body].concat()
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A stream with one sheet of values of all kinds; its second text runs over into the next record.
fn stream() -> Vec<u8> {
    let begin = |kind| record(0x0809, &words(&[0x0600, kind, 0, 0, 0, 0, 0, 0]));
    let end = record(0x000a, &[]);
    let texts = [&[2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1], utf_16("서울").as_slice(), &[4, 0, 0], b"ab"].concat();
    let globals = [
        begin(5),
        record(0x0042, &words(&[1_200])),
        record(0x00e0, &words(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        record(0x00e0, &words(&[0, 14, 0, 0, 0, 0, 0, 0, 0, 0])),
        record(0x00fc, &texts),
        record(0x003c, &[&[1], utf_16("다라").as_slice()].concat()),
    ]
    .concat();
    let place = u32::try_from(globals.len() + 4 + 10 + end.len()).expect("it fits");
    let listed = record(0x0085, &[&place.to_le_bytes(), [0, 0, 2, 0].as_slice(), b"S1"].concat());
    let rk = |number: i32| ((number << 2) | 2).to_le_bytes();
    let number =
        |row: u16, col: u16, style: u16, number: f64| record(0x0203, &[words(&[row, col, style]), number.to_le_bytes().to_vec()].concat());
    let formula = |col: u16, value: [u8; 8]| record(0x0006, &[words(&[2, col, 0]), value.to_vec(), vec![0; 8]].concat());
    let cells = [
        begin(0x10),
        record(0x0200, &[0; 14]),
        record(0x00fd, &[words(&[0, 0, 0]), vec![0, 0, 0, 0]].concat()),
        record(0x00fd, &[words(&[0, 1, 0]), vec![1, 0, 0, 0]].concat()),
        number(1, 0, 1, 45_356.0),
        record(0x00bd, &[words(&[1, 1, 0]), rk(7).to_vec(), words(&[0]), rk(-8).to_vec(), words(&[2])].concat()),
        formula(0, [1, 0, 1, 0, 0, 0, 0xff, 0xff]),
        formula(1, [2, 0, 7, 0, 0, 0, 0xff, 0xff]),
        formula(2, [0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        record(0x0207, &[&[2, 0, 0], b"ok".as_slice()].concat()),
        number(65_535, 255, 0, 2.5),
        record(0x00e5, &words(&[1, 0, 0, 0, 1])),
        end.clone(),
    ]
    .concat();
    [globals, listed, end, cells].concat()
}

/// A compound file of one stream: header, table of sectors, directory, and the stream in sectors from the third on.
fn compound(name: &str, stream: &[u8]) -> Vec<u8> {
    let mut content = stream.to_vec();
    content.resize(content.len().max(4_096).next_multiple_of(512), 0);
    let sectors = u32::try_from(content.len() / 512).expect("it fits");
    let mut header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    header.resize(24, 0);
    header.extend(words(&[0x3e, 3, 0xfffe, 9, 6, 0, 0, 0, 0, 0]));
    for word in [1, 1, 0, 4_096, u32::MAX - 1, 0, u32::MAX - 1, 0, 0] {
        header.extend(word.to_le_bytes());
    }
    header.resize(512, 0xff);
    let mut table: Vec<u8> = [u32::MAX - 2, u32::MAX - 1].iter().flat_map(|word| word.to_le_bytes()).collect();
    for sector in 0..sectors {
        let next = if sector + 1 == sectors { u32::MAX - 1 } else { sector + 3 };
        table.extend(next.to_le_bytes());
    }
    table.resize(512, 0xff);
    let entry = |name: &str, kind: u8, start: u32, size: usize| {
        let mut entry = utf_16(name);
        let length = u16::try_from(entry.len() + 2).expect("it fits");
        entry.resize(64, 0);
        entry.extend(length.to_le_bytes());
        entry.push(kind);
        entry.resize(116, 0);
        entry.extend(start.to_le_bytes());
        entry.extend((size as u64).to_le_bytes());
        entry
    };
    let mut directory = [entry("Root Entry", 5, u32::MAX - 1, 0), entry(name, 2, 2, content.len())].concat();
    directory.resize(512, 0);
    [header, table, directory, content].concat()
}

fn check(workbook: &Workbook) {
    let sheet = &workbook.sheets[0];
    let row = |row: u32| (0..3).map(|col| shown(workbook, sheet, row, col)).collect::<Vec<_>>();
    assert_eq!(sheet.name, "S1");
    assert_eq!(row(0), ["서울", "ab다라", ""]);
    assert_eq!(row(1), ["2024-03-05T00:00:00", "#7", "#-8"]);
    assert_eq!(row(2), ["true", "!#DIV/0!", "ok"]);
    assert_eq!((shown(workbook, sheet, 65_535, 255), sheet.filled()), ("#2.5".to_owned(), 9));
    assert_eq!(sheet.merges, [CellRange { top: 0, left: 0, bottom: 0, right: 1 }]);
}

#[test]
fn xls_is_read_in_a_compound_file_and_bare() {
    check(&read_bytes(&compound("Workbook", &stream())).expect("it is a workbook"));
    check(&read_bytes(&stream()).expect("a bare stream is one, too"));
}

#[test]
fn xls_that_is_locked_or_damaged_is_told() {
    assert!(matches!(read_bytes(&compound("EncryptedPackage", &[0; 16])), Err(ReadError::Encrypted)));
    assert!(matches!(read_bytes(&compound("WordDocument", &[0; 16])), Err(ReadError::Unsupported(_))));
    let mut locked = stream();
    let begin = record(0x0809, &words(&[0x0600, 5, 0, 0, 0, 0, 0, 0]));
    locked.splice(begin.len()..begin.len(), record(0x002f, &[1, 0]));
    assert!(matches!(read_bytes(&compound("Workbook", &locked)), Err(ReadError::Encrypted)));
    let whole = compound("Workbook", &stream());
    for length in (8..whole.len() - 3_900).step_by(61) {
        assert!(matches!(read_bytes(&whole[..length]), Err(ReadError::Corrupt(_) | ReadError::Unsupported(_))), "{length}");
    }
    let mut endless = whole;
    // The sector of the directory follows itself.
    endless[512 + 4..512 + 8].copy_from_slice(&1_u32.to_le_bytes());
    assert!(matches!(read_bytes(&endless), Err(ReadError::Corrupt(_))));
}

fn binary(kind: u16, body: &[u8]) -> Vec<u8> {
    let kind = if kind < 0x80 { vec![u8::try_from(kind).expect("it fits")] } else { vec![(kind & 0x7f) as u8 | 0x80, (kind >> 7) as u8] };
    [kind, vec![u8::try_from(body.len()).expect("it is short")], body.to_vec()].concat()
}

fn wide(text: &str) -> Vec<u8> {
    let count = u32::try_from(text.encode_utf16().count()).expect("it fits");
    [count.to_le_bytes().to_vec(), utf_16(text)].concat()
}

#[test]
fn xlsb_is_read() {
    let long = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let book = [binary(0x99, &long(&[0, 0])), binary(0x9c, &[long(&[0, 1]), wide("r1"), wide("S1")].concat())].concat();
    let relations = b"<Relationships><Relationship Id=\"r1\" Type=\"x/worksheet\" Target=\"worksheets/sheet1.bin\"/></Relationships>";
    let strings = binary(0x13, &[vec![0], wide("서울")].concat());
    let styles = [binary(0x269, &long(&[2])), binary(0x2f, &words(&[0, 0])), binary(0x2f, &words(&[0, 14])), binary(0x26a, &[])].concat();
    let sheet = [
        binary(0x94, &long(&[0, 1_048_575, 0, 16_383])),
        binary(0x91, &[]),
        binary(0x00, &long(&[0])),
        binary(0x07, &long(&[0, 0, 0])),
        binary(0x05, &[long(&[1, 1]), 45_356_f64.to_le_bytes().to_vec()].concat()),
        binary(0x0d, &long(&[0, (7 << 2) | 2])),
        binary(0x00, &long(&[1_048_575])),
        binary(0x04, &[long(&[0, 0]), vec![1]].concat()),
        binary(0x0b, &[long(&[1, 0]), vec![7]].concat()),
        binary(0x06, &[long(&[2, 0]), wide("x")].concat()),
        binary(0x92, &[]),
        binary(0xb0, &long(&[0, 1, 0, 0])),
    ]
    .concat();
    let mut parts: Vec<(&str, &[u8])> = vec![
        ("xl/workbook.bin", &book),
        ("xl/_rels/workbook.bin.rels", relations),
        ("xl/sharedStrings.bin", &strings),
        ("xl/styles.bin", &styles),
        ("xl/worksheets/sheet1.bin", &sheet),
    ];
    let workbook = read_bytes(&zip(&parts)).expect("it is a workbook");
    let found = &workbook.sheets[0];
    let row = |row: u32| (0..3).map(|col| shown(&workbook, found, row, col)).collect::<Vec<_>>();
    assert_eq!(row(0), ["서울", "2024-03-05T00:00:00", "#7"]);
    assert_eq!(row(1_048_575), ["true", "!#DIV/0!", "x"]);
    assert_eq!(found.merges, [CellRange { top: 0, left: 0, bottom: 1, right: 0 }]);
    parts[4].1 = &sheet[..40];
    assert!(matches!(read_bytes(&zip(&parts)), Err(ReadError::Corrupt(_))));
}
