//! The data folder of one system: marked as ours, locked while in use, and emptied of what we made.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{LocalError, on_file};
use crate::notes::note;
use crate::servers::mariadb;
use crate::servers::place::ensure_unused;
use crate::servers::postgres::cluster;
use crate::servers::rabbitmq;

const MARKER: &str = ".datagenie-local";
const LOCK: &str = "lock";
const LOGS: &str = "logs";
/// All that a system writes below its folder. Nothing else is ever removed.
const CONTENT: [&str; 12] = [
    "run.json",
    "run.json.new",
    "secrets",
    "secrets.new",
    "postgres",
    "postgres.new",
    "postgres.password",
    "redis",
    "rabbitmq",
    "mariadb",
    "files",
    "sample",
];
/// What the tour writes.
const TOUR: &str = "tour";

/// What the marker file says.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Marker {
    /// Whether the folder itself was made by us, and goes at the end.
    made_folder: bool,
    /// Whether the content was asked to stay. Once kept, it is never removed by a later run.
    keep: bool,
}

/// A locked data folder. Dropping it removes the content that was not to be kept, all but the logs.
pub struct DataFolder {
    root: PathBuf,
    marker: Marker,
    lock: File,
    closed: bool,
}

impl DataFolder {
    /// Takes the folder: makes it, or finds it empty or made by an earlier run. Content that an earlier run did not
    /// mean to keep (it was killed) is removed first.
    ///
    /// # Errors
    /// [`LocalError::NotOurs`], [`LocalError::Locked`], [`LocalError::DataInUse`], [`LocalError::File`].
    pub fn open(path: &Path, keep: bool) -> Result<Self, LocalError> {
        let root = std::path::absolute(path).map_err(on_file("resolving", path))?;
        let made_folder = !root.exists();
        fs::create_dir_all(&root).map_err(on_file("creating", &root))?;
        let root = root.canonicalize().map_err(on_file("resolving", &root))?;
        let mut entries = fs::read_dir(&root).map_err(on_file("reading", &root))?;
        let earlier = read_marker(&root);
        if earlier.is_none() && entries.next().is_some() {
            return Err(LocalError::NotOurs { path: root });
        }
        if made_folder {
            // Servers that run as another user pass through; they cannot list it.
            fs::set_permissions(&root, Permissions::from_mode(0o711)).map_err(on_file("opening up", &root))?;
        }
        let lock = lock(&root)?;
        if earlier.is_some_and(|marker| !marker.keep) {
            remove_content(&root)?;
        } else if earlier.is_some() && !keep {
            note(&format!(
                "{} holds data that an earlier --keep left; they are used again and kept. For a fresh start remove the folder.",
                root.display()
            ));
        }
        let marker = Marker {
            made_folder: earlier.map_or(made_folder, |marker| marker.made_folder),
            keep: keep || earlier.is_some_and(|marker| marker.keep),
        };
        write_marker(&root, marker)?;
        let folder = Self { root, marker, lock, closed: false };
        for name in [LOGS, "files", "sample"] {
            let path = folder.path(name);
            fs::create_dir_all(&path).map_err(on_file("creating", &path))?;
        }
        Ok(folder)
    }

    /// The folder itself, absolute and without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Something in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The log file of a program or server.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join(LOGS).join(format!("{name}.log"))
    }

    /// Whether the content stays at the end.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.marker.keep
    }

    /// Gives the folder back: everything is removed, the logs too, unless it is kept.
    ///
    /// # Errors
    /// [`LocalError::File`] with what could not be removed.
    pub fn close(mut self) -> Result<(), LocalError> {
        self.closed = true;
        if self.marker.keep {
            return Ok(());
        }
        remove_content(&self.root)?;
        for name in [LOGS, LOCK, MARKER] {
            remove(&self.root.join(name))?;
        }
        if self.marker.made_folder {
            // Fails when the user put something of his own in, which then stays.
            drop(fs::remove_dir(&self.root));
        }
        Ok(())
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if !self.closed && !self.marker.keep {
            drop(remove_content(&self.root));
        }
        drop(self.lock.unlock());
    }
}

fn read_marker(root: &Path) -> Option<Marker> {
    let text = fs::read_to_string(root.join(MARKER)).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_marker(root: &Path, marker: Marker) -> Result<(), LocalError> {
    let path = root.join(MARKER);
    let text = serde_json::to_string(&marker).map_err(|error| on_file("writing", &path)(error.into()))?;
    fs::write(&path, text).map_err(on_file("writing", &path))
}

/// The operating system frees the lock with the process, so there are no stale ones.
fn lock(root: &Path) -> Result<File, LocalError> {
    let path = root.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(&path)
        .map_err(on_file("opening", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let holder = holder.trim();
            let pid = if holder.is_empty() { "unknown" } else { holder }.to_owned();
            return Err(LocalError::Locked { path: root.to_path_buf(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(on_file("locking", &path)(error)),
    }
    file.set_len(0).map_err(on_file("writing", &path))?;
    writeln!(file, "{}", std::process::id()).map_err(on_file("writing", &path))?;
    Ok(file)
}

fn remove_content(root: &Path) -> Result<(), LocalError> {
    let [postgres, rabbitmq, mariadb] = ["postgres", "rabbitmq", "mariadb"].map(|server| root.join(server));
    // All of it goes or nothing does: a server that lives keeps the data of the others, too.
    ensure_unused(&postgres, cluster::live_server)?;
    ensure_unused(&rabbitmq, rabbitmq::live_server)?;
    ensure_unused(&mariadb, mariadb::live_server)?;
    cluster::remove_stand_in(&postgres)?;
    rabbitmq::remove_stand_in(&rabbitmq)?;
    mariadb::remove_stand_in(&mariadb)?;
    for name in CONTENT.into_iter().chain([TOUR]) {
        remove(&root.join(name))?;
    }
    Ok(())
}

/// Removes a file or a folder, never what a symbolic link points to.
fn remove(path: &Path) -> Result<(), LocalError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.map_err(on_file("removing", path))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::servers::user::stand_in;

    fn fresh(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("datagenie-folder-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        path
    }

    #[test]
    fn what_we_made_goes_and_what_others_made_stays() {
        let path = fresh("goes");
        let folder = DataFolder::open(&path, false).expect("a new folder");
        fs::write(folder.path("run.json"), "{}").expect("writable");
        folder.close().expect("removable");
        assert!(!path.exists());

        let folder = DataFolder::open(&path, false).expect("a new folder");
        fs::write(folder.path("mine.txt"), "of the user").expect("writable");
        folder.close().expect("removable");
        assert_eq!(fs::read_to_string(path.join("mine.txt")).expect("still there"), "of the user");
        assert!(!path.join("logs").exists());
        fs::remove_dir_all(&path).expect("removable");
    }

    #[test]
    fn a_strange_folder_is_refused_and_untouched() {
        let path = fresh("strange");
        fs::create_dir_all(&path).expect("a folder");
        fs::write(path.join("run.json"), "somebody's").expect("writable");
        assert!(matches!(DataFolder::open(&path, false), Err(LocalError::NotOurs { .. })));
        assert_eq!(fs::read_dir(&path).expect("readable").count(), 1);
        fs::remove_dir_all(&path).expect("removable");
    }

    #[test]
    fn one_system_a_folder() {
        let path = fresh("locked");
        let folder = DataFolder::open(&path, false).expect("a new folder");
        let Err(LocalError::Locked { pid, .. }) = DataFolder::open(&path, false) else { panic!("the lock was not seen") };
        assert_eq!(pid, std::process::id().to_string());
        folder.close().expect("removable");
    }

    #[test]
    fn a_server_that_lives_keeps_everything() {
        let path = fresh("lives");
        let folder = DataFolder::open(&path, false).expect("a new folder");
        fs::write(folder.path("secrets"), "s").expect("writable");
        let [of_postgres, of_rabbitmq] = ["postgres", "rabbitmq"].map(|name| stand_in(&folder.path(name)));
        let data = of_rabbitmq.join("data");
        for made in [&of_postgres, &data] {
            fs::create_dir_all(made).expect("a stand-in");
        }
        // A node is known by its home folder among its words. This one waits for its standard input.
        let home = data.canonicalize().expect("it is there");
        let mut node = Command::new("cat").arg("-").arg(home).stdin(Stdio::piped()).spawn().expect("a process");
        fs::write(data.join("pid"), node.id().to_string()).expect("writable");
        // A process is there a moment before its words are.
        while fs::read(format!("/proc/{}/cmdline", node.id())).expect("it runs").is_empty() {
            std::thread::yield_now();
        }

        let refused = folder.close();
        assert!(matches!(refused, Err(LocalError::DataInUse { path, pid }) if path == data && pid == node.id()));
        let kept = [path.join("secrets"), of_postgres.clone(), of_rabbitmq.clone()].map(|kept| kept.exists());
        assert_eq!(kept, [true; 3]);

        node.kill().expect("it runs");
        node.wait().expect("it ends");
        DataFolder::open(&path, false).expect("ours").close().expect("removable");
        assert!(!path.exists() && !of_postgres.exists() && !of_rabbitmq.exists());
    }

    #[test]
    fn kept_data_stay_kept_and_forgotten_ones_go() {
        let path = fresh("kept");
        let folder = DataFolder::open(&path, true).expect("a new folder");
        fs::write(folder.path("secrets"), "s").expect("writable");
        folder.close().expect("closable");
        let folder = DataFolder::open(&path, false).expect("the kept folder");
        assert!(folder.keeps());
        folder.close().expect("closable");
        assert!(path.join("secrets").exists());
        fs::remove_dir_all(&path).expect("removable");

        let folder = DataFolder::open(&path, false).expect("a new folder");
        fs::write(folder.path("secrets"), "s").expect("writable");
        drop(folder);
        assert!(!path.join("secrets").exists() && path.join("logs").exists());
        fs::remove_dir_all(&path).expect("removable");
    }
}
