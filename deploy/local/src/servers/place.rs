//! Where a server's data lie: in the folder asked for, or in a stand-in where the server's own user cannot get there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{LocalError, on_file};
use crate::notes::note;
use crate::servers::user::{ServerUser, stand_in};

/// The folder that the server will use for `wanted`: itself, or its stand-in below `/var/tmp` when the server's user
/// cannot get there (a home folder of root, for one). `server` is its name for the note that says so.
///
/// # Errors
/// [`LocalError::File`] when the parents cannot be made.
pub fn place(server: &str, wanted: &Path, user: Option<&ServerUser>) -> Result<PathBuf, LocalError> {
    let wanted = std::path::absolute(wanted).map_err(on_file("resolving", wanted))?;
    let parent = wanted.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(on_file("creating", parent))?;
    match user {
        Some(user) if !user.can_reach(parent) => {
            let outside = stand_in(&wanted);
            own_folder(&outside)?;
            note(&format!("{server}'s user cannot reach {}; its data lie in {}", wanted.display(), outside.display()));
            Ok(data_in(&outside))
        }
        _ => Ok(wanted),
    }
}

/// Removes the stand-in of `wanted`, if there is one of ours. `live_server` looks for a server that runs on a data folder.
///
/// # Errors
/// [`LocalError::DataInUse`] when a server runs there, [`LocalError::File`] when it cannot be removed.
pub fn remove_stand_in(wanted: &Path, live_server: impl Fn(&Path) -> Result<Option<u32>, LocalError>) -> Result<(), LocalError> {
    let Some(outside) = our_stand_in(wanted)? else { return Ok(()) };
    refuse_live(&data_in(&outside), live_server)?;
    fs::remove_dir_all(&outside).map_err(on_file("removing", &outside))
}

/// Makes sure that no server runs on `wanted`, nor on a stand-in of it.
///
/// # Errors
/// [`LocalError::DataInUse`] when one does, [`LocalError::File`] as `live_server` gives it.
pub fn ensure_unused(wanted: &Path, live_server: impl Fn(&Path) -> Result<Option<u32>, LocalError>) -> Result<(), LocalError> {
    refuse_live(wanted, &live_server)?;
    our_stand_in(wanted)?.map_or(Ok(()), |outside| refuse_live(&data_in(&outside), live_server))
}

fn refuse_live(data: &Path, live_server: impl Fn(&Path) -> Result<Option<u32>, LocalError>) -> Result<(), LocalError> {
    live_server(data)?.map_or(Ok(()), |pid| Err(LocalError::DataInUse { path: data.to_path_buf(), pid }))
}

/// The stand-in of `wanted`, if it is there and ours.
fn our_stand_in(wanted: &Path) -> Result<Option<PathBuf>, LocalError> {
    let wanted = std::path::absolute(wanted).map_err(on_file("resolving", wanted))?;
    let outside = stand_in(&wanted);
    let ours = fs::symlink_metadata(&outside).is_ok_and(|found| found.is_dir() && found.uid() == rustix::process::geteuid().as_raw());
    Ok(ours.then_some(outside))
}

/// The stand-in is ours, the data folder in it the server's.
fn data_in(stand_in: &Path) -> PathBuf {
    stand_in.join("data")
}

/// Makes a folder below a shared one, or takes it when it is ours; somebody else's is not trusted.
fn own_folder(path: &Path) -> Result<(), LocalError> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        // Said once more, because a umask may have taken the server's user out.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(on_file("opening up", path)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path).map_err(on_file("looking at", path))?;
            if found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() {
                Ok(())
            } else {
                Err(LocalError::NotOurs { path: path.to_path_buf() })
            }
        }
        Err(error) => Err(on_file("creating", path)(error)),
    }
}
