//! The user that a server runs as: PostgreSQL and MariaDB refuse root, and RabbitMQ is not to be root.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{LocalError, on_file};
use crate::spawn::{find_in_path, setpriv};

/// A user and group of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUser {
    /// The user's id.
    pub uid: u32,
    /// The id of its first group.
    pub gid: u32,
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl ServerUser {
    /// The user called `name` when this process is root, else `None`: the server runs as ourselves.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`] when there is no such user: its package is not installed.
    pub fn when_root(name: &str, package: &'static str) -> Result<Option<Self>, LocalError> {
        if !is_root() {
            return Ok(None);
        }
        let missing = || LocalError::ProgramMissing { program: format!("the user {name}"), package };
        let id = |flag: &str| -> Option<u32> {
            let output = Command::new(find_in_path("id")?).args([flag, name]).output().ok()?;
            String::from_utf8_lossy(&output.stdout).trim().parse().ok()
        };
        let uid = id("-u").ok_or_else(missing)?;
        let gid = id("-g").ok_or_else(missing)?;
        Ok(Some(Self { uid, gid }))
    }

    /// Whether this user can pass through `folder` and all its parents.
    #[must_use]
    pub fn can_reach(&self, folder: &Path) -> bool {
        let (Some(setpriv), Some(test)) = (setpriv(), find_in_path("test")) else {
            return false;
        };
        Command::new(setpriv)
            .args([format!("--reuid={}", self.uid), format!("--regid={}", self.gid)])
            .args(["--clear-groups", "--"])
            .arg(test)
            .arg("-x")
            .arg(folder)
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Gives a file or folder to this user.
    ///
    /// # Errors
    /// [`LocalError::File`] when the file system refuses.
    pub fn own(&self, path: &Path) -> Result<(), LocalError> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).map_err(on_file("giving away", path))
    }
}

/// The folder below `/var/tmp` that stands in for `wanted` when the server's user cannot reach it: always the same one
/// for the same folder, so that kept data is found again.
#[must_use]
pub fn stand_in(wanted: &Path) -> PathBuf {
    PathBuf::from(format!("/var/tmp/datagenie-{}-{}", rustix::process::geteuid().as_raw(), folder_hash(wanted)))
}

/// 16 hexadecimal digits that are always the same for the same path (FNV-1a), for names derived from a folder.
#[must_use]
pub fn folder_hash(folder: &Path) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in folder.as_os_str().as_encoded_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_stand_in() {
        let folder = Path::new("/srv/a/postgres");
        assert_eq!(stand_in(folder), stand_in(folder));
        assert_ne!(stand_in(folder), stand_in(Path::new("/srv/b/postgres")));
        assert!(stand_in(folder).starts_with("/var/tmp"));
    }
}
