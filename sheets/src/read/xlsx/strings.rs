//! The texts that cells refer to by number.

use super::super::{
    package::Package,
    sink::Sink,
    xml::{Token, Xml, cut_short, unescape},
};
use crate::{error::ReadError, texts::TextId};

/// Reads them. What the part says of their count is not believed.
pub(super) fn read(package: &mut Package, name: &str, sink: &mut Sink<'_>) -> Result<Vec<Option<TextId>>, ReadError> {
    let mut strings = Vec::new();
    let Some(part) = package.part(name)? else { return Ok(strings) };
    let mut xml = Xml::new(part)?;
    let mut text = String::new();
    let most = sink.options().limits.max_cells;
    loop {
        let closed = match xml.next()? {
            Token::Open(tag) if tag.name == b"si" => tag.closed,
            Token::End => return Ok(strings),
            _ => continue,
        };
        text.clear();
        if !closed {
            rich(&mut xml, b"si", &mut text)?;
        }
        if strings.len() as u64 >= most {
            return Err(ReadError::TooLarge(format!("it has more than {most} texts")));
        }
        strings.push(sink.intern(&text)?);
    }
}

/// Adds the text of an element that was just opened: all its `t`, without the sounds that stand beside Japanese.
pub(super) fn rich(xml: &mut Xml<'_>, element: &[u8], text: &mut String) -> Result<(), ReadError> {
    let mut raw = String::new();
    let (mut in_text, mut preserved) = (false, false);
    loop {
        match xml.next()? {
            Token::Open(tag) if tag.name == b"t" && !tag.closed => {
                in_text = true;
                preserved = tag.get(b"xml:space") == Some(b"preserve");
                raw.clear();
            }
            Token::Open(tag) if tag.name == b"rPh" && !tag.closed => xml.skip()?,
            Token::Open(_) => {}
            Token::Text(piece) if in_text => unescape(piece, &mut raw)?,
            Token::Verbatim(piece) if in_text => raw.push_str(&String::from_utf8_lossy(piece)),
            Token::Text(_) | Token::Verbatim(_) => {}
            Token::Close(b"t") => {
                in_text = false;
                add_decoded(if preserved { &raw } else { raw.trim_matches([' ', '\t', '\r', '\n']) }, text);
            }
            Token::Close(name) if name == element => return Ok(()),
            Token::Close(_) => {}
            Token::End => return Err(cut_short()),
        }
    }
}

/// Adds a text in which characters that XML does not allow stand as `_x000D_`.
pub(super) fn add_decoded(raw: &str, text: &mut String) {
    let mut rest = raw;
    while let Some(at) = rest.find("_x") {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let escaped = from.get(..7).filter(|escaped| escaped.ends_with('_'));
        let code = escaped.and_then(|escaped| escaped.get(2..6)).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(found) => {
                text.push(found);
                rest = from.get(7..).unwrap_or_default();
            }
            None => {
                text.push_str("_x");
                rest = from.get(2..).unwrap_or_default();
            }
        }
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_characters_are_decoded_once() {
        for (raw, expected) in [
            ("a_x000D_b", "a\rb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_x12", "_x12"),
            ("_xZZZZ_", "_xZZZZ_"),
            ("가_x0041_", "가A"),
            ("_x가나다라_", "_x가나다라_"),
        ] {
            let mut text = String::new();
            add_decoded(raw, &mut text);
            assert_eq!(text, expected, "{raw}");
        }
    }

    #[test]
    fn rich_texts_are_joined_and_sounds_left_out() {
        let document = "<si><r><rPr><b/></rPr><t>매출 </t></r><r><t xml:space=\"preserve\"> 합계</t></r><rPh sb=\"0\"><t>x</t></rPh></si>";
        let mut xml = Xml::new(document.as_bytes()).expect("a slice can be read");
        assert!(matches!(xml.next(), Ok(Token::Open(_))));
        let mut text = String::new();
        rich(&mut xml, b"si", &mut text).expect("it is whole");
        assert_eq!(text, "매출 합계");
    }
}
