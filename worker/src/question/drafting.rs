//! From the question to a statement: given by the asker, drafted by a model, or planned by rules; and one repair.

use std::sync::Arc;

use datagenie_common::{
    cache::CacheKey,
    jobs::{AnswerQuestion, CacheMode},
    model::{
        jobs::JobError,
        language::Language,
        questions::{Failure, FailureCode, Stage},
    },
    store::questions,
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    Trail, daily, failures,
    link::{self, Linked},
    target::Target,
};
use crate::{
    guard::Guarded,
    llm::{
        Completion, Draft, Drafter,
        offline::{self, PlanInput},
        openai::Model,
        prompt::{self, DraftPrompt, Previous},
        reply,
    },
    run::Context,
};

/// A draft whose statement is there.
#[derive(Clone, Debug)]
pub struct Drafted {
    /// The statement.
    pub sql: String,
    /// What else was proposed.
    pub draft: Draft,
}

/// What drafting works on.
pub struct Drafting<'a> {
    context: &'a Context,
    ask: &'a AnswerQuestion,
    target: &'a Target,
    language: Language,
    linked: Linked,
    previous: Option<Previous>,
    asked: Option<DraftPrompt>,
    drafter: Arc<Drafter>,
}

impl<'a> Drafting<'a> {
    /// Links the question to the part of the catalogue that the asker may see and that it is about.
    pub async fn new(
        context: &'a Context,
        ask: &'a AnswerQuestion,
        target: &'a Target,
        language: Language,
        drafter: Arc<Drafter>,
    ) -> Result<Self, JobError> {
        let previous = match ask.follows {
            None => None,
            Some(id) => questions::previous(&context.env.pool, context.job.user_id, id)
                .await
                .map_err(|error| failures::store(context, &error))?
                // One that the asker could not run now says nothing of this database, or names what he may not see any more.
                .and_then(|(question, sql)| Some(Previous { question, sql: sql? }))
                .filter(|previous| context.env.checked.guard(target, &previous.sql).is_ok()),
        };
        // A statement that is given needs nobody who would be told of the catalogue.
        let linked = if ask.sql.is_some() {
            Linked { schema: Arc::default(), text: Arc::from(""), whole: true }
        } else {
            link::link(&ask.question, &target.visible(&context.env.known), &[], context.env.settings.llm.schema_budget_chars)
        };
        Ok(Self { context, ask, target, language, linked, previous, asked: None, drafter })
    }

    /// The first statement.
    pub async fn draft(&mut self, trail: &mut Trail) -> Result<Drafted, JobError> {
        if let Some(sql) = &self.ask.sql {
            return Ok(Drafted { sql: sql.clone(), draft: Draft::default() });
        }
        self.context.stage(Stage::Drafting);
        let began = Instant::now();
        let drafter = self.drafter.clone();
        let draft = match &*drafter {
            Drafter::Offline => Ok(self.plan()),
            Drafter::Model(model) => {
                let prompt = prompt::draft(
                    &self.ask.question,
                    &self.linked.text,
                    self.target.policy.db_type,
                    self.context.env.clock.now().date_naive(),
                    self.language,
                    self.previous.as_ref(),
                    self.target.policy.limits.max_rows,
                );
                let draft = self.ask_model(model, &prompt, trail).await;
                self.asked = Some(prompt);
                draft
            }
        };
        trail.spent("drafting", began);
        accept(draft?)
    }

    fn plan(&self) -> Draft {
        offline::plan(&PlanInput {
            question: &self.ask.question,
            schema: &self.linked.schema,
            dialect: self.target.policy.db_type,
            today: self.context.env.clock.now().date_naive(),
            previous: self.previous.as_ref().map(|previous| previous.sql.as_str()),
        })
    }

    /// Asks the model, and once more where its answer can't be read.
    async fn ask_model(&self, model: &Model, prompt: &DraftPrompt, trail: &mut Trail) -> Result<Draft, JobError> {
        let completion = self.complete(model, prompt, trail).await?;
        let problem = match reply::parse(&completion.text) {
            Ok(draft) => return Ok(draft),
            Err(problem) => problem,
        };
        trail.repaired = true;
        let failure = Failure::new(FailureCode::ModelAnswerInvalid, problem.to_string());
        trail.tried(None, Some(&failure));
        let again = prompt::repair(prompt, "", &problem.to_string());
        let completion = self.complete(model, &again, trail).await?;
        reply::parse(&completion.text).map_err(|problem| {
            JobError::Fail(
                Failure::new(FailureCode::ModelAnswerInvalid, format!("the model's answer could not be used, twice: {problem}"))
                    .hint("ask again in other words, or use a stronger model")
                    .at(Stage::Drafting)
                    .retryable(),
            )
        })
    }

    /// One call of the model, or its cached answer to the same prompt.
    async fn complete(&self, model: &Model, prompt: &DraftPrompt, trail: &mut Trail) -> Result<Completion, JobError> {
        let hash = (self.ask.cache == CacheMode::Use).then(|| prompt_hash(model, prompt));
        let key = hash.as_deref().map(|prompt_hash| CacheKey::LlmResponse { prompt_hash });
        let cache = &self.context.env.cache;
        if let Some(key) = &key
            && let Some(completion) = cache.get_json::<Completion>(key).await
        {
            return Ok(completion);
        }
        daily::check(self.context, self.ask, &trail.usage).await?;
        let call = model.complete(self.context.turn_of(), prompt, Some(&prompt::REPLY_SCHEMA));
        let completion = failures::unless_stopped(self.context, call).await.map_err(|error| failures::model(self.context, &error))?;
        trail.usage += completion.usage;
        if let Some(key) = &key
            && reply::parse(&completion.text).is_ok()
        {
            cache.set_json(key, &completion).await;
        }
        Ok(completion)
    }

    /// Whether a failure is one that a model may mend. The planner and a given statement have no second try.
    pub fn can_repair(&self, failure: &Failure) -> bool {
        let mendable = matches!(
            failure.code,
            FailureCode::SqlRefused
                | FailureCode::SqlInvalid
                | FailureCode::TooCostly
                | FailureCode::PermissionDenied
                | FailureCode::SourcePermission
        );
        mendable && self.asked.is_some()
    }

    /// Whether an empty result is worth a second opinion: a model guessed at literal values.
    pub fn doubts_empty(&self, guarded: &Guarded) -> bool {
        self.asked.is_some() && guarded.sql.contains('\'')
    }

    /// The second statement.
    pub async fn repair(&mut self, bad_sql: &str, failure: &Failure, trail: &mut Trail) -> Result<Drafted, JobError> {
        let (Drafter::Model(model), Some(asked)) = (&*self.drafter, &self.asked) else {
            return Err(JobError::Fail(failure.clone()));
        };
        let began = Instant::now();
        let problem = match &failure.hint {
            Some(hint) => format!("{}. {hint}", failure.message),
            None => failure.message.clone(),
        };
        let prompt = prompt::repair(asked, bad_sql, &problem);
        let draft = self.ask_model(model, &prompt, trail).await;
        trail.spent("repairing", began);
        accept(draft?)
    }

    /// How sure the answer is, 0 to 1: who drafted it, whether it had to be repaired, whether it found anything.
    pub fn confidence(&self, trail: &Trail, rows: u64) -> f32 {
        if self.ask.sql.is_some() {
            return 1.0;
        }
        let mut confidence: f32 = if self.asked.is_some() { 0.9 } else { 0.8 };
        if trail.repaired {
            confidence -= 0.2;
        }
        if rows == 0 {
            confidence -= 0.2;
        }
        if !self.linked.whole {
            confidence -= 0.1;
        }
        confidence.clamp(0.0, 1.0)
    }
}

/// The draft's statement, or the failure that it declares itself.
fn accept(draft: Draft) -> Result<Drafted, JobError> {
    let said = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    if let (Some(clarification), true) = (said(&draft.clarification), draft.answerable != Some(true) || draft.sql.is_none()) {
        let mut failure = Failure::new(FailureCode::NeedsClarification, "the question means more than one thing").at(Stage::Drafting);
        failure.clarification = Some(clarification);
        return Err(JobError::Fail(failure));
    }
    if draft.answerable == Some(false) {
        let why = said(&draft.explanation).unwrap_or_else(|| "the question can't be answered from this data".to_owned());
        return Err(JobError::Fail(Failure::new(FailureCode::Unanswerable, why).at(Stage::Drafting)));
    }
    match said(&draft.sql) {
        Some(sql) => Ok(Drafted { sql, draft }),
        None => {
            let why = said(&draft.explanation).or_else(|| said(&draft.answer));
            let failure = Failure::new(FailureCode::Unanswerable, why.unwrap_or_else(|| "no statement was proposed".to_owned()));
            Err(JobError::Fail(failure.at(Stage::Drafting)))
        }
    }
}

fn prompt_hash(model: &Model, prompt: &DraftPrompt) -> String {
    let mut hash = Sha256::new();
    for part in [model.fingerprint().as_str(), &prompt.system, &prompt.user] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}
