//! What can go wrong between the client and the server.

use std::{error::Error, fmt, time::Duration};

use chrono::DateTime;
use serde::Deserialize;
use serde_json::Value;

use super::wire::nullable;

/// Why a call brought no answer. `Display` never repeats the source.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody answers at this URL, or the connection broke.
    Unreachable {
        /// The server's URL.
        url: String,
        /// What the network says.
        source: reqwest::Error,
    },
    /// The server answers with a problem.
    Problem(Box<Problem>),
    /// The server's answer is not what the contract says.
    Unreadable {
        /// Which answer.
        what: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The caller's input can't be sent, in a sentence.
    Misuse(String),
}

/// `application/problem+json` (RFC 9457) with the members of the contract.
#[derive(Clone, Debug, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// One of the contract's codes; `http_404` and the like where the body gives none.
    #[serde(default, deserialize_with = "nullable")]
    pub code: String,
    /// What kind of problem.
    #[serde(default, deserialize_with = "nullable")]
    pub title: String,
    /// What happened this time.
    #[serde(default, deserialize_with = "nullable")]
    pub detail: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
    /// To find the request in the server's logs.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Whether the same request may succeed later.
    #[serde(default, deserialize_with = "nullable")]
    pub retryable: bool,
    /// What is wrong with which field.
    #[serde(default, deserialize_with = "nullable")]
    pub errors: Vec<Value>,
    /// When to come again.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl ClientError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { .. } => "start a server with ./deploy/demo.sh, or say where one is with --url or DATAGENIE_URL",
            Self::Problem(problem) => match (&problem.hint, problem.status, problem.retry_after) {
                (Some(hint), ..) => hint,
                (None, 429 | 503, Some(pause)) => return Some(format!("try again in {} s", pause.as_secs().max(1))),
                (None, 429 | 503, None) => "try again later",
                _ => return None,
            },
            Self::Unreadable { .. } => "check that the URL is one of a DataGenie server of this version",
            Self::Misuse(_) => return None,
        };
        Some(hint.to_owned())
    }

    /// Whether nobody could work on the request, now.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => problem.status == 429 || problem.status >= 500,
            Self::Unreadable { .. } | Self::Misuse(_) => false,
        }
    }

    /// Whether sending the same request with the same idempotency key at once may bring its answer: a broken connection,
    /// a gateway in between, or a first try that has not been committed yet.
    pub fn is_worth_resending(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => matches!(problem.status, 500 | 502 | 504) || (problem.status == 409 && problem.retryable),
            Self::Unreadable { .. } | Self::Misuse(_) => false,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { url, .. } => write!(f, "no answer from {url}"),
            Self::Problem(problem) => fmt::Display::fmt(problem, f),
            Self::Unreadable { what, .. } => write!(f, "the server's {what} can't be read"),
            Self::Misuse(sentence) => f.write_str(sentence),
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } => Some(source),
            Self::Unreadable { source, .. } => Some(&**source),
            Self::Problem(_) | Self::Misuse(_) => None,
        }
    }
}

impl Problem {
    /// The problem that an answer tells: whatever its body is, its status tells one.
    pub fn from_answer(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let mut problem: Self = serde_json::from_slice(body).unwrap_or_else(|_| Self::unexplained());
        problem.status = status;
        problem.retry_after = retry_after;
        if problem.code.is_empty() {
            problem.code = format!("http_{status}");
        }
        problem
    }

    fn unexplained() -> Self {
        Self {
            status: 0,
            code: String::new(),
            title: String::new(),
            detail: String::new(),
            hint: None,
            request_id: None,
            retryable: false,
            errors: Vec::new(),
            retry_after: None,
        }
    }
}

impl Problem {
    /// What is wrong with which line of an upload; `Display` tells the other errors.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.errors.iter().filter_map(|error| {
            let line = error["line"].as_u64()?;
            let text = |name: &str| error[name].as_str().filter(|text| !text.is_empty());
            let named = text("custom_id").map(|id| format!(" ({id})")).unwrap_or_default();
            // `questions` is the whole line.
            let field = text("field").filter(|field| *field != "questions").map(|field| format!("{field} ")).unwrap_or_default();
            Some(format!("line {line}{named}: {field}{}", text("message").unwrap_or("can't be taken")))
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.detail.is_empty(), self.title.is_empty()) {
            (false, _) => f.write_str(&self.detail)?,
            (true, false) => f.write_str(&self.title)?,
            (true, true) => f.write_str("the server does not say why")?,
        }
        for error in self.errors.iter().filter(|error| error["line"].is_null()) {
            // The detail often is the only field's error already.
            let member = |names: [&str; 3]| names.into_iter().find_map(|name| error.get(name)?.as_str());
            match (member(["field", "pointer", "name"]), member(["message", "detail", "reason"])) {
                (_, Some(message)) if self.detail.contains(message) => {}
                (Some(field), Some(message)) => write!(f, "; {field}: {message}")?,
                (None, Some(message)) => write!(f, "; {message}")?,
                (Some(field), None) => write!(f, "; {field}")?,
                (None, None) => {}
            }
        }
        write!(f, " ({}, HTTP {}", self.code, self.status)?;
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str(")")
    }
}

/// `Retry-After`: seconds, or a date, which is compared with the answer's own `Date`, so that no clock of ours matters.
pub fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let moment = |text: &str| DateTime::parse_from_rfc2822(text.trim()).ok();
    let pause = moment(value)?.signed_duration_since(moment(date?)?);
    Some(pause.to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_code_detail_hint_and_fields() {
        let body = br#"{"type":"about:blank","title":"Invalid request","status":400,"detail":"The question is empty.","code":"invalid",
            "hint":"Say what you want to know.","request_id":"0193","retryable":false,"errors":[{"field":"question","message":"is empty"},{"field":"sql","message":"is missing"}]}"#;
        let error = ClientError::Problem(Box::new(Problem::from_answer(422, None, body)));
        assert_eq!(error.to_string(), "The question is empty.; sql: is missing (invalid, HTTP 422, request 0193)");
        assert_eq!(error.hint().as_deref(), Some("Say what you want to know."));
        assert!(!error.is_outage() && !error.is_worth_resending());
    }

    #[test]
    fn an_answer_that_is_no_problem_document_is_one_all_the_same() {
        for body in ["<html>bad gateway</html>", "", "[]", r#"{"code":null,"detail":null,"errors":null}"#] {
            let problem = Problem::from_answer(502, None, body.as_bytes());
            assert_eq!(problem.to_string(), "the server does not say why (http_502, HTTP 502)");
            let error = ClientError::Problem(Box::new(problem));
            assert!(error.is_outage() && error.is_worth_resending());
        }
    }

    #[test]
    fn what_is_sent_again_and_what_is_not() {
        let problem = |status, body: &str| ClientError::Problem(Box::new(Problem::from_answer(status, None, body.as_bytes())));
        assert!(problem(409, r#"{"retryable":true}"#).is_worth_resending());
        assert!(!problem(409, r#"{"retryable":false}"#).is_worth_resending());
        assert!(!problem(401, "").is_outage());
        assert!(problem(429, "").is_outage() && !problem(429, "").is_worth_resending());
    }

    #[test]
    fn who_is_turned_away_is_told_when_to_come_again() {
        let hint = |status, pause: Option<u64>| {
            let problem = Problem::from_answer(status, pause.map(Duration::from_secs), b"");
            ClientError::Problem(Box::new(problem)).hint()
        };
        assert_eq!(hint(429, Some(90)).as_deref(), Some("try again in 90 s"));
        assert_eq!(hint(503, None).as_deref(), Some("try again later"));
        assert_eq!(hint(404, None), None);
    }

    #[test]
    fn errors_of_lines_are_told_apart_from_the_others() {
        let body = r#"{"code":"invalid_request","detail":"2 of 9 lines can't be taken","errors":[
            {"field":"question","message":"must not be empty","line":3,"custom_id":"b","code":"x"},
            {"field":"questions","message":"is no JSON","line":7,"custom_id":null}]}"#;
        let problem = Problem::from_answer(422, None, body.as_bytes());
        assert_eq!(problem.to_string(), "2 of 9 lines can't be taken (invalid_request, HTTP 422)");
        let lines: Vec<String> = problem.lines().collect();
        assert_eq!(lines, ["line 3 (b): question must not be empty", "line 7: is no JSON"]);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_against_the_servers_own() {
        assert_eq!(retry_after("3", None), Some(Duration::from_secs(3)));
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:47 GMT", date), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:27 GMT", date), Some(Duration::ZERO));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:47 GMT", None), None);
        assert_eq!(retry_after("soon", date), None);
    }
}
