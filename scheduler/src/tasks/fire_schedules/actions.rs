//! What a schedule does at its time: what its owner could have done himself then, and nothing else.

use std::collections::{HashMap, HashSet};

use datagenie_common::{
    ids::{JobId, QuestionId, UserId},
    jobs::{AnswerQuestion, CacheMode, JobKind, LookAtConnection, PAYLOAD_VERSION},
    model::{connections::ConnectionState, jobs::JobState, questions::QueryType, users::Role},
    schedules::Action,
    store::{
        Result,
        audit::Origin,
        connections::{self, Askable, Viewer},
        events,
        ledger::{NewJob, NewQuestion, Submitted, admit, finish::Ended, intake},
        limits::{self, Day, Spent},
        schedules, upkeep,
    },
};
use serde_json::json;
use sqlx::PgConnection;

use super::{Begun, batch, plan::Run};
use crate::start::Scheduler;

/// The event of a fired schedule.
const FIRED: &str = "schedule.fired";
const HOUR_IS_FULL: &str = "its owner has asked as many questions within the hour as he may (limits.questions_per_hour)";
/// Seconds that a sync has until it is given up.
const SYNC_DEADLINE: f64 = 600.0;

/// Makes what runs do.
pub struct Actions<'a> {
    scheduler: &'a Scheduler,
    begun: Begun,
    /// Questions, each with its run's place.
    questions: Vec<(usize, NewQuestion)>,
    /// Whose day is used up, as far as it was asked: a sum of all that he has asked on that day.
    spent: HashMap<UserId, bool>,
    /// Questions that owners may still ask within the hour, as far as it was asked.
    left: HashMap<UserId, u64>,
}

impl<'a> Actions<'a> {
    /// Makes it, in the transaction of the runs, and writes into each what came of it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn of(scheduler: &'a Scheduler, conn: &mut PgConnection, runs: &mut [Run]) -> Result<Begun> {
        let users: Vec<UserId> = runs.iter().map(|run| run.schedule.user_id).collect();
        let owners = schedules::owners(conn, &users).await?;
        let begun = Begun { rings: Vec::new(), flows: Vec::new(), batches: Vec::new(), told: Vec::new() };
        let mut actions = Self { scheduler, begun, questions: Vec::new(), spent: HashMap::new(), left: HashMap::new() };
        for (at, run) in runs.iter_mut().enumerate().filter(|(_, run)| run.made.state == "fired") {
            actions.one(conn, at, run, &owners).await?;
        }
        actions.ask(conn, runs).await?;
        for run in runs.iter().filter(|run| run.made.state == "fired") {
            actions.tell(conn, run).await?;
        }
        Ok(actions.begun)
    }

    async fn one(&mut self, conn: &mut PgConnection, at: usize, run: &mut Run, owners: &HashMap<UserId, Role>) -> Result<()> {
        let owner = run.schedule.user_id;
        let Some(&role) = owners.get(&owner) else {
            refuse(run, "its owner is no longer active");
            return Ok(());
        };
        if run.schedule.action.needs_admin() && role != Role::Admin {
            refuse(run, "only administrators may have this done, and its owner is none any more");
            return Ok(());
        }
        match &run.schedule.action {
            Action::Question { .. } | Action::Batch { .. } if role == Role::Viewer => refuse(run, "the role viewer may not ask questions"),
            Action::Question { .. } | Action::Batch { .. } if self.is_spent(owner).await? => {
                refuse(run, "its owner's questions of today have used up what they may (limits.tokens_per_day, limits.cost_per_day)");
            }
            Action::Question { .. } if !self.fit(owner, 1).await? => refuse(run, HOUR_IS_FULL),
            Action::Batch { questions, .. } if !self.fit(owner, questions.len() as u64).await? => refuse(run, HOUR_IS_FULL),
            Action::Batch { .. } => {
                if let Some(batch) = batch::make(self.scheduler, conn, run, role == Role::Admin).await? {
                    self.begun.batches.push(batch);
                }
            }
            Action::Question { .. } => {
                let question = self.question(run, role == Role::Admin);
                self.questions.push((at, question));
            }
            Action::SchemaSync { connection_id } => {
                let viewer = Viewer { user_id: owner, is_admin: true };
                let found = connections::find(&self.scheduler.pool, viewer, *connection_id).await?;
                if !found.is_some_and(|connection| connection.is_active) {
                    refuse(run, "its connection is gone or switched off");
                    return Ok(());
                }
                let job = sync_job(self.scheduler, owner, *connection_id);
                intake::insert(conn, &job).await?;
                run.made.job_id = Some(job.id);
                self.begun.let_in(job.flow());
            }
            Action::Maintenance { task } => run.made.upkeep_run_id = Some(upkeep::ask(conn, task.as_str()).await?),
        }
        Ok(())
    }

    async fn is_spent(&mut self, owner: UserId) -> Result<bool> {
        if let Some(&known) = self.spent.get(&owner) {
            return Ok(known);
        }
        let limits = self.scheduler.live_settings.get().limits.of_one_user();
        let is_spent = limits::is_spent(&self.scheduler.pool, Day { user: owner, key: None, time: None }, limits, Spent::default()).await?;
        self.spent.insert(owner, is_spent);
        Ok(is_spent)
    }

    /// Takes so many questions out of what is left of an owner's hour, if it is enough.
    async fn fit(&mut self, owner: UserId, questions: u64) -> Result<bool> {
        let left = match self.left.get(&owner) {
            Some(&left) => left,
            None => {
                let limits = self.scheduler.live_settings.get().limits.of_one_user();
                limits::left_of_the_hour(&self.scheduler.pool, owner, limits).await?
            }
        };
        let after = left.checked_sub(questions);
        self.left.insert(owner, after.unwrap_or(left));
        Ok(after.is_some())
    }

    fn question(&self, run: &Run, is_admin: bool) -> NewQuestion {
        let jobs = &self.scheduler.settings.jobs;
        let (connection_id, file_id, question, sql, cache) = match &run.schedule.action {
            Action::Question { connection_id, file_id, question, sql, cache } => {
                (*connection_id, *file_id, question.clone(), sql.clone(), *cache)
            }
            Action::Batch { .. } | Action::SchemaSync { .. } | Action::Maintenance { .. } => (None, None, None, None, None),
        };
        let (id, question) = (QuestionId::new(), question.unwrap_or_default());
        let payload = AnswerQuestion {
            api_key_id: None,
            v: PAYLOAD_VERSION,
            question_id: id,
            question: question.clone(),
            connection_id,
            file_id,
            sql,
            follows: None,
            cache: cache.unwrap_or(CacheMode::Skip),
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of a deadline are few")]
        let deadline_seconds = jobs.deadline_seconds as f64;
        NewQuestion {
            id,
            job_id: JobId::new(),
            user_id: run.schedule.user_id,
            is_admin,
            connection_id,
            file_id,
            question,
            query_type: match (connection_id, file_id) {
                (Some(_), _) => QueryType::Database,
                (None, Some(_)) => QueryType::Excel,
                (None, None) => QueryType::General,
            },
            follows: None,
            callback_url: None,
            deadline_seconds,
            run_seconds: Some(jobs.run_limit()),
            max_attempts: i16::try_from(jobs.max_attempts).unwrap_or(i16::MAX),
            payload: json!(payload),
            traceparent: None,
            idempotency: None,
            origin: Origin::default(),
        }
    }

    /// Submits all questions by the statement that judges every submission, and so by the permissions of now.
    async fn ask(&mut self, conn: &mut PgConnection, runs: &mut [Run]) -> Result<()> {
        if self.questions.is_empty() {
            return Ok(());
        }
        let crowded = self.crowded().await?;
        let (out, taken): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.questions).into_iter().partition(|(_, question)| crowded.contains(&question.user_id));
        for (at, _) in out {
            if let Some(run) = runs.get_mut(at) {
                refuse(run, "too many jobs of its owner wait already (limits.waiting_per_user)");
            }
        }
        let (places, questions): (Vec<usize>, Vec<NewQuestion>) = taken.into_iter().unzip();
        let window = self.scheduler.dispatch.window(JobKind::AnswerQuestion.lane()).await;
        let taken = intake::submit_on(conn, &questions, window).await?;
        for ((at, question), outcome) in places.into_iter().zip(questions).zip(taken.outcomes) {
            let Some(run) = runs.get_mut(at) else { continue };
            match outcome {
                Submitted::New { rung } => {
                    run.made.job_id = Some(question.job_id);
                    run.made.question_id = Some(question.id);
                    if rung {
                        self.begun.rings.push(question.ring());
                    }
                }
                Submitted::Refused(_) if question.file_id.is_some() => refuse(run, "its file is gone"),
                Submitted::Refused(connection) => refuse(run, why_not(connection.as_ref(), question.is_admin)),
                // Only of a submission with an idempotency key.
                Submitted::Earlier(_) | Submitted::KeyReused => refuse(run, "it was asked before"),
            }
        }
        for user in taken.let_in {
            self.begun.questions_of(user);
        }
        Ok(())
    }

    /// Those who may have no more waiting, as the api would tell them.
    async fn crowded(&self) -> Result<HashSet<UserId>> {
        let limit = i64::try_from(self.scheduler.settings.limits.waiting_per_user).unwrap_or(i64::MAX);
        let asking: HashSet<UserId> = self.questions.iter().map(|(_, question)| question.user_id).collect();
        let mut crowded = HashSet::new();
        for user in asking {
            if admit::waiting(&self.scheduler.pool, Some(user), limit).await? >= limit {
                crowded.insert(user);
            }
        }
        Ok(crowded)
    }

    async fn tell(&mut self, conn: &mut PgConnection, run: &Run) -> Result<()> {
        let (schedule, made) = (&run.schedule, &run.made);
        let data = json!({
            "schedule_id": schedule.id, "name": schedule.name, "run_id": made.id, "fire_time": made.fire_time,
            "job_id": made.job_id, "question_id": made.question_id, "batch_id": made.batch_id,
            "upkeep_run_id": made.upkeep_run_id,
            "connection_id": schedule.action.connection(),
        });
        let subject = schedule.id.to_string();
        let deliveries = events::insert(conn, FIRED, &subject, schedule.user_id, None, &data).await?;
        // Readers are woken as by the end of a job; they look at what was written.
        let job_id = made.job_id.unwrap_or(JobId(made.id));
        self.begun.told.push(Ended {
            job_id,
            user_id: schedule.user_id,
            subject,
            state: JobState::Succeeded,
            tells_webhooks: deliveries > 0,
        });
        Ok(())
    }
}

/// Notes why a run is not made.
pub fn refuse(run: &mut Run, reason: &str) {
    run.made.state = "refused";
    run.made.reason = Some(reason.to_owned());
}

/// Why a connection can't be asked, in words that tell nobody more than a submission of his own would.
fn why_not(connection: Option<&Askable>, is_admin: bool) -> &'static str {
    match connection {
        None => "its connection is gone",
        Some(connection) if !is_admin && connection.can_query != Some(true) => "its owner may not query the connection (any more)",
        Some(connection) if !connection.is_active => "its connection is switched off",
        Some(connection) if connection.state == ConnectionState::Refused => "its connection was refused",
        Some(_) => "its connection can't be asked now",
    }
}

fn sync_job(scheduler: &Scheduler, user_id: UserId, connection_id: datagenie_common::ids::ConnectionId) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: JobKind::SyncSchema,
        user_id,
        connection_id: Some(connection_id),
        batch_id: None,
        subject_id: Some(connection_id.0),
        replay_of: None,
        deadline_seconds: SYNC_DEADLINE,
        run_seconds: None,
        max_attempts: i16::try_from(scheduler.settings.jobs.max_attempts).unwrap_or(i16::MAX),
        payload: json!(LookAtConnection { v: PAYLOAD_VERSION, connection_id }),
        traceparent: None,
    }
}
