//! Where each reader of the hub stands: with the events of a user or of everybody, or with one resource.

use std::{collections::HashMap, sync::Arc};

use datagenie_common::ids::{JobId, QuestionId, UserId};
use uuid::Uuid;

use super::inbox::{Inbox, Told};

/// All readers of this process.
#[derive(Default)]
pub(super) struct Registry {
    last_id: u64,
    pub everybody: HashMap<u64, Arc<Inbox>>,
    pub users: HashMap<UserId, HashMap<u64, Arc<Inbox>>>,
    pub subjects: HashMap<Arc<str>, HashMap<u64, Watch>>,
    /// Those who wait for durable events, by their ids: one who goes is not left behind here.
    pub joining: HashMap<u64, Arc<Inbox>>,
}

/// Somebody who watches one resource.
pub(super) struct Watch {
    pub inbox: Arc<Inbox>,
    pub awaited: Option<Awaited>,
    /// Whether its progress is wanted, too.
    pub progress: bool,
}

/// Whose events a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Everybody's: an administrator's.
    Everybody,
    /// This user's.
    User(UserId),
}

/// Whose end is waited for, to be looked for together with all others each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A question's.
    Question(QuestionId),
    /// A job's.
    Job(JobId),
}

impl Awaited {
    pub(super) fn id(self) -> Uuid {
        match self {
            Self::Question(id) => id.0,
            Self::Job(id) => id.0,
        }
    }
}

/// Where a reader stands in the registry.
pub(super) enum Place {
    Events(Whose),
    Subject(Arc<str>),
}

impl Registry {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Whether somebody reads durable events.
    pub(super) fn has_listeners(&self) -> bool {
        !self.everybody.is_empty() || !self.users.is_empty()
    }

    /// Whether somebody reads this user's events.
    pub(super) fn wants(&self, user: UserId) -> bool {
        !self.everybody.is_empty() || self.users.contains_key(&user)
    }

    /// Hands an event to the user whose it is, and to those who read everybody's.
    pub(super) fn tell(&self, user: UserId, told: &Arc<Told>) {
        let his = self.users.get(&user).into_iter().flat_map(HashMap::values);
        for inbox in self.everybody.values().chain(his) {
            inbox.tell(told);
        }
    }

    pub(super) fn remove(&mut self, id: u64, place: &Place) {
        match place {
            Place::Events(Whose::Everybody) => {
                self.everybody.remove(&id);
            }
            Place::Events(Whose::User(user)) => {
                if let Some(his) = self.users.get_mut(user) {
                    his.remove(&id);
                    if his.is_empty() {
                        self.users.remove(user);
                    }
                }
            }
            Place::Subject(subject) => {
                if let Some(watches) = self.subjects.get_mut(subject) {
                    watches.remove(&id);
                    if watches.is_empty() {
                        self.subjects.remove(subject);
                    }
                }
            }
        }
        self.joining.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_goes_is_held_nowhere() {
        let mut registry = Registry::default();
        let user = UserId::new();
        let inboxes = [Arc::new(Inbox::default()), Arc::new(Inbox::default())];
        for inbox in &inboxes {
            let id = registry.next_id();
            registry.users.entry(user).or_default().insert(id, Arc::clone(inbox));
            registry.joining.insert(id, Arc::clone(inbox));
        }
        registry.remove(1, &Place::Events(Whose::User(user)));
        assert_eq!(inboxes.each_ref().map(Arc::strong_count), [1, 3], "while somebody else still reads");
        registry.remove(2, &Place::Events(Whose::User(user)));
        assert_eq!(inboxes.each_ref().map(Arc::strong_count), [1, 1]);
        assert!(!registry.has_listeners());
    }
}
