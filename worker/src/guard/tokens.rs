//! What is told from the tokens before the parser recurses over them: limits, and what no statement may begin with or hold.

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Whitespace, Word},
};

use super::refusal::{Checked, Refusal};

/// How many tokens may stand in one list item or pair of parentheses. A chain of operators becomes a tree that deep, and trees are
/// compared and dropped recursively.
const MAX_RUN: usize = 2_000;
/// How deep parentheses may be nested: some parts of the parser recurse without counting.
const MAX_NESTING: usize = 100;
/// How many calls of `POSITION`, and parentheses with VALUES, may be nested: the parser reads each of them twice, and so what is in it.
const MAX_READ_TWICE: usize = 4;
/// How many set operators and joins one statement may have: both become chains too.
const MAX_CHAIN: usize = 200;

/// Checks what can be told from the tokens alone.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Checked<()> {
    let mut sizes = Sizes::new();
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

#[derive(Default)]
struct Sizes {
    // Open pairs of parentheses, the first being the statement itself.
    groups: Vec<Group>,
    chain: usize,
    read_twice: usize,
    after_position: bool,
}

#[derive(Default)]
struct Group {
    // The tokens so far since the last comma.
    run: usize,
    twice: bool,
}

impl Sizes {
    fn new() -> Self {
        Self { groups: vec![Group::default()], ..Self::default() }
    }

    fn add(&mut self, token: &Token) -> Checked<()> {
        let twice = std::mem::replace(&mut self.after_position, is_plain(token, Keyword::POSITION)) && *token == Token::LParen;
        match token {
            Token::LParen | Token::LBracket => {
                self.groups.push(Group { run: 0, twice });
                self.read_twice += usize::from(twice);
                return if self.groups.len() > MAX_NESTING { Err(too_deep()) } else { self.once_or_twice() };
            }
            Token::RParen | Token::RBracket if self.groups.len() > 1 => {
                let closed = self.groups.pop().unwrap_or_default();
                self.read_twice -= usize::from(closed.twice);
            }
            Token::Comma => {
                if let Some(group) = self.groups.last_mut() {
                    group.run = 0;
                }
            }
            Token::Word(word) => self.chain += usize::from(chains(word)),
            _ => {}
        }
        if is_plain(token, Keyword::VALUES)
            && let Some(group) = self.groups.last_mut()
            && !std::mem::replace(&mut group.twice, true)
        {
            self.read_twice += 1;
            self.once_or_twice()?;
        }
        let Some(group) = self.groups.last_mut() else { return Ok(()) };
        group.run += 1;
        if group.run > MAX_RUN || self.chain > MAX_CHAIN {
            return Err(Refusal::refused("The statement has too long a chain of conditions, joins or set operations.")
                .hint("Use IN (…) in place of many ORs, and fewer joins."));
        }
        Ok(())
    }

    fn once_or_twice(&self) -> Checked<()> {
        if self.read_twice > MAX_READ_TWICE { Err(too_deep()) } else { Ok(()) }
    }
}

fn is_plain(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword && word.quote_style.is_none())
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
