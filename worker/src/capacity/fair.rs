//! Who waits for a unit, and whose turn it is: the user who has fewest in use goes first, and within a user who came first.

use std::collections::{HashMap, VecDeque};

use datagenie_common::ids::UserId;
use tokio::sync::oneshot;

/// A place in the queue: higher came later.
pub(super) type Ticket = u64;

struct Waiter {
    ticket: Ticket,
    tell: oneshot::Sender<()>,
}

/// Those who wait for units of one resource, and what each user has in use.
#[derive(Default)]
pub(super) struct FairQueue {
    waiting: HashMap<UserId, VecDeque<Waiter>>,
    using: HashMap<UserId, u32>,
    length: u32,
    used: u32,
    last: Ticket,
}

impl FairQueue {
    /// How many wait.
    pub(super) fn waiting(&self) -> u32 {
        self.length
    }

    /// How many units are in use.
    pub(super) fn used(&self) -> u32 {
        self.used
    }

    /// Gives a unit to a user.
    pub(super) fn take(&mut self, user: UserId) {
        *self.using.entry(user).or_default() += 1;
        self.used += 1;
    }

    /// Takes a unit back from a user.
    pub(super) fn put_back(&mut self, user: UserId) {
        if let Some(units) = self.using.get_mut(&user) {
            *units -= 1;
            self.used -= 1;
            if *units == 0 {
                self.using.remove(&user);
            }
        }
    }

    /// Queues a user: his ticket, and what tells him that he was given a unit.
    pub(super) fn queue(&mut self, user: UserId) -> (Ticket, oneshot::Receiver<()>) {
        let (tell, told) = oneshot::channel();
        self.last += 1;
        self.length += 1;
        self.waiting.entry(user).or_default().push_back(Waiter { ticket: self.last, tell });
        (self.last, told)
    }

    /// Takes a ticket out of the queue; whether it was still there. If not, its user was given a unit.
    pub(super) fn leave(&mut self, user: UserId, ticket: Ticket) -> bool {
        let Some(queue) = self.waiting.get_mut(&user) else { return false };
        let Some(place) = queue.iter().position(|waiter| waiter.ticket == ticket) else { return false };
        queue.remove(place);
        if queue.is_empty() {
            self.waiting.remove(&user);
        }
        self.length -= 1;
        true
    }

    /// Gives a unit to the one whose turn it is; false: nobody waits.
    pub(super) fn serve(&mut self) -> bool {
        let turn = |user: &UserId, queue: &VecDeque<Waiter>| {
            let units = self.using.get(user).copied().unwrap_or_default();
            (units, queue.front().map_or(Ticket::MAX, |waiter| waiter.ticket))
        };
        let next = self.waiting.iter().min_by_key(|(user, queue)| turn(user, queue)).map(|(user, _)| *user);
        let Some(user) = next else { return false };
        let Some(queue) = self.waiting.get_mut(&user) else { return false };
        let waiter = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&user);
        }
        let Some(waiter) = waiter else { return false };
        self.length -= 1;
        self.take(user);
        // Somebody who has just gone away finds his ticket gone too, and gives the unit back.
        let _ = waiter.tell.send(());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose turn it is, one after the other, while everybody keeps what he is given.
    fn served(queue: &mut FairQueue, names: &[(UserId, &'static str)]) -> Vec<&'static str> {
        let mut order = Vec::new();
        loop {
            let before = queue.using.clone();
            if !queue.serve() {
                return order;
            }
            let grown = names.iter().find(|(user, _)| queue.using.get(user) != before.get(user));
            order.push(grown.map_or("nobody", |(_, name)| *name));
        }
    }

    #[test]
    fn who_has_fewest_goes_first() {
        let (many, few, one) = (UserId::new(), UserId::new(), UserId::new());
        let mut queue = FairQueue::default();
        for _ in 0..3 {
            queue.take(many);
        }
        let _told: Vec<_> = [many, many, few, few, one].map(|user| queue.queue(user)).into();
        assert_eq!((queue.waiting(), queue.used()), (5, 3));
        let names = [(many, "many"), (few, "few"), (one, "one")];
        assert_eq!(served(&mut queue, &names), ["few", "one", "few", "many", "many"]);
        assert_eq!((queue.waiting(), queue.used()), (0, 8));
    }

    #[test]
    fn within_a_user_who_came_first_goes_first() {
        let user = UserId::new();
        let mut queue = FairQueue::default();
        let (_, mut first) = queue.queue(user);
        let (_, mut second) = queue.queue(user);
        assert!(queue.serve());
        assert!(first.try_recv().is_ok());
        assert!(second.try_recv().is_err());
    }

    #[test]
    fn who_leaves_is_not_served_and_leaves_nothing_behind() {
        let user = UserId::new();
        let mut queue = FairQueue::default();
        let (ticket, told) = queue.queue(user);
        drop(told);
        assert!(queue.leave(user, ticket));
        assert!(!queue.leave(user, ticket));
        assert!(!queue.serve());
        assert!(queue.waiting.is_empty() && queue.using.is_empty());
        let (ticket, _told) = queue.queue(user);
        assert!(queue.serve());
        assert!(!queue.leave(user, ticket), "he was given a unit meanwhile");
        queue.put_back(user);
        assert_eq!((queue.used(), queue.waiting()), (0, 0));
        assert!(queue.using.is_empty());
    }
}
