//! XML as workbooks use it, token by token out of a window that slides over a stream: no tree, no copy of what is not looked at.
//!
//! References are those of XML itself and of characters. A file that declares entities of its own is refused: no program that writes
//! workbooks does, and it is how a small file becomes a large one.

use std::io::{Cursor, Read};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::{memchr, memchr2, memmem};

use super::{broken, corrupt, encoding::Transcoder};
use crate::error::ReadError;

const FIRST_WINDOW: usize = 128 * 1_024;
/// A longer tag or text is none that a person or a program has made.
const LARGEST_WINDOW: usize = 16 * 1_048_576;
/// What a source is given to write into at least.
const LEAST_ROOM: usize = 4_096;
/// Where an encoding is told, if it is.
const HEAD: u64 = 256;

/// A piece of a document.
pub(super) enum Token<'a> {
    /// The start of an element; with `closed` set its end, too.
    Open(Tag<'a>),
    /// The end of an element, by its local name.
    Close(&'a [u8]),
    /// Text with references in it, for [`unescape`].
    Text(&'a [u8]),
    /// Text as it is.
    Verbatim(&'a [u8]),
    /// The end of the document, whether or not all elements are closed.
    End,
}

/// The start of an element.
#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    /// Its name with its prefix.
    pub(super) full: &'a [u8],
    /// Its name without the prefix.
    pub(super) name: &'a [u8],
    /// Whether it ends at once.
    pub(super) closed: bool,
    rest: &'a [u8],
}

/// Reads tokens.
pub(super) struct Xml<'a> {
    source: Box<dyn Read + 'a>,
    window: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

/// What begins at the start of the window, and how long it is.
enum Found {
    Open(usize),
    Close(usize),
    Text(usize),
    Verbatim(usize),
    /// A comment, an instruction or the like.
    Aside(usize),
    /// More is needed to know.
    Partial,
}

impl<'a> Xml<'a> {
    /// Begins to read; the encoding is the one that the document tells, UTF-8 without a word.
    pub(super) fn new(mut source: impl Read + 'a) -> Result<Self, ReadError> {
        let mut head = Vec::new();
        source.by_ref().take(HEAD).read_to_end(&mut head).map_err(broken)?;
        let (encoding, mark) = encoding_of(&head);
        head.drain(..mark);
        let source = Cursor::new(head).chain(source);
        let source: Box<dyn Read + 'a> = if encoding == UTF_8 { Box::new(source) } else { Box::new(Transcoder::new(source, encoding)) };
        Ok(Self { source, window: vec![0; FIRST_WINDOW], start: 0, end: 0, ended: false })
    }

    /// The next piece.
    pub(super) fn next(&mut self) -> Result<Token<'_>, ReadError> {
        let found = loop {
            let bytes = self.window.get(self.start..self.end).unwrap_or_default();
            match scan(bytes) {
                Found::Partial if !self.ended => self.fill()?,
                Found::Partial => {
                    let text = bytes.first().is_some_and(|byte| *byte != b'<');
                    break if text { Found::Text(bytes.len()) } else { Found::Partial };
                }
                Found::Aside(length) => {
                    if bytes.get(..length).is_some_and(declares_entities) {
                        return Err(corrupt("its XML declares entities of its own, as workbooks never do"));
                    }
                    self.start += length;
                }
                found => break found,
            }
        };
        let from = self.start;
        let mut piece = |length: usize, before: usize, after: usize| {
            self.start = from + length;
            self.window.get(from + before..from + length - after).unwrap_or_default()
        };
        Ok(match found {
            Found::Open(length) => Token::Open(Tag::new(piece(length, 1, 1))),
            Found::Close(length) => Token::Close(local(piece(length, 2, 1).trim_ascii_end())),
            Found::Text(length) => Token::Text(piece(length, 0, 0)),
            Found::Verbatim(length) => Token::Verbatim(piece(length, b"<![CDATA[".len(), b"]]>".len())),
            Found::Aside(_) | Found::Partial => Token::End,
        })
    }

    /// Reads on until the element that was just opened is closed.
    pub(super) fn skip(&mut self) -> Result<(), ReadError> {
        let mut depth = 1_u32;
        while depth > 0 {
            match self.next()? {
                Token::Open(tag) if !tag.closed => depth += 1,
                Token::Close(_) => depth -= 1,
                Token::End => return Err(cut_short()),
                Token::Open(_) | Token::Text(_) | Token::Verbatim(_) => {}
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        if self.start > 0 {
            self.window.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.window.len() - self.end < LEAST_ROOM {
            if self.end >= LARGEST_WINDOW {
                return Err(ReadError::TooLarge(format!("one text of a part is longer than {} MiB", LARGEST_WINDOW / 1_048_576)));
            }
            self.window.resize(self.window.len() * 2, 0);
        }
        // Full, as what is there is looked at from its start again; a transcoder wants some room.
        while !self.ended && self.window.len() - self.end >= LEAST_ROOM {
            let count = self.source.read(self.window.get_mut(self.end..).unwrap_or_default()).map_err(broken)?;
            self.end += count;
            self.ended = count == 0;
        }
        Ok(())
    }
}

/// A document that ends within an element.
pub(super) fn cut_short() -> ReadError {
    corrupt("a part of it is cut short")
}

fn scan(bytes: &[u8]) -> Found {
    let known = |length: Option<usize>, found: fn(usize) -> Found| length.map_or(Found::Partial, found);
    match bytes {
        [] | [b'<'] => Found::Partial,
        [b'<', b'/', rest @ ..] => known(memchr(b'>', rest).map(|at| at + 3), Found::Close),
        [b'<', b'?', rest @ ..] => known(memmem::find(rest, b"?>").map(|at| at + 4), Found::Aside),
        [b'<', b'!', rest @ ..] => match rest {
            [b'-', b'-', rest @ ..] => known(memmem::find(rest, b"-->").map(|at| at + 7), Found::Aside),
            [b'[', rest @ ..] if rest.starts_with(b"CDATA[") => known(memmem::find(rest, b"]]>").map(|at| at + 6), Found::Verbatim),
            [] | [b'-'] => Found::Partial,
            [b'[', rest @ ..] if rest.len() < b"CDATA[".len() => Found::Partial,
            rest => known(memchr(b'>', rest).map(|at| at + 3), Found::Aside),
        },
        [b'<', rest @ ..] => known(tag_end(rest).map(|at| at + 2), Found::Open),
        text => known(memchr(b'<', text), Found::Text),
    }
}

// Where the tag ends; a `>` within quotes does not end it.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

fn declares_entities(aside: &[u8]) -> bool {
    aside.starts_with(b"<!DOCTYPE") && memchr(b'[', aside).is_some() || aside.starts_with(b"<!ENTITY")
}

fn local(name: &[u8]) -> &[u8] {
    memchr(b':', name).and_then(|at| name.get(at + 1..)).unwrap_or(name)
}

// The encoding, and how long its mark is.
fn encoding_of(head: &[u8]) -> (&'static Encoding, usize) {
    if let Some(found) = Encoding::for_bom(head) {
        return found;
    }
    match head {
        [b'<', 0, ..] => return (UTF_16LE, 0),
        [0, b'<', ..] => return (UTF_16BE, 0),
        _ => {}
    }
    let told = head.starts_with(b"<?xml").then(|| {
        let line = head.get(..memchr(b'>', head)?)?;
        let value = line.get(memmem::find(line, b"encoding")?..)?;
        let quote = value.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
        let value = value.get(quote + 1..)?;
        // A document that can be read so far is none in UTF-16, whatever it says.
        Encoding::for_label(value.get(..value.iter().position(|byte| matches!(byte, b'"' | b'\''))?)?)
            .filter(|found| found.is_ascii_compatible())
    });
    (told.flatten().unwrap_or(UTF_8), 0)
}

impl<'a> Tag<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (bytes, closed) = bytes.strip_suffix(b"/").map_or((bytes, false), |bytes| (bytes, true));
        let length = bytes.iter().position(u8::is_ascii_whitespace).unwrap_or(bytes.len());
        let (full, rest) = bytes.split_at(length);
        Self { full, name: local(full), closed, rest }
    }

    /// Attributes as they stand: names with their prefixes, values with references.
    pub(super) fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: self.rest }
    }

    /// The value of an attribute by its name with the prefix.
    pub(super) fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.attributes().find(|(full, _)| *full == name).map(|(_, value)| value)
    }

    /// The value of an attribute by its name without the prefix.
    pub(super) fn get_local(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.attributes().find(|(full, _)| local(full) == name).map(|(_, value)| value)
    }

    /// The value of an attribute as a text.
    pub(super) fn text(&self, name: &[u8]) -> Result<Option<String>, ReadError> {
        self.get(name).map(unescaped).transpose()
    }

    /// The value of an attribute as a whole number.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &[u8]) -> Option<N> {
        std::str::from_utf8(self.get(name)?).ok()?.trim().parse().ok()
    }
}

/// The attributes of an element.
pub(super) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.trim_ascii_start();
        let equals = memchr(b'=', rest)?;
        let name = rest.get(..equals)?.trim_ascii_end();
        let (&quote, value) = rest.get(equals + 1..)?.trim_ascii_start().split_first()?;
        if !matches!(quote, b'"' | b'\'') {
            return None;
        }
        let end = memchr(quote, value)?;
        self.rest = value.get(end + 1..)?;
        Some((name, value.get(..end)?))
    }
}

/// Adds a text: references resolved, ends of lines as `\n`.
pub(super) fn unescape(raw: &[u8], text: &mut String) -> Result<(), ReadError> {
    // Most texts have nothing to resolve.
    if memchr2(b'&', b'\r', raw).is_none()
        && let Ok(plain) = std::str::from_utf8(raw)
    {
        text.push_str(plain);
        return Ok(());
    }
    let raw = String::from_utf8_lossy(raw);
    let mut rest = raw.as_ref();
    while let Some(at) = rest.find(['&', '\r']) {
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        if let Some(after) = special.strip_prefix('\r') {
            text.push('\n');
            rest = after.strip_prefix('\n').unwrap_or(after);
            continue;
        }
        let end = special.find(';').unwrap_or(special.len());
        let name = special.get(1..end).unwrap_or_default();
        text.push(reference(name)?);
        rest = special.get(end + 1..).unwrap_or_default();
    }
    text.push_str(rest);
    Ok(())
}

/// A text of its own.
pub(super) fn unescaped(raw: &[u8]) -> Result<String, ReadError> {
    let mut text = String::with_capacity(raw.len());
    unescape(raw, &mut text)?;
    Ok(text)
}

fn reference(name: &str) -> Result<char, ReadError> {
    let code = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let found = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#') {
            Some(digits) => digits.strip_prefix(['x', 'X']).map_or_else(|| code(digits, 10), |digits| code(digits, 16)),
            None => None,
        },
    };
    found.ok_or_else(|| corrupt("its XML refers to an entity that no workbook has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(document: &[u8]) -> Result<String, ReadError> {
        let mut xml = Xml::new(document)?;
        let mut told = String::new();
        loop {
            let piece = match xml.next()? {
                Token::Open(tag) => {
                    let attributes: Vec<String> = tag
                        .attributes()
                        .map(|(name, value)| format!(" {}={}", String::from_utf8_lossy(name), unescaped(value).unwrap_or_default()))
                        .collect();
                    let end = if tag.closed { "/" } else { "" };
                    format!("({}{}{end})", String::from_utf8_lossy(tag.name), attributes.concat())
                }
                Token::Close(name) => format!("(/{})", String::from_utf8_lossy(name)),
                Token::Text(text) => unescaped(text)?,
                Token::Verbatim(text) => format!("[{}]", String::from_utf8_lossy(text)),
                Token::End => return Ok(told),
            };
            told.push_str(&piece);
        }
    }

    #[test]
    fn tokens_are_those_of_the_document() {
        let document = b"<?xml version='1.0'?><!-- <c> --><x:a b = \"1>2\" c='&lt;&#x41;'><d/>t&amp;\r\nu<![CDATA[<&]]></x:a >";
        assert_eq!(told(document).expect("it is well-formed"), "(a b=1>2 c=<A)(d/)t&\nu[<&](/a)");
        assert_eq!(told(b"<a>cut").expect("the reader decides"), "(a)cut");
    }

    #[test]
    fn entities_are_refused() {
        assert!(told(b"<!DOCTYPE a [<!ENTITY lol 'lol'>]><a>&lol;</a>").is_err());
        assert!(told(b"<a>&lol;</a>").is_err());
        assert_eq!(told(b"<!DOCTYPE a SYSTEM 'a.dtd'><a/>").expect("nothing is declared"), "(a/)");
    }

    #[test]
    fn other_encodings_are_read() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>매출</a>";
        let mut wide: Vec<u8> = vec![0xff, 0xfe];
        wide.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(told(&wide).expect("it is well-formed"), "(a)매출(/a)");
        let mut latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>".to_vec();
        latin.extend([0xe9, b'<', b'/', b'a', b'>']);
        assert_eq!(told(&latin).expect("it is well-formed"), "(a)é(/a)");
    }

    #[test]
    fn long_texts_are_whole_and_the_longest_are_refused() {
        let long = "가".repeat(200_000);
        assert_eq!(told(format!("<a>{long}</a>").as_bytes()).expect("it fits"), format!("(a){long}(/a)"));
        let longest = vec![b'x'; LARGEST_WINDOW + 1];
        assert!(matches!(told(&[b"<a>".as_slice(), &longest].concat()), Err(ReadError::TooLarge(_))));
    }
}
