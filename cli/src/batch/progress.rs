//! How far a batch is: a bar in a terminal, a line each tenth elsewhere.

use std::{io, time::Duration};

use serde_json::Value;

use crate::{screen::Screen, text::grouped};

const BAR: u64 = 24;

/// Draws.
#[derive(Default)]
pub struct Progress {
    /// What was done when it was first seen, and when that was.
    first: Option<(u64, Duration)>,
    /// The last tenth that was told.
    tenth: u64,
}

impl Progress {
    /// Shows a batch as it was last seen.
    pub fn show(&mut self, screen: &mut Screen, batch: &Value, elapsed: Duration) -> io::Result<()> {
        let (done, total) = done_of(batch);
        let (first_done, first_at) = *self.first.get_or_insert((done, elapsed));
        let rate = rate(done.saturating_sub(first_done), elapsed.saturating_sub(first_at));
        if screen.is_live() {
            return screen.draw(&bar(batch, rate));
        }
        let tenth = (done * 10).checked_div(total).unwrap_or_default();
        if tenth > self.tenth {
            self.tenth = tenth;
            screen.line(&told(batch))?;
        }
        Ok(())
    }
}

/// How many have ended, and how many there are.
pub fn done_of(batch: &Value) -> (u64, u64) {
    let total = count(batch, "total");
    (total.saturating_sub(count(batch, "waiting") + count(batch, "running")), total)
}

/// One of a batch's counts.
pub fn count(batch: &Value, name: &str) -> u64 {
    batch["counts"][name].as_u64().unwrap_or_default()
}

/// `4,500 of 10,000: 4,480 answered, 20 not`
pub fn told(batch: &Value) -> String {
    let (done, total) = done_of(batch);
    let answered = count(batch, "success");
    let not = done.saturating_sub(answered);
    let figure = |count: u64| grouped(&count.to_string());
    let not = if not > 0 { format!(", {} not", figure(not)) } else { String::new() };
    format!("{} of {}: {} answered{not}", figure(done), figure(total), figure(answered))
}

fn bar(batch: &Value, rate: Option<f64>) -> String {
    let (done, total) = done_of(batch);
    let full = (done * BAR).checked_div(total).unwrap_or_default().min(BAR);
    let drawn: String = (0..BAR).map(|at| if at < full { '█' } else { '░' }).collect();
    let percent = (done * 100).checked_div(total).unwrap_or_default();
    let pace = rate.map(|rate| pace(total.saturating_sub(done), rate)).unwrap_or_default();
    let state = if batch["status"] == "cancelling" { " · being stopped" } else { "" };
    format!("{drawn} {percent:>3} %  {}{pace}{state}", told(batch))
}

/// Questions a second, once there is something to count.
fn rate(done: u64, elapsed: Duration) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a batch has thousands of questions, not 2^52")]
    let done = done as f64;
    (done > 0.0 && elapsed > Duration::from_millis(500)).then(|| done / elapsed.as_secs_f64())
}

fn pace(left: u64, rate: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a batch has thousands of questions, not 2^52")]
    let seconds = left as f64 / rate;
    let left = match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5_400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3_600.0),
    };
    format!(" · {rate:.0}/s · {left} left")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch(total: u64, waiting: u64, success: u64) -> Value {
        json!({"status": "running", "counts": {"total": total, "waiting": waiting, "running": 0, "success": success, "error": 1}})
    }

    #[test]
    fn a_bar_tells_how_far_it_is_and_how_long_it_takes() {
        let line = bar(&batch(10_000, 5_000, 4_980), Some(250.0));
        assert_eq!(line, "████████████░░░░░░░░░░░░  50 %  5,000 of 10,000: 4,980 answered, 20 not · 250/s · 20 s left");
        assert_eq!(bar(&batch(2, 0, 2), None), "████████████████████████ 100 %  2 of 2: 2 answered");
        assert!(bar(&json!({"status": "cancelling"}), None).ends_with("0 of 0: 0 answered · being stopped"));
    }

    #[test]
    fn a_pace_needs_something_to_count() {
        assert_eq!(rate(0, Duration::from_secs(9)), None);
        assert_eq!(rate(10, Duration::from_millis(100)), None);
        assert_eq!(rate(10, Duration::from_secs(2)), Some(5.0));
        assert_eq!(pace(6_000, 1.0), " · 1/s · 1.7 h left");
        assert_eq!(pace(600, 1.0), " · 1/s · 10 min left");
    }
}
