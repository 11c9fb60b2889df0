//! What a file is, whatever it is called.

use super::*;
use crate::read::kind::Format;

fn unsupported(bytes: &[u8]) -> String {
    match detect(bytes) {
        Err(ReadError::Unsupported(what)) => what,
        other => panic!("{other:?}"),
    }
}

fn typed(content: &str) -> Vec<u8> {
    zip(&[("[Content_Types].xml", format!("<Types><Override ContentType=\"application/vnd.{content}+xml\"/></Types>").as_bytes())])
}

#[test]
fn packages_are_told_apart_by_their_main_part() {
    for (content, expected) in [
        ("openxmlformats-officedocument.spreadsheetml.sheet.main", Format::Xlsx),
        ("openxmlformats-officedocument.spreadsheetml.template.main", Format::Xlsx),
        ("ms-excel.sheet.macroEnabled.main", Format::Xlsm),
        ("ms-excel.sheet.binary.macroEnabled.main", Format::Xlsb),
    ] {
        assert_eq!(detect(&typed(content)).expect("it is a workbook"), expected, "{content}");
    }
    assert_eq!(detect(&zip(&[("mimetype", b"application/vnd.oasis.opendocument.spreadsheet")])).expect("it is one"), Format::Ods);
    assert!(unsupported(&typed("openxmlformats-officedocument.wordprocessingml.document.main")).contains("a Word document"));
    assert!(unsupported(&zip(&[("mimetype", b"application/vnd.oasis.opendocument.text")])).contains("no spreadsheet"));
    assert!(unsupported(&zip(&[("a.csv", b"a,b")])).contains("unpack it"));
}

#[test]
fn texts_are_told_from_what_only_looks_like_them() {
    assert_eq!(detect(b"a,b\n1,2\n").expect("it is a text"), Format::Csv);
    assert_eq!(detect(b"a\tb\n1\t2\n").expect("it is a text"), Format::Tsv);
    assert_eq!(detect(b"only one column\nof text\n").expect("it is a text"), Format::Csv);
    assert_eq!(detect(b"a,b\0\n1,2\n3,4\n").expect("a zero does no harm"), Format::Csv);
    for (bytes, what) in [
        (b"%PDF-1.7\n".as_slice(), "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
        (b"{\\rtf1 x}", "a rich text document"),
        (b"  <!DOCTYPE html><table></table>", "a web page"),
        (b"<?xml version=\"1.0\"?><Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\"/>", "an XML Spreadsheet"),
        (b"{ \"a\": 1 }", "a JSON document"),
        (b"[{\"a\": 1}]", "a JSON document"),
        (b"\x09\x04\x06\x00\x00\x00\x10\x00", "a workbook of Excel 4"),
        (b"\x09\x02\x06\x00\x00\x00\x10\x00", "a sheet of Excel 3"),
    ] {
        let told = unsupported(bytes);
        assert!(told.contains(what) && told.contains("save the table as xlsx"), "{told}");
    }
    let noise: Vec<u8> = (0..4_096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert!(unsupported(&noise).contains("binary file"));
    assert!(matches!(detect(b""), Err(ReadError::Empty(_))));
}
