//! Temporary files without a name.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt};

use uuid::Uuid;

/// A file that can be written and read, and that goes with its last handle, however the process ends.
pub(super) fn file() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("datagenie-export-{}", Uuid::new_v4().simple()));
    let mut options = File::options();
    // Customers' rows are nobody else's on this machine.
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
