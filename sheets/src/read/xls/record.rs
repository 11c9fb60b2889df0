//! Records, one after another: a type, a length and a body of at most 64 KiB.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::{
    super::{broken, corrupt},
    Source,
};
use crate::error::ReadError;

/// A record that goes on with the body of the one before.
pub(super) const CONTINUE: u16 = 0x3c;

/// A stream of records.
pub(super) struct Records {
    source: BufReader<Box<dyn Source>>,
    /// The head of the next record, if it has been looked at.
    ahead: Option<(u16, u16)>,
    pub(super) body: Vec<u8>,
}

impl Records {
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        Self { source: BufReader::with_capacity(64 * 1_024, source), ahead: None, body: Vec::new() }
    }

    /// Goes to a record by its place in the stream.
    pub(super) fn seek(&mut self, place: u32) -> Result<(), ReadError> {
        self.ahead = None;
        self.source.seek(SeekFrom::Start(u64::from(place))).map_err(ReadError::Io)?;
        Ok(())
    }

    /// Reads the next record into `body`; its type, or none at the end of the stream.
    pub(super) fn next(&mut self) -> Result<Option<u16>, ReadError> {
        let Some((kind, length)) = self.peek()? else { return Ok(None) };
        self.ahead = None;
        self.body.resize(usize::from(length), 0);
        self.source.read_exact(&mut self.body).map_err(|_| corrupt("a record of it is cut short"))?;
        Ok(Some(kind))
    }

    /// Reads the next record if it goes on with this one.
    pub(super) fn go_on(&mut self) -> Result<bool, ReadError> {
        match self.peek()? {
            Some((CONTINUE, _)) => self.next().map(|kind| kind.is_some()),
            _ => Ok(false),
        }
    }

    fn peek(&mut self) -> Result<Option<(u16, u16)>, ReadError> {
        if self.ahead.is_none() {
            let mut head = Vec::with_capacity(4);
            self.source.by_ref().take(4).read_to_end(&mut head).map_err(broken)?;
            let [a, b, c, d] = *head.as_slice() else { return Ok(None) };
            self.ahead = Some((u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])));
        }
        Ok(self.ahead)
    }
}
