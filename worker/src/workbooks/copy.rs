//! Between file storage and files of this machine, a piece at a time.

use std::{io, path::Path};

use datagenie_common::files::{Files, FilesError, ObjectPath};
use futures::StreamExt;
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncWriteExt},
};

const PIECE: usize = 256 * 1024;

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The storage failed.
    #[error("the file storage can't be read or written")]
    Storage(#[from] FilesError),
    /// This machine's files failed.
    #[error("a temporary file can't be read or written")]
    Local(#[from] io::Error),
    /// The storage brought something else than was stored: no more than was stored is ever written down.
    #[error("{path} should have {expected} bytes, and {found} or more came")]
    Length {
        /// Which object.
        path: ObjectPath,
        /// As the rows have it.
        expected: u64,
        /// Bytes that came.
        found: u64,
    },
}

/// Copies an object of so many bytes to a file, in the place of an older one.
///
/// # Errors
/// [`CopyError`]. What was written until then is left.
pub async fn download(files: &Files, from: ObjectPath, expected: u64, to: &Path) -> Result<(), CopyError> {
    let mut pieces = files.stream(from).await?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(to).await?;
    let mut found = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        found += piece.len() as u64;
        if found > expected {
            break;
        }
        file.write_all(&piece).await?;
    }
    file.flush().await?;
    if found == expected { Ok(()) } else { Err(CopyError::Length { path: from, expected, found }) }
}

/// Copies a file to an object. Gives its bytes.
///
/// # Errors
/// [`CopyError`]. The object is there only after a success.
pub async fn upload(files: &Files, from: &Path, to: ObjectPath) -> Result<u64, CopyError> {
    let mut file = open_plain(from).await?;
    let mut writer = files.writer(to);
    loop {
        let mut piece = vec![0; PIECE];
        let length = match file.read(&mut piece).await {
            Ok(length) => length,
            Err(error) => {
                writer.abort().await?;
                return Err(error.into());
            }
        };
        if length == 0 {
            break;
        }
        piece.truncate(length);
        writer.write(piece).await?;
    }
    Ok(writer.finish().await?)
}

/// A file that somebody else made: no link to one that is not theirs.
async fn open_plain(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path).await?;
    if !file.metadata().await?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}
