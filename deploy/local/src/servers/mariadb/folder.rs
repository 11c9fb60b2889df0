//! The folder of a private MariaDB: what lies where, how the data are made, who uses them.
//!
//! The folder is ours. Below it the server's user owns what the server writes, so that nothing we write is in a place where
//! somebody else could have put a link.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::installation::Installation;
use super::launch;
use crate::error::{LocalError, on_file};
use crate::servers::place;
use crate::servers::user::ServerUser;

/// `mariadb-install-db` takes two seconds, on a slow disk with syncs many more.
const INSTALL_LIMIT: Duration = Duration::from_secs(180);
/// How long the server of a launcher that was killed may take to vanish.
const VANISH_LIMIT: Duration = Duration::from_secs(10);
/// The longest path of a unix socket, in bytes.
const LONGEST_SOCKET: usize = 107;

const DATA: &str = "data";
const PID_FILE: &str = "mariadb.pid";

/// A folder, made.
#[derive(Clone)]
pub(super) struct Folder {
    root: PathBuf,
    user: Option<ServerUser>,
}

impl Folder {
    /// Makes the folder unless it is there; the server's user passes through it and cannot list it.
    ///
    /// # Errors
    /// [`LocalError::File`].
    pub(super) fn prepare(root: &Path, user: Option<ServerUser>) -> Result<Self, LocalError> {
        if !root.is_dir() {
            fs::DirBuilder::new().mode(0o711).create(root).map_err(on_file("creating", root))?;
            // Said once more, because a umask may have taken the server's user out.
            fs::set_permissions(root, Permissions::from_mode(0o711)).map_err(on_file("opening up", root))?;
        }
        let root = root.canonicalize().map_err(on_file("resolving", root))?;
        Ok(Self { root, user })
    }

    /// The user that the server runs as, where that is another one than ours.
    pub(super) fn user(&self) -> Option<&ServerUser> {
        self.user.as_ref()
    }

    /// Databases, the server's own tables, its redo log.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join(DATA)
    }

    /// Temporary tables, and the only place of files that SQL may read or write.
    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The certificates.
    pub(super) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// The statements that the server runs at each start. They hold a password.
    pub(super) fn init_file(&self) -> PathBuf {
        self.root.join("init.sql")
    }

    /// Where the server writes its process id.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.data().join(PID_FILE)
    }

    /// The unix socket; none when its path would be too long.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        let path = self.data().join("mariadb.sock");
        (path.as_os_str().len() <= LONGEST_SOCKET).then_some(path)
    }

    /// Makes the data unless they are there. They appear whole or not at all: `mariadb-install-db` works on a folder beside.
    ///
    /// # Errors
    /// [`LocalError::File`], or [`LocalError::Failed`] with the words of `mariadb-install-db`.
    pub(super) async fn make_data(&self, installation: &Installation, persistent: bool) -> Result<(), LocalError> {
        let data = self.data();
        if data.is_dir() {
            return Ok(());
        }
        self.clear_tmp()?;
        let fresh = self.root.join("data.new");
        self.make_anew(&fresh)?;
        launch::install(installation, self, &fresh, persistent).output(INSTALL_LIMIT).await?;
        fs::rename(&fresh, &data).map_err(on_file("creating", &data))
    }

    /// Removes what a server that was killed left in its folder for temporary files.
    ///
    /// # Errors
    /// [`LocalError::File`].
    pub(super) fn clear_tmp(&self) -> Result<(), LocalError> {
        self.make_anew(&self.tmp())
    }

    /// Writes the statements of each start; only the server's user may read them.
    ///
    /// # Errors
    /// [`LocalError::File`].
    pub(super) fn write_init_file(&self, text: &str) -> Result<(), LocalError> {
        let path = self.init_file();
        if path.exists() {
            fs::remove_file(&path).map_err(on_file("removing", &path))?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(on_file("creating", &path))?;
        if let Some(user) = &self.user {
            fchown(&file, Some(user.uid), Some(user.gid)).map_err(on_file("giving away", &path))?;
        }
        file.write_all(text.as_bytes()).map_err(on_file("writing", &path))
    }

    /// Waits until no server works on the data any more.
    ///
    /// # Errors
    /// [`LocalError::DataInUse`] when one goes on.
    pub(super) async fn wait_unused(&self) -> Result<(), LocalError> {
        let deadline = Instant::now() + VANISH_LIMIT;
        while let Some(pid) = live_server(&self.root)? {
            if Instant::now() >= deadline {
                return Err(LocalError::DataInUse { path: self.root.clone(), pid });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// An empty folder of the server's user.
    fn make_anew(&self, path: &Path) -> Result<(), LocalError> {
        if path.exists() {
            fs::remove_dir_all(path).map_err(on_file("removing", path))?;
        }
        fs::DirBuilder::new().mode(0o700).create(path).map_err(on_file("creating", path))?;
        self.user.as_ref().map_or(Ok(()), |user| user.own(path))
    }
}

/// The process of the MariaDB that runs on this folder, if one does.
///
/// # Errors
/// Never; the signature is the one of PostgreSQL's.
pub fn live_server(root: &Path) -> Result<Option<u32>, LocalError> {
    let data = root.join(DATA);
    let Ok(text) = fs::read_to_string(data.join(PID_FILE)) else { return Ok(None) };
    let Ok(pid) = text.trim().parse::<u32>() else { return Ok(None) };
    // The id may belong to another program by now; a server names its data folder, a zombie names nothing.
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let home = data.canonicalize().unwrap_or(data);
    let named = |word: &[u8]| word.strip_prefix(b"--datadir=") == Some(home.as_os_str().as_bytes());
    Ok(line.split(|byte| *byte == 0).any(named).then_some(pid))
}

/// Removes the stand-in of `wanted`, if there is one of ours.
///
/// # Errors
/// [`LocalError::DataInUse`] when a server runs there, [`LocalError::File`] when it cannot be removed.
pub fn remove_stand_in(wanted: &Path) -> Result<(), LocalError> {
    place::remove_stand_in(wanted, live_server)
}
