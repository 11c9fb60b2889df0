//! What a schedule may do at its time: read and checked when it is made; what its owner may is judged again at each time.

use std::collections::BTreeSet;

use datagenie_common::{
    batches::{Checker, LONGEST_SQL, Line, LongestTexts, OnInvalid, Options},
    ids::{ConnectionId, FileId},
    objects,
    schedules::{Action, MOST_QUESTIONS},
    store::{batches as stored, connections, files},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    access::{Caller, Scope},
    app::App,
    batches::{Summary, check_options},
    error::{ApiError, Code, Result},
    webhooks,
};

/// Reads an action as the contract has it.
///
/// # Errors
/// 422 that says which forms there are.
pub(super) fn read_action(value: Value) -> Result<Action> {
    objects::from_value(value).map_err(|error| {
        let forms = "{kind: \"question\", connection_id?, file_id?, question?, sql?, cache?}, {kind: \"batch\", connection_id?, on_invalid?, \
                     budget?, callback_url?, questions}, {kind: \"schema_sync\", connection_id} or {kind: \"maintenance\", task}";
        ApiError::field("action", format!("{error}; it must be {forms}"))
    })
}

/// Whether the caller may have this done.
///
/// # Errors
/// 403, 404 for a connection or file that is not his, 422 for what can't be taken.
pub(super) async fn check_action(app: &App, caller: &Caller, action: &Action) -> Result<()> {
    if action.needs_admin() && (!caller.is_admin() || caller.lacks(Scope::Manage)) {
        let what = "only administrators (by a key: one with the scope `manage`) have schemas read or the upkeep run";
        return Err(ApiError::new(Code::PermissionDenied, what));
    }
    if let Some(id) = action.connection()
        && (!caller.may_use(id) || connections::find(&app.pool, caller.viewer(), id).await?.is_none())
    {
        return Err(ApiError::not_found("connection"));
    }
    match action {
        Action::Question { connection_id, file_id, question, sql, .. } => {
            check_question(app, *connection_id, *file_id, question.as_deref(), sql.as_deref())?;
            if let Some(file) = file_id
                && files::find(&app.pool, caller.user_id, *file).await?.is_none()
            {
                return Err(ApiError::not_found("file"));
            }
            Ok(())
        }
        Action::Batch { connection_id, on_invalid, budget, callback_url, questions } => {
            let options = Options {
                connection_id: connection_id.map(|id| id.0),
                on_invalid: *on_invalid,
                budget: *budget,
                callback_url: callback_url.clone(),
            };
            check_batch(app, caller, &options, questions).await
        }
        Action::SchemaSync { .. } | Action::Maintenance { .. } => Ok(()),
    }
}

fn check_question(
    app: &App,
    connection: Option<ConnectionId>,
    file: Option<FileId>,
    question: Option<&str>,
    sql: Option<&str>,
) -> Result<()> {
    let wrong = |field: &str, what: String| Err(ApiError::field(format!("action.{field}"), what));
    let longest = app.settings.limits.question_bytes;
    match (question, sql) {
        _ if connection.is_some() && file.is_some() => {
            wrong("file_id", "a question is asked of a connection or of a file; send one of them".to_owned())
        }
        (None, None) => wrong("question", "ask a question, or give a statement in `sql`".to_owned()),
        (Some(text), _) if text.trim().is_empty() => wrong("question", "must not be empty".to_owned()),
        (Some(text), _) if text.len() > longest => {
            wrong("question", format!("has {} bytes; at most {longest} are taken (limits.question_bytes)", text.len()))
        }
        (_, Some(sql)) if sql.trim().is_empty() => wrong("sql", "must not be empty".to_owned()),
        (_, Some(sql)) if sql.len() > LONGEST_SQL => wrong("sql", format!("has {} bytes; at most {LONGEST_SQL} are taken", sql.len())),
        (_, Some(_)) if connection.is_none() && file.is_none() => {
            wrong("connection_id", "a statement needs the connection or the file that it runs on".to_owned())
        }
        _ => Ok(()),
    }
}

/// A batch must be good as it stands when the schedule is made, whatever becomes of bad questions at its times.
async fn check_batch(app: &App, caller: &Caller, options: &Options, questions: &[Line]) -> Result<()> {
    if !(1..=MOST_QUESTIONS).contains(&questions.len()) {
        return Err(ApiError::field("action.questions", format!("must be 1 to {MOST_QUESTIONS}; they are kept with the schedule")));
    }
    check_options(options)?;
    // Who sees a schedule is decided by its one connection.
    if let Some(line) = questions.iter().find(|line| line.connection_id.is_some_and(|id| Some(id) != options.connection_id)) {
        let message = format!("all are asked of the schedule's own connection; `{}` names another", line.custom_id);
        return Err(ApiError::field("action.questions", message));
    }
    let files: BTreeSet<Uuid> = questions.iter().filter_map(|line| line.file_id).collect();
    let (connections, files): (Vec<Uuid>, Vec<Uuid>) = (options.connection_id.into_iter().collect(), files.into_iter().collect());
    let usable = caller.limited_to();
    let verdicts = stored::verdicts(&app.pool, caller.viewer(), usable.as_deref(), &connections, &files).await?;
    let longest = LongestTexts { question: app.settings.limits.question_bytes, sql: LONGEST_SQL };
    let (mut checker, mut summary) = (Checker::new(longest, options.connection_id, &verdicts), Summary::default());
    for (number, line) in (1..).zip(questions) {
        summary.add(checker.line(number, line.clone()));
    }
    summary.accepted(OnInvalid::Reject)?;
    if options.callback_url.is_some() {
        // Made at its first use, so that there is one when a run ends.
        webhooks::callback_secret::of(app, caller.user_id).await?;
    }
    Ok(())
}
