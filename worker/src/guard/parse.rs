//! From text to one query and back: limits, comments, exactly one statement, and the rendering with its round trip.

use datagenie_common::model::{connections::DbType, questions::Position};
use sqlparser::{
    ast::{Query, Statement},
    parser::{Parser, ParserError, ParserOptions},
    tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError},
};

use super::{
    dialects,
    refusal::{Checked, Refusal},
    tidy,
    tokens::{self, only_select, too_deep},
};

/// Longer statements are not read.
const MAX_BYTES: usize = 64 * 1024;
/// How deep the parser may recurse.
const MAX_DEPTH: usize = 50;

/// A statement as read: its tree, and the tokens that made it.
pub(super) struct Read {
    pub tokens: Vec<TokenWithSpan>,
    pub query: Box<Query>,
}

/// The statement as it runs, and the tree that this text is.
pub(super) struct Rendered {
    pub sql: String,
    pub again: Box<Query>,
}

/// Reads the text as exactly one query.
pub(super) fn statement(sql: &str, db: DbType) -> Checked<Read> {
    if sql.len() > MAX_BYTES {
        return Err(Refusal::refused(format!("The statement is longer than {} KiB.", MAX_BYTES / 1024))
            .hint("Write a shorter statement: fewer values in lists, no repeated parts."));
    }
    if sql.contains('\0') {
        return Err(Refusal::refused("The statement contains a NUL character."));
    }
    // Editors put a byte-order mark there.
    let sql = sql.strip_prefix('\u{FEFF}').unwrap_or(sql);
    let mut tokens = tokenize(sql, db).map_err(|error| unreadable_token(&error))?;
    tokens::check(&tokens)?;
    if db == DbType::Sqlite {
        tidy::without_index_hints(&tokens)?;
    }
    tokens = tidy::tidy(sql, tokens, db);
    let query = query(tokens.clone(), db)?;
    Ok(Read { tokens, query })
}

/// Reads tokens as exactly one query.
pub(super) fn query(tokens: Vec<TokenWithSpan>, db: DbType) -> Checked<Box<Query>> {
    let mut statements = parse(tokens, db)?;
    match (statements.pop(), statements.is_empty()) {
        (None, _) => Err(Refusal::invalid("The statement is empty.").hint("Write one SELECT.")),
        (Some(_), false) => Err(Refusal::refused("There is more than one statement.").hint("Write exactly one SELECT.")),
        (Some(Statement::Query(query)), true) => Ok(query),
        (Some(_), true) => Err(only_select("This is another kind of statement.")),
    }
}

/// Renders the tree; the text must render to itself again. Whether it is the same tree is [`same`]'s to say.
pub(super) fn render(query: &Query, db: DbType) -> Checked<Rendered> {
    let sql = query.to_string();
    let again = tokenize(&sql, db).map_err(|_| unfaithful()).and_then(|tokens| self::query(tokens, db).map_err(|_| unfaithful()))?;
    if again.to_string() == sql { Ok(Rendered { sql, again }) } else { Err(unfaithful()) }
}

/// Makes sure that the rendered text means the tree it was rendered from. Recursive: only for trees without long chains.
pub(super) fn same(query: &Query, rendered: &Rendered) -> Checked<()> {
    if *rendered.again == *query { Ok(()) } else { Err(unfaithful()) }
}

fn unfaithful() -> Refusal {
    Refusal::invalid("The statement is written in a way that can't be rendered again with the same meaning.")
        .hint("Write it more plainly: simple quotes and literals, parentheses around unusual expressions.")
}

fn tokenize(sql: &str, db: DbType) -> Result<Vec<TokenWithSpan>, TokenizerError> {
    Tokenizer::new(dialects::of(db), sql).with_unescape(false).tokenize_with_location()
}

fn parse(tokens: Vec<TokenWithSpan>, db: DbType) -> Checked<Vec<Statement>> {
    let mut parser = Parser::new(dialects::of(db))
        .with_options(ParserOptions::new().with_unescape(false))
        .with_recursion_limit(MAX_DEPTH)
        .with_tokens_with_locations(tokens);
    let statements = parser.parse_statements().map_err(|error| unreadable(&error))?;
    // The parser stops at an END; nothing may hide behind it.
    if parser.peek_token_ref().token != Token::EOF {
        return Err(Refusal::invalid("The statement does not end where it should.").at(parser.peek_token_ref().span));
    }
    Ok(statements)
}

fn unreadable_token(error: &TokenizerError) -> Refusal {
    let mut refusal = Refusal::invalid(format!("The statement can't be read: {}.", error.message.trim_end_matches('.')))
        .hint("Check quotes and comments: each must be closed.");
    if error.location.line > 0 {
        refusal.position = Some(Position { line: error.location.line, column: error.location.column });
    }
    refusal
}

fn unreadable(error: &ParserError) -> Refusal {
    match error {
        ParserError::RecursionLimitExceeded => too_deep(),
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            let (message, position) = split_position(text);
            let mut refusal =
                Refusal::invalid(format!("The statement can't be read: {message}.")).hint("Write plain SQL of this database's dialect.");
            refusal.position = position;
            refusal
        }
    }
}

// The parser appends ` at Line: 1, Column: 8` to its messages.
fn split_position(text: &str) -> (&str, Option<Position>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else {
        return (text, None);
    };
    let Some((line, column)) = place.split_once(", Column: ") else {
        return (text, None);
    };
    match (line.trim().parse(), column.trim().parse()) {
        (Ok(line), Ok(column)) => (message, Some(Position { line, column })),
        _ => (message, None),
    }
}
