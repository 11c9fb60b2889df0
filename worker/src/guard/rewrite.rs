//! What is changed before a statement runs, on its tokens; the result is parsed and checked again.
//!
//! Two things change: with masks, `*` is written out, so that a table that got a column since the last sync can't shift values
//! under another column's mask; and SQLite's texts in double quotes, which only mean a text as long as no column has that name,
//! become texts in single quotes.

use std::collections::{HashMap, HashSet};

use sqlparser::{
    ast::Ident,
    tokenizer::{Location, Span, Token, TokenWithSpan},
};

use super::refusal::{Checked, Refusal};

/// The columns of a `*`, each with its qualifier.
pub(super) type Expansion = Vec<(Option<Ident>, Ident)>;

/// The changes a walk found necessary, by the place of the token.
#[derive(Debug, Default)]
pub(super) struct Rewrites {
    texts: HashSet<Location>,
    wildcards: HashMap<Location, Wildcard>,
}

#[derive(Debug)]
struct Wildcard {
    // `alias.` stands before the star already.
    qualified: bool,
    columns: Checked<Expansion>,
}

impl Rewrites {
    /// The quoted name at this place is a text.
    pub fn text(&mut self, span: Span) {
        self.texts.insert(span.start);
    }

    /// The star at this place means these columns, or can't be written out.
    pub fn wildcard(&mut self, span: Span, qualified: bool, columns: Checked<Expansion>) {
        self.wildcards.insert(span.start, Wildcard { qualified, columns });
    }

    /// Whether anything is to be changed.
    pub fn needed(&self, masks_matter: bool) -> bool {
        !self.texts.is_empty() || (masks_matter && !self.wildcards.is_empty())
    }

    /// Changes the tokens.
    pub fn apply(mut self, tokens: Vec<TokenWithSpan>, masks_matter: bool) -> Checked<Vec<TokenWithSpan>> {
        let mut changed = Vec::with_capacity(tokens.len() + 64);
        for TokenWithSpan { token, span } in tokens {
            match token {
                Token::Word(word) if word.quote_style == Some('"') && self.texts.contains(&span.start) => {
                    let text = word.value.replace("\"\"", "\"").replace('\'', "''");
                    changed.push(TokenWithSpan { token: Token::SingleQuotedString(text), span });
                }
                Token::Mul if masks_matter && self.wildcards.contains_key(&span.start) => {
                    if let Some(wildcard) = self.wildcards.remove(&span.start) {
                        write_out(wildcard, span, &mut changed)?;
                    }
                }
                token => changed.push(TokenWithSpan { token, span }),
            }
        }
        if masks_matter && let Some(lost) = self.wildcards.keys().next() {
            return Err(Refusal::refused("A `*` can't be written out here, which masks require.")
                .hint("Name the columns in place of `*`.")
                .at(Span::new(*lost, *lost)));
        }
        Ok(changed)
    }
}

fn write_out(wildcard: Wildcard, span: Span, tokens: &mut Vec<TokenWithSpan>) -> Checked<()> {
    let mut push = |token| tokens.push(TokenWithSpan { token, span });
    for (index, (qualifier, column)) in wildcard.columns?.into_iter().enumerate() {
        if index > 0 {
            push(Token::Comma);
            push(Token::Whitespace(sqlparser::tokenizer::Whitespace::Space));
        }
        if let Some(qualifier) = qualifier
            && !(wildcard.qualified && index == 0)
        {
            push(Token::make_word(&qualifier.value, qualifier.quote_style));
            push(Token::Period);
        }
        push(Token::make_word(&column.value, column.quote_style));
    }
    Ok(())
}
