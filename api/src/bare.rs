//! Answers that no handler gives: to connections that are turned away, and to what is no request. They have the one form of an error and
//! the headers of every answer all the same.
//!
//! hyper answers by itself where a head can't be read, with a status and nothing else, and has no place to say more. What it writes is
//! known by its letters, and another answer is sent in its place.

use axum::http::StatusCode;
use datagenie_common::{ids::RequestId, settings::Api};

use crate::{
    browsers,
    error::{Code, Problem},
};

/// hyper's own answers are shorter: a status, no content, the date.
const LONGEST: usize = 200;

/// The headers that all of them have.
#[derive(Clone, Debug, Default)]
pub struct Bare {
    headers: String,
}

impl Bare {
    /// By the settings.
    #[must_use]
    pub fn new(api: &Api) -> Self {
        let line = |(name, value)| format!("{name}: {value}\r\n");
        Self { headers: browsers::headers(api).into_iter().map(line).collect() }
    }

    /// A whole answer, after which the connection is closed. `more` are header lines of its own.
    #[must_use]
    pub fn answer(&self, code: Code, detail: &str, more: &str) -> Vec<u8> {
        let request_id = RequestId::new().to_string();
        let problem = Problem::of(code, detail.to_owned(), Vec::new(), Some(request_id.clone()));
        // A problem is made of texts and numbers.
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let status = code.status();
        let head = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nx-request-id: {request_id}\r\n{}{more}connection: close\r\n\r\n",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
            body.len(),
            self.headers,
        );
        [head, body].concat().into_bytes()
    }

    /// What is sent in place of this text, if it is an answer of hyper's own.
    #[must_use]
    pub fn in_place_of(&self, text: &[u8]) -> Option<Vec<u8>> {
        let (code, detail) = match status_of_its_own(text)? {
            StatusCode::BAD_REQUEST => (Code::MalformedRequest, "the request can't be read: its line or one of its headers is no HTTP/1.1"),
            StatusCode::URI_TOO_LONG => (Code::UriTooLong, "the path and query of a request have at most 65,534 bytes"),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
                Code::HeadTooLarge,
                "the head of a request is longer than this service takes (api.max_header_kb), or has more than 100 headers",
            ),
            _ => return None,
        };
        Some(self.answer(code, detail, ""))
    }
}

/// The status of an answer that says nothing but that, as none of ours does: all of those have an id.
fn status_of_its_own(text: &[u8]) -> Option<StatusCode> {
    if text.len() > LONGEST || !text.starts_with(b"HTTP/1.") {
        return None;
    }
    let mut lines = std::str::from_utf8(text).ok()?.strip_suffix("\r\n\r\n")?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let is_bare = |line: &str| ["connection: close", "content-length: 0"].contains(&line) || line.starts_with("date: ");
    lines.all(is_bare).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_says_nothing_is_replaced_and_no_other() {
        let bare = Bare { headers: "x-frame-options: DENY\r\n".to_owned() };
        let own = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        let answer = String::from_utf8(bare.in_place_of(own).expect("it is hyper's")).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{head}");
        assert!(head.contains("x-frame-options: DENY\r\n") && head.ends_with("connection: close"), "{head}");
        let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&problem["code"], &problem["status"]), (&"head_too_large".into(), &431.into()));
        assert!(head.contains(&format!("x-request-id: {}", problem["request_id"].as_str().expect("it has an id"))), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: x\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: 1\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nmore",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n",
            b"HTTP/1.1 \xff\r\n\r\n",
            b"",
        ] {
            assert_eq!(bare.in_place_of(other), None, "{}", String::from_utf8_lossy(other));
        }
    }
}
