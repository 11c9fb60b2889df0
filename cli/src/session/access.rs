//! Where the server is and who asks: as the command line and the environment say, else as `datagenie login` kept it.

use url::Url;

use super::kept::{self, Login};
use crate::client::{Client, Key, Server, parse_url};

const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// The arguments that every command has.
#[derive(clap::Args)]
pub struct Access {
    /// Where the server is; else the one of `datagenie login`, else http://127.0.0.1:8080
    #[arg(long, global = true, env = "DATAGENIE_URL", value_parser = parse_url)]
    pub url: Option<Url>,
    /// The API key (`dg_…`); other users of this machine can see arguments, so better set DATAGENIE_API_KEY, or sign in
    #[arg(long, global = true, env = "DATAGENIE_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
}

impl Access {
    /// A client of that server.
    ///
    /// # Errors
    /// For a kept login that can't be read, or a key that can't be one.
    pub fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.server()?)?)
    }

    /// The key that was given now.
    pub fn given_key(&self) -> Option<&str> {
        self.api_key.as_deref().map(str::trim).filter(|key| !key.is_empty())
    }

    fn server(&self) -> anyhow::Result<Server> {
        if let (Some(url), Some(key)) = (&self.url, self.given_key()) {
            return Ok(Server { url: url.clone(), key: Key::Given(key.to_owned()) });
        }
        self.server_with(kept::read()?)
    }

    fn server_with(&self, login: Option<Login>) -> anyhow::Result<Server> {
        let kept_url = login.as_ref().map(Login::server).transpose()?;
        let url = match self.url.clone().or_else(|| kept_url.clone()) {
            Some(url) => url,
            None => Url::parse(DEFAULT_URL)?,
        };
        let key = match (self.given_key(), login) {
            (Some(key), _) => Key::Given(key.to_owned()),
            // The secret of one server is not shown to another.
            (None, Some(login)) if kept_url.is_some_and(|kept| is_same(&kept, &url)) => {
                Key::Kept { secret: login.secret, username: login.username }
            }
            _ => Key::None,
        };
        Ok(Server { url, key })
    }
}

/// Whether two URLs name the same server.
fn is_same(one: &Url, other: &Url) -> bool {
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    one.origin() == other.origin() && path(one) == path(other)
}

#[cfg(test)]
mod tests {
    use super::{super::kept::Kind, *};

    fn resolved(url: Option<&str>, key: Option<&str>, kept: Option<&str>) -> (String, String) {
        let access = Access { url: url.map(|url| parse_url(url).expect("a URL")), api_key: key.map(str::to_owned) };
        let login = kept.map(|url| Login {
            url: url.to_owned(),
            username: "alice".to_owned(),
            secret: "kept".to_owned(),
            kind: Kind::Session,
            expires_at: None,
        });
        let server = access.server_with(login).expect("a server");
        let key = match server.key {
            Key::None => "none".to_owned(),
            Key::Given(key) => format!("given {key}"),
            Key::Kept { secret, username } => format!("{username} {secret}"),
        };
        (server.url.to_string(), key)
    }

    fn pair(url: &str, key: &str) -> (String, String) {
        (url.to_owned(), key.to_owned())
    }

    #[test]
    fn what_is_given_comes_before_what_is_kept() {
        assert_eq!(resolved(None, None, None), pair("http://127.0.0.1:8080/", "none"));
        assert_eq!(resolved(None, None, Some("https://genie.example.com/")), pair("https://genie.example.com/", "alice kept"));
        assert_eq!(resolved(None, Some("dg_x"), Some("https://genie.example.com/")), pair("https://genie.example.com/", "given dg_x"));
        assert_eq!(resolved(None, Some("  "), Some("https://genie.example.com/")), pair("https://genie.example.com/", "alice kept"));
    }

    #[test]
    fn a_kept_secret_goes_to_its_own_server_only() {
        let kept = Some("http://127.0.0.1:8080/");
        assert_eq!(resolved(Some("http://127.0.0.1:8080"), None, kept).1, "alice kept");
        for other in ["http://127.0.0.1:8081", "https://127.0.0.1:8080", "http://127.0.0.1:8080/other", "http://evil.example"] {
            assert_eq!(resolved(Some(other), None, kept).1, "none", "{other}");
        }
    }
}
