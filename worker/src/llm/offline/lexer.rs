//! Finds the longest phrases that the schema or the dictionary knows, and strips Korean particles on the way.

use std::collections::HashSet;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    lexicon::{self, Bucket, Part, Relative, Term, Word},
    matching::{Catalog, ColumnId, Meaning, TableId},
    numbers,
    time::Period,
    tokens::{Kind, Token, is_hangul, singular, starts_hangul},
};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Nothing said.
    None,
    /// Things (개, 명, 건).
    Things,
    /// Times (번, 회).
    Times,
    /// Money.
    Money,
    /// An ordinal (1st).
    Ordinal,
    /// Written with a multiplier (10만), so no count of rows.
    Big,
}

/// A number of a question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub value: Decimal,
    /// The value, if it is a whole number.
    pub whole: Option<u32>,
    pub unit: Unit,
    /// Four plain digits that may be a year.
    pub maybe_year: bool,
}

/// What a piece of a question is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sense {
    Word(Word),
    /// Something of the schema: see the lexeme's lists.
    Schema,
    Number(Number),
    Year(i32),
    Month(u32),
    YearMonth(i32, u32),
    Day(NaiveDate),
    /// A day of a month, or a number of days.
    DayOfMonth(Option<u32>),
    Part(Part),
    Relative(Relative),
    /// So many of a length of time.
    Duration(Option<u32>, Bucket),
    /// A period of the calendar, read by `time`.
    Range(Period),
    /// One row a period.
    Bucket(Bucket),
    /// The name of a period.
    Unit(Bucket),
    /// Quoted text that is no sampled value.
    Quoted,
    Unknown,
}

/// A piece of a question with its meaning.
#[derive(Clone, Debug)]
pub(super) struct Lexeme<'a> {
    /// As written.
    pub text: String,
    pub sense: Sense,
    /// An English plural.
    pub plural: bool,
    pub tables: Vec<TableId>,
    pub columns: Vec<ColumnId>,
    pub values: Vec<(ColumnId, &'a str)>,
}

impl<'a> Lexeme<'a> {
    /// A piece that is nothing of the schema.
    pub fn new(text: &str, sense: Sense) -> Self {
        Self { text: text.to_owned(), sense, plural: false, tables: Vec::new(), columns: Vec::new(), values: Vec::new() }
    }

    /// Its word of the dictionary.
    pub fn word(&self) -> Option<Word> {
        if let Sense::Word(word) = self.sense { Some(word) } else { None }
    }

    /// Its number.
    pub fn number(&self) -> Option<&Number> {
        if let Sense::Number(number) = &self.sense { Some(number) } else { None }
    }

    fn of_schema(text: &str, meanings: &[(u8, Meaning<'a>)]) -> Self {
        let mut lexeme = Self::new(text, Sense::Schema);
        for (_, meaning) in meanings {
            match *meaning {
                Meaning::Table(table) => lexeme.tables.push(table),
                Meaning::Column(column) => lexeme.columns.push(column),
                Meaning::Value(column, value) => lexeme.values.push((column, value)),
            }
        }
        lexeme
    }
}

/// A known phrase.
enum Found<'c, 'a> {
    Term(Term),
    Schema(&'c [(u8, Meaning<'a>)]),
    /// What is measured, whatever else has this name.
    Measure(&'c [(u8, Meaning<'a>)]),
}

/// Longest Korean phrase looked up, in characters.
const LONGEST_KOREAN: usize = 14;
/// Longest English phrase looked up, in words.
const LONGEST_ENGLISH: usize = 5;

/// Syllables that follow a word and don't start one.
const PARTICLES: &[&str] = &[
    "원", "만", "인", "은", "는", "이", "가", "의", "도", "로", "를", "을", "에", "나", "내", "저", "그", "와", "과", "및", "간", "거",
    "한",
];
/// What may follow 수, the number of something, in one word.
const AFTER_COUNT: &[&str] =
    &["는", "는요", "를", "가", "의", "와", "로", "만", "야", "죠", "예요", "에요", "이며", "인가요", "인지", "입니까", "는몇", "는얼마"];

/// Reads tokens into lexemes.
pub(super) struct Lexer<'c, 'a> {
    catalog: &'c Catalog<'a>,
    pub tokens: &'c [Token],
    /// Places from which the rest of a token can't be read.
    dead_ends: HashSet<(usize, usize)>,
}

impl<'c, 'a> Lexer<'c, 'a> {
    /// A lexer over the tokens of one question.
    pub fn new(catalog: &'c Catalog<'a>, tokens: &'c [Token]) -> Self {
        Self { catalog, tokens, dead_ends: HashSet::new() }
    }

    /// The lexemes of the question, meaningless words left out.
    pub fn run(mut self) -> Vec<Lexeme<'a>> {
        let mut lexemes = Vec::new();
        let (mut at, mut offset) = (0, 0);
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            match &token.kind {
                Kind::Hangul => {
                    if let Some(read) = self.number_word(at).filter(|_| offset == 0) {
                        lexemes.push(Lexeme::new(&token.raw, read.sense));
                        (at, offset) = (read.token, read.offset);
                        continue;
                    }
                    let apart = offset == 0 && self.falls_apart(at);
                    if let Some((pieces, next)) = self.segment(at, offset).filter(|_| !apart) {
                        lexemes.extend(pieces);
                        at = next;
                    } else {
                        let rest: String = token.chars[offset..].iter().collect();
                        lexemes.push(Lexeme::new(&rest, Sense::Unknown));
                        at += 1;
                    }
                    offset = 0;
                }
                Kind::Number(value) => {
                    let read = numbers::read(&mut self, at, *value);
                    // 매출 1위 상품 is the top one; 3위 alone is not the top three.
                    let first = token.text == "1" && self.tokens.get(at + 1).is_some_and(|next| next.glued && next.text.starts_with('위'));
                    let ranked = lexemes.iter().any(|lexeme| matches!(lexeme.word(), Some(Word::Top | Word::Bottom)));
                    if first && !ranked {
                        lexemes.push(Lexeme::new("1위", Sense::Word(Word::Top)));
                    }
                    lexemes.push(Lexeme::new(&token.raw, read.sense));
                    (at, offset) = (read.token, read.offset);
                }
                Kind::Date { year, month, day } => {
                    let sense = match day {
                        None => Sense::YearMonth(*year, *month),
                        Some(day) => NaiveDate::from_ymd_opt(*year, *month, *day).map_or(Sense::Unknown, Sense::Day),
                    };
                    lexemes.push(Lexeme::new(&token.raw, sense));
                    at += 1;
                }
                Kind::Quoted => {
                    let mut lexeme = Lexeme::new(&token.raw, Sense::Quoted);
                    lexeme.values = self.catalog.holders(&token.text);
                    if !lexeme.values.is_empty() {
                        lexeme.sense = Sense::Schema;
                    }
                    lexemes.push(lexeme);
                    at += 1;
                }
                Kind::Latin => at += self.english(at, &mut lexemes),
            }
        }
        lexemes
    }

    fn find(&self, key: &str) -> Option<Found<'c, 'a>> {
        let catalog: &'c Catalog<'a> = self.catalog;
        match (lexicon::term(key), catalog.meanings(key)) {
            (Some(term), Some(meanings)) if self.names_measure(term, key, meanings) => Some(Found::Measure(meanings)),
            (Some(term), Some(meanings)) => {
                // The schema's own words win over filler and over what would be declined; other words of the dictionary stay what they are.
                let named = meanings.iter().any(|(_, meaning)| !matches!(meaning, Meaning::Value(..)));
                let schema = match term {
                    Term::Word(word) if word == Word::Stop || word.declines() => named || key.len() > 3 || starts_hangul(key),
                    Term::Unit(_) => named,
                    _ => false,
                };
                Some(if schema { Found::Schema(meanings) } else { Found::Term(term) })
            }
            (Some(term), None) => Some(Found::Term(term)),
            (None, Some(meanings)) => Some(Found::Schema(meanings)),
            (None, None) => None,
        }
    }

    /// Whether a word of the dictionary is the very name of a column with such numbers, as 매출, 지출 and 건수 are on spreadsheets.
    fn names_measure(&self, term: Term, key: &str, meanings: &[(u8, Meaning<'a>)]) -> bool {
        let may = matches!(term, Term::Word(Word::Revenue | Word::Sold | Word::Count | Word::Share));
        let own = |(rank, meaning): &(u8, Meaning<'a>)| match meaning {
            Meaning::Column(column) => *rank == 0 && self.catalog.columns[*column].measure && self.catalog.columns[*column].is_korean(),
            _ => false,
        };
        may && starts_hangul(key) && meanings.iter().any(own)
    }

    fn lexeme(text: &str, found: &Found<'c, 'a>) -> Option<Lexeme<'a>> {
        let sense = match found {
            Found::Schema(meanings) => return Some(Lexeme::of_schema(text, meanings)),
            Found::Measure(meanings) => {
                let lexeme = Lexeme::of_schema(text, meanings);
                return Some(Lexeme { tables: Vec::new(), values: Vec::new(), ..lexeme });
            }
            Found::Term(Term::Word(Word::Stop)) => return None,
            Found::Term(Term::Word(word)) => Sense::Word(*word),
            Found::Term(Term::Bucket(bucket)) => Sense::Bucket(*bucket),
            Found::Term(Term::Unit(bucket)) => Sense::Unit(*bucket),
            Found::Term(Term::Relative(relative)) => Sense::Relative(*relative),
            Found::Term(Term::Part(part)) => Sense::Part(*part),
            Found::Term(Term::Month(month)) => Sense::Month(*month),
        };
        Some(Lexeme::new(text, sense))
    }

    /// Known Korean phrases from a place, longest first, with the place after each. Phrases may run over spaces.
    fn korean_phrases(&self, at: usize, offset: usize) -> Vec<(String, Found<'c, 'a>, (usize, usize))> {
        let (mut token, mut offset) = (at, offset);
        let mut key = String::new();
        let mut found = Vec::new();
        for _ in 0..LONGEST_KOREAN {
            let Some(chars) = self.tokens.get(token).filter(|token| token.kind == Kind::Hangul).map(|token| &token.chars) else { break };
            key.push(chars[offset]);
            offset += 1;
            if let Some(meaning) = self.find(&key) {
                found.push((key.clone(), meaning, (token, offset)));
            }
            if offset == chars.len() {
                token += 1;
                offset = 0;
            }
        }
        found.reverse();
        found
    }

    /// Reads a Korean token from `offset` to its end (or to the end of a later one, if a phrase runs on); tells the token after.
    /// None if some of it is neither phrase nor ending.
    pub fn segment(&mut self, at: usize, offset: usize) -> Option<(Vec<Lexeme<'a>>, usize)> {
        let token = &self.tokens[at];
        if offset == token.chars.len() {
            return Some((Vec::new(), at + 1));
        }
        if self.dead_ends.contains(&(at, offset)) {
            return None;
        }
        for (key, found, (next, next_offset)) in self.korean_phrases(at, offset) {
            if let Some((rest, end)) = self.segment(next, next_offset) {
                let mut lexemes: Vec<Lexeme<'a>> = Self::lexeme(&key, &found).into_iter().collect();
                lexemes.extend(rest);
                return Some((lexemes, end));
            }
        }
        if offset > 0 || token.glued {
            for ending in lexicon::ENDING_LIST.iter().filter(|ending| token.chars[offset..].starts_with(ending)) {
                if let Some(read) = self.segment(at, offset + ending.len()) {
                    return Some(read);
                }
            }
        }
        self.dead_ends.insert((at, offset));
        None
    }

    /// 세 개, 다섯명, 만원: a number word with its counter.
    fn number_word(&self, at: usize) -> Option<numbers::Read> {
        let tokens: &'c [Token] = self.tokens;
        let token = &tokens[at];
        if let Some((value, taken)) = numbers::money_word(&token.text) {
            let (token, offset) = if taken == token.chars.len() { (at + 1, 0) } else { (at, taken) };
            return Some(numbers::Read { sense: numbers::plain(value, Unit::Money), token, offset });
        }
        let (value, rest) = numbers::korean_word(&token.text)?;
        let (place, rest) = if rest.is_empty() { (at + 1, tokens.get(at + 1)?.text.as_str()) } else { (at, rest) };
        let counter = ["가지", "개", "명", "곳"].into_iter().find(|counter| rest.starts_with(counter))?;
        let taken = tokens[place].chars.len() - rest.chars().count() + counter.chars().count();
        let ends = taken == tokens[place].chars.len();
        let (token, offset) = if ends { (place + 1, 0) } else { (place, taken) };
        Some(numbers::Read { sense: numbers::plain(value, Unit::Things), token, offset })
    }

    /// Whether a word falls apart into particles: 수원, 인도, 와인. It is a name that nobody here knows.
    fn falls_apart(&mut self, at: usize) -> bool {
        let tokens: &'c [Token] = self.tokens;
        let token = &tokens[at];
        if token.glued || token.chars.len() < 2 || self.find(&token.text).is_some() || lexicon::ENDING_LIST.contains(&token.chars) {
            return false;
        }
        let phrases = self.korean_phrases(at, 0);
        let first = phrases.into_iter().find(|(_, _, (next, offset))| self.segment(*next, *offset).is_some());
        let Some((key, ..)) = first else { return false };
        let rest: String = token.chars[1..].iter().collect();
        if key == "수" { !AFTER_COUNT.contains(&rest.as_str()) } else { PARTICLES.contains(&key.as_str()) }
    }

    /// Reads the longest English phrase at a token; tells how many tokens it took.
    fn english(&self, at: usize, lexemes: &mut Vec<Lexeme<'a>>) -> usize {
        // top ten, more than five
        if let Some(value) = numbers::english_word(&self.tokens[at].text)
            && lexemes.last().and_then(Lexeme::word).is_some_and(Word::takes_number)
        {
            lexemes.push(Lexeme::new(&self.tokens[at].raw, numbers::plain(value, Unit::None)));
            return 1;
        }
        let latin = self.tokens[at..].iter().take(LONGEST_ENGLISH).take_while(|token| token.kind == Kind::Latin).count();
        for length in (1..=latin).rev() {
            let part = &self.tokens[at..at + length];
            let join = |word: &dyn Fn(&Token) -> String| part.iter().map(word).collect::<Vec<_>>().join(" ");
            let written = join(&|token| token.text.clone());
            let Some(found) = self.find(&written).or_else(|| self.find(&join(&|token| singular(&token.text)))) else { continue };
            if let Some(mut lexeme) = Self::lexeme(&join(&|token| token.raw.clone()), &found) {
                lexeme.plural = part.last().is_some_and(|token| singular(&token.text) != token.text);
                lexemes.push(lexeme);
            }
            return length;
        }
        lexemes.push(Lexeme::new(&self.tokens[at].raw, Sense::Unknown));
        1
    }
}

/// Whether a text is written in Korean.
pub(super) fn is_korean(text: &str) -> bool {
    text.chars().any(is_hangul)
}
