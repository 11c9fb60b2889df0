//! JSON lines. Empty lines are passed over, and counted, so that a number is the one that an editor shows.

use std::io::BufRead;

use super::upload::{BYTE_ORDER_MARK, LONGEST_LINE, Piece, Unreadable};

/// The lines of an upload.
pub struct LinePieces<R> {
    reader: R,
    number: u32,
}

impl<R: BufRead> LinePieces<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    pub(super) fn next_piece(&mut self) -> Result<Option<Piece>, Unreadable> {
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            self.number = self.number.saturating_add(1);
            match line {
                Some(text) => {
                    let text = if self.number == 1 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text) } else { &text };
                    let text = text.trim_ascii();
                    if !text.is_empty() {
                        return Ok(Some(Piece::Line(self.number, Some(text.to_owned()))));
                    }
                }
                None => return Ok(Some(Piece::Line(self.number, None))),
            }
        }
    }

    /// The bytes up to the end of the line; the inner none: they are too many. The outer none: there is no further line.
    #[expect(clippy::option_option, reason = "the end and a line that is too long are different things")]
    fn line(&mut self) -> Result<Option<Option<Vec<u8>>>, Unreadable> {
        let (mut text, mut any, mut too_long) = (Vec::new(), false, false);
        loop {
            let block = self.reader.fill_buf()?;
            if block.is_empty() {
                return Ok(any.then_some((!too_long).then_some(text)));
            }
            any = true;
            let end = block.iter().position(|byte| *byte == b'\n');
            let part = &block[..end.unwrap_or(block.len())];
            too_long |= text.len() + part.len() > LONGEST_LINE;
            if too_long {
                text = Vec::new();
            } else {
                text.extend_from_slice(part);
            }
            let used = end.map_or(block.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some((!too_long).then_some(text)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn all(text: &[u8], block: usize) -> Vec<(u32, Option<String>)> {
        let mut pieces = LinePieces::new(BufReader::with_capacity(block, text));
        let mut found = Vec::new();
        while let Some(piece) = pieces.next_piece().expect("it is read") {
            let Piece::Line(number, text) = piece else { panic!("only lines") };
            found.push((number, text.map(|text| String::from_utf8(text).expect("text"))));
        }
        found
    }

    #[test]
    fn lines_come_with_their_numbers_whatever_ends_them() {
        let expected: Vec<(u32, Option<String>)> = [(1, "{}"), (3, "[1]"), (5, "x")].map(|(n, t)| (n, Some(t.to_owned()))).into();
        for block in [1, 3, 4096] {
            assert_eq!(all(b"\xEF\xBB\xBF{}\r\n\n [1] \n  \r\nx", block), expected, "by {block}");
            assert_eq!(all(b"", block), []);
            assert_eq!(all(b"\n\n", block), []);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_the_next_one_comes() {
        let mut text = vec![b'a'; LONGEST_LINE];
        text.extend_from_slice(b"\n");
        text.extend(vec![b'b'; LONGEST_LINE + 1]);
        text.extend_from_slice(b"\nc\n");
        let found = all(&text, 8192);
        assert_eq!(found[0].1.as_ref().map(String::len), Some(LONGEST_LINE));
        assert_eq!(found[1..], [(2, None), (3, Some("c".to_owned()))]);
    }
}
