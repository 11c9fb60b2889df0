//! As much of HTTP/1.1 as the load generator and the model need: where a message with a `Content-Length` ends.

use anyhow::{Context, ensure};

const LONGEST_HEAD: usize = 64 * 1024;
const LENGTH: &[u8] = b"content-length:";
const CHUNKED: &[u8] = b"transfer-encoding:";

/// Where a message's body begins and where it ends.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The body's first byte.
    pub body: usize,
    /// The first byte after it.
    pub end: usize,
}

/// The frame of the message at the start of these bytes; none: its head is not complete yet.
pub fn frame(bytes: &[u8]) -> anyhow::Result<Option<Frame>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        ensure!(bytes.len() <= LONGEST_HEAD, "an HTTP head of more than 64 KiB");
        return Ok(None);
    };
    let mut length = 0;
    for line in bytes[..head].split(|byte| *byte == b'\n') {
        if let Some(value) = after(line, LENGTH) {
            length = std::str::from_utf8(value)?.trim().parse().context("a Content-Length that is no number")?;
        }
        ensure!(after(line, CHUNKED).is_none(), "a chunked HTTP message, which this client does not read");
    }
    let body = head + 4;
    Ok(Some(Frame { body, end: body + length }))
}

// The rest of a header line that begins with this name, in any case.
fn after<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_length_says() {
        let message = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nx: y\r\n\r\n{}rest";
        let found = frame(message).expect("well-formed").expect("complete");
        assert_eq!(&message[found.body..found.end], b"{}");
        assert!(frame(&message[..20]).expect("well-formed so far").is_none());
        assert!(frame(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
