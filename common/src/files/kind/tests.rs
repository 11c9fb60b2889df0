//! Kinds by content. The archives are made by hand: only their names count.

use super::{FileKind, compound, of_content, plain, plain::Looks, zipped};
use crate::{
    files::{Files, ObjectPath},
    ids::WorkbookId,
};

/// An archive of empty entries.
fn zip(names: &[&str]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for name in names {
        let length = u16::try_from(name.len()).expect("a short name").to_le_bytes();
        let at = u32::try_from(bytes.len()).expect("a short archive").to_le_bytes();
        bytes.extend_from_slice(b"PK\x03\x04");
        bytes.extend_from_slice(&[0; 22]);
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(name.as_bytes());
        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&[0; 24]);
        directory.extend_from_slice(&length);
        directory.extend_from_slice(&[0; 12]);
        directory.extend_from_slice(&at);
        directory.extend_from_slice(name.as_bytes());
    }
    let (size, offset) = (directory.len(), bytes.len());
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(b"PK\x05\x06");
    bytes.extend_from_slice(&[0; 8]);
    for number in [size, offset] {
        bytes.extend_from_slice(&u32::try_from(number).expect("a short archive").to_le_bytes());
    }
    bytes.extend_from_slice(&[0; 2]);
    bytes
}

async fn kind(bytes: &[u8], head: usize) -> Result<FileKind, String> {
    let folder = std::env::temp_dir().join(format!("datagenie-kind-{}", uuid::Uuid::now_v7()));
    let files = Files::in_folder(&folder).expect("a folder");
    let path = ObjectPath::Content { workbook: WorkbookId::new() };
    files.put_bytes(path, bytes.to_vec()).await.expect("it is written");
    let size = u64::try_from(bytes.len()).expect("a length");
    let found = of_content(&files, path, size, &bytes[..head.min(bytes.len())]).await.expect("it is read");
    std::fs::remove_dir_all(folder).expect("the folder is removed");
    found
}

#[tokio::test]
async fn an_archive_is_what_its_entries_make_it() {
    for (names, expected) in [
        (&["[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"][..], Ok(FileKind::Xlsx)),
        (&["[Content_Types].xml", "XL\\Workbook.xml"], Ok(FileKind::Xlsx)),
        (&["xl/workbook.xml", "xl/vbaProject.bin"], Ok(FileKind::Xlsm)),
        (&["xl/workbook.bin"], Ok(FileKind::Xlsb)),
        (&["content.xml", "META-INF/manifest.xml"], Ok(FileKind::Ods)),
        (&["[Content_Types].xml", "word/document.xml"], Err("a Word document")),
        (&["ppt/presentation.xml"], Err("a PowerPoint presentation")),
        (&["readme.txt"], Err("a ZIP archive without a workbook in it")),
    ] {
        let expected = expected.map_err(str::to_owned);
        assert_eq!(kind(&zip(names), usize::MAX).await, expected, "{names:?}");
        // The directory alone, as with entries whose sizes stand behind them.
        assert_eq!(kind(&zip(names), 32).await, expected, "{names:?}");
    }
    let cut = zip(&["[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"]);
    assert_eq!(kind(&cut[..100], usize::MAX).await, Ok(FileKind::Xlsx), "what is cut off is told by its reader");
    let long: Vec<String> = (0..3_000).map(|n| format!("docs/{n}.txt")).chain(["xl/workbook.xml".to_owned()]).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    assert_eq!(kind(&zip(&long), 4_096).await, Ok(FileKind::Xlsx), "the directory is read by range");
}

#[test]
fn an_open_document_declares_what_it_is() {
    let with = |declared: &str| {
        let mut bytes = zip(&["mimetype"])[..38].to_vec();
        bytes[18..22].copy_from_slice(&u32::try_from(declared.len()).expect("short").to_le_bytes());
        bytes.extend_from_slice(declared.as_bytes());
        zipped::kind(zipped::declared_type(&bytes), &[])
    };
    assert_eq!(with("application/vnd.oasis.opendocument.spreadsheet"), Ok(FileKind::Ods));
    assert_eq!(with("application/vnd.oasis.opendocument.text"), Err("an OpenDocument file that is no spreadsheet".to_owned()));
    assert_eq!(with("application/epub+zip"), Err("an e-book".to_owned()));
}

#[test]
fn a_compound_file_is_what_its_streams_make_it() {
    let directory = |names: &[&str]| -> Vec<u8> {
        let entry = |name: &&str| {
            let mut entry = vec![0; 128];
            let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            entry[..units.len()].copy_from_slice(&units);
            entry[64..66].copy_from_slice(&u16::try_from(units.len() + 2).expect("short").to_le_bytes());
            entry[66] = 2;
            entry
        };
        names.iter().flat_map(entry).collect()
    };
    for (names, expected) in [
        (&["Root Entry", "Workbook"][..], Ok(FileKind::Xls)),
        (&["Root Entry", "Book"], Ok(FileKind::Xls)),
        (&["Root Entry", "EncryptionInfo", "EncryptedPackage"], Ok(FileKind::Xlsx)),
        (&["Root Entry", "WordDocument"], Err("a Word document of a version before 2007")),
        (&[], Ok(FileKind::Xls)),
    ] {
        assert_eq!(compound::kind(&directory(names)), expected.map_err(str::to_owned), "{names:?}");
    }
}

#[test]
fn text_is_told_from_what_only_looks_like_it() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let with_mark = |text: &str| [b"\xff\xfe".as_slice(), &utf16(text)].concat();
    let (csv, tsv) = (Looks::Text(FileKind::Csv), Looks::Text(FileKind::Tsv));
    for (bytes, expected) in [
        (b"a,b\n1,2\n".to_vec(), &csv),
        (b"a\tb\n1\t2\n".to_vec(), &tsv),
        (b"\xef\xbb\xbfa;b\r\n".to_vec(), &csv),
        ("이름,값\n가,1\n".as_bytes().to_vec(), &csv),
        // The same in CP949.
        (b"\xc0\xcc\xb8\xa7,\xb0\xaa\n\xb0\xa1,1\n".to_vec(), &csv),
        (with_mark("이름\t값\n가\t1\n"), &tsv),
        (utf16("name,value\na,1\n"), &csv),
        (b"one column\nof text\n".to_vec(), &csv),
        (b"[id],[name]\n1,a\n".to_vec(), &csv),
        (Vec::new(), &Looks::Other("an empty file")),
        (b"%PDF-1.7 ...".to_vec(), &Looks::Other("a PDF document")),
        (b"{\"a\": 1}".to_vec(), &Looks::Other("a JSON document")),
        (b"  [ {\"a\": 1} ]".to_vec(), &Looks::Other("a JSON document")),
        (b"<!DOCTYPE html><table></table>".to_vec(), &Looks::Other("an HTML page")),
        (
            b"<?xml version=\"1.0\"?><Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\">".to_vec(),
            &Looks::Other("an Excel workbook in the XML form of 2003"),
        ),
        (b"\x09\x00\x04\x00\x02\x00".to_vec(), &Looks::Other("a workbook of an Excel before 97")),
        (b"MZ\x90\x00\x03\x00\x00\x00".to_vec(), &Looks::Other("binary data of an unknown kind")),
        ((1..=255).collect(), &Looks::Other("binary data of an unknown kind")),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), &Looks::Compound),
        (b"PK\x03\x04".to_vec(), &Looks::Zip),
    ] {
        assert_eq!(&plain::look(&bytes), expected, "{:?}", String::from_utf8_lossy(&bytes));
    }
}
