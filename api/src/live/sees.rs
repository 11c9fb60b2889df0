//! What the reader of a socket may see of the events that the hub hands out.

use datagenie_common::ids::{ConnectionId, UserId};

use super::{inbox::About, registry::Whose};
use crate::access::{Caller, Via};

/// What a caller may see.
pub(super) struct Sees {
    pub whose: Whose,
    /// The connections that his key is limited to.
    limit: Option<Vec<ConnectionId>>,
}

impl Sees {
    pub(super) fn of(caller: &Caller) -> Self {
        let limit = match &caller.via {
            Via::ApiKey { connections, .. } => connections.clone(),
            Via::Session(_) => None,
        };
        Self { whose: if caller.is_admin() { Whose::Everybody } else { Whose::User(caller.user_id) }, limit }
    }

    /// Whose events are read.
    pub(super) fn user(&self) -> Option<UserId> {
        match self.whose {
            Whose::Everybody => None,
            Whose::User(user) => Some(user),
        }
    }

    /// Whether a durable event about this is of what the caller's key may see. What does not say which connection it is about is not for
    /// keys that are limited to some.
    pub(super) fn durable(&self, about: About) -> bool {
        self.limit.as_ref().is_none_or(|allowed| match about {
            About::Unsaid => false,
            About::Nothing => true,
            About::Connection(id) => allowed.contains(&id),
        })
    }

    /// Whether he gets progress, which does not say which connection it is about.
    pub(super) fn progress(&self) -> bool {
        self.limit.is_none()
    }
}
