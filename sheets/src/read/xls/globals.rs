//! What all sheets share: their list, the texts and the styles.

use encoding_rs::WINDOWS_1252;

use super::{
    super::{
        binary::Bytes,
        corrupt,
        moments::Styles,
        sink::{Listed, Sink},
    },
    record::Records,
    text::{Pieces, Writing, page},
};
use crate::{error::ReadError, skipped::NoWorksheet, texts::TextId};

pub(super) const BEGIN: u16 = 0x0809;
pub(super) const END: u16 = 0x000a;
const PASSWORD: u16 = 0x002f;
const PAGE: u16 = 0x0042;
const DATE_SYSTEM: u16 = 0x0022;
const FORMAT: u16 = 0x041e;
const STYLE: u16 = 0x00e0;
const SHEET: u16 = 0x0085;
const SHARED_TEXTS: u16 = 0x00fc;
const BIFF8: u16 = 0x0600;

/// What all sheets share.
pub(super) struct Book {
    pub(super) writing: Writing,
    pub(super) styles: Styles,
    pub(super) shared: Vec<Option<TextId>>,
    /// The sheets, and where their records begin.
    pub(super) sheets: Vec<(Listed, u32)>,
}

/// Reads the first part of the stream.
pub(super) fn read(records: &mut Records, sink: &mut Sink<'_>) -> Result<Book, ReadError> {
    let writing = Writing { is_biff8: true, page: WINDOWS_1252 };
    let mut book = Book { writing, styles: Styles::default(), shared: Vec::new(), sheets: Vec::new() };
    let mut text = String::new();
    let mut begun = false;
    while let Some(kind) = records.next()? {
        let mut record = Bytes(&records.body);
        match kind {
            BEGIN if !begun => {
                begun = true;
                book.writing.is_biff8 = record.u16()? >= BIFF8;
            }
            PASSWORD => return Err(ReadError::Encrypted),
            PAGE => book.writing.page = page(record.u16()?),
            DATE_SYSTEM => book.styles.is_1904 = record.u16()? == 1,
            FORMAT => {
                let number = record.u16()?;
                let writing = book.writing;
                let read = if writing.is_biff8 { writing.long(&mut record, &mut text) } else { writing.short(&mut record, &mut text) };
                // Numbers whose format can't be read are numbers.
                if read.is_ok() {
                    book.styles.add_format(number, &text);
                }
            }
            STYLE => {
                record.u16()?;
                book.styles.add_style(record.u16()?);
            }
            SHEET => book.sheets.push(listed(&mut record, book.writing)?),
            SHARED_TEXTS => book.shared = shared(records, sink)?,
            END => return Ok(book),
            _ if !begun => return Err(corrupt("it does not begin as a workbook")),
            _ => {}
        }
    }
    Err(corrupt("its list of sheets is cut short"))
}

fn listed(record: &mut Bytes<'_>, writing: Writing) -> Result<(Listed, u32), ReadError> {
    let place = record.u32()?;
    let (state, kind) = (record.u8()?, record.u8()?);
    let mut name = String::new();
    writing.short(record, &mut name)?;
    let other = match kind {
        0 => None,
        1 | 6 => Some(NoWorksheet::Macros),
        2 => Some(NoWorksheet::Chart),
        _ => Some(NoWorksheet::Unknown),
    };
    Ok((Listed { name, hidden: state & 3 != 0, other, part: String::new() }, place))
}

// Texts that cells refer to by number. They run over from one record to the next, anywhere.
fn shared(records: &mut Records, sink: &mut Sink<'_>) -> Result<Vec<Option<TextId>>, ReadError> {
    let mut shared = Vec::new();
    let mut head = Bytes(&records.body);
    head.u32()?;
    let count = head.u32()?;
    let most = sink.options().limits.max_cells;
    let mut pieces = Pieces::new(records, 8);
    let mut text = String::new();
    for _ in 0..count {
        // A count that promises more than there is does no harm: cells refer to what is there.
        if !pieces.more()? {
            break;
        }
        if shared.len() as u64 >= most {
            return Err(ReadError::TooLarge(format!("it has more than {most} texts")));
        }
        pieces.text(&mut text)?;
        shared.push(sink.intern(&text)?);
    }
    Ok(shared)
}
