//! `datagenie login`, `logout` and `whoami`.

mod access;
mod change;
mod kept;
mod password;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Host, Url};

use self::kept::{Kind, Login};
pub use self::{
    access::Access,
    change::{Args as PasswordArgs, change_password},
};
use crate::{
    client::{Client, ClientError, Key, Order, Server, parse_url},
    console::Console,
    exit::Exit,
    text::printable,
};

/// The arguments of `login`.
#[derive(clap::Args)]
pub struct LoginArgs {
    /// Who signs in; asked for if it is not given
    #[arg(short, long)]
    username: Option<String>,
    /// Read the password from standard input instead of the terminal
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Keep the URL and the API key of a running demo, from its run.json
    #[arg(long, value_name = "FILE", conflicts_with_all = ["username", "password_stdin"])]
    run_json: Option<PathBuf>,
}

/// What `login` reads of `run.json`. Has no `Debug`: it holds the key.
#[derive(Deserialize)]
struct RunFile {
    url: String,
    api_key: String,
}

/// Signs in by password, or takes an API key, checks it and keeps it.
///
/// # Errors
/// Those of the client and the terminal; nothing is kept then.
pub async fn login(args: &LoginArgs, console: &mut Console) -> anyhow::Result<Exit> {
    let (url, key) = match &args.run_json {
        Some(file) => of_run_file(file)?,
        None => (console.access.client()?.url().clone(), console.access.given_key().map(str::to_owned)),
    };
    let (login, user) = match key.filter(|_| args.username.is_none()) {
        Some(key) => by_key(url, key).await?,
        None => by_password(args, url, console).await?,
    };
    let place = kept::write(&login)?;
    if console.json {
        let told = json!({ "url": login.url, "username": login.username, "kind": login.kind, "expires_at": login.expires_at });
        console.print_json(&told)?;
    } else {
        let until = login.expires_at.as_deref().map(|time| format!(" until {time}")).unwrap_or_default();
        console.say(&format!("signed in at {} as {}{until}; kept in {}", login.url, login.username, place.display()))?;
    }
    if user["must_change_password"] == true {
        console.say("this password has to be changed before anything else: `datagenie password`")?;
    }
    if login.kind == Kind::Session && console.access.given_key().is_some() {
        console.say("DATAGENIE_API_KEY (or --api-key) is set, and comes before this login: unset it to use the login")?;
    }
    Ok(Exit::Answered)
}

/// The login, and the user as the server tells him.
async fn by_key(url: Url, key: String) -> anyhow::Result<(Login, Value)> {
    let client = Client::new(&Server { url, key: Key::Given(key.clone()) })?;
    let me = client.get("v1/me", &[], None).await.context("the key was not taken")?;
    let login = Login { url: client.url().to_string(), username: name_of(&me), secret: key, kind: Kind::ApiKey, expires_at: None };
    Ok((login, me))
}

async fn by_password(args: &LoginArgs, url: Url, console: &mut Console) -> anyhow::Result<(Login, Value)> {
    let client = Client::new(&Server { url, key: Key::None })?;
    if is_open_to_listeners(client.url()) {
        console.say("careful: the password goes to another machine unencrypted; https:// would hide it")?;
    }
    let username = match &args.username {
        Some(name) => name.clone(),
        None => password::ask(&format!("user name at {}: ", client.url()), false).await?.trim().to_owned(),
    };
    if username.is_empty() {
        bail!("nobody signs in without a user name: give --username");
    }
    let password = if args.password_stdin {
        password::of_stdin()?
    } else {
        password::ask(&format!("password of {}: ", printable(&username)), true).await?
    };
    let mut session = client.login(&username, &password).await.context("nobody was signed in")?;
    let secret = session["token"].as_str().map(str::to_owned);
    let secret = secret.ok_or_else(|| ClientError::Unreadable { what: "login", source: "it has no token".into() })?;
    let expires_at = session["expires_at"].as_str().map(str::to_owned);
    let user = session["user"].take();
    Ok((Login { url: client.url().to_string(), username: name_of(&user), secret, kind: Kind::Session, expires_at }, user))
}

/// Ends the kept session at its server, and forgets it here whatever the server says.
///
/// # Errors
/// If the file stays, or the server can't be told.
pub async fn logout(console: &mut Console) -> anyhow::Result<Exit> {
    let Some(login) = kept::read()? else {
        console.say("nobody is signed in")?;
        return Ok(Exit::Answered);
    };
    let key = Key::Kept { secret: login.secret.clone(), username: login.username.clone() };
    let client = Client::new(&Server { url: login.server()?, key })?;
    kept::forget()?;
    let told = match login.kind {
        Kind::ApiKey => format!("forgotten here; the API key itself goes on: revoke it at {}", login.url),
        Kind::Session => match client.post("v1/auth/logout", Order::default()).await {
            Ok(_) => format!("signed out {} at {}", login.username, login.url),
            Err(ClientError::Problem(problem)) if problem.status == 401 => format!("the session at {} had ended already", login.url),
            Err(error) => return Err(error).context("forgotten here, but the server could not be told: the session ends by itself"),
        },
    };
    console.say(&told)?;
    Ok(Exit::Answered)
}

/// Tells who asks, and where.
///
/// # Errors
/// Those of the client.
pub async fn whoami(console: &mut Console) -> anyhow::Result<Exit> {
    let client = console.access.client()?;
    let me = client.get("v1/me", &[], None).await?;
    if console.json {
        console.print_json(&me)?;
    } else {
        let role = me["role"].as_str().unwrap_or_default();
        let line = format!("{} ({role}) at {}", name_of(&me), client.url());
        console.screen.line(&printable(&line))?;
    }
    Ok(Exit::Answered)
}

fn name_of(user: &Value) -> String {
    user["username"].as_str().unwrap_or_default().to_owned()
}

fn of_run_file(path: &Path) -> anyhow::Result<(Url, Option<String>)> {
    let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    // Its words are not told: it holds secrets.
    let run_file: RunFile = serde_json::from_str(&text).ok().with_context(|| format!("{} is no run.json of a demo", path.display()))?;
    let url = parse_url(&run_file.url).map_err(|e| anyhow!("`url` of {} is no URL: {e}", path.display()))?;
    Ok((url, Some(run_file.api_key)))
}

/// Whether what is sent can be read on the way.
fn is_open_to_listeners(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_a_password_in_the_clear_is_told() {
        let open = |text: &str| is_open_to_listeners(&parse_url(text).expect("a URL"));
        assert!(open("http://10.0.0.1:8080") && open("http://genie.example.com"));
        assert!(!open("https://genie.example.com") && !open("http://127.0.0.1:1") && !open("http://[::1]:1") && !open("http://localhost"));
    }

    #[test]
    fn what_is_no_run_file_is_refused_without_its_words() {
        let told = |path: &str| of_run_file(Path::new(path)).err().map(|e| format!("{e:#}")).unwrap_or_default();
        assert!(told("no-such-folder/run.json").contains("can't be read"));
        assert!(told(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).ends_with("is no run.json of a demo"));
    }
}
