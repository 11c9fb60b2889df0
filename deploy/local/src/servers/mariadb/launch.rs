//! The command lines of a private MariaDB, and the statements that it runs before it lets anybody in.

use std::ffi::OsString;
use std::path::Path;

use super::certificates::Certificates;
use super::folder::Folder;
use super::installation::Installation;
use crate::spawn::Launch;

/// The administrator, as whom the tests make databases and users.
pub(super) const ADMIN: &str = "root";

/// The size of the redo log, the same for the making of a data folder and for its server: another one would be made anew.
const LOG_SIZE: &str = "--innodb-log-file-size=16M";

/// Nothing waits for the disk: for tests, which make many databases and keep none.
const HURRIED: [&str; 3] = ["--innodb-flush-log-at-trx-commit=0", "--loose-innodb-flush-method=nosync", "--debug-no-sync"];

/// What is the same for every server: only this machine, names looked up nowhere, times in UTC, little memory.
const ALWAYS: [&str; 12] = [
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--local-infile=OFF",
    "--character-set-server=utf8mb4",
    "--default-time-zone=+00:00",
    "--performance-schema=OFF",
    "--max-connections=200",
    "--table-open-cache=400",
    "--innodb-buffer-pool-size=64M",
    "--key-buffer-size=4M",
    "--log-warnings=1",
    LOG_SIZE,
];

/// What makes the data in `data`, which is there and empty. The script does not quote the options that it hands on, so it works
/// inside that folder and is told relative names: the path may hold anything.
pub(super) fn install(installation: &Installation, folder: &Folder, data: &Path, persistent: bool) -> Launch {
    let fixed = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
    let mut launch = Launch::new("mariadb-install-db", &installation.install_db, &fixed);
    launch.args.extend(["--datadir=.", "--tmpdir=../tmp", LOG_SIZE].map(OsString::from));
    if !persistent {
        launch.args.extend(HURRIED.map(OsString::from));
    }
    launch.user = folder.user().cloned();
    launch.cwd = Some(data.to_path_buf());
    launch
}

/// What starts the server. `id` is told again by `@@server_id`: by it the server that answers is known to be this one.
pub(super) fn server(
    installation: &Installation,
    folder: &Folder,
    certificates: Option<&Certificates>,
    port: u16,
    id: u32,
    persistent: bool,
) -> Launch {
    // None of the system's files of options are read; this has to come first.
    let mut launch = Launch::new("MariaDB", &installation.server, &["--no-defaults"]);
    let data = folder.data();
    let mut args = vec![
        with_path("--datadir", &data),
        with_path("--tmpdir", &folder.tmp()),
        with_path("--secure-file-priv", &folder.tmp()),
        with_path("--pid-file", &folder.pid_file()),
        with_path("--init-file", &folder.init_file()),
        // Without a path there is no socket.
        with_path("--socket", &folder.socket().unwrap_or_default()),
    ];
    args.extend([format!("--port={port}"), format!("--server-id={id}")].map(OsString::from));
    args.extend(ALWAYS.map(OsString::from));
    if let Some(certificates) = certificates {
        args.push(with_path("--ssl-ca", &certificates.ca()));
        args.push(with_path("--ssl-cert", &certificates.certificate()));
        args.push(with_path("--ssl-key", &certificates.key()));
    }
    if !persistent {
        args.extend(HURRIED.map(OsString::from));
    }
    launch.args.extend(args);
    launch.user = folder.user().cloned();
    // The server changes there by itself; from a folder that its user cannot enter it would complain.
    launch.cwd = Some(data);
    launch
}

/// Gives the administrator his password, by TCP and by the unix socket. The server runs this at each start, before it takes
/// connections, so there is no moment without one. One statement a line; the password consists of letters and digits.
pub(super) fn init_sql(password: Option<&str>) -> String {
    let password = password.unwrap_or_default();
    format!(
        "CREATE USER IF NOT EXISTS {ADMIN}@'127.0.0.1';\n\
         GRANT ALL PRIVILEGES ON *.* TO {ADMIN}@'127.0.0.1' WITH GRANT OPTION;\n\
         ALTER USER {ADMIN}@'127.0.0.1' IDENTIFIED BY '{password}';\n\
         ALTER USER {ADMIN}@localhost IDENTIFIED BY '{password}';\n"
    )
}

fn with_path(option: &str, path: &Path) -> OsString {
    let mut word = OsString::from(option);
    word.push("=");
    word.push(path);
    word
}
