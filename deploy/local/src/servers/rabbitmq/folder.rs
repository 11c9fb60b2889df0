//! The data folder of a private RabbitMQ: how it is made, what the node is called, who uses it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{LocalError, on_file};
use crate::servers::place;
use crate::servers::user::{ServerUser, folder_hash};

/// How long the node of a launcher that was killed may take to vanish.
const VANISH_LIMIT: Duration = Duration::from_secs(10);

/// Below the data folder: queues, messages, users, all that the node stores.
pub(super) const STORED: &str = "mnesia";

/// A data folder, made, and its node's name.
#[derive(Clone)]
pub(super) struct Folder {
    path: PathBuf,
    text: String,
    node_name: String,
    user: Option<ServerUser>,
}

impl Folder {
    /// Makes the folder unless it is there; only the server's user may look into it.
    ///
    /// # Errors
    /// [`LocalError::File`], [`LocalError::Refused`] for a path that is no UTF-8.
    pub(super) fn prepare(data: &Path, user: Option<ServerUser>) -> Result<Self, LocalError> {
        if !data.is_dir() {
            fs::DirBuilder::new().mode(0o700).create(data).map_err(on_file("creating", data))?;
            if let Some(user) = &user {
                user.own(data)?;
            }
        }
        let path = data.canonicalize().map_err(on_file("resolving", data))?;
        let text = path.to_str().map(str::to_owned).ok_or_else(|| {
            LocalError::Refused(format!("RabbitMQ cannot work in {}: its name is no UTF-8; choose another folder", path.display()))
        })?;
        let node_name = node_name(&path);
        let folder = Self { path, text, node_name, user };
        folder.write("enabled_plugins", "[].\n")?;
        Ok(folder)
    }

    /// Its path.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The node's name. RabbitMQ keeps its data below it, so another name would find none.
    pub(super) fn node_name(&self) -> &str {
        &self.node_name
    }

    /// The user that works in it, where that is another one than ours.
    pub(super) fn user(&self) -> Option<&ServerUser> {
        self.user.as_ref()
    }

    /// Writes `rabbitmq.conf`.
    ///
    /// # Errors
    /// [`LocalError::File`].
    pub(super) fn write_configuration(&self, text: &str) -> Result<(), LocalError> {
        self.write("rabbitmq.conf", text)
    }

    /// Waits until no node works on it any more.
    ///
    /// # Errors
    /// [`LocalError::DataInUse`] when one goes on.
    pub(super) async fn wait_unused(&self) -> Result<(), LocalError> {
        let deadline = Instant::now() + VANISH_LIMIT;
        while let Some(pid) = live_server(&self.path)? {
            if Instant::now() >= deadline {
                return Err(LocalError::DataInUse { path: self.path.clone(), pid });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Removes what the node has stored; the folder stays.
    ///
    /// # Errors
    /// [`LocalError::File`].
    pub(super) fn wipe(&self) -> Result<(), LocalError> {
        let stored = self.path.join(STORED);
        if stored.exists() { fs::remove_dir_all(&stored).map_err(on_file("removing", &stored)) } else { Ok(()) }
    }

    /// Writes a file anew that only the server's user may read. The old one is removed rather than opened: the folder is
    /// another user's, who could have put a link there.
    fn write(&self, name: &str, text: &str) -> Result<(), LocalError> {
        let path = self.path.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            fs::remove_file(&path).map_err(on_file("removing", &path))?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(on_file("creating", &path))?;
        if let Some(user) = &self.user {
            fchown(&file, Some(user.uid), Some(user.gid)).map_err(on_file("giving away", &path))?;
        }
        file.write_all(text.as_bytes()).map_err(on_file("writing", &path))
    }
}

/// The name of the node on a data folder: the same for the same path, whatever the machine is called today.
fn node_name(data: &Path) -> String {
    format!("datagenie-{}@localhost", folder_hash(data))
}

/// The process of the node that runs on this folder, if one does.
///
/// # Errors
/// Never; the signature is the one of PostgreSQL's.
pub fn live_server(data: &Path) -> Result<Option<u32>, LocalError> {
    let Ok(text) = fs::read_to_string(data.join("pid")) else { return Ok(None) };
    let Ok(pid) = text.trim().parse::<u32>() else { return Ok(None) };
    // The id may belong to another program by now; a node names its home folder, a zombie names nothing.
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let home = data.canonicalize().unwrap_or_else(|_| data.to_path_buf());
    let names_it = line.split(|byte| *byte == 0).any(|word| word == home.as_os_str().as_encoded_bytes());
    Ok(names_it.then_some(pid))
}

/// Removes the stand-in of `wanted`, if there is one of ours.
///
/// # Errors
/// [`LocalError::DataInUse`] when a node runs there, [`LocalError::File`] when it cannot be removed.
pub fn remove_stand_in(wanted: &Path) -> Result<(), LocalError> {
    place::remove_stand_in(wanted, live_server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_node_name() {
        let name = node_name(Path::new("/srv/a/rabbitmq"));
        assert_eq!(name, node_name(Path::new("/srv/a/rabbitmq")));
        assert_ne!(name, node_name(Path::new("/srv/b/rabbitmq")));
        assert!(name.starts_with("datagenie-") && name.ends_with("@localhost"));
    }

    #[test]
    fn another_program_with_the_old_id_is_no_node() {
        let folder = std::env::temp_dir().join(format!("datagenie-rabbit-folder-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("pid"), std::process::id().to_string()).expect("a pid file");
        assert_eq!(live_server(&folder).expect("readable"), None);
        fs::remove_dir_all(&folder).expect("removable");
    }
}
