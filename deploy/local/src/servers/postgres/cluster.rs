//! The data folder of a private PostgreSQL: how it is made, who uses it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::installation::Installation;
use crate::error::{LocalError, on_file};
use crate::servers::place;
use crate::servers::user::ServerUser;
use crate::spawn::Launch;

/// `initdb` takes two seconds, on a slow disk with syncs many more.
const INITDB_LIMIT: Duration = Duration::from_secs(180);

/// Removes the stand-in of `wanted`, if there is one of ours.
///
/// # Errors
/// [`LocalError::DataInUse`] when a server runs there, [`LocalError::File`] when it cannot be removed.
pub fn remove_stand_in(wanted: &Path) -> Result<(), LocalError> {
    place::remove_stand_in(wanted, live_server)
}

/// Makes the data folder unless it is there. It appears whole or not at all: `initdb` works on a folder beside it.
///
/// # Errors
/// [`LocalError::File`], or [`LocalError::Failed`] with the words of `initdb`.
pub async fn create(
    installation: &Installation,
    user: Option<&ServerUser>,
    data: &Path,
    password: Option<&str>,
    durable: bool,
) -> Result<(), LocalError> {
    if data.join("PG_VERSION").is_file() {
        return Ok(());
    }
    if fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(LocalError::NotOurs { path: data.to_path_buf() });
    }
    let fresh = data.with_extension("new");
    let password_file = data.with_extension("password");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(on_file("removing", &fresh))?;
    }
    fs::DirBuilder::new().mode(0o700).create(&fresh).map_err(on_file("creating", &fresh))?;
    if let Some(user) = user {
        user.own(&fresh)?;
    }
    let mut args = vec![
        "--username=postgres".to_owned(),
        "--encoding=UTF8".to_owned(),
        "--locale=C.UTF-8".to_owned(),
        format!("--pgdata={}", fresh.display()),
    ];
    if let Some(password) = password {
        write_password(&password_file, password, user)?;
        args.push("--auth=scram-sha-256".to_owned());
        args.push(format!("--pwfile={}", password_file.display()));
    } else {
        args.push("--auth=trust".to_owned());
    }
    if !durable {
        args.push("--no-sync".to_owned());
    }
    let mut launch = Launch::new("initdb", installation.program("initdb"), &[]);
    launch.args = args.into_iter().map(Into::into).collect();
    launch.user = user.cloned();
    launch.cwd = Some(fresh.clone());
    let made = launch.output(INITDB_LIMIT).await;
    if password.is_some() {
        fs::remove_file(&password_file).map_err(on_file("removing", &password_file))?;
    }
    made?;
    fs::rename(&fresh, data).map_err(on_file("creating", data))
}

fn write_password(path: &Path, password: &str, user: Option<&ServerUser>) -> Result<(), LocalError> {
    if path.exists() {
        fs::remove_file(path).map_err(on_file("removing", path))?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(on_file("creating", path))?;
    writeln!(file, "{password}").map_err(on_file("writing", path))?;
    user.map_or(Ok(()), |user| user.own(path))
}

/// The process of the PostgreSQL that runs on this folder, if one does. The lock file of a dead one, whose id may
/// belong to another program by now, is removed.
///
/// # Errors
/// [`LocalError::File`] when a stale lock file cannot be removed.
pub fn live_server(data: &Path) -> Result<Option<u32>, LocalError> {
    let lock = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&lock) else {
        return Ok(None);
    };
    let number: Option<i32> = text.lines().next().and_then(|line| line.trim().parse().ok());
    if let Some(number) = number
        && let Some(pid) = Pid::from_raw(number)
        && matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
        && is_postgres(number)
    {
        return Ok(u32::try_from(number).ok());
    }
    fs::remove_file(&lock).map_err(on_file("removing", &lock))?;
    Ok(None)
}

/// Whether a process is PostgreSQL; where the system does not tell, it is taken for one.
fn is_postgres(pid: i32) -> bool {
    match fs::read(format!("/proc/{pid}/cmdline")) {
        // A zombie has an empty command line.
        Ok(line) => String::from_utf8_lossy(&line).split('\0').next().is_some_and(|program| program.contains("postgres")),
        Err(_) => !Path::new("/proc/self").exists(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_of_another_program_is_stale() {
        let folder = std::env::temp_dir().join(format!("datagenie-cluster-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let lock = folder.join("postmaster.pid");
        // This process is alive and is no PostgreSQL.
        fs::write(&lock, format!("{}\n{}\n", std::process::id(), folder.display())).expect("a lock file");
        assert_eq!(live_server(&folder).expect("readable"), None);
        assert!(!lock.exists());
        assert_eq!(live_server(&folder).expect("no lock file"), None);
        fs::remove_dir_all(&folder).expect("removable");
    }
}
