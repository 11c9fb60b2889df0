//! How far apart statements of one kind begin while many attempts are under way in this process: each has a cost of its own besides that
//! of its rows, as much as four ends have, and the busier the process is, the more rows share it. One attempt alone waits for nothing.

use std::time::Duration;

/// The time from the beginning of one statement to that of the next.
#[derive(Clone, Copy, Debug)]
pub struct Spacing {
    /// For each attempt under way besides the first, those whose ends are being written included.
    each: Duration,
    /// At most.
    most: Duration,
}

impl Spacing {
    /// Nobody waits for the commit of such an end: its owner has more waiting, whose next job runs meanwhile.
    pub const ENDS: Self = Self { each: Duration::from_micros(400), most: Duration::from_millis(20) };
    /// The owner waits for it, or its slot does.
    pub const LONE_ENDS: Self = Self { each: Duration::from_micros(100), most: Duration::from_millis(5) };
    /// What a slot waits for.
    pub const SLOTS: Self = Self { each: Duration::from_micros(100), most: Duration::from_millis(4) };

    /// With so many attempts under way.
    pub fn at(self, under_way: usize) -> Duration {
        let others = u32::try_from(under_way.saturating_sub(1)).unwrap_or(u32::MAX);
        self.each.saturating_mul(others).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_waits_for_nobody_and_nobody_waits_long() {
        for spacing in [Spacing::ENDS, Spacing::LONE_ENDS, Spacing::SLOTS] {
            assert_eq!([0, 1].map(|under_way| spacing.at(under_way)), [Duration::ZERO; 2]);
            assert_eq!(spacing.at(usize::MAX), spacing.most);
        }
        assert_eq!(Spacing::ENDS.at(11), Duration::from_millis(4));
        assert_eq!(Spacing::SLOTS.at(11), Duration::from_millis(1));
    }
}
