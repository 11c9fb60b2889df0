//! Typed ids. Every id is a UUIDv7 (time-ordered, so an id is also a list cursor); the type says whose it is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Mints a new id, ordered after every id minted before it on this machine.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "an id is minted on purpose, never by default")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

typed_ids! {
    /// A person or program that signs in.
    UserId,
    /// A login session (`user_sessions`).
    SessionId,
    /// An API key (`api_keys`).
    ApiKeyId,
    /// A registered customer database (`database_connections`).
    ConnectionId,
    /// A question (`query_history`).
    QuestionId,
    /// A unit of work in the ledger (`jobs`).
    JobId,
    /// A batch of questions.
    BatchId,
    /// An uploaded file.
    FileId,
    /// The content of one or more uploaded files.
    WorkbookId,
    /// A schedule (`schedules`).
    ScheduleId,
    /// An event (`events`).
    EventId,
    /// Where a user wants to be told of events (`webhook_endpoints`).
    WebhookId,
    /// One event on its way to one endpoint or callback (`webhook_deliveries`).
    DeliveryId,
    /// One HTTP request, as answered in `X-Request-Id` and written to the audit log.
    RequestId,
}

/// The fencing token of one attempt at a job: random, minted by the claim, named by every later write of that attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct LeaseId(pub Uuid);

impl LeaseId {
    /// Mints a random token: it must not be guessable from another one, so it is not time-ordered.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a lease is minted on purpose, never by default")]
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeaseId({})", self.0)
    }
}
