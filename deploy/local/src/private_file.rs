//! Files that only their owner may read, replaced as a whole.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

use crate::error::{LocalError, on_file};

/// Writes `value` as JSON, mode 0600. A reader sees the old file or the new one, never half of it.
///
/// # Errors
/// [`LocalError::File`] when the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LocalError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| on_file("writing", path)(error.into()))?;
    text.push(b'\n');
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = Path::new(&name);
    if fresh.exists() {
        fs::remove_file(fresh).map_err(on_file("removing", fresh))?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(fresh).map_err(on_file("creating", fresh))?;
    file.write_all(&text).map_err(on_file("writing", fresh))?;
    fs::rename(fresh, path).map_err(on_file("writing", path))
}
