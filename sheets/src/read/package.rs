//! The parts of a zipped workbook: their sizes are looked at before any is unzipped, and counted again while one is, for they may lie.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use zip::{ZipArchive, read::ZipFile, result::ZipError};

use super::{broken, corrupt};
use crate::{error::ReadError, limits::Limits};

/// A workbook of a thousand sheets with a drawing each has less than this.
const MOST_PARTS: usize = 50_000;
/// Parts that unzip to less may have any ratio.
const SMALL_PART: u64 = 8 * 1_048_576;
const MIB: u64 = 1_048_576;

/// A zipped workbook.
pub(super) struct Package {
    zip: ZipArchive<BufReader<File>>,
    /// Places by name in lower case with forward slashes: some writers differ in both.
    places: HashMap<String, usize>,
    budget: Budget,
}

/// How much may still be unzipped.
struct Budget {
    left: u64,
    most: u64,
    ratio: u64,
}

impl Package {
    /// Opens the archive and checks what it says of its sizes.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self, ReadError> {
        let zip = ZipArchive::new(BufReader::new(File::open(path).map_err(ReadError::Io)?)).map_err(unzipped)?;
        if zip.len() > MOST_PARTS {
            return Err(ReadError::TooLarge(format!("it has {} parts, and at most {MOST_PARTS} are read", zip.len())));
        }
        let budget = Budget { left: limits.max_unzipped_bytes, most: limits.max_unzipped_bytes, ratio: limits.max_ratio };
        let mut places = HashMap::with_capacity(zip.len());
        let mut total: u64 = 0;
        for place in 0..zip.len() {
            let entry = zip.by_index_data(place).map_err(unzipped)?;
            total = total.saturating_add(entry.size());
            budget.check_ratio(entry.size(), entry.compressed_size())?;
            // A name that is no text can't be one of those that are looked for.
            if let Ok(name) = entry.name() {
                places.entry(normal(&name)).or_insert(place);
            }
        }
        if total > budget.most {
            return Err(budget.passed(total));
        }
        Ok(Self { zip, places, budget })
    }

    /// Whether there is such a part.
    pub(super) fn has(&self, name: &str) -> bool {
        self.places.contains_key(&normal(name))
    }

    /// Names of all parts, in lower case.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// A part, to be read as a stream.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Part<'_>>, ReadError> {
        let Some(&place) = self.places.get(&normal(name)) else { return Ok(None) };
        let file = self.zip.by_index(place).map_err(unzipped)?;
        let compressed = file.compressed_size();
        Ok(Some(Part { file, compressed, read: 0, budget: &mut self.budget }))
    }

    /// The first bytes of a part; none if it is missing.
    pub(super) fn head(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(part) = self.part(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        part.take(most).read_to_end(&mut bytes).map_err(broken)?;
        Ok(Some(bytes))
    }
}

fn normal(name: &str) -> String {
    name.trim_start_matches('/').replace('\\', "/").to_ascii_lowercase()
}

/// One part while it is unzipped.
pub(super) struct Part<'a> {
    file: ZipFile<'a, BufReader<File>>,
    compressed: u64,
    read: u64,
    budget: &'a mut Budget,
}

impl Read for Part<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.read += count as u64;
        self.budget.check_ratio(self.read, self.compressed).map_err(io::Error::other)?;
        self.budget.left = match self.budget.left.checked_sub(count as u64) {
            Some(left) => left,
            None => return Err(io::Error::other(self.budget.passed(self.budget.most + count as u64))),
        };
        Ok(count)
    }
}

impl Budget {
    fn check_ratio(&self, size: u64, compressed: u64) -> Result<(), ReadError> {
        if size <= SMALL_PART || size <= compressed.saturating_mul(self.ratio) {
            return Ok(());
        }
        let ratio = size / compressed.max(1);
        Err(ReadError::TooLarge(format!("a part unzips to {ratio} times its size or more, and at most {} times are unzipped", self.ratio)))
    }

    fn passed(&self, size: u64) -> ReadError {
        ReadError::TooLarge(format!("it unzips to {} MiB or more, and at most {} MiB are read", size / MIB, self.most / MIB))
    }
}

fn unzipped(error: ZipError) -> ReadError {
    match error {
        ZipError::Io(error) => broken(error),
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => ReadError::Encrypted,
        ZipError::UnsupportedArchive(what) => {
            ReadError::Unsupported(format!("its zip archive is packed in a way that is not read ({what})"))
        }
        other => corrupt(format!("its zip archive can't be read ({other})")),
    }
}
