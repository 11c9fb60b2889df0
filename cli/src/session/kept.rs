//! What `datagenie login` keeps: one file, for its owner's eyes only.

use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder},
    io::ErrorKind,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{client::parse_url, out_file};

/// Names the file, where it is not to be `datagenie/login.json` in the user's configuration folder.
const VARIABLE: &str = "DATAGENIE_CONFIG";

/// A login. Has no `Debug`: it holds the secret.
#[derive(Deserialize, Serialize)]
pub struct Login {
    /// The server it is for; the secret goes to no other.
    pub url: String,
    /// Who signed in.
    pub username: String,
    /// The session's token, or the API key.
    pub secret: String,
    /// Which of the two.
    pub kind: Kind,
    /// When a session ends, as the server says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// What a kept secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Ends by itself, or by `datagenie logout`.
    Session,
    /// Ends where keys are revoked.
    ApiKey,
}

impl Login {
    /// The server's URL.
    ///
    /// # Errors
    /// If somebody changed the file.
    pub fn server(&self) -> anyhow::Result<Url> {
        parse_url(&self.url).map_err(|e| anyhow!("the kept login has no usable URL: {e}; sign in again with `datagenie login`"))
    }
}

/// The kept login, if there is one.
///
/// # Errors
/// For a file that can't be read or holds something else.
pub fn read() -> anyhow::Result<Option<Login>> {
    place().map_or(Ok(None), |place| read_at(&place))
}

/// Keeps a login in place of the one before, and says where.
///
/// # Errors
/// If there is no place for it, or it can't be written.
pub fn write(login: &Login) -> anyhow::Result<PathBuf> {
    let place = place().with_context(|| format!("there is no folder for the login: set HOME, or {VARIABLE} to the name of a file"))?;
    write_at(&place, login)?;
    Ok(place)
}

/// Forgets the login.
///
/// # Errors
/// If the file stays.
pub fn forget() -> anyhow::Result<()> {
    let Some(place) = place() else { return Ok(()) };
    match fs::remove_file(&place) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(|| format!("{} can't be deleted", place.display())),
        _ => Ok(()),
    }
}

fn read_at(place: &Path) -> anyhow::Result<Option<Login>> {
    let text = match fs::read_to_string(place) {
        Ok(text) if text.trim().is_empty() => return Ok(None),
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("the kept login, {}, can't be read", place.display())),
    };
    // What is wrong with it is not told by the reader's words: they might hold the secret.
    let login = serde_json::from_str(&text).ok();
    login
        .map(Some)
        .with_context(|| format!("{} is no login of datagenie; delete it and sign in again with `datagenie login`", place.display()))
}

fn write_at(place: &Path, login: &Login) -> anyhow::Result<()> {
    if let Some(folder) = place.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("the folder {} can't be made", folder.display()))?;
    }
    let text = serde_json::to_vec_pretty(login).context("the login can't be written as JSON")?;
    out_file::write(place, &text, out_file::PRIVATE)
}

fn place() -> Option<PathBuf> {
    place_of(|name| env::var_os(name).filter(|value| !value.is_empty()), is_of_servers)
}

/// Where the login is kept. The server programs too read a file that `DATAGENIE_CONFIG` names: theirs is never touched.
fn place_of(variable: impl Fn(&str) -> Option<OsString>, is_of_servers: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    if let Some(file) = variable(VARIABLE).map(PathBuf::from).filter(|file| !is_of_servers(file)) {
        return Some(file);
    }
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(folder.join("datagenie").join("login.json"))
}

/// Whether this is a file of settings, which are TOML: they do not begin with a brace.
fn is_of_servers(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.trim_start().chars().next().is_some_and(|first| first != '{'))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_login_is_kept_for_its_owner_alone() {
        let folder = env::temp_dir().join(format!("datagenie-kept-{}", Uuid::new_v4()));
        let place = folder.join("deep").join("login.json");
        assert!(read_at(&place).expect("nothing is no error").is_none());
        let login = Login {
            url: "http://127.0.0.1:8080/".to_owned(),
            username: "김철수".to_owned(),
            secret: "token".to_owned(),
            kind: Kind::Session,
            expires_at: None,
        };
        write_at(&place, &login).expect("it is kept");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&place), mode(&folder)), (0o600, 0o700));
        let kept = read_at(&place).expect("it is read").expect("it is there");
        assert_eq!((kept.username.as_str(), kept.secret.as_str(), kept.kind), ("김철수", "token", Kind::Session));
        assert!(kept.server().is_ok());
        fs::write(&place, "{\"secret\": \"do-not-show\"").expect("it is written");
        let told = read_at(&place).err().map(|e| format!("{e:#}")).unwrap_or_default();
        assert!(told.contains("no login of datagenie") && !told.contains("do-not-show"), "{told}");
        fs::remove_dir_all(&folder).expect("the temporary folder goes");
    }

    #[test]
    fn the_place_is_the_one_named_or_in_the_configuration_folder() {
        let of = |set: &[(&str, &str)], servers: bool| {
            let set: Vec<(String, String)> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let found = place_of(|name| set.iter().find(|(known, _)| known == name).map(|(_, value)| value.into()), |_| servers);
            found.map(|path| path.display().to_string())
        };
        let all = [("DATAGENIE_CONFIG", "/a/b.json"), ("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(of(&all, false).as_deref(), Some("/a/b.json"));
        assert_eq!(of(&all, true).as_deref(), Some("/x/datagenie/login.json"), "settings of the servers are left alone");
        assert_eq!(of(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")], false).as_deref(), Some("/h/.config/datagenie/login.json"));
        assert_eq!(of(&[], false), None);
    }
}
