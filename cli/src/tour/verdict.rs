//! Whether a step of the tour came out right: right answers are computed by the reference statements, through the same server
//! and guard as everybody's.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    check,
    questions::{Expected, Reference},
};
use crate::{
    client::{Ask, Client, ClientError, Question, QuestionStatus, Row},
    watch,
};

/// The tour must end, even where a model never answers: so long it waits for one question.
pub const LONGEST: Duration = Duration::from_secs(300);
/// An answer with more rows is none of the tour's.
const MAX_ROWS: usize = 1000;

/// How a step came out.
pub enum Outcome {
    /// The server took the question and ended it, with an answer or without.
    Ended(Box<Question>),
    /// It did not come to that.
    Failed(anyhow::Error),
}

/// Whether a step came out right, and why.
pub enum Verdict {
    /// As it must.
    Right(String),
    /// Otherwise than it must; with the right answer, if there is one.
    Wrong {
        /// What is wrong.
        why: String,
        /// The reference's own answer.
        reference: Option<Box<Question>>,
    },
    /// Nothing is said about it.
    NotChecked(&'static str),
}

/// What judging a step takes.
pub struct Judge<'a> {
    /// To run the references.
    pub client: &'a Client,
    /// On which connection.
    pub connection_id: Uuid,
    /// Its type, which chooses the dialect.
    pub db_type: &'a str,
    /// Whether the offline planner answers.
    pub offline: bool,
}

impl Judge<'_> {
    /// Compares the outcome with what was expected.
    ///
    /// # Errors
    /// A reference that the server does not take.
    pub async fn verdict(&self, expected: &Expected, outcome: &Outcome) -> anyhow::Result<Verdict> {
        match expected {
            Expected::Rows(references) => self.compare(references, outcome).await,
            Expected::Refused(code) => Ok(refused(code, outcome)),
            Expected::Declined if self.offline => Ok(declined(outcome)),
            Expected::Declined => {
                Ok(Verdict::NotChecked("not checked: a model may word its own way out of a question that these data don't answer"))
            }
        }
    }

    /// Runs the references until one agrees with the answer.
    async fn compare(&self, references: &[Reference], outcome: &Outcome) -> anyhow::Result<Verdict> {
        let answer = self.answered_rows(outcome).await?;
        let mut first = None;
        for reference in references {
            let sql = reference.sql(self.db_type);
            let ask = Ask { connection_id: Some(self.connection_id), sql: Some(sql), ..Ask::default() };
            let Ok(asked) = timeout(LONGEST, watch::quietly(self.client, &ask)).await else {
                return Ok(unusable(sql, "no answer in time", None));
            };
            let right = asked.with_context(|| format!("the reference was not answered: {sql}"))?;
            if right.status != QuestionStatus::Success || right.rows.is_empty() {
                let why = right.error.as_ref().map_or_else(|| "no rows".to_owned(), |error| format!("{}: {}", error.code, error.message));
                return Ok(unusable(sql, &why, Some(right)));
            }
            if let Some(rows) = &answer
                && check::agrees(rows, &right.rows, reference.rule)
            {
                return Ok(Verdict::Right(format!("the same as the reference says ({} compared)", counted(rows.len()))));
            }
            if first.is_none() {
                first = Some(Box::new(right));
            }
        }
        let why = match answer {
            Some(rows) => format!("{} that the reference does not say", counted(rows.len())),
            None => format!("expected rows, got {}", told(failure_code(outcome))),
        };
        Ok(Verdict::Wrong { why, reference: first })
    }

    /// All rows of an answer; none if there is no answer.
    async fn answered_rows(&self, outcome: &Outcome) -> anyhow::Result<Option<Vec<Row>>> {
        match outcome {
            Outcome::Ended(question) if question.status == QuestionStatus::Success => {
                Ok(Some(self.client.rows(question, MAX_ROWS).await.context("the answer's rows can't be read")?))
            }
            _ => Ok(None),
        }
    }
}

fn refused(code: &str, outcome: &Outcome) -> Verdict {
    match failure_code(outcome) {
        Some(found) if found == code => Verdict::Right(format!("refused, as it must be ({code})")),
        found => Verdict::Wrong { why: format!("expected a refusal with `{code}`, got {}", told(found)), reference: None },
    }
}

fn declined(outcome: &Outcome) -> Verdict {
    match failure_code(outcome) {
        Some(found @ ("unanswerable" | "needs_clarification")) => Verdict::Right(format!("declined, as these data don't say ({found})")),
        found => Verdict::Wrong { why: format!("expected to be declined, got {}", told(found)), reference: None },
    }
}

/// Why a step has no answer: the code of the question's error or of the server's problem. None: it has one.
fn failure_code(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Ended(question) if question.status == QuestionStatus::Success => None,
        Outcome::Ended(question) => Some(question.error.as_ref().map_or("no code", |error| error.code.as_str())),
        Outcome::Failed(error) => match error.downcast_ref::<ClientError>() {
            Some(ClientError::Problem(problem)) => Some(problem.code.as_str()),
            _ => Some("no answer"),
        },
    }
}

fn told(code: Option<&str>) -> String {
    code.map_or_else(|| "an answer".to_owned(), |code| format!("`{code}`"))
}

fn unusable(sql: &str, why: &str, reference: Option<Question>) -> Verdict {
    Verdict::Wrong { why: format!("the reference is no use ({why}): {sql}"), reference: reference.map(Box::new) }
}

fn counted(rows: usize) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Problem;

    fn ended(status: &str, code: &str) -> Outcome {
        let body = json!({"id": "0193a1f0-0000-7000-8000-000000000000", "status": status, "error": {"code": code, "message": ""}});
        Outcome::Ended(Box::new(Question::from_value(body).expect("a question")))
    }

    fn problem(body: &str) -> Outcome {
        Outcome::Failed(ClientError::Problem(Box::new(Problem::from_answer(422, None, body.as_bytes()))).into())
    }

    #[test]
    fn the_code_of_a_failure_is_found_wherever_it_was_told() {
        assert_eq!(failure_code(&ended("error", "sql_refused")), Some("sql_refused"));
        assert_eq!(failure_code(&ended("success", "")), None);
        assert_eq!(failure_code(&problem(r#"{"code":"sql_refused"}"#)), Some("sql_refused"));
        assert_eq!(failure_code(&Outcome::Failed(anyhow::anyhow!("no answer within 300 s"))), Some("no answer"));
    }

    #[test]
    fn only_the_refusal_expected_is_right() {
        let right = |outcome: Outcome| matches!(refused("sql_refused", &outcome), Verdict::Right(_));
        assert!(right(ended("error", "sql_refused")) && right(problem(r#"{"code":"sql_refused"}"#)));
        assert!(!right(ended("success", "")) && !right(ended("error", "sql_invalid")) && !right(problem("")));
    }

    #[test]
    fn declining_is_saying_so_and_not_failing() {
        let right = |outcome: Outcome| matches!(declined(&outcome), Verdict::Right(_));
        assert!(right(ended("error", "unanswerable")) && right(ended("error", "needs_clarification")));
        assert!(!right(ended("error", "internal")) && !right(ended("success", "")) && !right(ended("timeout", "timeout")));
    }
}
