//! Whether a request that comes by the session cookie comes from a page of the service itself.

use axum::http::{HeaderMap, HeaderName, Method, header};

use crate::error::{ApiError, Code, Result};

/// Checks where a request by the cookie comes from. A cookie is sent by the browser, whoever made the page: what changes something, or opens
/// a socket, must come from our own origin.
///
/// # Errors
/// 403 where it comes from elsewhere, or does not say from where.
pub(super) fn check(public_url: Option<&str>, method: &Method, headers: &HeaderMap) -> Result<()> {
    let opens_socket = headers.contains_key(header::SEC_WEBSOCKET_KEY);
    if (method == Method::GET || method == Method::HEAD) && !opens_socket {
        return Ok(());
    }
    // Several are nobody's.
    let text = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok());
        value.filter(|_| values.next().is_none())
    };
    match text(header::ORIGIN) {
        Some(origin) if is_own(origin, public_url, text(header::HOST)) => Ok(()),
        _ => Err(ApiError::new(Code::PermissionDenied, "with a session cookie, this must come from a page of the service itself")),
    }
}

/// Behind a proxy it may be known by another name than the one that it is asked by. A page of its own host that came over plain http, where
/// the service is known by https, is whoever's who sits on the wire.
fn is_own(origin: &str, public_url: Option<&str>, host: Option<&str>) -> bool {
    let Some((scheme, asked)) = origin.split_once("://") else { return false };
    let public = public_url.and_then(|url| url.split_once("://")).map(|(scheme, rest)| (scheme, rest.split('/').next().unwrap_or(rest)));
    match public {
        Some((secure, name)) if asked.eq_ignore_ascii_case(name) => scheme.eq_ignore_ascii_case(secure),
        _ => host.is_some_and(|host| asked.eq_ignore_ascii_case(host)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_ours_by_its_name_its_port_and_where_it_is_known_its_scheme() {
        const PUBLIC: Option<&str> = Some("https://data.example.com/genie");
        for (origin, public, host, expected) in [
            ("https://data.example.com", PUBLIC, "10.0.0.7:8080", true),
            ("https://DATA.example.com", PUBLIC, "10.0.0.7:8080", true),
            ("http://data.example.com", PUBLIC, "data.example.com", false),
            ("https://data.example.com:8443", PUBLIC, "data.example.com", false),
            ("https://data.example.com.evil.example", PUBLIC, "data.example.com", false),
            ("https://evil.example", PUBLIC, "10.0.0.7:8080", false),
            ("https:", PUBLIC, "10.0.0.7:8080", false),
            ("https:/", PUBLIC, "10.0.0.7:8080", false),
            ("http://127.0.0.1:8080", PUBLIC, "127.0.0.1:8080", true),
            ("http://127.0.0.1:8080", None, "127.0.0.1:8080", true),
            ("http://[::1]:8080", None, "[::1]:8080", true),
            ("http://127.0.0.1:8081", None, "127.0.0.1:8080", false),
            ("http://127.0.0.1", None, "127.0.0.1:8080", false),
            ("null", None, "null", false),
            ("", None, "", false),
            ("127.0.0.1:8080", None, "127.0.0.1:8080", false),
        ] {
            assert_eq!(is_own(origin, public, Some(host)), expected, "{origin} {public:?} {host}");
        }
        assert!(!is_own("http://127.0.0.1:8080", None, None));
    }

    #[test]
    fn only_what_changes_nothing_may_come_from_anywhere() {
        let own = |method: &Method, lines: &[(HeaderName, &str)]| {
            let lines = lines.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value")));
            check(
                None,
                method,
                &lines.fold(HeaderMap::new(), |mut headers, (name, value)| {
                    headers.append(name, value);
                    headers
                }),
            )
            .is_ok()
        };
        let (host, origin) = ((header::HOST, "api"), (header::ORIGIN, "http://api"));
        assert!(own(&Method::GET, &[]) && own(&Method::HEAD, &[]) && own(&Method::POST, &[host.clone(), origin.clone()]));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            assert!(!own(&method, std::slice::from_ref(&host)), "{method} says nothing");
        }
        assert!(!own(&Method::POST, &[host.clone(), origin.clone(), (header::ORIGIN, "http://evil.example")]), "two origins");
        assert!(!own(&Method::GET, &[host, (header::SEC_WEBSOCKET_KEY, "x")]), "a socket changes nothing and reads all");
    }
}
