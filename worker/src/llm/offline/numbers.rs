//! Numbers with what follows them: 10만원, 5개, 2024년, 3개월, 10 million, 2nd.

use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{
    lexer::{Lexer, Number, Sense, Unit},
    lexicon::{Bucket, Part},
    tokens::{Kind, singular},
};

/// A number that was read, and the place after it.
pub(super) struct Read {
    pub sense: Sense,
    pub token: usize,
    pub offset: usize,
}

/// Longest first where one begins with another.
const MULTIPLIERS: &[(&str, i64)] = &[
    ("천만", 10_000_000),
    ("백만", 1_000_000),
    ("십만", 100_000),
    ("만", 10_000),
    ("천", 1_000),
    ("억", 100_000_000),
    ("조", 1_000_000_000_000),
    ("백", 100),
];

#[derive(Clone, Copy, PartialEq)]
enum Counter {
    Duration(Bucket),
    Year,
    Month,
    Quarter,
    Day,
    Money,
    Times,
    Things,
    Ordinal,
}

/// Longest first where one begins with another.
const COUNTERS: &[(&str, Counter)] = &[
    ("사분기", Counter::Quarter),
    ("개월", Counter::Duration(Bucket::Month)),
    ("년도", Counter::Year),
    ("년간", Counter::Duration(Bucket::Year)),
    ("분기", Counter::Quarter),
    ("일간", Counter::Day),
    ("주간", Counter::Duration(Bucket::Week)),
    ("가지", Counter::Things),
    ("달러", Counter::Money),
    ("년", Counter::Year),
    ("달", Counter::Duration(Bucket::Month)),
    ("월", Counter::Month),
    ("일", Counter::Day),
    ("건", Counter::Things),
    ("명", Counter::Things),
    ("개", Counter::Things),
    ("곳", Counter::Things),
    ("위", Counter::Things),
    ("종", Counter::Things),
    ("권", Counter::Things),
    ("편", Counter::Things),
    ("인", Counter::Things),
    ("줄", Counter::Things),
    ("행", Counter::Things),
    ("번", Counter::Times),
    ("회", Counter::Times),
    ("대", Counter::Times),
    ("점", Counter::Times),
    ("원", Counter::Money),
];

const ENGLISH_WORDS: &[&str] = &["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const KOREAN_WORDS: &[&str] = &["한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열"];

/// The value of an English number word.
pub(super) fn english_word(word: &str) -> Option<u32> {
    (1..).zip(ENGLISH_WORDS).find(|(_, known)| **known == word).map(|(value, _)| value)
}

/// The value of a Korean number word that a text starts with, and what follows it.
pub(super) fn korean_word(text: &str) -> Option<(u32, &str)> {
    (1..).zip(KOREAN_WORDS).find_map(|(value, word)| Some((value, text.strip_prefix(*word)?)))
}

/// The value of 만원, 십만원 … that a text starts with, and its length in characters.
pub(super) fn money_word(text: &str) -> Option<(u32, usize)> {
    let words = [("천만원", 10_000_000), ("백만원", 1_000_000), ("십만원", 100_000), ("만원", 10_000), ("천원", 1_000)];
    words.into_iter().find(|(word, _)| text.starts_with(*word)).map(|(word, value)| (value, word.chars().count()))
}

/// A whole number told in words.
pub(super) fn plain(value: u32, unit: Unit) -> Sense {
    Sense::Number(Number { value: Decimal::from(value), whole: Some(value), unit, maybe_year: false })
}

enum English {
    Multiplier(i64),
    Counter(Counter),
}

fn english(word: &str) -> Option<English> {
    Some(match word {
        "k" | "thousand" => English::Multiplier(1_000),
        "m" | "million" => English::Multiplier(1_000_000),
        "billion" => English::Multiplier(1_000_000_000),
        "won" | "krw" | "dollar" | "usd" => English::Counter(Counter::Money),
        "time" => English::Counter(Counter::Times),
        "st" | "nd" | "rd" | "th" => English::Counter(Counter::Ordinal),
        "day" => English::Counter(Counter::Duration(Bucket::Day)),
        "week" => English::Counter(Counter::Duration(Bucket::Week)),
        "month" => English::Counter(Counter::Duration(Bucket::Month)),
        "quarter" => English::Counter(Counter::Duration(Bucket::Quarter)),
        "year" => English::Counter(Counter::Duration(Bucket::Year)),
        _ => return None,
    })
}

struct Reading {
    value: Decimal,
    multiplied: bool,
    counter: Option<Counter>,
    plain_year: bool,
    token: usize,
    offset: usize,
}

/// Reads the number at a token, and its multipliers and counter in the tokens after.
pub(super) fn read(lexer: &mut Lexer<'_, '_>, at: usize, value: Decimal) -> Read {
    let raw = &lexer.tokens[at].raw;
    let plain_year = raw.len() == 4 && raw.parse::<u32>().is_ok_and(|year| (1990..=2099).contains(&year));
    let mut reading = Reading { value, multiplied: false, counter: None, plain_year, token: at + 1, offset: 0 };
    match lexer.tokens.get(at + 1).map(|token| &token.kind) {
        Some(Kind::Hangul) => reading.korean(lexer),
        Some(Kind::Latin) => reading.english(lexer),
        _ => {}
    }
    Read { sense: reading.sense(), token: reading.token, offset: reading.offset }
}

impl Reading {
    /// The characters that follow, if they are Hangul.
    fn rest(&self, lexer: &Lexer<'_, '_>) -> Option<Vec<char>> {
        let token = lexer.tokens.get(self.token).filter(|token| token.kind == Kind::Hangul)?;
        Some(token.chars[self.offset..].to_vec())
    }

    fn advance(&mut self, taken: usize, available: usize) {
        if taken == available {
            self.token += 1;
            self.offset = 0;
        } else {
            self.offset += taken;
        }
    }

    fn multiply(&mut self, factor: i64) -> bool {
        let product = self.value.checked_mul(Decimal::from(factor));
        self.multiplied |= product.is_some();
        self.value = product.unwrap_or(self.value);
        product.is_some()
    }

    fn korean(&mut self, lexer: &mut Lexer<'_, '_>) {
        while let Some(rest) = self.rest(lexer) {
            let Some((taken, factor)) = self.multiplier(lexer, &rest) else { break };
            if !self.multiply(factor) {
                break;
            }
            self.advance(taken, rest.len());
        }
        let Some(rest) = self.rest(lexer) else { return };
        for (counter, meaning) in COUNTERS {
            let Some(taken) = prefix(&rest, counter) else { continue };
            // What follows the counter must be readable, else it is the start of another word.
            if taken < rest.len() && lexer.segment(self.token, self.offset + taken).is_none() {
                continue;
            }
            self.counter = Some(*meaning);
            self.advance(taken, rest.len());
            return;
        }
    }

    fn multiplier(&self, lexer: &mut Lexer<'_, '_>, rest: &[char]) -> Option<(usize, i64)> {
        for (multiplier, factor) in MULTIPLIERS {
            let Some(taken) = prefix(rest, multiplier) else { continue };
            let after = &rest[taken..];
            let counted = COUNTERS.iter().any(|(counter, _)| prefix(after, counter).is_some());
            if after.is_empty() || counted || lexer.segment(self.token, self.offset + taken).is_some() {
                return Some((taken, *factor));
            }
        }
        None
    }

    fn english(&mut self, lexer: &Lexer<'_, '_>) {
        while let Some(token) = lexer.tokens.get(self.token).filter(|token| token.kind == Kind::Latin) {
            match english(&singular(&token.text)) {
                // A lone letter counts only when it stands at the number: 10k.
                Some(English::Multiplier(factor)) if token.text.len() > 1 || token.glued => {
                    if !self.multiply(factor) {
                        return;
                    }
                    self.token += 1;
                }
                Some(English::Counter(Counter::Duration(_))) if self.plain_year => return,
                Some(English::Counter(counter)) => {
                    self.counter = Some(counter);
                    self.token += 1;
                    return;
                }
                _ => return,
            }
        }
    }

    fn sense(&self) -> Sense {
        let whole = if self.value.is_integer() { self.value.to_u32() } else { None };
        if !self.multiplied {
            match (self.counter, whole) {
                (Some(Counter::Year), Some(year @ 1900..=2100)) => return Sense::Year(year.cast_signed()),
                (Some(Counter::Year), Some(year @ 20..=49)) => return Sense::Year(2000 + year.cast_signed()),
                (Some(Counter::Year), _) => return Sense::Duration(whole, Bucket::Year),
                (Some(Counter::Duration(unit)), _) => return Sense::Duration(whole, unit),
                (Some(Counter::Month), Some(month @ 1..=12)) => return Sense::Month(month),
                (Some(Counter::Quarter), Some(quarter @ 1..=4)) => return Sense::Part(Part::Quarter(quarter)),
                (Some(Counter::Day), _) => return Sense::DayOfMonth(whole),
                _ => {}
            }
        }
        let unit = match self.counter {
            Some(Counter::Money) => Unit::Money,
            Some(Counter::Ordinal) => Unit::Ordinal,
            Some(Counter::Things) => Unit::Things,
            Some(_) => Unit::Times,
            None if self.multiplied => Unit::Big,
            None => Unit::None,
        };
        let maybe_year = self.plain_year && self.counter.is_none() && !self.multiplied;
        Sense::Number(Number { value: self.value.normalize(), whole, unit, maybe_year })
    }
}

fn prefix(chars: &[char], start: &str) -> Option<usize> {
    let start: Vec<char> = start.chars().collect();
    chars.starts_with(&start).then_some(start.len())
}
