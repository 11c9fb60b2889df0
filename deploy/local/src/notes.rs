//! Progress of the launcher, on standard error: standard output carries only the `ready` line and the tour.

use std::io::Write;

/// Writes one line. A closed terminal must not end the launcher, so errors are ignored.
pub fn note(text: &str) {
    let mut out = std::io::stderr().lock();
    drop(writeln!(out, "{text}"));
    drop(out.flush());
}
