//! What every command is given: who asks and where, where data goes, where talk goes.

use std::io;

use serde_json::Value;

use crate::{
    client::Client,
    screen::Screen,
    session::Access,
    text::{json_for_terminals, printable},
};

/// Data goes to standard output, talk to standard error, so that a script reads nothing but data.
pub struct Console {
    /// Where the server is, and who asks.
    pub access: Access,
    /// Whether data is wanted as JSON.
    pub json: bool,
    /// Standard output.
    pub screen: Screen,
    /// Standard error.
    pub talk: Screen,
}

impl Console {
    /// The console of a run of the program.
    pub fn new(access: Access, json: bool) -> Self {
        Self { access, json, screen: Screen::stdout(), talk: Screen::stderr() }
    }

    /// A client of the server.
    ///
    /// # Errors
    /// As [`Access::client`].
    pub fn client(&self) -> anyhow::Result<Client> {
        self.access.client()
    }

    /// Prints JSON over several lines.
    pub fn print_json(&mut self, value: &Value) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        self.screen.line(&json_for_terminals(&text))
    }

    /// Prints JSON in a line.
    pub fn print_json_line(&mut self, value: &Value) -> io::Result<()> {
        self.screen.line(&json_for_terminals(&value.to_string()))
    }

    /// Says something that is no data. Nobody may listen: that is no error.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.talk.line(&printable(text))
    }
}
