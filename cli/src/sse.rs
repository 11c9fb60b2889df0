//! Server-sent events, parsed incrementally from the bytes as they arrive (WHATWG HTML, "Interpreting an event stream").

use std::fmt;

/// A line or an event longer than this is no event of ours; the stream is given up rather than buffered.
const MAX_BYTES: usize = 1024 * 1024;

/// One dispatched event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The last `id` seen on the stream, this event's or an earlier one's; what `Last-Event-ID` resumes after.
    pub id: Option<String>,
    /// The `event` field; none: `message`.
    pub name: Option<String>,
    /// The `data` lines, joined by line feeds.
    pub data: String,
}

/// The stream holds a line or an event beyond the limit.
#[derive(Debug, PartialEq, Eq)]
pub struct Overlong;

impl fmt::Display for Overlong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of the server is longer than {MAX_BYTES} bytes")
    }
}

impl std::error::Error for Overlong {}

/// Holds what has arrived of the event that is not complete yet.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    after_return: bool,
    begun: bool,
    last_id: Option<String>,
    name: Option<String>,
    data: Option<String>,
}

impl Parser {
    /// Takes the next bytes of the stream, cut anywhere, and returns the events they complete.
    ///
    /// # Errors
    /// [`Overlong`], after which the parser is of no use.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Overlong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_return = std::mem::take(&mut self.after_return);
            match byte {
                // The line has ended at the carriage return, which may have been in an earlier chunk.
                b'\n' if ends_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.take_line(&line)?);
                }
                _ if self.line.len() >= MAX_BYTES => return Err(Overlong),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Option<Event>, Overlong> {
        let text = String::from_utf8_lossy(line);
        let mut text: &str = &text;
        if !std::mem::replace(&mut self.begun, true) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        if text.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.take_data(value)?,
            "event" => self.name = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()).filter(|id| !id.is_empty()),
            // Comments (an empty field name), `retry` and whatever comes later.
            _ => {}
        }
        Ok(None)
    }

    fn take_data(&mut self, value: &str) -> Result<(), Overlong> {
        match &mut self.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
        if self.data.as_ref().is_some_and(|data| data.len() > MAX_BYTES) { Err(Overlong) } else { Ok(()) }
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = self.name.take();
        // An event without data is none, says the standard; a name alone is forgotten.
        let data = self.data.take()?;
        Some(Event { id: self.last_id.clone(), name, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(chunks: &[&str]) -> Vec<Event> {
        let mut parser = Parser::default();
        chunks.iter().flat_map(|chunk| parser.push(chunk.as_bytes()).expect("short lines")).collect()
    }

    fn event(id: Option<&str>, name: Option<&str>, data: &str) -> Event {
        Event { id: id.map(str::to_owned), name: name.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn fields_make_an_event_and_the_id_stays_for_later_ones() {
        let events = parse(&["event: question.progress\nid: 7\ndata: {\"a\":1}\n\ndata:second\n\n"]);
        assert_eq!(events, [event(Some("7"), Some("question.progress"), "{\"a\":1}"), event(Some("7"), None, "second")]);
    }

    #[test]
    fn data_lines_are_joined_and_only_one_space_is_dropped() {
        assert_eq!(parse(&["data:  one\ndata\ndata: three\n\n"]), [event(None, None, " one\n\nthree")]);
    }

    #[test]
    fn every_line_ending_counts_once_wherever_the_chunks_are_cut() {
        let text = "data: 가\r\nid: 1\r\n\r\ndata: b\rid: 2\r\rdata: c\n\n";
        let expected = [event(Some("1"), None, "가"), event(Some("2"), None, "b"), event(Some("2"), None, "c")];
        assert_eq!(parse(&[text]), expected);
        for size in 1..8 {
            let mut parser = Parser::default();
            let events: Vec<Event> = text.as_bytes().chunks(size).flat_map(|chunk| parser.push(chunk).expect("short lines")).collect();
            assert_eq!(events, expected, "chunks of {size} bytes");
        }
    }

    #[test]
    fn comments_unknown_fields_and_events_without_data_tell_nothing() {
        assert_eq!(parse(&[": keep-alive\n\nretry: 10\nevent: x\n\ndata: y\n\n"]), [event(None, None, "y")]);
    }

    #[test]
    fn a_byte_order_mark_is_dropped_and_an_incomplete_event_is_kept_back() {
        assert_eq!(parse(&["\u{feff}data: a\n\ndata: b\n"]), [event(None, None, "a")]);
    }

    #[test]
    fn an_endless_line_is_refused_instead_of_buffered() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(&vec![b'x'; MAX_BYTES + 1]), Err(Overlong));
    }

    #[test]
    fn an_endless_event_is_refused_too() {
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(MAX_BYTES / 2));
        assert_eq!(parser.push(line.as_bytes()), Ok(Vec::new()));
        assert_eq!(parser.push(line.as_bytes()), Err(Overlong));
    }
}
