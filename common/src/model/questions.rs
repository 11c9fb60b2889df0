//! A question and its answer, as stored in `query_history` and `analysis_results`.

use serde::{Deserialize, Serialize};

use crate::word_enum;

word_enum! {
    /// What a question is asked of.
    pub enum QueryType {
        /// A registered database.
        Database = "database",
        /// An uploaded spreadsheet.
        Excel = "excel",
        /// Nothing but the model.
        General = "general",
    }
}

word_enum! {
    /// The question's own state, the `query_history` one.
    pub enum QuestionStatus {
        /// Not answered yet.
        Pending = "pending",
        /// Answered.
        Success = "success",
        /// Ended without an answer; `error` says why.
        Error = "error",
        /// Ended by a time limit.
        Timeout = "timeout",
        /// Ended by its owner.
        Cancelled = "cancelled",
    }
}

word_enum! {
    /// What a running question is doing.
    pub enum Stage {
        /// Choosing the tables it is about.
        Linking = "linking",
        /// Asking the model (or the planner) for SQL.
        Drafting = "drafting",
        /// Guarding the SQL.
        Checking = "checking",
        /// Running it on the customer's database.
        Executing = "executing",
        /// Asking once more, with what went wrong.
        Repairing = "repairing",
        /// Choosing a chart.
        Charting = "charting",
        /// Computing summary and insights.
        Summarising = "summarising",
        /// Reading a workbook.
        Reading = "reading",
        /// Looking at a connection (probe, schema sync).
        Probing = "probing",
    }
}

word_enum! {
    /// Why a question (or another job) ended without a result. The contract's codes.
    pub enum FailureCode {
        /// It cannot be answered from this data.
        Unanswerable = "unanswerable",
        /// It means more than one thing; `clarification` asks which.
        NeedsClarification = "needs_clarification",
        /// The guard refuses the statement.
        SqlRefused = "sql_refused",
        /// The statement is not valid on this database.
        SqlInvalid = "sql_invalid",
        /// The database does not answer.
        SourceUnreachable = "source_unreachable",
        /// The database answers and refuses (authentication, no such database, too many connections).
        SourceRefused = "source_refused",
        /// The database's role may not read what the statement reads.
        SourcePermission = "source_permission",
        /// The database expects the statement to cost more than the connection allows.
        TooCostly = "too_costly",
        /// A time limit ended it.
        Timeout = "timeout",
        /// More rows than a statement of this kind may return.
        RowLimit = "row_limit",
        /// More bytes than a result may have.
        ByteLimit = "byte_limit",
        /// No model answers.
        ModelUnavailable = "model_unavailable",
        /// The model's key is refused.
        ModelUnauthorised = "model_unauthorised",
        /// The model says: too many requests.
        ModelRateLimited = "model_rate_limited",
        /// The model answers something that can't be used.
        ModelAnswerInvalid = "model_answer_invalid",
        /// The workbook needs a password.
        WorkbookEncrypted = "workbook_encrypted",
        /// The workbook is damaged, or reading it failed every time.
        WorkbookCorrupt = "workbook_corrupt",
        /// The workbook takes more memory, time or cells than may be spent on it.
        WorkbookTooLarge = "workbook_too_large",
        /// There is no table in the workbook.
        WorkbookEmpty = "workbook_empty",
        /// The file is no workbook of a kind that is read.
        UnsupportedFormat = "unsupported_format",
        /// The file was deleted.
        FileNotFound = "file_not_found",
        /// The caller may not query this connection.
        PermissionDenied = "permission_denied",
        /// The connection is not `ready`.
        ConnectionNotReady = "connection_not_ready",
        /// The budget of its batch was spent before it was its turn.
        BudgetSpent = "budget_spent",
        /// What its asker's questions of a day may use up is used up.
        DailyLimit = "daily_limit",
        /// The job's deadline came first.
        DeadlinePassed = "deadline_passed",
        /// The answer was kept for its time and is gone.
        ResultExpired = "result_expired",
        /// A worker died with it too often.
        AttemptsSpent = "attempts_spent",
        /// A webhook's target did not take the delivery, or there is no target any more.
        DeliveryFailed = "delivery_failed",
        /// A fault of ours.
        Internal = "internal",
    }
}

/// A place in a statement's text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

/// Why a job ended without a result: `error` of a question, a job and a terminal event. Holds no customer data and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub code: FailureCode,
    /// Where in the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// What happened, in a sentence.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether asking again may help.
    #[serde(default)]
    pub retryable: bool,
    /// Where in the SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What to answer so that it can be answered (`needs_clarification`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clarification: Option<String>,
}

impl Failure {
    /// A failure of this kind, with a sentence that says what happened.
    #[must_use]
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, stage: None, message: message.into(), hint: None, retryable: false, position: None, clarification: None }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says where in the pipeline it happened, unless that is known.
    #[must_use]
    pub fn at(mut self, stage: Stage) -> Self {
        self.stage.get_or_insert(stage);
        self
    }

    /// Says that asking again may help.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

/// What one call of the pipeline to a model cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// In the currency of the configured prices.
    pub cost: f64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cost += other.cost;
    }
}

word_enum! {
    /// What an insight is about.
    pub enum InsightKind {
        /// The sum of a measure.
        Total = "total",
        /// What part one member has of the whole.
        Share = "share",
        /// The largest.
        Top = "top",
        /// A direction over time.
        Trend = "trend",
        /// From one point to the next.
        Change = "change",
        /// Far from the rest.
        Outlier = "outlier",
        /// From the least to the most.
        Range = "range",
        /// How many.
        Count = "count",
    }
}

/// One computed observation. `evidence` holds the numbers of the sentence, by name, as they stand in the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Insight {
    /// What it is about.
    pub kind: InsightKind,
    /// The sentence, in the language of the question.
    pub text: String,
    /// The numbers behind it.
    pub evidence: serde_json::Value,
}

/// One try at the SQL of a question, for `provenance.attempts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftAttempt {
    /// The statement as drafted.
    pub sql: Option<String>,
    /// What was wrong with it; none: it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// Where an answer comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The model's name, or `offline-planner`, or `given` for `sql`.
    pub model: String,
    /// The tables read, as `schema.table`.
    pub tables: Vec<String>,
    /// Every draft, the last one is the answer's.
    pub attempts: Vec<DraftAttempt>,
}
