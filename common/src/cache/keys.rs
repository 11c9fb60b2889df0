//! The seven keys of the design document, with their times to live.

use std::{fmt, time::Duration};

use uuid::Uuid;

use crate::ids::{ConnectionId, SessionId, UserId};

/// What is cached, and under which key. Hashes are hex digits made by the program, never a user's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKey<'a> {
    /// Rows of a query.
    QueryResult {
        /// On which database.
        connection: ConnectionId,
        /// Of the SQL and all that decides what it returns (limits, policy, config and schema version).
        query_hash: &'a str,
    },
    /// A connection's catalogue.
    SchemaInfo {
        /// Whose.
        connection: ConnectionId,
    },
    /// A login session.
    Session {
        /// Which.
        session: SessionId,
    },
    /// The analysis of a spreadsheet.
    ExcelAnalysis {
        /// The session, or for an API key the user.
        session: Uuid,
        /// Of the file's content.
        file_hash: &'a str,
    },
    /// An answer of the language model.
    LlmResponse {
        /// Of the prompt and the model's parameters.
        prompt_hash: &'a str,
    },
    /// What a user may do.
    UserPermissions {
        /// Who.
        user: UserId,
    },
    /// A category of `system_settings`.
    SystemSettings {
        /// Which.
        category: &'a str,
    },
}

impl CacheKey<'_> {
    /// The name of the kind, as metrics show it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::QueryResult { .. } => "query_result",
            Self::SchemaInfo { .. } => "schema_info",
            Self::Session { .. } => "session",
            Self::ExcelAnalysis { .. } => "excel_analysis",
            Self::LlmResponse { .. } => "llm_response",
            Self::UserPermissions { .. } => "user_permissions",
            Self::SystemSettings { .. } => "system_settings",
        }
    }

    /// How long it is kept; `query_ttl` is the setting `cache.ttl_seconds`.
    #[must_use]
    pub fn ttl(&self, query_ttl: Duration) -> Duration {
        match self {
            Self::QueryResult { .. } => query_ttl,
            Self::SchemaInfo { .. } | Self::Session { .. } => Duration::from_secs(86_400),
            Self::LlmResponse { .. } => Duration::from_secs(7_200),
            Self::ExcelAnalysis { .. } | Self::SystemSettings { .. } => Duration::from_secs(3_600),
            Self::UserPermissions { .. } => Duration::from_secs(1_800),
        }
    }
}

impl fmt::Display for CacheKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueryResult { connection, query_hash } => write!(f, "datagenie:query:{connection}:{query_hash}"),
            Self::SchemaInfo { connection } => write!(f, "datagenie:schema:{connection}"),
            Self::Session { session } => write!(f, "datagenie:session:{session}"),
            Self::ExcelAnalysis { session, file_hash } => write!(f, "datagenie:excel:{session}:{file_hash}"),
            Self::LlmResponse { prompt_hash } => write!(f, "datagenie:llm:{prompt_hash}"),
            Self::UserPermissions { user } => write!(f, "datagenie:perms:{user}"),
            Self::SystemSettings { category } => write!(f, "datagenie:settings:{category}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_times_are_the_documents() {
        let id = Uuid::from_u128(1);
        let one = "00000000-0000-0000-0000-000000000001";
        let query_ttl = Duration::from_secs(60);
        for (key, text, seconds) in [
            (CacheKey::QueryResult { connection: ConnectionId(id), query_hash: "ab" }, format!("datagenie:query:{one}:ab"), 60),
            (CacheKey::SchemaInfo { connection: ConnectionId(id) }, format!("datagenie:schema:{one}"), 86_400),
            (CacheKey::Session { session: SessionId(id) }, format!("datagenie:session:{one}"), 86_400),
            (CacheKey::ExcelAnalysis { session: id, file_hash: "cd" }, format!("datagenie:excel:{one}:cd"), 3_600),
            (CacheKey::LlmResponse { prompt_hash: "ef" }, "datagenie:llm:ef".to_owned(), 7_200),
            (CacheKey::UserPermissions { user: UserId(id) }, format!("datagenie:perms:{one}"), 1_800),
            (CacheKey::SystemSettings { category: "llm" }, "datagenie:settings:llm".to_owned(), 3_600),
        ] {
            assert_eq!(key.to_string(), text);
            assert_eq!(key.ttl(query_ttl), Duration::from_secs(seconds), "{key}");
        }
    }
}
