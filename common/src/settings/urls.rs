//! URLs in settings. One that may hold a password never shows it.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// A URL with credentials. `Debug` and `Display` show it without password, query values that are secret, or anything unparsed.
#[derive(Clone, Default)]
pub struct SecretUrl {
    text: SecretString,
    shown: String,
}

impl SecretUrl {
    /// Reads a URL of one of these schemes.
    ///
    /// # Errors
    /// What is wrong, without the URL.
    pub fn parse(text: &str, schemes: &[&str]) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
        if !schemes.contains(&url.scheme()) {
            return Err("has another scheme".to_owned());
        }
        // A password with an unescaped `/`, `?` or `#` ends the host early: its rest would be taken for a path and shown.
        if url.fragment().is_some() || url.path().contains('@') || url.query().is_some_and(|query| query.contains('@')) {
            return Err("holds `#`, or `@` after the host: write %23 %2F %3F %40 for # / ? @ in a password".to_owned());
        }
        Ok(Self { text: SecretString::from(text), shown: shown(&url) })
    }

    /// The URL itself, for the driver that connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What stands before the first colon.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.shown.split(':').next().unwrap_or_default()
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({})", self.shown)
    }
}

/// Scheme, user, host, port and path; of the query only the names of its parameters.
fn shown(url: &Url) -> String {
    let mut shown = format!("{}://", url.scheme());
    if !url.username().is_empty() {
        shown.push_str(url.username());
    }
    if url.password().is_some() {
        shown.push_str(":***");
    }
    if !url.username().is_empty() || url.password().is_some() {
        shown.push('@');
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    shown.push_str(url.path());
    for (index, (name, _)) in url.query_pairs().enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        shown.push_str(&name);
        shown.push_str("=…");
    }
    shown
}

/// Reads an http or https URL without credentials, query or fragment; a slash at its end is dropped.
///
/// # Errors
/// What is wrong with it, without the URL.
pub fn web_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("has another scheme".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password, which belong elsewhere".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("holds `?` or `#`".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: &[&str] = &["postgres", "redis", "redis+unix"];

    #[test]
    fn passwords_are_not_shown() {
        for (text, shown) in [
            ("postgres://app:s3cret@db.example:5433/dg", "postgres://app:***@db.example:5433/dg"),
            ("redis://:s3cret@127.0.0.1:6379/1", "redis://:***@127.0.0.1:6379/1"),
            ("redis+unix:///run/redis.sock?db=1&pass=s3cret", "redis+unix:///run/redis.sock?db=…&pass=…"),
            ("postgres:///dg?host=/run/postgresql", "postgres:///dg?host=…"),
        ] {
            let url = SecretUrl::parse(text, SCHEMES).expect(text);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("SecretUrl({shown})"));
            assert_eq!(url.expose(), text);
        }
    }

    #[test]
    fn unescaped_passwords_are_refused_and_not_shown() {
        for text in [
            "postgres://app:12#s3cret@db/dg",
            "postgres://app:12/s3cret@db/dg",
            "postgres://app:12?s3cret@db/dg",
            "postgres://app:s3#cret@db",
        ] {
            let problem = SecretUrl::parse(text, SCHEMES).expect_err(text);
            assert!(!problem.contains("s3"), "{problem}");
        }
    }

    #[test]
    fn schemes_are_checked() {
        assert!(SecretUrl::parse("mysql://db/dg", SCHEMES).is_err());
        assert!(SecretUrl::parse("db.example", SCHEMES).is_err());
        assert_eq!(SecretUrl::parse("postgres://db/dg", SCHEMES).expect("a URL").scheme(), "postgres");
    }

    #[test]
    fn web_urls_are_plain() {
        assert_eq!(web_url("http://127.0.0.1:8000/v1/").expect("a URL"), "http://127.0.0.1:8000/v1");
        for text in ["ftp://x/", "https://me:pw@x/", "https://x/?a=b", "x"] {
            assert!(web_url(text).is_err(), "{text}");
        }
    }
}
