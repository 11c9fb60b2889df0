//! The command line of a private PostgreSQL.

use std::path::Path;

use super::installation::Installation;
use crate::servers::user::ServerUser;
use crate::spawn::Launch;

/// The longest path of a unix socket is 107 bytes; PostgreSQL adds `/.s.PGSQL.65535` and a lock file's `.lock`.
const LONGEST_SOCKET_FOLDER: usize = 107 - "/.s.PGSQL.65535.lock".len();

/// What starts the server on a data folder and a port.
pub(super) fn launch(installation: &Installation, user: Option<ServerUser>, data: &Path, port: u16, durable: bool) -> Launch {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", socket_folder(data)),
        "max_connections=300".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "lc_messages=C".to_owned(),
    ];
    if installation.has_pg_stat_statements() {
        settings.push("shared_preload_libraries=pg_stat_statements".to_owned());
    }
    if !durable {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
    }
    let mut launch = Launch::new("PostgreSQL", installation.program("postgres"), &["-D"]);
    launch.args.push(data.into());
    for setting in settings {
        launch.args.push("-c".into());
        launch.args.push(setting.into());
    }
    launch.user = user;
    launch.cwd = Some(data.to_path_buf());
    launch.death_signal = "QUIT";
    launch
}

/// The folder of the unix socket: the data folder, or none when its path is too long or would need quoting.
fn socket_folder(data: &Path) -> &str {
    let plain = |text: &&str| text.len() <= LONGEST_SOCKET_FOLDER && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    data.to_str().filter(plain).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_or_strange_folder_gets_no_socket() {
        assert_eq!(socket_folder(Path::new("/var/tmp/pg")), "/var/tmp/pg");
        assert_eq!(socket_folder(Path::new("/var/tmp/a, b")), "");
        let long = format!("/{}", "x".repeat(100));
        assert_eq!(socket_folder(Path::new(&long)), "");
    }
}
