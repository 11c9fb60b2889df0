//! MySQL's text cut into tokens: enough to find names, literals and signs, not to understand a statement. Backslashes escape and double
//! quotes delimit texts, which is what sessions of ours are told and what the guard assumes.

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// A keyword, or a name without quotes.
    Word(&'t str),
    /// A name in backticks, its quotes undone.
    Quoted(String),
    /// A text or a number. What it holds is data.
    Literal,
    /// Any other character.
    Sign(char),
}

/// A token and where it stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token<'_> {
    /// The name that it may be.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Quoted(name) => Some(name),
            Kind::Literal | Kind::Sign(_) => None,
        }
    }

    /// Whether it is this keyword.
    pub(super) fn is_word(&self, keyword: &str) -> bool {
        matches!(self.kind, Kind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Whether it is this character.
    pub(super) fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// The tokens of a text, without comments. What is not closed ends with the text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        if let Some(end) = comment_end(bytes, at) {
            at = end;
            continue;
        }
        let (kind, end) = match byte {
            0..=b' ' => {
                at += 1;
                continue;
            }
            b'`' => {
                let end = quoted_end(bytes, at);
                let inner = text[start..end].trim_start_matches('`');
                (Kind::Quoted(unquoted(&text[start..end]).unwrap_or_else(|| inner.to_owned())), end)
            }
            b'\'' | b'"' => (Kind::Literal, quoted_end(bytes, at)),
            byte if belongs_to_name(byte) => {
                let end = name_end(bytes, at);
                let word = &text[start..end];
                (if is_number(word) { Kind::Literal } else { Kind::Word(word) }, end)
            }
            byte => (Kind::Sign(char::from(byte)), at + 1),
        };
        tokens.push(Token { kind, start, end });
        at = end;
    }
    tokens
}

fn comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let line_end = || rest.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length);
    if rest.starts_with(b"/*") {
        let length = rest[2..].windows(2).position(|pair| pair == b"*/");
        return Some(length.map_or(bytes.len(), |length| at + length + 4));
    }
    // Two dashes begin a comment only before a space.
    let dashes = rest.starts_with(b"--") && rest.get(2).is_none_or(|byte| *byte <= b' ');
    (dashes || rest[0] == b'#').then(line_end)
}

// Behind the closing quote. Texts are escaped by backslashes, names are not; a doubled quote stands for itself.
fn quoted_end(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'\\' && quote != b'`' {
            at += 2;
        } else if byte != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    bytes.len()
}

fn unquoted(name: &str) -> Option<String> {
    Some(name.strip_prefix('`')?.strip_suffix('`')?.replace("``", "`"))
}

fn belongs_to_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn name_end(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|byte| !belongs_to_name(*byte)).map_or(bytes.len(), |length| start + length)
}

// `12`, `1e5`, `0x1F`; a name may begin with a digit too.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    word.starts_with(|first: char| first.is_ascii_digit()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        tokens(text).iter().map(|token| &text[token.start..token.end]).collect()
    }

    #[test]
    fn names_literals_and_signs_are_told_apart() {
        let text = "SELECT o.`a``b`, 'it\\'s', \"x\"\"y\", 1.5, 0x1F, 2024_sales FROM 주문";
        let kinds: Vec<Kind<'_>> = tokens(text).into_iter().map(|token| token.kind).collect();
        let sign = Kind::Sign;
        let expected = [
            Kind::Word("SELECT"),
            Kind::Word("o"),
            sign('.'),
            Kind::Quoted("a`b".to_owned()),
            sign(','),
            Kind::Literal,
            sign(','),
            Kind::Literal,
            sign(','),
            Kind::Literal,
            sign('.'),
            Kind::Literal,
            sign(','),
            Kind::Literal,
            sign(','),
            Kind::Word("2024_sales"),
            Kind::Word("FROM"),
            Kind::Word("주문"),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn literals_end_where_the_server_ends_them() {
        assert_eq!(cut(r"'a\\' b"), [r"'a\\'", "b"]);
        assert_eq!(cut(r#"'a\'b' "c\"d" 'e''f'"#), [r"'a\'b'", r#""c\"d""#, "'e''f'"]);
        assert_eq!(cut(r"'\한' x"), [r"'\한'", "x"]);
        assert_eq!(cut(r"`a\` b"), [r"`a\`", "b"], "a backslash escapes nothing in a name");
        assert_eq!(cut("'open"), ["'open"]);
        assert_eq!(cut(r"'open\"), [r"'open\"]);
        assert_eq!(tokens("`open")[0].name(), Some("open"));
    }

    #[test]
    fn comments_are_left_out() {
        assert_eq!(cut("/* select#1 */ select 1 -- x\n, 2 # y\n/* open"), ["select", "1", ",", "2"]);
        assert_eq!(cut("1--1"), ["1", "-", "-", "1"], "two dashes alone are no comment");
        assert_eq!(cut("a /**/ b"), ["a", "b"]);
    }
}
