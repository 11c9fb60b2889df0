//! What a node's log says: the file is appended to by each start, so everything is read from where it began.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// A start that fails writes less; what a long run adds is of no interest here.
const MOST: u64 = 512 * 1024;

/// How long the log is now; nothing when there is none.
pub(super) fn length(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |found| found.len())
}

/// Whether a server of this start found its port taken.
pub(super) fn names_a_taken_port(log: &Path, from: u64) -> bool {
    is_taken(&read(log, from))
}

/// The first errors since then, at most a dozen lines; empty when there are none.
pub(super) fn errors_since(log: &Path, from: u64) -> String {
    first_errors(&read(log, from))
}

fn read(log: &Path, from: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn is_taken(text: &str) -> bool {
    ["eaddrinuse", "Address already in use", "Address in use", "in use by another node"].iter().any(|words| text.contains(words))
}

fn first_errors(text: &str) -> String {
    const LINES: usize = 12;
    const LONGEST: usize = 300;
    let errors = text.lines().filter(|line| line.contains("[error]") || line.starts_with("ERROR") || line.starts_with("Error"));
    let lines: Vec<String> = errors.take(LINES).map(|line| line.chars().take(LONGEST).collect()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_errors_are_told_and_a_taken_port_is_seen() {
        let text = "1 [info] <0.1> Starting broker\n2 [error] <0.2> Failed to start Ranch listener eaddrinuse\n3 [notice] stopped\n";
        assert_eq!(first_errors(text), "2 [error] <0.2> Failed to start Ranch listener eaddrinuse");
        assert!(is_taken(text) && !is_taken("3 [notice] stopped"));
        assert_eq!(first_errors(&"9 [error] again\n".repeat(50)).lines().count(), 12);
    }
}
