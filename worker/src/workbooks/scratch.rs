//! Where a worker process keeps files for a while: a folder of its own below one that all workers of this user and machine share. What a
//! process left that was killed is removed by the next one that starts.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;
use uuid::Uuid;

/// Times that a name is tried, should a start sweep it away between two calls.
const TRIES: usize = 8;

/// The process's folder, gone when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    mark: PathBuf,
    /// Held as long as the process lives, so that others know.
    _lock: File,
}

impl Scratch {
    /// Makes a folder, below the system's temporary one.
    ///
    /// # Errors
    /// If it can't be made, or the shared folder is somebody else's.
    pub fn open() -> io::Result<Self> {
        let user = rustix::process::geteuid().as_raw();
        Self::below(&std::env::temp_dir().join(format!("datagenie-workbooks-{user}")))
    }

    fn below(shared: &Path) -> io::Result<Self> {
        let made = DirBuilder::new().mode(0o700).create(shared);
        if let Err(error) = made
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        // Anybody may make a folder there; in one of somebody else's, files could be changed under our hands.
        let found = fs::symlink_metadata(shared)?;
        if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o077 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is not ours alone", shared.display())));
        }
        sweep(shared)?;
        for _ in 0..TRIES {
            if let Some(scratch) = Self::claim(shared)? {
                return Ok(scratch);
            }
        }
        Err(io::Error::other("no folder for temporary files could be kept"))
    }

    // The mark is locked before the folder is there: a folder whose mark can be locked is nobody's.
    fn claim(shared: &Path) -> io::Result<Option<Self>> {
        let name = Uuid::new_v4().simple().to_string();
        let mark = shared.join(format!("{name}.lock"));
        let lock = File::create_new(&mark)?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() || !mark.try_exists()? {
            return Ok(None);
        }
        let folder = shared.join(name);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Some(Self { folder, mark, _lock: lock }))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A new folder in it.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn folder(&self) -> io::Result<Folder> {
        let path = self.folder.join(format!("read-{}", Uuid::new_v4().simple()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.mark);
    }
}

/// A folder for one piece of work, gone when this is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(error = %error, "a folder for temporary files stays until the next start");
        }
    }
}

/// Removes the folders of processes that are gone.
fn sweep(shared: &Path) -> io::Result<()> {
    for entry in fs::read_dir(shared)? {
        let mark = entry?.path();
        if mark.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        // Another start may sweep at the same time.
        let Ok(lock) = File::open(&mark) else { continue };
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_dir_all(mark.with_extension(""));
            let _ = fs::remove_file(&mark);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn shared() -> PathBuf {
        std::env::temp_dir().join(format!("datagenie-scratch-{}", Uuid::new_v4().simple()))
    }

    #[test]
    fn a_start_removes_what_dead_processes_left_and_nothing_of_the_living() {
        let shared = shared();
        let living = Scratch::below(&shared).expect("a folder is made");
        let kept = living.folder().expect("a folder is made");
        // As a killed process leaves it: the lock is gone with it, the files are not.
        let dead = shared.join("0123");
        fs::create_dir(&dead).expect("the folder can be written");
        fs::write(dead.join("input"), "x").expect("the folder can be written");
        fs::write(shared.join("0123.lock"), "").expect("the folder can be written");
        let next = Scratch::below(&shared).expect("a folder is made");
        assert!(!dead.exists() && !shared.join("0123.lock").exists());
        assert!(kept.path().is_dir());
        assert_ne!(living.path(), next.path());
        drop((kept, living, next));
        assert_eq!(fs::read_dir(&shared).map(Iterator::count).ok(), Some(0), "nothing stays behind");
        fs::remove_dir(&shared).expect("it is empty");
    }

    #[test]
    fn a_folder_that_others_may_write_is_not_used() {
        let shared = shared();
        DirBuilder::new().mode(0o777).create(&shared).expect("the folder is made");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).expect("it is ours");
        assert_eq!(Scratch::below(&shared).map_err(|error| error.kind()).err(), Some(io::ErrorKind::PermissionDenied));
        fs::remove_dir(&shared).expect("it is empty");
    }
}
