//! Messages out of bytes, one at a time and never more of them than may be held: a message is looked at by its first five bytes, and
//! one that is too large is refused before it is read. What nobody asked for (notices, parameters) is skipped as it comes.

use bytes::{Buf as _, BytesMut};
use postgres_protocol::message::backend::{
    DATA_ROW_TAG, ERROR_RESPONSE_TAG, Header, Message, NOTICE_RESPONSE_TAG, NOTIFICATION_RESPONSE_TAG, PARAMETER_STATUS_TAG,
};

use super::error::{ServerError, WireError};

/// Tag and length.
const HEADER: usize = 5;
/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// Bytes of an error that are looked at: its texts may go on for hundreds of megabytes.
const ERROR_HEAD: usize = 8 * 1024;
/// Bytes of a message before the sign-in is over, and of one of our own queries' rows.
pub const SMALL: usize = 64 * 1024;
pub const USUAL: usize = 8 * 1024 * 1024;

/// A message that somebody waits for.
pub enum Event {
    Message(Message),
    Failed(ServerError),
}

/// What came and was not looked at yet.
pub struct Frames {
    input: BytesMut,
    /// Bytes of a message that is skipped and has not come wholly.
    skip: usize,
    /// Bytes that a message may have.
    most: usize,
    /// Whether rows are skipped too.
    skips_rows: bool,
}

impl Frames {
    /// Nothing yet.
    pub fn new(most: usize) -> Self {
        Self { input: BytesMut::new(), skip: 0, most, skips_rows: false }
    }

    /// From now on rows are given, and a message may have so many bytes.
    pub fn give_rows(&mut self, most: usize) {
        self.most = most;
        self.skips_rows = false;
    }

    /// From now on rows are skipped.
    pub fn skip_rows(&mut self) {
        self.skips_rows = true;
    }

    /// Where the next bytes go.
    pub fn room(&mut self) -> &mut BytesMut {
        if self.input.len() == self.input.capacity() {
            self.input.reserve(CHUNK);
        }
        &mut self.input
    }

    /// Whether all that came was looked at.
    pub fn is_empty(&self) -> bool {
        self.skip == 0 && self.input.is_empty()
    }

    /// Gives the memory of a large message back.
    pub fn relax(&mut self) {
        if self.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// The next message; none: more bytes are needed.
    pub fn event(&mut self) -> Result<Option<Event>, WireError> {
        loop {
            let skipped = self.skip.min(self.input.len());
            self.input.advance(skipped);
            self.skip -= skipped;
            if self.skip > 0 {
                return Ok(None);
            }
            let Some(header) = Header::parse(&self.input).map_err(|_too_short| WireError::Protocol)? else { return Ok(None) };
            // The length counts itself and not the tag.
            let whole = usize::try_from(header.len()).map_err(|_negative| WireError::Protocol)? + 1;
            match header.tag() {
                NOTICE_RESPONSE_TAG | NOTIFICATION_RESPONSE_TAG | PARAMETER_STATUS_TAG => self.skip = whole,
                DATA_ROW_TAG if self.skips_rows => self.skip = whole,
                ERROR_RESPONSE_TAG => {
                    let looked_at = whole.min(ERROR_HEAD);
                    let Some(fields) = self.input.get(HEADER..looked_at) else { return Ok(None) };
                    let error = ServerError::parse(fields);
                    self.skip = whole;
                    return Ok(Some(Event::Failed(error)));
                }
                _ if whole > self.most => return Err(WireError::TooLarge),
                _ if self.input.len() < whole => {
                    self.input.reserve(whole - self.input.len());
                    return Ok(None);
                }
                _ => {
                    let message = Message::parse(&mut self.input).map_err(|_unreadable| WireError::Protocol)?;
                    return Ok(message.map(Event::Message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = i32::try_from(body.len() + 4).expect("a test's message is short");
        [[tag].as_slice(), &length.to_be_bytes(), body].concat()
    }

    fn row(value: &[u8]) -> Vec<u8> {
        let length = i32::try_from(value.len()).expect("a test's value is short");
        message(b'D', &[1_i16.to_be_bytes().as_slice(), &length.to_be_bytes(), value].concat())
    }

    fn tag(event: &Event) -> &'static str {
        match event {
            Event::Message(Message::DataRow(_)) => "row",
            Event::Message(Message::ReadyForQuery(_)) => "ready",
            Event::Message(_) => "other",
            Event::Failed(_) => "failed",
        }
    }

    /// Feeds bytes one at a time: the messages that came out, and how it ended.
    fn fed(frames: &mut Frames, bytes: &[u8]) -> Result<Vec<&'static str>, WireError> {
        let mut seen = Vec::new();
        for byte in bytes {
            frames.room().extend_from_slice(&[*byte]);
            while let Some(event) = frames.event()? {
                seen.push(tag(&event));
            }
        }
        Ok(seen)
    }

    #[test]
    fn messages_come_whole_however_their_bytes_do() {
        let bytes = [message(b'N', b"SNOTICE\0\0"), row(b"abc"), message(b'S', b"a\0b\0"), message(b'Z', b"I")].concat();
        let mut frames = Frames::new(SMALL);
        assert_eq!(fed(&mut frames, &bytes).expect("they are whole"), ["row", "ready"]);
        assert!(frames.is_empty());
    }

    #[test]
    fn a_message_too_large_is_refused_by_its_header() {
        let mut frames = Frames::new(100);
        frames.room().extend_from_slice(&[b'D', 0x12, 0, 0, 0]);
        assert!(matches!(frames.event(), Err(WireError::TooLarge)));
        assert!(frames.room().capacity() < 2 * CHUNK, "nothing was made ready for it");
        let mut other = Frames::new(100);
        assert!(fed(&mut other, &row(&[b'x'; 80])).is_ok());
        assert!(fed(&mut other, &row(&[b'x'; 100])).is_err());
    }

    #[test]
    fn what_is_skipped_may_have_any_size() {
        let mut frames = Frames::new(100);
        frames.skip_rows();
        let bytes =
            [row(&[b'x'; 1_000]), message(b'E', &[b"C22012\0M".as_slice(), &[b'y'; 20_000], b"\0\0"].concat()), message(b'Z', b"E")];
        assert_eq!(fed(&mut frames, &bytes.concat()).expect("it is skipped"), ["failed", "ready"]);
        assert!(frames.is_empty());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert!(matches!(fed(&mut Frames::new(SMALL), b"HTTP/1.1 400 Bad Request"), Err(WireError::TooLarge)));
        assert!(matches!(fed(&mut Frames::new(SMALL), &[b'Z', 0, 0, 0, 3]), Err(WireError::Protocol)));
        assert!(matches!(fed(&mut Frames::new(SMALL), &message(b'?', b"")), Err(WireError::Protocol)));
    }
}
