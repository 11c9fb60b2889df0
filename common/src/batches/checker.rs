//! Checks the lines of a batch one after the other, and finds those that are the same question.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::request::{Line, LineShape};
use crate::{
    ids::{ConnectionId, FileId, QuestionId},
    jobs::{AnswerQuestion, CacheMode, PAYLOAD_VERSION},
    word_enum,
};

/// Characters of a `custom_id`.
const LONGEST_CUSTOM_ID: usize = 256;
/// Characters of a name that is too long to be taken, up to which it is told all the same.
const LONGEST_TOLD: usize = 1_024;
/// Characters of what is wrong with a line: it may repeat the value that is.
const LONGEST_MESSAGE: usize = 500;

word_enum! {
    /// Why a line was not taken.
    pub enum LineProblem {
        /// It is not JSON, not UTF-8, or nested too deep.
        InvalidJson = "invalid_json",
        /// A value is missing, out of bounds or unknown.
        InvalidRequest = "invalid_request",
        /// An earlier line has the same `custom_id`.
        DuplicateCustomId = "duplicate_custom_id",
        /// Its connection or file does not exist, or is not the sender's.
        NotFound = "not_found",
        /// He may see the connection, and not query it.
        PermissionDenied = "permission_denied",
        /// The connection is switched off or was refused.
        ConnectionNotReady = "connection_not_ready",
    }
}

/// What is wrong with a line: also the `error` of its result where the good lines run all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineError {
    /// What kind.
    pub code: LineProblem,
    /// Which field; empty: the line as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl LineError {
    fn new(code: LineProblem, field: &str, message: impl Into<String>) -> Self {
        Self { code, field: field.to_owned(), message: message.into() }
    }

    fn request(field: &str, message: impl Into<String>) -> Self {
        Self::new(LineProblem::InvalidRequest, field, message)
    }
}

/// How long a line's texts may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct LongestTexts {
    /// The question.
    pub question: usize,
    /// The statement.
    pub sql: usize,
}

/// Whether a connection can be asked by the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can, now or once it is ready.
    Askable,
    /// There is none, or he does not see it.
    Unknown,
    /// He sees it and may not query it.
    Denied,
    /// It is switched off or was refused.
    NotReady,
}

/// What the database says of everything that the lines name.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// By connection; one that is not in it is unknown.
    pub connections: HashMap<Uuid, Verdict>,
    /// Files of the sender.
    pub files: HashSet<Uuid>,
}

/// A line, checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its number.
    pub line: u32,
    /// Its name, if it has one that can be read.
    pub custom_id: Option<String>,
    /// What is to be done of it, or why nothing is.
    pub outcome: Result<Asked, LineError>,
}

/// A good line.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The question that answers it.
    pub question_id: QuestionId,
    /// The first line with this question.
    pub first_line: u32,
    /// The payload of its job; none: another line's answer is shared.
    pub payload: Option<AnswerQuestion>,
    /// Seconds that it has from the beginning of its first attempt on.
    pub deadline_seconds: Option<f64>,
    /// The connection that it is asked of.
    pub connection_id: Option<Uuid>,
}

type Fingerprint = [u8; 16];

/// Checks the lines of one batch, in their order.
pub struct Checker<'a> {
    longest: LongestTexts,
    connection_id: Option<Uuid>,
    verdicts: &'a Verdicts,
    names: HashSet<Fingerprint>,
    firsts: HashMap<Fingerprint, (u32, QuestionId)>,
}

impl<'a> Checker<'a> {
    /// For a batch whose lines are asked of this connection unless they say otherwise.
    #[must_use]
    pub fn new(longest: LongestTexts, connection_id: Option<Uuid>, verdicts: &'a Verdicts) -> Self {
        Self { longest, connection_id, verdicts, names: HashSet::new(), firsts: HashMap::new() }
    }

    /// Checks the next line by its text; none: it was too long to be kept.
    pub fn text(&mut self, line: u32, text: Option<&[u8]>) -> Checked {
        let Some(text) = text else {
            let error = LineError::request("", format!("is longer than {} bytes", super::LONGEST_LINE));
            return Checked { line, custom_id: None, outcome: Err(error) };
        };
        match serde_json::from_slice::<Line>(text) {
            // A list of its fields' values would be read as one too.
            Ok(_) if !text.starts_with(b"{") => {
                Checked { line, custom_id: None, outcome: Err(LineError::request("", "must be a JSON object")) }
            }
            Ok(parsed) => self.line(line, parsed),
            Err(error) => {
                let custom_id = LineShape::custom_id(text);
                if let Some(name) = &custom_id {
                    self.names.insert(fingerprint(name.as_bytes()));
                }
                Checked { line, custom_id: custom_id.and_then(told_name), outcome: Err(unreadable(text, &error)) }
            }
        }
    }

    /// Checks the next line.
    pub fn line(&mut self, line: u32, parsed: Line) -> Checked {
        // Also of a line that can't be taken: two lines of the results must not have one name.
        let is_new = self.names.insert(fingerprint(parsed.custom_id.as_bytes()));
        let outcome = self.check(&parsed).and_then(|()| {
            let twice = || LineError::new(LineProblem::DuplicateCustomId, "custom_id", "an earlier line has the same");
            is_new.then_some(()).ok_or_else(twice)
        });
        let custom_id = told_name(parsed.custom_id.clone());
        Checked { line, custom_id, outcome: outcome.map(|()| self.ask(line, parsed)) }
    }

    /// What the line is asked of.
    fn target(&self, line: &Line) -> (Option<Uuid>, Option<Uuid>) {
        (line.connection_id.or(self.connection_id.filter(|_| line.file_id.is_none())), line.file_id)
    }

    fn check(&self, line: &Line) -> Result<(), LineError> {
        check_name(&line.custom_id)?;
        check_texts(line, self.longest)?;
        let (connection, file) = self.target(line);
        if line.connection_id.is_some() && file.is_some() {
            return Err(LineError::request("file_id", "a question is asked of a connection or of a file; send one of them"));
        }
        if line.sql.is_some() && connection.is_none() && file.is_none() {
            return Err(LineError::request("connection_id", "a statement needs the connection or the file that it runs on"));
        }
        if line.deadline_seconds.is_some_and(|seconds| !(1.0..=86_400.0).contains(&seconds)) {
            return Err(LineError::request("deadline_seconds", "must be 1 to 86400"));
        }
        let verdict = connection.map_or(Verdict::Askable, |id| self.verdicts.connections.get(&id).copied().unwrap_or(Verdict::Unknown));
        match verdict {
            Verdict::Askable => {}
            Verdict::Unknown => {
                return Err(LineError::new(LineProblem::NotFound, "connection_id", "there is no such connection, or it is not yours"));
            }
            Verdict::Denied => {
                let message = "you may see this connection, but not query it";
                return Err(LineError::new(LineProblem::PermissionDenied, "connection_id", message));
            }
            Verdict::NotReady => {
                let message = "the connection is switched off or was refused";
                return Err(LineError::new(LineProblem::ConnectionNotReady, "connection_id", message));
            }
        }
        if file.is_some_and(|id| !self.verdicts.files.contains(&id)) {
            return Err(LineError::new(LineProblem::NotFound, "file_id", "there is no such file, or it is not yours"));
        }
        Ok(())
    }

    fn ask(&mut self, number: u32, line: Line) -> Asked {
        let (connection, file) = self.target(&line);
        let (first_line, question_id) = *self.firsts.entry(same_question(&line, connection)).or_insert_with(|| (number, QuestionId::new()));
        let payload = (first_line == number).then(|| AnswerQuestion {
            v: PAYLOAD_VERSION,
            question_id,
            question: line.question.unwrap_or_default(),
            connection_id: connection.map(ConnectionId),
            file_id: file.map(FileId),
            sql: line.sql,
            follows: None,
            cache: line.cache.unwrap_or(CacheMode::Use),
            api_key_id: None,
        });
        Asked { question_id, first_line, payload, deadline_seconds: line.deadline_seconds, connection_id: connection }
    }
}

/// The name of a line as it is told, and kept: not one that would be most of the answer, nor one that the database can't hold.
fn told_name(name: String) -> Option<String> {
    Some(name).filter(|name| !name.is_empty() && name.chars().nth(LONGEST_TOLD).is_none() && !name.contains('\0'))
}

fn check_name(name: &str) -> Result<(), LineError> {
    let length = name.chars().count();
    if !(1..=LONGEST_CUSTOM_ID).contains(&length) {
        return Err(LineError::request("custom_id", format!("has {length} characters; 1 to {LONGEST_CUSTOM_ID} are taken")));
    }
    if name.contains(char::is_control) {
        return Err(LineError::request("custom_id", "holds a control character"));
    }
    Ok(())
}

fn check_texts(line: &Line, longest: LongestTexts) -> Result<(), LineError> {
    if line.question.is_none() && line.sql.is_none() {
        return Err(LineError::request("question", "ask a question, or give a statement in `sql`"));
    }
    for (field, text, longest) in [("question", &line.question, longest.question), ("sql", &line.sql, longest.sql)] {
        let Some(text) = text else { continue };
        if text.trim().is_empty() {
            return Err(LineError::request(field, "must not be empty"));
        }
        if text.len() > longest {
            return Err(LineError::request(field, format!("has {} bytes; at most {longest} are taken", text.len())));
        }
        if text.contains('\0') {
            return Err(LineError::request(field, "holds a NUL character (\\u0000); leave it out"));
        }
    }
    Ok(())
}

fn unreadable(text: &[u8], error: &serde_json::Error) -> LineError {
    if std::str::from_utf8(text).is_err() {
        return LineError::new(LineProblem::InvalidJson, "", "is not UTF-8");
    }
    // JSON it is, and a value is of another type or not known: serde_json calls some of that a syntax error.
    let is_json = error.is_data() || serde_json::from_slice::<Value>(text).is_ok();
    let code = if is_json { LineProblem::InvalidRequest } else { LineProblem::InvalidJson };
    LineError::new(code, "", shortened(&error.to_string()))
}

/// A sentence that can be kept, and of a long one the beginning and the end: what is expected, and where, stands at its end.
fn shortened(message: &str) -> String {
    // The name of an unknown field is repeated as it is. PostgreSQL can't hold this one.
    let message = message.replace('\0', "\u{FFFD}");
    let length = message.chars().count();
    if length <= LONGEST_MESSAGE {
        return message;
    }
    let half = LONGEST_MESSAGE / 2;
    let (begin, end): (String, String) = (message.chars().take(half).collect(), message.chars().skip(length - half).collect());
    format!("{begin} … {end}")
}

/// What two lines have in common that are the same question: a question's words but for the white space between them, a statement but
/// for what is around it, what they are asked of, and how.
fn same_question(line: &Line, connection: Option<Uuid>) -> Fingerprint {
    let question = line.question.as_deref().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let sql = line.sql.as_deref().map(|text| text.trim().trim_end_matches(';').trim_end());
    let asked = serde_json::json!([question, sql, connection, line.file_id, line.cache.unwrap_or(CacheMode::Use), line.deadline_seconds]);
    fingerprint(asked.to_string().as_bytes())
}

fn fingerprint(text: &[u8]) -> Fingerprint {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(text)[..16]);
    half
}

#[cfg(test)]
mod tests;
