//! Reads an upload through: first what it names, then every line.

use std::collections::BTreeSet;

use datagenie_common::{
    batches::{Budget, Checked, Checker, Form, Line, LongestTexts, OnInvalid, Options, Piece, Unreadable, Verdicts},
    ids::ApiKeyId,
    objects,
    store::batches::ItemRow,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::spool::Spool;
use crate::{
    error::{ApiError, Code, FieldError, Result},
    webhooks,
};

/// Errors of lines that are told one by one.
const TOLD: usize = 100;
/// Different connections that one batch may be asked of.
const MOST_CONNECTIONS: usize = 100;

/// What an upload names.
#[derive(Default)]
pub(super) struct Named {
    pub options: Options,
    pub connections: BTreeSet<Uuid>,
    pub files: BTreeSet<Uuid>,
}

/// What came of the lines.
#[derive(Default)]
pub struct Summary {
    /// Lines.
    pub total: u32,
    /// Of them refused.
    pub invalid: u32,
    /// Questions to compute.
    pub questions: u32,
    /// The number of the last line.
    pub last_line: u32,
    /// The connections that they are asked of.
    pub connections: BTreeSet<Uuid>,
    /// What is wrong with the first of the refused ones.
    pub errors: Vec<FieldError>,
}

/// Reads what the upload says of itself and which connections and files its lines name; `options` are those of the query string.
///
/// # Errors
/// 400 for what is no JSON, 422 for fields that can't be taken and for too many lines.
pub(super) fn named(spool: &Spool, options: Options, most: u32) -> Result<Named> {
    let mut named = Named { options, ..Named::default() };
    let mut pieces = spool.pieces().map_err(|error| ApiError::internal(&error))?;
    let mut lines = 0_u32;
    while let Some(piece) = pieces.next_piece().map_err(unreadable)? {
        match piece {
            Piece::Field(name, value) => set(&mut named.options, &name, &value)?,
            Piece::Line(_, text) => {
                lines += 1;
                if lines > most {
                    let message = format!("are more than {most}, the most of one batch (limits.batch_lines); split it");
                    return Err(ApiError::field("questions", message));
                }
                if let Some(line) = text.and_then(|text| serde_json::from_slice::<Line>(&text).ok()) {
                    named.connections.extend(line.connection_id);
                    named.files.extend(line.file_id);
                }
            }
        }
    }
    if lines == 0 {
        return Err(ApiError::field("questions", format!("are missing: send 1 to {most}")));
    }
    check_options(&named.options)?;
    named.connections.extend(named.options.connection_id);
    Ok(named)
}

fn set(options: &mut Options, name: &str, value: &[u8]) -> Result<()> {
    match name {
        "connection_id" => options.connection_id = parsed(name, value)?,
        "on_invalid" => options.on_invalid = parsed(name, value)?,
        "budget" => options.budget = parsed(name, value)?,
        "callback_url" => options.callback_url = parsed(name, value)?,
        _ => {
            let name: String = name.chars().take(100).collect();
            let message = "is no field of a batch: send questions, and perhaps connection_id, on_invalid, budget and callback_url; a question on \
                           every line is sent as application/jsonl";
            return Err(ApiError::field(name, message));
        }
    }
    Ok(())
}

fn parsed<T: DeserializeOwned>(name: &str, value: &[u8]) -> Result<Option<T>> {
    objects::from_slice(value).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ApiError::field(name, error.to_string()),
        _ if serde_json::from_slice::<serde_json::Value>(value).is_ok() => ApiError::field(name, error.to_string()),
        _ => ApiError::new(Code::InvalidJson, format!("`{name}`: {error}")),
    })
}

/// What can be said of the options by themselves.
///
/// # Errors
/// 422 for the field that can't be taken.
pub fn check_options(options: &Options) -> Result<()> {
    if let Some((field, message)) = options.budget.as_ref().and_then(Budget::problem) {
        return Err(ApiError::field(field, message));
    }
    if let Some(url) = &options.callback_url {
        webhooks::check_url("callback_url", url)?;
        if url.contains('\0') {
            return Err(ApiError::field("callback_url", "holds a NUL character"));
        }
    }
    Ok(())
}

/// Checks every line, in their order, and gives each to `take`, which may end it early.
///
/// # Errors
/// 500 if the upload can't be read again.
pub(super) fn lines(
    spool: &Spool,
    options: &Options,
    longest: LongestTexts,
    verdicts: &Verdicts,
    mut take: impl FnMut(Checked) -> Result<bool>,
) -> Result<()> {
    let mut checker = Checker::new(longest, options.connection_id, verdicts);
    let mut pieces = spool.pieces().map_err(|error| ApiError::internal(&error))?;
    while let Some(piece) = pieces.next_piece().map_err(unreadable)? {
        if let Piece::Line(number, text) = piece
            && !take(checker.text(number, text.as_deref()))?
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Checks every line and says what came of them.
///
/// # Errors
/// 422 for too many different connections, 500 if the upload can't be read again.
pub(super) fn summary(spool: &Spool, options: &Options, longest: LongestTexts, verdicts: &Verdicts) -> Result<Summary> {
    let mut summary = Summary::default();
    lines(spool, options, longest, verdicts, |checked| {
        summary.add(checked);
        Ok(true)
    })?;
    if summary.connections.len() > MOST_CONNECTIONS {
        return Err(ApiError::field("questions", format!("are asked of more than {MOST_CONNECTIONS} different connections; split them")));
    }
    Ok(summary)
}

impl Summary {
    /// Counts a line.
    pub fn add(&mut self, checked: Checked) {
        self.total += 1;
        self.last_line = checked.line;
        match checked.outcome {
            Ok(asked) => {
                self.questions += u32::from(asked.payload.is_some());
                self.connections.extend(asked.connection_id);
            }
            Err(error) => {
                self.invalid += 1;
                if self.errors.len() < TOLD {
                    self.errors.push(FieldError {
                        field: if error.field.is_empty() { "questions".to_owned() } else { error.field },
                        message: error.message,
                        line: Some(checked.line),
                        custom_id: checked.custom_id,
                        code: Some(error.code.as_str().to_owned()),
                    });
                }
            }
        }
    }

    /// What is to be said of lines that keep the batch from being taken in.
    ///
    /// # Errors
    /// 422 where some are bad and all must be good, or none is good.
    pub fn accepted(&mut self, on_invalid: OnInvalid) -> Result<()> {
        if self.invalid == 0 || (on_invalid == OnInvalid::Skip && self.invalid < self.total) {
            return Ok(());
        }
        let (bad, all) = (self.invalid, self.total);
        let shown = match self.errors.len() {
            shown if shown < bad as usize => format!("; the first {shown} are told"),
            _ => String::new(),
        };
        let advice = if on_invalid == OnInvalid::Skip { "no line is good" } else { "with on_invalid=skip the good ones would run" };
        let detail = format!("{bad} of {all} lines can't be taken{shown}; nothing was kept ({advice})");
        Err(ApiError::lines(detail, std::mem::take(&mut self.errors)))
    }
}

/// A line as a row of the database, sent by this key.
pub(super) fn row(mut checked: Checked, key: Option<ApiKeyId>) -> Result<ItemRow> {
    if let Ok(asked) = &mut checked.outcome
        && let Some(payload) = &mut asked.payload
    {
        payload.api_key_id = key;
    }
    Ok(ItemRow::of(&checked)?)
}

/// The options of the query string go with lines; an object has its own.
pub(super) fn check_form(form: Form, options: &Options) -> Result<()> {
    if form == Form::Json && *options != Options::default() {
        return Err(ApiError::field("query string", "goes with lines (application/jsonl); in application/json say it in the body"));
    }
    Ok(())
}

fn unreadable(error: Unreadable) -> ApiError {
    match error {
        Unreadable::Malformed { .. } => ApiError::new(Code::InvalidJson, format!("the body can't be read: {error}")),
        Unreadable::Shape { field: "", .. } => ApiError::new(Code::InvalidRequest, format!("the body {error}")),
        Unreadable::Shape { field, .. } => ApiError::field(field, error.to_string()),
        Unreadable::Io(_) => ApiError::internal(&error),
    }
}
