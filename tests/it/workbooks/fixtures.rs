//! Workbooks whose right answers are known, and files that break readers, made by hand.

use std::io::{Cursor, Write};

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Two sheets: six orders of three customers. By city: 서울 80,000 (customers 1 and 3), 부산 60,000 (customer 2).
pub fn shop() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let orders = workbook.add_worksheet().set_name("주문").expect("a name");
    for (column, name) in (0..).zip(["주문번호", "고객번호", "날짜", "금액"]) {
        orders.write(0, column, name).expect("it is written");
    }
    let rows = [(1, 10_000), (2, 20_000), (3, 30_000), (1, 15_000), (2, 40_000), (3, 25_000)];
    for (row, (customer, amount)) in (1..).zip(rows) {
        let date = ExcelDateTime::from_ymd(2024, 3, u8::try_from(row).expect("a day")).expect("a day");
        orders.write(row, 0, 100 + row).expect("it is written");
        orders.write(row, 1, customer).expect("it is written");
        orders.write_with_format(row, 2, &date, &day).expect("it is written");
        orders.write(row, 3, amount).expect("it is written");
    }
    let customers = workbook.add_worksheet().set_name("고객").expect("a name");
    for (column, name) in (0..).zip(["고객번호", "이름", "도시"]) {
        customers.write(0, column, name).expect("it is written");
    }
    for (row, (name, city)) in (1..).zip([("김철수", "서울"), ("이영희", "부산"), ("박민수", "서울")]) {
        customers.write(row, 0, row).expect("it is written");
        customers.write(row, 1, name).expect("it is written");
        customers.write(row, 2, city).expect("it is written");
    }
    workbook.save_to_buffer().expect("it is written")
}

/// So many rows, each with a text of its own.
pub fn long_csv(rows: usize) -> Vec<u8> {
    let mut csv = String::from("id,name,amount\n");
    for row in 0..rows {
        csv.push_str(&format!("{row},a text that only row number {row} of this long file has,{}\n", row % 997));
    }
    csv.into_bytes()
}

/// So many rows, each with a text of its own of 1,200 characters.
pub fn wide_csv(rows: usize) -> Vec<u8> {
    let mut csv = String::from("id,text\n");
    for row in 0..rows {
        csv.push_str(&format!("{row},{}\n", format!("{row:>8}").repeat(150)));
    }
    csv.into_bytes()
}

/// Two cells, as far apart as a sheet is large.
pub fn far_apart() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "first").expect("it is written");
    sheet.write(1_048_575, 16_383, "last").expect("it is written");
    workbook.save_to_buffer().expect("it is written")
}

/// A workbook whose end is missing.
pub fn cut_off() -> Vec<u8> {
    let mut bytes = shop();
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// A few KiB that unzip to a sheet of 200 MiB.
pub fn bomb() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let parts = [
        (
            "[Content_Types].xml",
            r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#,
        ),
        (
            "_rels/.rels",
            r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
        ),
        (
            "xl/workbook.xml",
            r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
        ),
    ];
    for (name, text) in parts {
        zip.start_file(name, options).expect("a part begins");
        zip.write_all(text.as_bytes()).expect("it is written");
    }
    zip.start_file("xl/worksheets/sheet1.xml", options).expect("a part begins");
    let begin = r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>"#;
    zip.write_all(begin.as_bytes()).expect("it is written");
    let spaces = vec![b' '; 1_048_576];
    for _ in 0..200 {
        zip.write_all(&spaces).expect("it is written");
    }
    zip.write_all(b"</sheetData></worksheet>").expect("it is written");
    zip.finish().expect("the zip ends").into_inner()
}

/// What a spreadsheet program makes of a workbook with a password: a compound file with the two streams of an encrypted one.
pub fn encrypted() -> Vec<u8> {
    const SECTOR: usize = 512;
    let mut header = vec![0_u8; SECTOR];
    header[..8].copy_from_slice(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]);
    let mut short = |at: usize, value: u16| header[at..at + 2].copy_from_slice(&value.to_le_bytes());
    short(24, 0x3E);
    short(26, 3);
    short(28, 0xFFFE);
    short(30, 9);
    short(32, 6);
    let mut word = |at: usize, value: u32| header[at..at + 4].copy_from_slice(&value.to_le_bytes());
    // One sector of the allocation table (0), the directory (1), no small and no further ones; streams of a sector each (2 … 17).
    word(44, 1);
    word(48, 1);
    word(56, 4096);
    word(60, 0xFFFF_FFFE);
    word(68, 0xFFFF_FFFE);
    for entry in 0..109 {
        word(76 + 4 * entry, if entry == 0 { 0 } else { 0xFFFF_FFFF });
    }
    let mut table = vec![0xFF_u8; SECTOR];
    let mut link = |sector: usize, next: u32| table[4 * sector..4 * sector + 4].copy_from_slice(&next.to_le_bytes());
    link(0, 0xFFFF_FFFD);
    link(1, 0xFFFF_FFFE);
    for (first, count) in [(2_u32, 8_u32), (10, 8)] {
        for sector in first..first + count {
            let next = if sector + 1 == first + count { 0xFFFF_FFFE } else { sector + 1 };
            link(usize::try_from(sector).expect("small"), next);
        }
    }
    let mut directory = Vec::new();
    directory.extend(entry("Root Entry", 5, 1, 0xFFFF_FFFE, 0));
    directory.extend(entry("EncryptedPackage", 2, 0xFFFF_FFFF, 2, 4096));
    directory.extend(entry("EncryptionInfo", 2, 0xFFFF_FFFF, 10, 4096));
    directory.extend(vec![0_u8; 128]);
    // The second stream is the first one's sibling.
    directory[128 + 72..128 + 76].copy_from_slice(&2_u32.to_le_bytes());
    let streams = vec![0x5A_u8; 16 * SECTOR];
    [header, table, directory, streams].concat()
}

fn entry(name: &str, kind: u8, child: u32, sector: u32, size: u64) -> Vec<u8> {
    let mut entry = vec![0_u8; 128];
    let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    entry[..name.len()].copy_from_slice(&name);
    entry[64..66].copy_from_slice(&u16::try_from(name.len()).expect("short").to_le_bytes());
    entry[66] = kind;
    entry[67] = 1;
    for (at, value) in [(68, 0xFFFF_FFFF_u32), (72, 0xFFFF_FFFF), (76, child), (116, sector)] {
        entry[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    entry[120..128].copy_from_slice(&size.to_le_bytes());
    entry
}
