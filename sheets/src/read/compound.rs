//! Compound files (OLE2), the container of xls: sectors in chains, and a directory of streams.
//!
//! Of what such a file says of itself only what lies within the file is believed, and a chain is as long as there are sectors.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    binary::{Bytes, utf_16},
    corrupt,
};
use crate::error::ReadError;

/// How every compound file begins.
pub(super) const MAGIC: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

const HEADER: u64 = 512;
const ENTRY: usize = 128;
const SMALL_SECTOR: u64 = 64;
/// The first number that is no sector.
const NO_SECTOR: u32 = 0xffff_fffa;
/// A directory of a workbook has a few dozen entries; this many are 8 MiB.
const MOST_ENTRIES: u64 = 65_536;

/// A compound file.
pub(super) struct Compound {
    file: File,
    size: u64,
    sector: u64,
    next: Vec<u32>,
    next_small: Vec<u32>,
    /// Streams below this size lie in small sectors.
    small_below: u64,
    /// Where the sectors begin that hold the small ones.
    small_store: Vec<u64>,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    start: u32,
    size: u64,
}

impl Compound {
    /// Opens a file that begins with [`MAGIC`].
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let mut file = File::open(path).map_err(ReadError::Io)?;
        let size = file.metadata().map_err(ReadError::Io)?.len();
        let mut header = Vec::new();
        file.by_ref().take(HEADER).read_to_end(&mut header).map_err(ReadError::Io)?;
        let header = Header::read(&header)?;
        let mut compound = Self {
            file,
            size,
            sector: header.sector,
            next: Vec::new(),
            next_small: Vec::new(),
            small_below: u64::from(header.small_below),
            small_store: Vec::new(),
            entries: Vec::new(),
        };
        compound.next = compound.table(&header)?;
        let directory = compound.places(header.directory, MOST_ENTRIES * ENTRY as u64 / header.sector)?;
        compound.read_directory(&directory)?;
        let root = compound.entries.first().ok_or_else(|| corrupt("its directory is empty"))?;
        let (start, length) = (root.start, root.size);
        // A workbook of one large stream needs no small sectors; damage there does no harm.
        compound.small_store = compound.places(start, length.div_ceil(header.sector)).unwrap_or_default();
        for place in compound.places(header.small_table, size / header.sector).unwrap_or_default() {
            let words = words(&compound.bytes(place)?);
            compound.next_small.extend(words);
        }
        Ok(compound)
    }

    /// Whether there is a stream or folder of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// A stream by its name.
    pub(super) fn stream(self, name: &str) -> Result<Stream, ReadError> {
        let entry = self.entry(name).ok_or_else(|| corrupt("a stream of it is missing"))?;
        let (start, size) = (entry.start, entry.size);
        let (sector, places) = if size < self.small_below {
            (SMALL_SECTOR, self.small_places(start, size)?)
        } else {
            (self.sector, self.places(start, size.div_ceil(self.sector))?)
        };
        let runs = runs(&places, sector);
        Ok(Stream { file: self.file, runs, size, position: 0, file_position: None })
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    // Where a sector begins; none beyond the end of the file.
    fn place(&self, number: u32) -> Option<u64> {
        let place = (u64::from(number) + 1) * self.sector;
        (number < NO_SECTOR && place < self.size).then_some(place)
    }

    // A sector; shorter at the end of a file that is cut.
    fn bytes(&mut self, place: u64) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(place)).map_err(ReadError::Io)?;
        self.file.by_ref().take(self.sector).read_to_end(&mut bytes).map_err(ReadError::Io)?;
        Ok(bytes)
    }

    // The table that says which sector follows which.
    fn table(&mut self, header: &Header) -> Result<Vec<u32>, ReadError> {
        let most = self.size / self.sector + 1;
        let mut parts = header.tables.clone();
        let mut more = header.more_tables;
        let mut read = 0;
        while let Some(place) = self.place(more) {
            read += 1;
            if read > most {
                return Err(endless());
            }
            let mut words = words(&self.bytes(place)?);
            more = words.pop().unwrap_or(NO_SECTOR);
            parts.extend(words);
        }
        let mut table = Vec::new();
        for part in parts {
            if table.len() as u64 > most {
                break;
            }
            if let Some(place) = self.place(part) {
                table.extend(words(&self.bytes(place)?));
            }
        }
        Ok(table)
    }

    // Where the sectors of a chain begin, at most as many as are needed.
    fn places(&self, start: u32, needed: u64) -> Result<Vec<u64>, ReadError> {
        let mut places = Vec::new();
        let mut number = start;
        while number < NO_SECTOR && (places.len() as u64) < needed {
            places.push(self.place(number).ok_or_else(|| corrupt("a sector lies beyond the end of the file: it is cut short"))?);
            if places.len() as u64 > self.size / self.sector + 1 {
                return Err(endless());
            }
            number = *self.next.get(number as usize).ok_or_else(|| corrupt("a sector has no place in the table of sectors"))?;
        }
        Ok(places)
    }

    fn small_places(&self, start: u32, size: u64) -> Result<Vec<u64>, ReadError> {
        let mut places = Vec::new();
        let mut number = start;
        while number < NO_SECTOR && (places.len() as u64) < size.div_ceil(SMALL_SECTOR) {
            let offset = u64::from(number) * SMALL_SECTOR;
            let place = usize::try_from(offset / self.sector).ok().and_then(|sector| self.small_store.get(sector));
            places.push(place.ok_or_else(|| corrupt("a small sector is missing"))? + offset % self.sector);
            number = *self.next_small.get(number as usize).ok_or_else(|| corrupt("a small sector has no place in its table"))?;
        }
        Ok(places)
    }

    fn read_directory(&mut self, places: &[u64]) -> Result<(), ReadError> {
        for place in places {
            for entry in self.bytes(*place)?.chunks_exact(ENTRY) {
                let mut record = Bytes(entry);
                let name = record.take(64)?;
                let length = usize::from(record.u16()?).saturating_sub(2).min(name.len());
                let mut text = String::new();
                utf_16(name.get(..length).unwrap_or_default(), &mut text);
                record.take(50)?;
                let start = record.u32()?;
                // The upper half is not used, and not always zero, where sectors are small.
                let (low, high) = (record.u32()?, record.u32()?);
                let high = if self.sector == HEADER { 0 } else { u64::from(high) };
                self.entries.push(Entry { name: text, start, size: (high << 32 | u64::from(low)).min(self.size) });
            }
        }
        Ok(())
    }
}

struct Header {
    sector: u64,
    directory: u32,
    small_below: u32,
    small_table: u32,
    more_tables: u32,
    tables: Vec<u32>,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut record = Bytes(bytes);
        record.take(30)?;
        let sector = match record.u16()? {
            9 => 512,
            12 => 4_096,
            _ => return Err(corrupt("its sectors have no size")),
        };
        record.take(16)?;
        let directory = record.u32()?;
        record.u32()?;
        let (small_below, small_table) = (record.u32()?, record.u32()?);
        record.u32()?;
        let more_tables = record.u32()?;
        record.u32()?;
        Ok(Self { sector, directory, small_below, small_table, more_tables, tables: words(record.0) })
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn endless() -> ReadError {
    corrupt("a chain of its sectors has no end")
}

// Sectors that follow each other in the file are one piece: its place, and how long it is.
fn runs(places: &[u64], sector: u64) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &place in places {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == place => *length += sector,
            _ => runs.push((place, sector)),
        }
    }
    runs
}

/// A stream of a compound file.
pub(super) struct Stream {
    file: File,
    runs: Vec<(u64, u64)>,
    size: u64,
    position: u64,
    /// Where the file stands, if it is known.
    file_position: Option<u64>,
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut before = self.position;
        for &(start, length) in &self.runs {
            if before >= length {
                before -= length;
                continue;
            }
            let place = start + before;
            if self.file_position != Some(place) {
                self.file.seek(SeekFrom::Start(place))?;
            }
            let most = (length - before).min(self.size.saturating_sub(self.position));
            let count = self.file.by_ref().take(most).read(into)?;
            self.position += count as u64;
            self.file_position = Some(place + count as u64);
            return Ok(count);
        }
        Ok(0)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
