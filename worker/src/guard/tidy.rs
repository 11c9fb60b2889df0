//! Makes the tokens say what the engine would read where the parser reads something else, or nothing.

use std::collections::HashSet;

use datagenie_common::model::connections::DbType;
use sqlparser::{
    keywords::Keyword,
    tokenizer::{Location, Token, TokenWithSpan, Whitespace},
};

use super::refusal::{Checked, Refusal};

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
    is_plain(&token.token, text)
}

fn is_plain(token: &Token, text: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

/// Makes the tokens say what the engine would read where the parser reads something else.
pub(super) fn tidy(sql: &str, tokens: Vec<TokenWithSpan>, db: DbType) -> Vec<TokenWithSpan> {
    match db {
        DbType::Mysql => tokens.into_iter().map(as_mysql).collect(),
        DbType::Postgresql => with_tests_for_null(with_hexadecimal_numbers(sql, tokens)),
        DbType::Sqlite => without_noise(with_tests_for_null(with_hexadecimal_numbers(sql, tokens))),
    }
}

// Texts in double quotes become texts in single quotes, which they are whatever `sql_mode` says of double quotes; and `0x1` is X'01'.
fn as_mysql(token: TokenWithSpan) -> TokenWithSpan {
    let TokenWithSpan { token, span } = token;
    let token = match token {
        Token::DoubleQuotedString(raw) => Token::SingleQuotedString(in_single_quotes(&raw)),
        Token::HexStringLiteral(digits) if digits.len() % 2 == 1 => Token::HexStringLiteral(format!("0{digits}")),
        other => other,
    };
    TokenWithSpan { token, span }
}

// The text between double quotes, as it is written between single quotes: backslashes mean the same in both.
fn in_single_quotes(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                text.push(c);
                text.extend(chars.next());
            }
            '\'' => text.push_str("''"),
            '"' => {
                // It is doubled.
                text.push(c);
                chars.next();
            }
            _ => text.push(c),
        }
    }
    text
}

// `x ISNULL` is `x IS NULL`.
fn with_tests_for_null(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(token, "ISNULL")) {
        return tokens;
    }
    let mut changed = Vec::with_capacity(tokens.len() + 2);
    let mut after_name = false;
    for TokenWithSpan { token, span } in tokens {
        let solid = !matches!(token, Token::Whitespace(_));
        // Not where it is a name.
        if after_name && is_plain(&token, "ISNULL") {
            for token in [Token::make_keyword("IS"), Token::Whitespace(Whitespace::Space), Token::make_keyword("NULL")] {
                changed.push(TokenWithSpan { token, span });
            }
            continue;
        }
        if solid {
            after_name = ends_value(&token);
        }
        changed.push(TokenWithSpan { token, span });
    }
    changed
}

// Whether a value may end with the token: a name, but not a word after which a value begins.
fn ends_value(token: &Token) -> bool {
    use Keyword as K;
    match token {
        Token::Word(word) => !matches!(
            word.keyword,
            K::SELECT
                | K::DISTINCT
                | K::ALL
                | K::AS
                | K::FROM
                | K::JOIN
                | K::ON
                | K::WHERE
                | K::BY
                | K::HAVING
                | K::LIMIT
                | K::OFFSET
                | K::AND
                | K::OR
                | K::NOT
                | K::IN
                | K::IS
                | K::LIKE
                | K::BETWEEN
                | K::CASE
                | K::WHEN
                | K::THEN
                | K::ELSE
        ),
        Token::RParen | Token::RBracket | Token::Number(..) | Token::SingleQuotedString(_) => true,
        _ => false,
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
