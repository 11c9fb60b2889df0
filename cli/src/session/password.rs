//! Reading names and passwords from the terminal, passwords without showing them.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::task::spawn_blocking;

/// Longer than any password that a server takes.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads a line from the terminal; `hidden` shows nothing of what is typed. Dropped on the way, it leaves the terminal as it was.
///
/// # Errors
/// Without a terminal.
pub async fn ask(prompt: &str, hidden: bool) -> anyhow::Result<String> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut tty = terminal.context("there is no terminal to type into: give --username, and the password by --password-stdin")?;
    let silence = if hidden { Some(Silence::begin(&tty)?) } else { None };
    write!(tty, "{prompt}").and_then(|()| tty.flush()).context("the terminal can't be written to")?;
    // On a thread of its own, so that Ctrl-C is heard meanwhile.
    let reading = spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(tty.take(MAX_BYTES)).read_line(&mut line).map(|_| line)
    });
    let line = reading.await.context("the terminal can't be read")?.context("the terminal can't be read")?;
    drop(silence);
    Ok(without_line_break(&line).to_owned())
}

/// Reads all of standard input, which is the password; one line break at its end is not part of it.
///
/// # Errors
/// If nothing is there.
pub fn of_stdin() -> anyhow::Result<String> {
    let text = all_of_stdin()?;
    let password = without_line_break(&text);
    if password.is_empty() {
        bail!("standard input is empty: --password-stdin reads the password from there");
    }
    Ok(password.to_owned())
}

/// Reads two lines of standard input.
///
/// # Errors
/// If there are not two.
pub fn two_of_stdin() -> anyhow::Result<(String, String)> {
    let text = all_of_stdin()?;
    let mut lines = text.split('\n').map(without_line_break).filter(|line| !line.is_empty());
    match (lines.next(), lines.next(), lines.next()) {
        (Some(one), Some(two), None) => Ok((one.to_owned(), two.to_owned())),
        _ => bail!("standard input must hold two lines: the password of now, and the new one"),
    }
}

fn all_of_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text).context("standard input can't be read")?;
    Ok(text)
}

fn without_line_break(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Silence {
    tty: File,
    before: Termios,
}

impl Silence {
    fn begin(tty: &File) -> anyhow::Result<Self> {
        let tty = tty.try_clone().context("the terminal can't be used")?;
        let before = tcgetattr(&tty).context("the terminal's modes can't be read")?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO;
        tcsetattr(&tty, OptionalActions::Flush, &silent).context("the terminal shows what is typed, and can't be told not to")?;
        Ok(Self { tty, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.tty, OptionalActions::Flush, &self.before);
        // The line break that was typed was not shown either.
        let _ = writeln!(self.tty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_break_is_taken_off_a_password() {
        assert_eq!(without_line_break(" a b \n"), " a b ");
        assert_eq!(without_line_break("a\r\n"), "a");
        assert_eq!(without_line_break("a\n\n"), "a\n");
        assert_eq!(without_line_break("비밀"), "비밀");
    }
}
