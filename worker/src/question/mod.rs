//! The question pipeline, which reads as the product:
//! policy → link → draft → check → execute → (repair once) → mask → chart → summarise.
//!
//! [`answer`] takes a question to its [`Outcome`]; nothing here writes to the system database.

mod cached;
pub mod checked;
pub mod daily;
mod drafting;
pub mod failures;
pub mod file;
pub mod fill;
mod general;
pub mod insights;
pub mod link;
pub mod masking;
pub mod plans;
mod rows;
pub mod summarise;
pub mod target;

use std::{collections::BTreeMap, sync::Arc};

use datagenie_common::{
    charts,
    jobs::{AnswerQuestion, CacheMode},
    model::{
        jobs::JobError,
        language::Language,
        questions::{DraftAttempt, Failure, FailureCode, Provenance, Stage, Usage},
        results::ResultView,
    },
    store::{answers::Answer, ledger::Outcome, questions::Ending},
};
use tokio::time::Instant;

use self::{
    drafting::{Drafted, Drafting},
    rows::Collected,
    target::Target,
};
use crate::{guard::Guarded, llm::Drafter, run::Context, sources::Statement};

/// What is known so far about a question's answer; becomes its provenance, usage and timings.
struct Trail {
    began: Instant,
    timings: BTreeMap<&'static str, u64>,
    usage: Usage,
    provenance: Provenance,
    repaired: bool,
}

impl Trail {
    fn new(model: &str) -> Self {
        let provenance = Provenance { model: model.to_owned(), ..Provenance::default() };
        Self { began: Instant::now(), timings: BTreeMap::new(), usage: Usage::default(), provenance, repaired: false }
    }

    /// Adds the time since `began` to a stage.
    fn spent(&mut self, stage: &'static str, began: Instant) {
        let elapsed = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        *self.timings.entry(stage).or_default() += elapsed;
    }

    fn tried(&mut self, sql: Option<&str>, error: Option<&Failure>) {
        self.provenance.attempts.push(DraftAttempt { sql: sql.map(str::to_owned), error: error.cloned() });
    }

    fn ending(&self) -> Ending {
        let mut timings = self.timings.clone();
        timings.insert("total", u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX));
        Ending {
            provenance: serde_json::json!(self.provenance),
            usage: serde_json::json!(self.usage),
            timings: serde_json::json!(timings),
            ..Ending::default()
        }
    }
}

/// A statement that passed the guard, and the result it brought.
struct Executed {
    guarded: Guarded,
    collected: Collected,
    cached: bool,
    result_hash: Option<String>,
}

/// Takes a question to its answer, or to the failure that it ends with. What was drafted until a failure is part of the outcome.
///
/// # Errors
/// What may work later or again, without anything to store.
pub async fn answer(context: &Context, ask: &AnswerQuestion) -> Result<Outcome, JobError> {
    if ask.connection_id.is_none() && ask.file_id.is_none() {
        return general::answer(context, ask).await;
    }
    let drafter = context.env.drafters.now();
    let mut trail = Trail::new(if ask.sql.is_some() { "given" } else { drafter.name() });
    match database(context, ask, drafter, &mut trail).await {
        Err(JobError::Fail(failure)) => {
            let mut ending = trail.ending();
            ending.sql = trail.provenance.attempts.last().and_then(|attempt| attempt.sql.clone());
            let dead = failure.code == FailureCode::Internal;
            Ok(Outcome::Failed { failure, dead, ending: Some(Box::new(ending)) })
        }
        other => other,
    }
}

async fn database(context: &Context, ask: &AnswerQuestion, drafter: Arc<Drafter>, trail: &mut Trail) -> Result<Outcome, JobError> {
    let language = Language::of(&ask.question);
    context.stage(Stage::Linking);
    let began = Instant::now();
    let target = target::find(context, ask).await.map_err(|error| error.at(Stage::Linking))?;
    let mut drafting = Drafting::new(context, ask, &target, language, drafter).await.map_err(|error| error.at(Stage::Linking))?;
    trail.spent("linking", began);

    let drafted = drafting.draft(trail).await.map_err(|error| error.at(Stage::Drafting))?;
    let (drafted, executed) = execute_with_repair(context, ask, &target, &mut drafting, drafted, trail).await?;
    trail.provenance.tables = executed.guarded.relations.iter().map(|relation| target.called(relation)).collect();
    Ok(present(context, ask, &target, &drafting, &drafted, executed, trail, language).await)
}

/// Runs the draft; where it is refused, invalid or suspiciously empty, has it repaired once and runs that.
async fn execute_with_repair(
    context: &Context,
    ask: &AnswerQuestion,
    target: &Target,
    drafting: &mut Drafting<'_>,
    drafted: Drafted,
    trail: &mut Trail,
) -> Result<(Drafted, Executed), JobError> {
    let problem = match execute(context, ask, target, &drafted, trail).await {
        Ok(executed) if executed.collected.row_count > 0 || !drafting.doubts_empty(&executed.guarded) => {
            trail.tried(Some(&executed.guarded.sql), None);
            return Ok((drafted, executed));
        }
        Ok(executed) => Problem::Empty(executed),
        Err(JobError::Fail(failure)) if drafting.can_repair(&failure) => Problem::Failed(failure),
        Err(JobError::Fail(failure)) => {
            trail.tried(Some(&drafted.sql), Some(&failure));
            return Err(JobError::Fail(failure));
        }
        Err(other) => return Err(other),
    };
    context.stage(Stage::Repairing);
    trail.repaired = true;
    // A model that took its time is not told again what may have been hidden or masked meanwhile.
    target.still_allowed(context).await.map_err(|error| error.at(Stage::Repairing))?;
    match problem {
        Problem::Failed(failure) => {
            trail.tried(Some(&drafted.sql), Some(&failure));
            let repaired = drafting.repair(&drafted.sql, &failure, trail).await.map_err(|error| error.at(Stage::Repairing))?;
            match execute(context, ask, target, &repaired, trail).await {
                Ok(executed) => {
                    trail.tried(Some(&executed.guarded.sql), None);
                    Ok((repaired, executed))
                }
                Err(error) => {
                    trail.tried(Some(&repaired.sql), Some(error.failure()));
                    Err(error)
                }
            }
        }
        Problem::Empty(empty) => {
            trail.tried(Some(&empty.guarded.sql), None);
            // An empty result may well be right: a second opinion that fails or is empty too leaves it standing.
            let doubt = failures::suspiciously_empty();
            if let Ok(repaired) = drafting.repair(&drafted.sql, &doubt, trail).await
                && let Ok(executed) = execute(context, ask, target, &repaired, trail).await
                && executed.collected.row_count > 0
            {
                trail.tried(Some(&executed.guarded.sql), None);
                return Ok((repaired, executed));
            }
            Ok((drafted, empty))
        }
    }
}

enum Problem {
    Failed(Failure),
    Empty(Executed),
}

/// Guard, policy check, cache, second opinion, source: the only way in which a statement reaches a customer's database.
async fn execute(
    context: &Context,
    ask: &AnswerQuestion,
    target: &Target,
    drafted: &Drafted,
    trail: &mut Trail,
) -> Result<Executed, JobError> {
    context.stage(Stage::Checking);
    let began = Instant::now();
    let guarded = context.env.checked.guard(target, &drafted.sql);
    trail.spent("checking", began);
    let guarded = guarded?;

    context.stage(Stage::Executing);
    let began = Instant::now();
    target.still_allowed(context).await.map_err(|error| error.at(Stage::Executing))?;
    let key = (ask.cache == CacheMode::Use).then(|| cached::key(target, &guarded));
    if let Some(key) = &key
        && let Some(collected) = cached::get(context, target, key).await
    {
        trail.spent("executing", began);
        return Ok(Executed { guarded, collected, cached: true, result_hash: Some(key.clone()) });
    }
    let statement = Statement::from(&guarded).calling(&target.connection.extra_functions);
    let collected = match plans::check(context, target, &statement).await {
        Ok(()) => rows::collect(context, target, &guarded, &statement).await,
        Err(error) => Err(error),
    };
    trail.spent("executing", began);
    let collected = collected.map_err(|error| error.at(Stage::Executing))?;
    if let Some(key) = &key {
        cached::put(context, target, key, &guarded, &collected).await;
    }
    Ok(Executed { guarded, collected, cached: false, result_hash: key })
}

#[expect(clippy::too_many_arguments, reason = "the parts of an answer, each made by a stage of its own")]
async fn present(
    context: &Context,
    ask: &AnswerQuestion,
    target: &Target,
    drafting: &Drafting<'_>,
    drafted: &Drafted,
    executed: Executed,
    trail: &mut Trail,
    language: Language,
) -> Outcome {
    let Executed { guarded, collected, cached, result_hash } = executed;
    let view = ResultView {
        columns: &collected.columns,
        rows: &collected.sample,
        row_count: collected.row_count,
        complete: collected.complete,
        truncated: collected.truncated,
    };
    context.stage(Stage::Charting);
    let began = Instant::now();
    let chart = charts::choose(&view, &ask.question, language, drafted.draft.chart.as_deref());
    trail.spent("charting", began);

    context.stage(Stage::Summarising);
    let began = Instant::now();
    let (summary, _) = summarise::summary(&view, &ask.question, language, drafted.draft.summary.as_deref());
    let insights = insights::insights(&view, language);
    trail.spent("summarising", began);

    let mut ending = trail.ending();
    ending.sql = Some(guarded.sql);
    ending.dialect = Some(target.policy.db_type.as_str().to_owned());
    ending.row_count = Some(i32::try_from(collected.row_count).unwrap_or(i32::MAX));
    ending.execution_time_ms = Some(i32::try_from(collected.elapsed.as_millis()).unwrap_or(i32::MAX));
    ending.result_hash = result_hash;
    ending.confidence = Some(drafting.confidence(trail, collected.row_count));
    ending.cached = cached;
    ending.truncated = collected.truncated;
    ending.policy_version = target.policy_version();
    let first_rows = collected.sample.iter().take(rows::FIRST_PAGE).cloned().collect();
    let answer = Answer {
        first_rows,
        chart_type: Some(chart.kind.as_str().to_owned()),
        chart_spec: Some(chart.vega_lite()),
        chart: serde_json::to_value(&chart).ok(),
        summary,
        insights,
        columns: collected.columns,
        rows: collected.rows,
    };
    Outcome::Answered { ending: Box::new(ending), answer: Box::new(answer) }
}

/// Shared parts of a catalogue.
type SharedSchema = Arc<datagenie_common::model::schemas::SourceSchema>;
