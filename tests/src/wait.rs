//! Waiting for something to become true, with a deadline instead of a sleep that hopes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long is waited at most. No promise of ours, which a test checks, but the time after which something on a machine with two busy
/// cores counts as never: half of what a whole test may take.
pub const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks every 20 ms until `look` finds something, and gives that.
///
/// # Panics
/// With `what` after a minute.
pub async fn until<T, F, L>(mut look: F, what: &str) -> T
where
    F: FnMut() -> L,
    L: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", DEADLINE.as_secs());
        sleep(LOOK_AGAIN).await;
    }
}
