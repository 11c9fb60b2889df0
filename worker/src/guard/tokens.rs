//! What is done with the tokens before the parser recurses over them: limits, and the few things that engines read differently.

use std::collections::HashSet;

use datagenie_common::model::connections::DbType;
use sqlparser::{
    keywords::Keyword,
    tokenizer::{Location, Token, TokenWithSpan, Whitespace, Word},
};

use super::refusal::{Checked, Refusal};

/// How many tokens may stand in one list item or pair of parentheses. A chain of operators becomes a tree that deep, and trees are
/// compared and dropped recursively.
const MAX_RUN: usize = 2_000;
/// How deep parentheses may be nested: some parts of the parser recurse without counting.
const MAX_NESTING: usize = 100;
/// How many set operators and joins one statement may have: both become chains too.
const MAX_CHAIN: usize = 200;

/// Checks what can be told from the tokens alone.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Checked<()> {
    let mut sizes = Sizes { runs: vec![0], chain: 0 };
    let mut first = true;
    for token in tokens {
        match &token.token {
            Token::Whitespace(Whitespace::MultiLineComment(text)) if text.starts_with('!') || text.starts_with("M!") => {
                return Err(Refusal::refused("Comments that a server may execute (`/*! … */`) are not allowed.")
                    .hint("Leave the comment out.")
                    .at(token.span));
            }
            Token::Whitespace(_) => continue,
            Token::Word(word) if first && word.keyword == Keyword::TABLE && word.quote_style.is_none() => {
                return Err(Refusal::refused("The short form `TABLE name` is not allowed.")
                    .hint("Write SELECT * FROM name.")
                    .at(token.span));
            }
            Token::Word(word) if first && !begins_query(word) => {
                return Err(only_select(&format!("This begins with {}.", shortened(&word.value))).at(token.span));
            }
            other => sizes.add(other).map_err(|refusal| refusal.at(token.span))?,
        }
        first = false;
    }
    Ok(())
}

struct Sizes {
    // The tokens so far, for each open pair of parentheses, since its last comma.
    runs: Vec<usize>,
    chain: usize,
}

impl Sizes {
    fn add(&mut self, token: &Token) -> Checked<()> {
        match token {
            Token::LParen | Token::LBracket => {
                self.runs.push(0);
                return if self.runs.len() > MAX_NESTING { Err(too_deep()) } else { Ok(()) };
            }
            Token::RParen | Token::RBracket if self.runs.len() > 1 => {
                self.runs.pop();
            }
            Token::Comma => {
                if let Some(run) = self.runs.last_mut() {
                    *run = 0;
                }
            }
            Token::Word(word) => self.chain += usize::from(chains(word)),
            _ => {}
        }
        let Some(run) = self.runs.last_mut() else { return Ok(()) };
        *run += 1;
        if *run > MAX_RUN || self.chain > MAX_CHAIN {
            return Err(Refusal::refused("The statement has too long a chain of conditions, joins or set operations.")
                .hint("Use IN (…) in place of many ORs, and fewer joins."));
        }
        Ok(())
    }
}

fn chains(word: &Word) -> bool {
    matches!(word.keyword, Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS | Keyword::JOIN | Keyword::STRAIGHT_JOIN)
}

fn begins_query(word: &Word) -> bool {
    matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES) && word.quote_style.is_none()
}

/// The refusal of another kind of statement.
pub(super) fn only_select(what: &str) -> Refusal {
    Refusal::refused(format!("Only a SELECT can be run, and nothing that changes or administers the database. {what}"))
        .hint("Write one statement that begins with SELECT or WITH.")
}

/// The refusal of too many levels.
pub(super) fn too_deep() -> Refusal {
    Refusal::refused("The statement is nested too deeply.").hint("Use fewer levels of parentheses and subqueries.")
}

fn shortened(text: &str) -> String {
    let mut word: String = text.chars().take(20).collect();
    if word.len() < text.len() {
        word.push('…');
    }
    format!("`{word}`")
}

/// Refuses SQLite's `INDEXED BY name`, which the parser does not know: rendered anew, the statement would run without it.
pub(super) fn without_index_hints(tokens: &[TokenWithSpan]) -> Checked<()> {
    let solid: Vec<&TokenWithSpan> = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    for pair in solid.windows(2) {
        if is_word(pair[0], "INDEXED") && is_word(pair[1], "BY") {
            return Err(Refusal::refused("`INDEXED BY` is not allowed.")
                .hint("Leave it out: the database chooses the index.")
                .at(pair[0].span));
        }
    }
    Ok(())
}

fn is_word(token: &TokenWithSpan, text: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

/// Makes the tokens say what the engine would read where the parser reads something else.
pub(super) fn tidy(sql: &str, tokens: Vec<TokenWithSpan>, db: DbType) -> Vec<TokenWithSpan> {
    match db {
        DbType::Mysql => tokens,
        DbType::Postgresql => with_hexadecimal_numbers(sql, tokens),
        DbType::Sqlite => without_noise(with_hexadecimal_numbers(sql, tokens)),
    }
}

// To the parser `0x1F` is `X'1F'`. That is so in MySQL; elsewhere it is a number.
fn with_hexadecimal_numbers(sql: &str, mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !sql.contains("0x") {
        return tokens;
    }
    let mut starts = HashSet::new();
    let mut place = Location { line: 1, column: 1 };
    for (index, c) in sql.char_indices() {
        if sql[index..].starts_with("0x") {
            starts.insert(place);
        }
        if c == '\n' {
            place = Location { line: place.line + 1, column: 1 };
        } else {
            place.column += 1;
        }
    }
    for token in &mut tokens {
        if let Token::HexStringLiteral(digits) = &token.token
            && starts.contains(&token.span.start)
            && let Ok(number) = i64::from_str_radix(&digits.replace('_', ""), 16)
        {
            token.token = Token::Number(number.to_string(), false);
        }
    }
    tokens
}

// What SQLite accepts, the parser does not, and makes no difference to the result: the size of a type in a cast (only the name gives
// the affinity).
fn without_noise(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let solid: Vec<usize> = (0..tokens.len()).filter(|&i| !matches!(tokens[i].token, Token::Whitespace(_))).collect();
    let at = |place: usize| solid.get(place).map(|&i| &tokens[i].token);
    let is = |place: usize, text: &str| matches!(at(place), Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text));
    let number = |place: usize| matches!(at(place), Some(Token::Number(..)));
    let mut dropped = vec![false; tokens.len()];
    for place in 0..solid.len() {
        let end = if is(place, "AS")
            && ["REAL", "TEXT", "BLOB"].iter().any(|name| is(place + 1, name))
            && at(place + 2) == Some(&Token::LParen)
            && number(place + 3)
        {
            match (at(place + 4), at(place + 6)) {
                (Some(Token::RParen), _) => Some((place + 2, place + 4)),
                (Some(Token::Comma), Some(Token::RParen)) if number(place + 5) => Some((place + 2, place + 6)),
                _ => None,
            }
        } else {
            None
        };
        if let Some((from, to)) = end {
            for &index in &solid[from..=to] {
                dropped[index] = true;
            }
        }
    }
    tokens.into_iter().zip(dropped).filter_map(|(token, drop)| (!drop).then_some(token)).collect()
}
