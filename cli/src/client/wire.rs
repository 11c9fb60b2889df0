//! The contract's bodies, as far as this program reads them. What a server leaves out or sends as `null` is empty.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// A member that may be `null`.
pub fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What is asked. Without a connection it is a general question.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Ask<'a> {
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<&'a str>,
    /// A reviewed statement, which passes the same guard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<&'a str>,
    /// Of which database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<Uuid>,
    /// Of which uploaded file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<Uuid>,
    /// The earlier question that this one refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<Uuid>,
    /// `skip`: computed anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<&'static str>,
}

/// One row, in the order of the columns.
pub type Row = Vec<Value>;

/// A question's own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuestionStatus {
    /// Not ended yet.
    Pending,
    /// Answered.
    Success,
    /// Ended without an answer.
    Error,
    /// Ended by a time limit.
    Timeout,
    /// Ended on request.
    Cancelled,
}

/// A question and, once it has ended, its answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Question {
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub status: QuestionStatus,
    /// What a running one is doing.
    #[serde(default)]
    pub stage: Option<String>,
    /// Where a waiting one stands.
    #[serde(default)]
    pub queue: Option<Queue>,
    /// The statement that was run or refused.
    #[serde(default)]
    pub sql: Option<String>,
    /// `postgresql`, `mysql` or `sqlite`.
    #[serde(default)]
    pub dialect: Option<String>,
    /// The columns of the rows.
    #[serde(default, deserialize_with = "nullable")]
    pub columns: Vec<Column>,
    /// The first page.
    #[serde(default, deserialize_with = "nullable")]
    pub rows: Vec<Row>,
    /// How many rows there are.
    #[serde(default)]
    pub row_count: Option<u64>,
    /// Whether a limit cut them off.
    #[serde(default, deserialize_with = "nullable")]
    pub truncated: bool,
    /// The chart chosen for them.
    #[serde(default)]
    pub chart: Option<Chart>,
    /// The answer in a sentence or, of a general question, the answer.
    #[serde(default)]
    pub summary: Option<String>,
    /// What else the rows show.
    #[serde(default, deserialize_with = "nullable")]
    pub insights: Vec<Insight>,
    /// Who drafted the statement.
    #[serde(default)]
    pub provenance: Option<Provenance>,
    /// Milliseconds by stage.
    #[serde(default, deserialize_with = "nullable")]
    pub timings_ms: Map<String, Value>,
    /// Whether the rows come from the cache.
    #[serde(default, deserialize_with = "nullable")]
    pub cached: bool,
    /// Why it ended without an answer.
    #[serde(default)]
    pub error: Option<Failure>,
    /// The whole body as it came.
    #[serde(skip)]
    pub body: Value,
}

impl Question {
    /// Reads a question and keeps its body.
    ///
    /// # Errors
    /// A body without an id or a known status, or with members of other types than the contract's.
    pub fn from_value(body: Value) -> serde_json::Result<Self> {
        let mut question = Self::deserialize(&body)?;
        question.body = body;
        Ok(question)
    }

    /// Whether it will not change any more.
    pub fn has_ended(&self) -> bool {
        self.status != QuestionStatus::Pending
    }

    /// What is being done about it, in a word or two.
    pub fn doing(&self) -> String {
        match (&self.stage, &self.queue) {
            (Some(stage), _) => stage.clone(),
            (None, Some(Queue { position: Some(position) })) if *position > 1 => format!("waiting, number {position} in the queue"),
            _ => "waiting".to_owned(),
        }
    }

    /// The model's name, `offline-planner`, or `given`.
    pub fn model(&self) -> Option<&str> {
        self.provenance.as_ref().and_then(|provenance| provenance.model.as_deref()).filter(|model| !model.is_empty())
    }
}

/// Where a waiting question stands.
#[derive(Clone, Debug, Deserialize)]
pub struct Queue {
    /// From 1.
    #[serde(default)]
    pub position: Option<u64>,
}

/// A column of a result.
#[derive(Clone, Debug, Deserialize)]
pub struct Column {
    /// As the statement names it.
    pub name: String,
    /// The source's own name of the type; SQLite has none for expressions.
    #[serde(default, rename = "type", deserialize_with = "nullable")]
    pub type_name: String,
    /// `integer`, `number`, `text`, `date` and so on, where the server tells.
    #[serde(default)]
    pub kind: Option<String>,
}

/// A chart.
#[derive(Clone, Debug, Deserialize)]
pub struct Chart {
    /// Where it is drawn as pixels.
    #[serde(default)]
    pub png_url: Option<String>,
    /// Where it is drawn as vectors.
    #[serde(default)]
    pub svg_url: Option<String>,
}

/// A computed observation.
#[derive(Clone, Debug, Deserialize)]
pub struct Insight {
    /// The sentence.
    #[serde(default, deserialize_with = "nullable")]
    pub text: String,
}

/// Where an answer comes from.
#[derive(Clone, Debug, Deserialize)]
pub struct Provenance {
    /// Who drafted the statement.
    #[serde(default)]
    pub model: Option<String>,
}

/// Why a question ended without an answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Failure {
    /// One of the contract's codes.
    #[serde(default, deserialize_with = "nullable")]
    pub code: String,
    /// What happened.
    #[serde(default, deserialize_with = "nullable")]
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
    /// What to say so that it can be answered.
    #[serde(default)]
    pub clarification: Option<String>,
}

/// A registered database.
#[derive(Clone, Debug, Deserialize)]
pub struct Connection {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// `postgresql`, `mysql` or `sqlite`.
    #[serde(default, deserialize_with = "nullable")]
    pub db_type: String,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts; none: there is none.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// A page of a result.
#[derive(Debug, Deserialize)]
pub struct ResultPage {
    /// The rows.
    #[serde(alias = "items")]
    pub rows: Vec<Row>,
    /// Where the next page starts; none: there is none.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0193a1f0-0000-7000-8000-000000000000";

    #[test]
    fn a_question_that_waits_has_little_and_may_have_it_as_null() {
        let body = json!({"id": ID, "status": "pending", "stage": null, "queue": {"position": 3, "estimated_wait_ms": 10},
            "columns": null, "rows": null, "truncated": null, "timings_ms": null, "insights": null, "chart": null});
        let question = Question::from_value(body.clone()).expect("a question");
        assert!(!question.has_ended());
        assert_eq!(question.doing(), "waiting, number 3 in the queue");
        assert_eq!(question.body, body);
        let bare = Question::from_value(json!({"id": ID, "status": "success"})).expect("a question");
        assert!(bare.has_ended() && bare.rows.is_empty() && bare.model().is_none());
    }

    #[test]
    fn what_is_no_question_is_refused() {
        assert!(Question::from_value(json!({"id": ID})).is_err());
        assert!(Question::from_value(json!({"id": ID, "status": "done"})).is_err());
        assert!(Question::from_value(json!([])).is_err());
    }

    #[test]
    fn only_what_is_given_is_sent() {
        let ask = Ask { question: Some("도시별 고객 수는?"), ..Ask::default() };
        assert_eq!(serde_json::to_value(ask).expect("JSON"), json!({"question": "도시별 고객 수는?"}));
    }
}
