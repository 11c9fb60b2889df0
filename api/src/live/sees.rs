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
        Self { whose: if caller.administers() { Whose::Everybody } else { Whose::User(caller.user_id) }, limit }
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
    ///
    /// Nor is what names all tables of a connection for anybody but administrators: an event outlives the role of the user that it was
    /// written for.
    pub(super) fn durable(&self, about: About) -> bool {
        if matches!(about, About::Catalogue(_)) && self.user().is_some() {
            return false;
        }
        self.limit.as_ref().is_none_or(|allowed| match about {
            About::Unsaid => false,
            About::Nothing => true,
            About::Connection(id) | About::Catalogue(id) => allowed.contains(&id),
        })
    }

    /// Whether he gets progress, which does not say which connection it is about.
    pub(super) fn progress(&self) -> bool {
        self.limit.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_all_tables_is_for_administrators_and_keys_see_their_connections() {
        let (id, other) = (ConnectionId::new(), ConnectionId::new());
        let sees = |whose, limit: Option<&[ConnectionId]>| Sees { whose, limit: limit.map(<[ConnectionId]>::to_vec) };
        let user = || Whose::User(UserId::new());
        for (reader, catalogue, connection, unsaid) in [
            (sees(Whose::Everybody, None), true, true, true),
            (sees(Whose::Everybody, Some(&[id])), true, true, false),
            (sees(Whose::Everybody, Some(&[other])), false, false, false),
            (sees(user(), None), false, true, true),
            (sees(user(), Some(&[id])), false, true, false),
        ] {
            assert_eq!(reader.durable(About::Catalogue(id)), catalogue);
            assert_eq!(reader.durable(About::Connection(id)), connection);
            assert_eq!(reader.durable(About::Unsaid), unsaid);
            assert!(reader.durable(About::Nothing));
        }
    }
}
