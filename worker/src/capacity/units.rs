//! The units of one resource in this process: leased from the fleet's, used by whose turn it is. No I/O: what to ask of the database
//! is a plan, what it answered is noted.

use std::time::Duration;

use datagenie_common::{
    ids::UserId,
    store::capacity::{Ask, Others},
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    TICK,
    fair::{FairQueue, Ticket},
    peak::Peak,
};

/// A unit is kept for one to two times as long after its last use, unless somebody else wants it.
const KEEP: Duration = Duration::from_secs(5);
/// Who gave units back because others want them does not ask for them again before these had time to take them.
const DEFER: Duration = TICK.saturating_mul(2);

/// What is to be asked of the database about a resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing.
    Nothing,
    /// What others want.
    Look,
    /// That what is held be changed or renewed.
    Settle(Ask),
}

/// The units of one resource.
pub(super) struct Units {
    limit: u32,
    queue: FairQueue,
    /// Leased units. Never more than the database knows of.
    held: u32,
    /// Until when, by this process's clock; none: nothing is leased.
    until: Option<Instant>,
    renew_at: Instant,
    /// What the database was last told that is wanted beyond what is held.
    told_wanted: u32,
    /// The last answer gave less than was asked for: asking again before the next tick would bring the same.
    refused: bool,
    /// While others want units, no more than this many are used, and for how long this holds.
    cap: Option<(u32, Instant)>,
    contended: bool,
    lately: Peak,
    within_tick: Peak,
}

impl Units {
    pub(super) fn new() -> Self {
        Self {
            limit: 0,
            queue: FairQueue::default(),
            held: 0,
            until: None,
            renew_at: Instant::now(),
            told_wanted: 0,
            refused: false,
            cap: None,
            contended: false,
            lately: Peak::new(KEEP),
            within_tick: Peak::new(TICK),
        }
    }

    /// Sets how many units the fleet may hold.
    pub(super) fn limit(&mut self, limit: u32) {
        self.limit = limit.clamp(1, i32::MAX as u32);
    }

    /// Takes a unit at once, if one is free and nobody waits.
    pub(super) fn try_take(&mut self, user: UserId, now: Instant) -> bool {
        let taken = self.queue.waiting() == 0 && self.free(now) > 0;
        if taken {
            self.queue.take(user);
        }
        self.note(now);
        taken
    }

    /// Waits for a unit.
    pub(super) fn wait(&mut self, user: UserId, now: Instant) -> (Ticket, oneshot::Receiver<()>) {
        let place = self.queue.queue(user);
        self.note(now);
        place
    }

    /// No longer waits: gives back what was given meanwhile.
    pub(super) fn leave(&mut self, user: UserId, ticket: Ticket, now: Instant) {
        if !self.queue.leave(user, ticket) {
            self.put_back(user, now);
        }
    }

    /// A use is over: the unit goes to whose turn it is.
    pub(super) fn put_back(&mut self, user: UserId, now: Instant) {
        self.queue.put_back(user);
        self.serve(now);
    }

    fn serve(&mut self, now: Instant) {
        while self.free(now) > 0 && self.queue.serve() {}
    }

    fn note(&mut self, now: Instant) {
        let needed = self.queue.used().saturating_add(self.queue.waiting());
        self.lately.note(needed, now);
        self.within_tick.note(needed, now);
    }

    /// Units that may be handed out. None on a lease that has run out: somebody else may hold them.
    fn free(&self, now: Instant) -> u32 {
        if self.until.is_none_or(|until| now >= until) {
            return 0;
        }
        let most = self.held.min(self.limit).min(self.cap(now).unwrap_or(u32::MAX));
        most.saturating_sub(self.queue.used())
    }

    fn cap(&self, now: Instant) -> Option<u32> {
        self.cap.filter(|(_, until)| now < *until).map(|(most, _)| most)
    }

    /// Units wanted in all: those in use and waited for, and those that were needed a moment ago.
    fn target(&mut self, now: Instant) -> u32 {
        let used = self.queue.used();
        let needed = used.saturating_add(self.queue.waiting());
        let kept = if self.contended { self.within_tick.get(now) } else { self.lately.get(now) };
        let most = self.limit.min(self.cap(now).unwrap_or(u32::MAX));
        needed.max(kept).min(most).max(used)
    }

    /// Whether there is something to ask before the next tick: more units for those who wait, or units to give to those who want them.
    pub(super) fn is_urgent(&mut self, now: Instant) -> bool {
        let target = self.target(now);
        (self.queue.waiting() > 0 && target > self.held && !self.refused) || (target < self.held && self.cap(now).is_some())
    }

    /// What to ask now. Units that are to be given back are no longer handed out, whatever becomes of the statement.
    pub(super) fn plan(&mut self, resource: &str, now: Instant, tick: bool) -> Plan {
        if !tick && !self.is_urgent(now) {
            return Plan::Nothing;
        }
        self.note(now);
        self.refused &= !tick;
        let lapsed = self.until.is_some_and(|until| now >= until);
        let (target, used) = (self.target(now), self.queue.used());
        if target == 0 && (self.until.is_none() || lapsed) {
            self.until = None;
            self.held = 0;
            return Plan::Nothing;
        }
        if !lapsed && target == self.held && self.told_wanted == 0 && now < self.renew_at {
            return Plan::Look;
        }
        self.held = self.held.min(target);
        Plan::Settle(Ask { resource: resource.to_owned(), limit: number(self.limit), used: number(used), target: number(target) })
    }

    /// Notes what the database answered to a plan that was sent at `sent` for a lease of this length.
    pub(super) fn settled(&mut self, ask: &Ask, given: u32, others: Others, sent: Instant, lease: Duration, now: Instant) {
        let target = u32::try_from(ask.target).unwrap_or(0);
        self.held = given;
        self.until = (given > 0 || target > 0).then(|| sent + lease);
        self.renew_at = sent + lease / 3;
        self.told_wanted = target.saturating_sub(given);
        self.refused = given < target;
        self.looked(others, now);
    }

    /// Notes what others hold and want.
    pub(super) fn looked(&mut self, others: Others, now: Instant) {
        self.contended = others.wanted > 0;
        if others.wanted == 0 {
            self.cap = None;
        } else {
            let shed = to_shed(self.limit, self.held, others);
            if shed > 0 {
                self.cap = Some((self.held - shed, now + DEFER));
            }
        }
        self.serve(now);
    }

    /// Units in use.
    pub(super) fn used(&self) -> u32 {
        self.queue.used()
    }

    /// Whether nothing is left of it.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_none() && self.queue.used() == 0 && self.queue.waiting() == 0
    }

    /// Holds the whole limit without asking anybody.
    #[cfg(test)]
    pub(super) fn own(&mut self, now: Instant) {
        self.held = self.limit;
        self.until = Some(now + Duration::from_secs(3_600));
    }
}

/// Units to give back as they come free: what is held beyond an equal share, as far as others miss it. Where the shares don't come out
/// even, somebody with one more than others lends it to those who have none at all.
fn to_shed(limit: u32, held: u32, others: Others) -> u32 {
    let free = limit.saturating_sub(others.held).saturating_sub(held);
    let claimants = others.claimants.saturating_add(1);
    let unequal = held.saturating_sub(limit.div_ceil(claimants)).min(others.wanted.saturating_sub(free));
    let lent = held.saturating_sub(limit / claimants).min(others.starving.saturating_sub(free));
    unequal.max(lent)
}

fn number(units: u32) -> i32 {
    i32::try_from(units).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);
    const NOBODY: Others = Others { held: 0, wanted: 0, claimants: 0, starving: 0 };

    fn units(limit: u32) -> Units {
        let mut units = Units::new();
        units.limit(limit);
        units
    }

    fn ask(plan: Plan) -> Ask {
        match plan {
            Plan::Settle(ask) => ask,
            other => panic!("nothing is settled: {other:?}"),
        }
    }

    /// Settles as a database would that has so many units free.
    fn settle(units: &mut Units, free: u32, others: Others, now: Instant) -> Ask {
        let asked = ask(units.plan("r", now, true));
        let given = u32::try_from(asked.target).expect("targets are positive").min(free);
        units.settled(&asked, given, others, now, LEASE, now);
        asked
    }

    #[test]
    fn it_asks_for_as_many_as_wait_and_hands_them_out() {
        let (mut units, now, user) = (units(10), Instant::now(), UserId::new());
        assert!(!units.try_take(user, now));
        let mut told: Vec<_> = (0..3).map(|_| units.wait(user, now).1).collect();
        assert!(units.is_urgent(now));
        assert_eq!(settle(&mut units, 10, NOBODY, now), Ask { resource: "r".to_owned(), limit: 10, used: 0, target: 3 });
        assert!(told.iter_mut().all(|told| told.try_recv().is_ok()));
        assert!(!units.try_take(user, now), "all three are in use");
        units.put_back(user, now);
        assert!(units.try_take(user, now), "a unit that came free is had at once");
    }

    #[test]
    fn nothing_is_handed_out_on_a_lease_that_ran_out() {
        let (mut units, now, user) = (units(2), Instant::now(), UserId::new());
        let _told = units.wait(user, now);
        settle(&mut units, 2, NOBODY, now);
        units.put_back(user, now);
        let later = now + LEASE;
        assert!(!units.try_take(user, later));
        let _told = units.wait(user, later);
        let asked = settle(&mut units, 0, Others { held: 2, claimants: 1, ..NOBODY }, later);
        assert_eq!((asked.used, asked.target), (0, 1));
        assert_eq!(units.queue.waiting(), 1, "somebody else has them");
    }

    #[test]
    fn who_holds_too_much_gives_back_as_units_come_free_and_does_not_grab_them_again() {
        let (mut units, now, user) = (units(4), Instant::now(), UserId::new());
        let _told: Vec<_> = (0..6).map(|_| units.wait(user, now)).collect();
        settle(&mut units, 4, NOBODY, now);
        assert_eq!((units.queue.used(), units.queue.waiting()), (4, 2));
        units.looked(Others { held: 0, wanted: 3, claimants: 1, starving: 1 }, now);
        assert!(!units.is_urgent(now), "all are in use");
        units.put_back(user, now);
        assert_eq!(units.queue.waiting(), 2, "the unit is not for those who wait here");
        assert!(units.is_urgent(now));
        let asked = ask(units.plan("r", now, false));
        assert_eq!((asked.used, asked.target), (3, 3));
        units.settled(&asked, 3, Others { held: 0, wanted: 3, claimants: 1, starving: 1 }, now, LEASE, now);
        assert!(!units.is_urgent(now), "the others are let go first");
    }

    #[test]
    fn the_last_unit_is_passed_on() {
        let starving = Others { held: 0, wanted: 1, claimants: 1, starving: 1 };
        assert_eq!(to_shed(1, 1, starving), 1);
        assert_eq!(to_shed(1, 0, starving), 0);
        assert_eq!(to_shed(3, 2, Others { held: 1, wanted: 5, claimants: 1, starving: 0 }), 0, "two and one are even enough");
        assert_eq!(to_shed(50, 50, Others { held: 0, wanted: 50, claimants: 1, starving: 1 }), 25);
        assert_eq!(to_shed(3, 1, Others { held: 2, wanted: 2, claimants: 4, starving: 2 }), 1, "three units, five processes");
        assert_eq!(to_shed(4, 2, Others { held: 1, wanted: 1, claimants: 1, starving: 0 }), 0, "one is free");
    }

    #[test]
    fn an_idle_unit_is_kept_for_a_while_then_given_back() {
        let (mut units, now, user) = (units(5), Instant::now(), UserId::new());
        let _told = units.wait(user, now);
        settle(&mut units, 5, NOBODY, now);
        units.put_back(user, now);
        assert_eq!(units.plan("r", now + TICK, true), Plan::Look);
        let later = now + 3 * KEEP;
        // It was renewed meanwhile.
        units.until = Some(later + LEASE);
        let asked = settle(&mut units, 5, NOBODY, later);
        assert_eq!((asked.used, asked.target), (0, 0));
        assert!(units.is_over());
    }

    #[test]
    fn a_lower_limit_holds_at_once_for_new_uses() {
        let (mut units, now, user) = (units(3), Instant::now(), UserId::new());
        let _told: Vec<_> = (0..3).map(|_| units.wait(user, now)).collect();
        settle(&mut units, 3, NOBODY, now);
        units.limit(1);
        units.put_back(user, now);
        assert!(!units.try_take(user, now));
        units.put_back(user, now);
        assert!(!units.try_take(user, now));
        units.put_back(user, now);
        assert!(units.try_take(user, now));
    }
}
