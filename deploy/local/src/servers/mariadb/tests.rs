//! What the server is told, and one server from its start to its end.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;

use mysql_async::SslOpts;

use super::*;
use crate::with_servers::TempFolder;

fn installation() -> Installation {
    Installation { server: "/s/mariadbd".into(), install_db: "/s/mariadb-install-db".into(), openssl: None }
}

#[test]
fn the_server_listens_on_this_machine_only_and_reads_no_file_of_the_system() {
    let folder = TempFolder::new("mariadb").expect("a folder");
    let folder = Folder::prepare(&folder.path().join("m"), None).expect("a folder");
    let words = |persistent| -> Vec<String> {
        let launch = launch::server(&installation(), &folder, None, 7001, 9, persistent);
        launch.args.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    };
    let hurried = words(false);
    assert_eq!(hurried[0], "--no-defaults");
    for word in ["--bind-address=127.0.0.1", "--port=7001", "--server-id=9", "--skip-name-resolve", "--debug-no-sync"] {
        assert!(hurried.iter().any(|given| given == word), "{word} is missing: {hurried:?}");
    }
    assert!(!hurried.iter().any(|word| word.starts_with("--ssl")), "there are no certificates");
    assert!(!words(true).iter().any(|word| word == "--debug-no-sync"));
}

#[test]
fn a_long_folder_gets_no_socket() {
    let folder = TempFolder::new("mariadb").expect("a folder");
    let prepared = |name: &str| Folder::prepare(&folder.path().join(name), None).expect("a folder");
    let socket = prepared("m").socket().expect("the path is short");
    assert_eq!(socket.file_name(), Some(OsStr::new("mariadb.sock")));
    assert_eq!(prepared(&"x".repeat(100)).socket(), None);
}

#[test]
fn the_administrator_has_his_password_from_the_first_moment() {
    let sql = launch::init_sql(Some("p"));
    assert_eq!(sql.matches("IDENTIFIED BY 'p';").count(), 2, "by TCP and by the socket: {sql}");
    assert!(sql.lines().all(|line| line.ends_with(';')), "one statement a line: {sql}");
    assert!(launch::init_sql(None).contains("IDENTIFIED BY ''"));
}

#[test]
fn only_a_taken_port_is_tried_again() {
    assert!(names_a_taken_port("[ERROR] Can't start server: Bind on TCP/IP port. Got error: 98: Address already in use\n[ERROR] Aborting"));
    assert!(!names_a_taken_port("[ERROR] Plugin 'InnoDB' registration as a STORAGE ENGINE failed.\n[ERROR] Aborting"));
}

#[test]
fn another_program_with_the_old_id_is_no_server() {
    let folder = TempFolder::new("mariadb").expect("a folder");
    fs::create_dir(folder.path().join("data")).expect("a folder");
    fs::write(folder.path().join("data/mariadb.pid"), std::process::id().to_string()).expect("a pid file");
    assert_eq!(live_server(folder.path()).expect("readable"), None);
}

#[tokio::test]
async fn a_mariadb_of_its_own_speaks_tls_survives_a_kill_and_leaves_nothing_behind() {
    let folder = TempFolder::new("mariadb").expect("a folder");
    let mut options = MariadbOptions::for_tests(folder.path().join("mariadb"));
    options.password = Some("secret".to_owned());
    let mut server = Box::pin(Mariadb::start(options)).await.expect("MariaDB starts");
    assert_eq!(server.url(), format!("mysql://root:secret@127.0.0.1:{}/", server.port()));
    assert!(!server.has_ended());
    let root = server.folder.data().parent().expect("it lies in a folder").to_path_buf();
    assert_eq!(live_server(&root).expect("readable"), Some(server.pid()), "the process that we signal is the server");
    let mode = |name: &str| fs::metadata(root.join(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(["data", "init.sql", "tls/server.key", "tls/ca.pem"].map(mode), [0o700, 0o600, 0o600, 0o644]);
    assert!(!root.join("tls/ca.key").exists(), "nobody signs another certificate");

    let refused = Conn::new(server.admin().pass(None::<String>)).await;
    assert!(matches!(refused, Err(mysql_async::Error::Server(_))), "nobody comes in without the password");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = server.ca_file().expect("openssl is installed").to_path_buf();
    let trusting = SslOpts::default().with_root_certs(vec![ca.into()]).with_disable_built_in_roots(true);
    for host in ["127.0.0.1", "localhost"] {
        let verified = server.admin().ip_or_hostname(host).ssl_opts(Some(trusting.clone()));
        let mut connection = Conn::new(verified).await.expect("the certificate is right");
        let (_, cipher): (String, String) =
            connection.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await.expect("an answer").expect("a row");
        assert!(!cipher.is_empty(), "{host} is spoken to by TLS");
        connection.disconnect().await.expect("a connection closes");
    }

    let mut connection = server.connect().await.expect("it answers");
    connection.query_drop("CREATE DATABASE kept").await.expect("a database is made");
    connection.disconnect().await.expect("a connection closes");
    let (again, pem) = (server.options(), server.ca_pem().map(str::to_owned));
    server.kill();
    drop(server);
    assert_eq!(live_server(&root).expect("readable"), None);
    let server = Box::pin(Mariadb::start(again)).await.expect("it starts again at its port");
    assert_eq!(server.ca_pem().map(str::to_owned), pem, "who trusted it goes on to do so");
    let mut connection = server.connect().await.expect("it answers");
    let found: Option<String> = connection.query_first("SHOW DATABASES LIKE 'kept'").await.expect("an answer");
    assert_eq!(found.as_deref(), Some("kept"));
    connection.disconnect().await.expect("a connection closes");

    let (port, pid) = (server.port(), server.pid());
    server.stop().await;
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
    assert!(fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().is_empty(), "the process has ended");
}
