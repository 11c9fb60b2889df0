//! Cuts a question into words, numbers, dates and quoted strings. Knows scripts and punctuation, no vocabulary.

use rust_decimal::Decimal;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Letters of any script but Hangul, or an operator such as `>=`.
    Latin,
    /// A run of Hangul.
    Hangul,
    /// A number, thousands separators removed.
    Number(Decimal),
    /// `2024-03` or `2024-03-15`; month and day lie in the calendar's bounds, the day may still not exist.
    Date { year: i32, month: u32, day: Option<u32> },
    /// What stood between quotes.
    Quoted,
}

/// A piece of a question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    /// What it is.
    pub kind: Kind,
    /// Lower case.
    pub text: String,
    /// The characters of `text`.
    pub chars: Vec<char>,
    /// As written.
    pub raw: String,
    /// Whether nothing separates it from the token before.
    pub glued: bool,
}

/// Whether a character is Hangul, composed or not.
pub(super) fn is_hangul(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}' | '\u{3130}'..='\u{318F}' | '\u{1100}'..='\u{11FF}')
}

/// Whether a text starts with Hangul.
pub(super) fn starts_hangul(text: &str) -> bool {
    text.chars().next().is_some_and(is_hangul)
}

/// The tokens of a text, in order.
pub(super) fn tokenize(text: &str) -> Vec<Token> {
    let mut cutter = Cutter { chars: text.chars().collect(), at: 0, glued: false, tokens: Vec::new() };
    while cutter.at < cutter.chars.len() {
        cutter.step();
    }
    cutter.tokens
}

struct Cutter {
    chars: Vec<char>,
    at: usize,
    glued: bool,
    tokens: Vec<Token>,
}

fn closing(open: char) -> Option<char> {
    Some(match open {
        '"' => '"',
        '\'' => '\'',
        '`' => '`',
        '“' => '”',
        '‘' => '’',
        '「' => '」',
        '『' => '』',
        _ => return None,
    })
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_hangul(c)
}

impl Cutter {
    fn get(&self, at: usize) -> char {
        self.chars.get(at).copied().unwrap_or('\0')
    }

    fn push(&mut self, kind: Kind, text: String, raw: String, end: usize) {
        let chars = text.chars().collect();
        self.tokens.push(Token { kind, text, chars, raw, glued: self.glued });
        self.at = end;
        self.glued = true;
    }

    fn run(&self, start: usize, belongs: impl Fn(usize, char) -> bool) -> usize {
        let mut end = start;
        while end < self.chars.len() && belongs(end, self.chars[end]) {
            end += 1;
        }
        end
    }

    fn text(&self, start: usize, end: usize) -> String {
        self.chars[start..end].iter().collect()
    }

    fn step(&mut self) {
        let c = self.chars[self.at];
        let after_letter = self.at > 0 && self.get(self.at - 1).is_alphanumeric();
        if let Some(close) = closing(c)
            && !(c == '\'' && after_letter)
        {
            self.quoted(close);
        } else if is_digit(c) {
            self.number();
        } else if is_hangul(c) {
            let end = self.run(self.at, |_, c| is_hangul(c));
            let raw = self.text(self.at, end);
            self.push(Kind::Hangul, raw.clone(), raw, end);
        } else if is_letter(c) {
            self.word();
        } else {
            self.symbol(c);
        }
    }

    fn quoted(&mut self, close: char) {
        // An apostrophe before a letter belongs to the name: 'O'Brien'.
        let inner = |at: usize| close == '\'' && self.get(at + 1).is_ascii_alphanumeric();
        let end = self.run(self.at + 1, |at, c| c != close || inner(at));
        if end < self.chars.len() && end > self.at + 1 {
            let raw = self.text(self.at + 1, end).trim().to_owned();
            self.push(Kind::Quoted, raw.to_lowercase(), raw, end + 1);
        } else {
            self.skip();
        }
    }

    fn skip(&mut self) {
        self.at += 1;
        self.glued = false;
    }

    fn number(&mut self) {
        if let Some((kind, end)) = self.date() {
            let raw = self.text(self.at, end);
            self.push(kind, raw.clone(), raw, end);
            return;
        }
        let end = self.run(self.at, |at, c| is_digit(c) || (matches!(c, ',' | '.') && is_digit(self.get(at + 1))));
        let raw = self.text(self.at, end);
        let text = raw.replace(',', "");
        let kind = text.parse::<Decimal>().map_or(Kind::Latin, Kind::Number);
        self.push(kind, text, raw, end);
    }

    /// Digits from `start`, between `least` and `most` of them, and where they end.
    fn digits(&self, start: usize, least: usize, most: usize) -> Option<(u32, usize)> {
        let end = self.run(start, |_, c| is_digit(c));
        if !(least..=most).contains(&(end - start)) {
            return None;
        }
        Some((self.text(start, end).parse().ok()?, end))
    }

    fn date(&self) -> Option<(Kind, usize)> {
        let (year, at) = self.digits(self.at, 4, 4)?;
        let separator = self.get(at);
        if !(1900..=2100).contains(&year) || !matches!(separator, '-' | '/' | '.') {
            return None;
        }
        let (month, at_month) = self.digits(at + 1, 1, 2)?;
        if !(1..=12).contains(&month) {
            return None;
        }
        let year = i32::try_from(year).ok()?;
        if self.get(at_month) == separator
            && let Some((day, end)) = self.digits(at_month + 1, 1, 2)
        {
            return (1..=31).contains(&day).then_some((Kind::Date { year, month, day: Some(day) }, end));
        }
        // 2024.5 is a number, 2024.05 a month.
        if separator == '.' && at_month - at < 3 {
            return None;
        }
        Some((Kind::Date { year, month, day: None }, at_month))
    }

    fn word(&mut self) {
        let end = self.run(self.at, |at, c| is_letter(c) || (matches!(c, '\'' | '’') && is_letter(self.get(at + 1))));
        let raw = self.text(self.at, end).replace('’', "'");
        let lower = raw.to_lowercase();
        let text = lower.strip_suffix("'s").map(str::to_owned).unwrap_or(lower);
        self.push(Kind::Latin, text, raw, end);
    }

    fn symbol(&mut self, c: char) {
        let next = self.get(self.at + 1);
        let (text, length) = match c {
            '<' | '>' if next == '=' => (format!("{c}="), 2),
            '<' | '>' | ',' | ';' | '~' | '&' | '+' | '%' => (c.to_string(), 1),
            '≥' => (">=".to_owned(), 1),
            '≤' => ("<=".to_owned(), 1),
            '–' => ("~".to_owned(), 1),
            '-' if self.at > 0 && is_digit(self.get(self.at - 1)) && is_digit(next) => ("~".to_owned(), 1),
            _ => return self.skip(),
        };
        self.glued = false;
        let end = self.at + length;
        self.push(Kind::Latin, text.clone(), text, end);
        self.glued = false;
    }
}

/// An English word without its plural ending; other words as they are.
pub(super) fn singular(word: &str) -> String {
    let keep = |count: usize| word[..word.len() - count].to_owned();
    if word.len() <= 3 || !word.is_ascii() || !word.ends_with('s') || word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    if word.ends_with("ies") && word.len() > 4 {
        return keep(3) + "y";
    }
    let drops_es = ["sses", "xes", "ches", "shes", "zes"].iter().any(|ending| word.ends_with(ending));
    let status_like = word.ends_with("uses") && !word.ends_with("ouses") && !word.ends_with("auses");
    keep(if drops_es || status_like { 2 } else { 1 })
}

/// The form in which names, comments and values are looked up: Hangul without spaces, or singular lower-case words. None when scripts mix.
pub(super) fn phrase_key(text: &str) -> Option<String> {
    let tokens = tokenize(&text.replace('_', " "));
    let all = |kind: Kind| !tokens.is_empty() && tokens.iter().all(|token| token.kind == kind);
    if all(Kind::Hangul) {
        Some(tokens.iter().map(|token| token.text.as_str()).collect())
    } else if all(Kind::Latin) {
        Some(tokens.iter().map(|token| singular(&token.text)).collect::<Vec<_>>().join(" "))
    } else {
        None
    }
}
