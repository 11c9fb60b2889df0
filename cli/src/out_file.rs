//! Files that are there whole or not at all: written beside their place, then moved there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use uuid::Uuid;

/// Of a file that others of this machine may read, as far as the umask lets them.
pub const SHARED: u32 = 0o666;
/// Of a file with a secret.
pub const PRIVATE: u32 = 0o600;

/// A file that is being written. Dropping it leaves what was there before.
pub struct OutFile {
    place: PathBuf,
    draft: PathBuf,
    file: Option<File>,
}

impl OutFile {
    /// Begins to write.
    ///
    /// # Errors
    /// In a folder that is not there or can't be written to.
    pub fn begin(place: &Path, mode: u32) -> anyhow::Result<Self> {
        has_folder(place)?;
        let name = place.file_name().context("a file needs a name")?.to_string_lossy().into_owned();
        let draft = place.with_file_name(format!(".{name}.{}.part", Uuid::new_v4().simple()));
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft);
        let file = file.with_context(|| format!("{} can't be written", place.display()))?;
        Ok(Self { place: place.to_owned(), draft, file: Some(file) })
    }

    /// Puts what was written in its place, once the disk has it.
    ///
    /// # Errors
    /// If the disk is full, or the place can't be written.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let told = || format!("{} can't be written", self.place.display());
        if let Some(file) = &self.file {
            file.sync_all().with_context(told)?;
        }
        fs::rename(&self.draft, &self.place).with_context(told)?;
        self.file = None;
        Ok(())
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.draft);
        }
    }
}

/// Writes a whole file.
///
/// # Errors
/// As [`OutFile::begin`] and [`OutFile::finish`].
pub fn write(place: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut file = OutFile::begin(place, mode)?;
    file.write_all(bytes).with_context(|| format!("{} can't be written", place.display()))?;
    file.finish()
}

/// Refuses a folder that is not there, before anything is asked for it.
///
/// # Errors
/// With both names.
pub fn has_folder(place: &Path) -> anyhow::Result<()> {
    if place.is_dir() {
        bail!("{} is a folder: name a file in it", place.display());
    }
    match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            bail!("{} can't be written: there is no folder {}", place.display(), folder.display())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_draft_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("datagenie-out-{}", Uuid::new_v4()));
        fs::create_dir(&folder).expect("a temporary folder");
        let place = folder.join("결과.jsonl");
        write(&place, b"first", PRIVATE).expect("it is written");
        assert_eq!(fs::metadata(&place).expect("it is there").permissions().mode() & 0o777, 0o600);
        let mut draft = OutFile::begin(&place, SHARED).expect("it begins");
        draft.write_all(b"second").expect("it is written");
        drop(draft);
        assert_eq!(fs::read(&place).expect("it is read"), b"first");
        write(&place, b"third", SHARED).expect("it is written");
        assert_eq!(fs::read(&place).expect("it is read"), b"third");
        assert_eq!(fs::read_dir(&folder).expect("it is read").count(), 1, "no draft is left");
        fs::remove_dir_all(&folder).expect("the temporary folder goes");
    }

    #[test]
    fn a_folder_that_is_missing_is_told_before_anything_is_done() {
        assert!(has_folder(Path::new("no-such-folder/results.jsonl")).is_err());
        assert!(has_folder(Path::new("results.jsonl")).is_ok() && has_folder(Path::new("./results.jsonl")).is_ok());
        assert!(has_folder(&std::env::temp_dir()).is_err());
    }
}
