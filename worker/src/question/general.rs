//! Questions of type `general`: asked of no database, answered in text by the model.

use datagenie_common::{
    jobs::AnswerQuestion,
    model::{
        jobs::JobError,
        language::Language,
        questions::{Failure, FailureCode, Stage},
    },
    store::{
        answers::{Answer, Rows},
        ledger::Outcome,
    },
};
use tokio::time::Instant;

use super::{Trail, daily, failures};
use crate::{
    llm::{Drafter, prompt, reply},
    run::Context,
};

/// Answers in text. The planner has no text to give, and says so.
pub async fn answer(context: &Context, ask: &AnswerQuestion) -> Result<Outcome, JobError> {
    let language = Language::of(&ask.question);
    let drafter = context.env.drafters.now();
    let mut trail = Trail::new(drafter.name());
    let Drafter::Model(model) = &*drafter else {
        let message = match language {
            Language::Korean => "모델이 설정되어 있지 않아 데이터베이스 없는 질문에는 답할 수 없습니다.",
            Language::English => "no model is configured, and the offline planner only answers questions about a database",
        };
        let failure =
            Failure::new(FailureCode::Unanswerable, message).hint("name a connection_id, or configure llm.api_key").at(Stage::Drafting);
        return Ok(Outcome::Failed { failure, dead: false, ending: Some(Box::new(trail.ending())) });
    };
    context.stage(Stage::Drafting);
    let began = Instant::now();
    daily::check(context, ask, &trail.usage).await.map_err(|error| error.at(Stage::Drafting))?;
    let completion = failures::unless_stopped(context, model.complete(context.turn_of(), &prompt::general(&ask.question, language), None))
        .await
        .map_err(|error| failures::model(context, &error).at(Stage::Drafting))?;
    trail.spent("drafting", began);
    trail.usage += completion.usage;
    let summary = reply::parse_general(&completion.text);
    if summary.is_empty() {
        let failure = Failure::new(FailureCode::ModelAnswerInvalid, "the model answered nothing").at(Stage::Drafting).retryable();
        return Ok(Outcome::Failed { failure, dead: false, ending: Some(Box::new(trail.ending())) });
    }
    let answer = Answer {
        columns: Vec::new(),
        first_rows: Vec::new(),
        rows: Rows::Inline(Vec::new()),
        chart_type: None,
        chart: None,
        chart_spec: None,
        summary,
        insights: Vec::new(),
    };
    Ok(Outcome::Answered { ending: Box::new(trail.ending()), answer: Box::new(answer) })
}
