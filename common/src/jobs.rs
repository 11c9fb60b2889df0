//! Every kind of job and its payload. A payload is versioned by its `v`: a worker that meets a newer one gives the job back.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ApiKeyId, ConnectionId, DeliveryId, FileId, QuestionId},
    model::{jobs::Lane, language::Language},
    word_enum,
};

word_enum! {
    /// What a job does.
    pub enum JobKind {
        /// Answers a question.
        AnswerQuestion = "answer_question",
        /// Looks at a connection, and reads its schema if it may be used.
        ProbeConnection = "probe_connection",
        /// Reads a connection's schema again.
        SyncSchema = "sync_schema",
        /// Reads and analyses an uploaded workbook.
        AnalyseFile = "analyse_file",
        /// Sends an event to an endpoint or a callback URL.
        DeliverWebhook = "deliver_webhook",
    }
}

impl JobKind {
    /// The kinds that this program knows, as the ledger writes them. It leaves jobs of others to a newer program.
    #[must_use]
    pub fn known() -> Vec<String> {
        Self::ALL.iter().map(|kind| kind.as_str().to_owned()).collect()
    }

    /// Where it rings.
    #[must_use]
    pub fn lane(self) -> Lane {
        match self {
            Self::AnswerQuestion | Self::AnalyseFile => Lane::Interactive,
            Self::ProbeConnection | Self::SyncSchema => Lane::Maintenance,
            Self::DeliverWebhook => Lane::Webhook,
        }
    }

    /// Every kind with each lane that it waits in: questions of batches wait in a lane of their own.
    pub fn places() -> impl Iterator<Item = (Self, Lane)> {
        Self::ALL.iter().map(|kind| (*kind, kind.lane())).chain([(Self::AnswerQuestion, Lane::Bulk)])
    }

    /// The first word of its events' types.
    #[must_use]
    pub fn event_subject(self) -> &'static str {
        match self {
            Self::AnswerQuestion => "question",
            Self::ProbeConnection | Self::SyncSchema => "schema_sync",
            Self::AnalyseFile => "analysis",
            Self::DeliverWebhook => "webhook",
        }
    }

    /// Whether its end is told by an event.
    #[must_use]
    pub fn tells_its_end(self) -> bool {
        self != Self::DeliverWebhook
    }
}

/// The version of the payloads that this program writes, and the newest that it reads.
pub const PAYLOAD_VERSION: u32 = 1;

word_enum! {
    /// Whether a cached answer will do.
    pub enum CacheMode {
        /// A fresh enough one will.
        Use = "use",
        /// Ask and compute anew.
        Skip = "skip",
    }
}

/// Payload of [`JobKind::AnswerQuestion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerQuestion {
    /// [`PAYLOAD_VERSION`].
    pub v: u32,
    /// The question, `query_history.id`.
    pub question_id: QuestionId,
    /// In the asker's words; empty where only `sql` was given.
    pub question: String,
    /// The database it is asked of.
    pub connection_id: Option<ConnectionId>,
    /// The file it is asked of.
    #[serde(default)]
    pub file_id: Option<FileId>,
    /// A reviewed statement, run through the guard instead of a draft.
    #[serde(default)]
    pub sql: Option<String>,
    /// An earlier question that this one refers to.
    #[serde(default)]
    pub follows: Option<QuestionId>,
    /// Whether a cached answer will do.
    pub cache: CacheMode,
    /// The API key that it was asked by, whose limits it uses up besides its owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<ApiKeyId>,
}

/// Payload of [`JobKind::ProbeConnection`] and [`JobKind::SyncSchema`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookAtConnection {
    /// [`PAYLOAD_VERSION`].
    pub v: u32,
    /// Which connection.
    pub connection_id: ConnectionId,
}

/// Payload of [`JobKind::AnalyseFile`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalyseFile {
    /// [`PAYLOAD_VERSION`].
    pub v: u32,
    /// The analysis as a row of `query_history`, with an empty question.
    pub question_id: QuestionId,
    /// Which file.
    pub file_id: FileId,
    /// The language of the sentences; none: the workbook's own.
    #[serde(default)]
    pub language: Option<Language>,
}

/// Payload of [`JobKind::DeliverWebhook`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverWebhook {
    /// [`PAYLOAD_VERSION`].
    pub v: u32,
    /// Which delivery.
    pub delivery_id: DeliveryId,
}
