//! One JSON object whose `questions` may be long: its fields and the elements of that array, each as the text that it is.
//!
//! Only what stands between them is read here; each piece is read by `serde_json`, which also bounds how deep it may be nested.

use std::{
    collections::HashSet,
    io::{self, BufRead},
};

use super::upload::{BYTE_ORDER_MARK, LONGEST_FIELD, LONGEST_LINE, Piece, Unreadable};

const QUESTIONS: &str = "questions";
/// Different fields that are remembered, to find those that come twice.
const MOST_FIELDS: usize = 64;

enum State {
    Begin,
    Fields { first: bool },
    Questions { first: bool },
    Over,
}

/// The pieces of an object.
pub struct JsonPieces<R> {
    reader: R,
    at: u64,
    state: State,
    names: HashSet<String>,
    number: u32,
}

impl<R: BufRead> JsonPieces<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, at: 0, state: State::Begin, names: HashSet::new(), number: 0 }
    }

    pub(super) fn next_piece(&mut self) -> Result<Option<Piece>, Unreadable> {
        loop {
            match self.state {
                State::Begin => {
                    self.pass_mark()?;
                    self.opens(b'{', Unreadable::Shape { field: "", expected: "a JSON object" })?;
                    self.state = State::Fields { first: true };
                }
                State::Fields { first } => {
                    if self.closes(b'}', first)? {
                        self.end()?;
                        self.state = State::Over;
                        continue;
                    }
                    self.state = State::Fields { first: false };
                    let name = self.name()?;
                    self.expect(b':')?;
                    if name == QUESTIONS {
                        self.opens(b'[', Unreadable::Shape { field: QUESTIONS, expected: "an array of questions" })?;
                        self.state = State::Questions { first: true };
                        continue;
                    }
                    let value = self.value(LONGEST_FIELD)?;
                    let value = value.ok_or_else(|| self.wrong(format!("`{name}` is longer than {LONGEST_FIELD} bytes")))?;
                    return Ok(Some(Piece::Field(name, value)));
                }
                State::Questions { first } => {
                    if self.closes(b']', first)? {
                        self.state = State::Fields { first: false };
                        continue;
                    }
                    self.state = State::Questions { first: false };
                    self.number = self.number.saturating_add(1);
                    let value = self.value(LONGEST_LINE)?;
                    return Ok(Some(Piece::Line(self.number, value)));
                }
                State::Over => return Ok(None),
            }
        }
    }

    fn wrong(&self, what: impl Into<String>) -> Unreadable {
        Unreadable::Malformed { at: self.at, what: what.into() }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    fn skip(&mut self) {
        self.reader.consume(1);
        self.at += 1;
    }

    /// The next byte that is no white space, still to be read.
    fn solid(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(byte));
            }
            self.skip();
        }
        Ok(None)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Unreadable> {
        match self.solid()? {
            Some(byte) if byte == wanted => {
                self.skip();
                Ok(())
            }
            Some(_) => Err(self.wrong(format!("expected `{}`", char::from(wanted)))),
            None => Err(self.wrong(format!("the body ends where `{}` is expected", char::from(wanted)))),
        }
    }

    /// Passes over a byte order mark.
    fn pass_mark(&mut self) -> Result<(), Unreadable> {
        for (at, byte) in BYTE_ORDER_MARK.iter().enumerate() {
            match self.peek()? {
                Some(next) if next == *byte => self.skip(),
                _ if at == 0 => return Ok(()),
                _ => return Err(self.wrong("expected `{`")),
            }
        }
        Ok(())
    }

    /// Reads the bracket that begins a value; another value than the one that is wanted is JSON all the same.
    fn opens(&mut self, wanted: u8, else_it_is: Unreadable) -> Result<(), Unreadable> {
        match self.solid()? {
            Some(byte) if byte != wanted && matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => Err(else_it_is),
            _ => self.expect(wanted),
        }
    }

    /// Whether the object or array ends here; if not, the comma between its members is read.
    fn closes(&mut self, end: u8, first: bool) -> Result<bool, Unreadable> {
        if self.solid()? == Some(end) {
            self.skip();
            return Ok(true);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(false)
    }

    fn end(&mut self) -> Result<(), Unreadable> {
        match self.solid()? {
            None => Ok(()),
            Some(_) => Err(self.wrong("something follows the object")),
        }
    }

    fn name(&mut self) -> Result<String, Unreadable> {
        if self.solid()? != Some(b'"') {
            return Err(self.wrong("expected the name of a field"));
        }
        let text = self.value(LONGEST_FIELD)?;
        let name: Option<String> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let name = name.ok_or_else(|| self.wrong("the name of a field can't be read"))?;
        if self.names.contains(&name) {
            return Err(self.wrong(format!("the field `{name}` is there twice")));
        }
        if self.names.len() < MOST_FIELDS {
            self.names.insert(name.clone());
        }
        Ok(name)
    }

    /// The text of the value that comes next; none: it is longer than this.
    fn value(&mut self, longest: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        if self.solid()?.is_none() {
            return Err(self.wrong("the body ends where a value is expected"));
        }
        let (mut scan, mut text, mut length) = (Scan::default(), Vec::new(), 0_usize);
        loop {
            let block = self.reader.fill_buf()?;
            if block.is_empty() {
                return Err(self.wrong("the body ends in the middle of a value"));
            }
            let (used, is_over) = scan.of(block);
            length = length.saturating_add(used);
            if length <= longest {
                text.extend_from_slice(&block[..used]);
            } else {
                text = Vec::new();
            }
            self.reader.consume(used);
            self.at += used as u64;
            if is_over {
                if length == 0 {
                    return Err(self.wrong("expected a value"));
                }
                return Ok((length <= longest).then_some(text));
            }
        }
    }
}

/// Finds where a value ends, by its brackets and quotes alone.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    /// How many of these bytes belong to the value, and whether it ends with them.
    fn of(&mut self, block: &[u8]) -> (usize, bool) {
        for (at, byte) in block.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_text = false;
                        if self.depth == 0 {
                            return (at + 1, true);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                // A number or a word ends before what follows it.
                b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return (at, true),
                _ => {}
            }
        }
        (block.len(), false)
    }
}

#[cfg(test)]
mod tests;
