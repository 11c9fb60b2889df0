//! A certificate authority and a server certificate of a private MariaDB, for tests of TLS.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{LocalError, on_file};
use crate::servers::user::ServerUser;
use crate::spawn::Launch;

/// Three calls of some milliseconds each.
const OPENSSL_LIMIT: Duration = Duration::from_secs(30);

/// What openssl is to write into the certificates. The system's own configuration is not read: it adds extensions of its own.
const CONFIGURATION: &str = "\
[req]
distinguished_name = server_name
prompt = no
[server_name]
CN = localhost
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
";

const CA: &str = "ca.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";

/// The certificates in their folder. The authority's key is gone: it signed one certificate and never another.
#[derive(Clone)]
pub(super) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them in `folder` unless it is there; it appears whole or not at all. The server's key is `user`'s, who alone reads it;
    /// the certificates are for everybody.
    ///
    /// # Errors
    /// [`LocalError::File`], or [`LocalError::Failed`] with the words of `openssl`.
    pub(super) async fn make(openssl: &Path, folder: &Path, user: Option<&ServerUser>) -> Result<Self, LocalError> {
        let made = Self { folder: folder.to_path_buf() };
        if folder.is_dir() {
            return Ok(made);
        }
        let fresh = folder.with_extension("new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(on_file("removing", &fresh))?;
        }
        fs::DirBuilder::new().mode(0o700).create(&fresh).map_err(on_file("creating", &fresh))?;
        let configuration = fresh.join("openssl.cnf");
        fs::write(&configuration, CONFIGURATION).map_err(on_file("writing", &configuration))?;
        for args in calls() {
            let mut launch = Launch::new("openssl", openssl, &args);
            launch.cwd = Some(fresh.clone());
            launch.output(OPENSSL_LIMIT).await?;
        }
        for name in ["openssl.cnf", "ca.key", "server.csr"] {
            let path = fresh.join(name);
            fs::remove_file(&path).map_err(on_file("removing", &path))?;
        }
        let key = fresh.join(KEY);
        if let Some(user) = user {
            user.own(&key)?;
        }
        // Said after the fact, because a umask may have decided otherwise.
        for (path, mode) in [(key, 0o600), (fresh.join(CA), 0o644), (fresh.join(CERTIFICATE), 0o644), (fresh.clone(), 0o711)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(on_file("opening up", &path))?;
        }
        fs::rename(&fresh, folder).map_err(on_file("creating", folder))?;
        Ok(made)
    }

    /// The authority's certificate, in PEM.
    pub(super) fn ca(&self) -> PathBuf {
        self.folder.join(CA)
    }

    /// The server's certificate.
    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.join(CERTIFICATE)
    }

    /// The key of the server's certificate.
    pub(super) fn key(&self) -> PathBuf {
        self.folder.join(KEY)
    }
}

/// The arguments of each call of `openssl`, to be made in the folder of the certificates: the authority, the server's request, the
/// server's certificate. In three steps because older versions cannot do the last two in one.
fn calls() -> [Vec<&'static str>; 3] {
    const NEW_KEY: [&str; 6] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"];
    let request = |own: &[&'static str]| {
        let mut args = vec!["req", "-config", "openssl.cnf"];
        args.extend(NEW_KEY);
        args.extend(own);
        args
    };
    let name = "/CN=CA of a private MariaDB of DataGenie";
    [
        request(&["-x509", "-extensions", "ca", "-subj", name, "-days", "3650", "-keyout", "ca.key", "-out", CA]),
        request(&["-new", "-keyout", KEY, "-out", "server.csr"]),
        vec![
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            CA,
            "-CAkey",
            "ca.key",
            "-set_serial",
            "2",
            "-sha256",
            "-days",
            "3650",
            "-extfile",
            "openssl.cnf",
            "-extensions",
            "server",
            "-out",
            CERTIFICATE,
        ],
    ]
}
