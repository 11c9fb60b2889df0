//! Answers a question.

use datagenie_common::{jobs::AnswerQuestion, model::jobs::JobError, store::ledger::Outcome};

use crate::{question, run::Context};

/// One attempt.
///
/// # Errors
/// What the ledger is to do about an attempt without a result.
pub async fn run(context: &Context) -> Result<Outcome, JobError> {
    let ask: AnswerQuestion = context.payload()?;
    question::answer(context, &ask).await
}
