//! What a role may do beyond reading, by what `SHOW GRANTS` says of it. Everything that is not known to be harmless counts: a privilege
//! that a later version brings, a line that can't be read.
//!
//! The statement tells what the role has by itself, by the roles that its sessions have, and by what everybody has (`PUBLIC`).

use super::tokens::{Kind, Token, tokens};

/// Privileges by which nothing changes and nothing but tables and their definitions is read.
const HARMLESS: [&str; 4] = ["USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES"];
/// How many things are told of each kind; of more it is only said that there are more.
const TOLD: usize = 5;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grants {
    /// What goes beyond reading, in words.
    pub(super) writable: Vec<String>,
    /// Roles that were granted, and of whose own privileges nothing is said.
    pub(super) roles: Vec<String>,
    /// Whether all databases can be read, the server's own among them.
    pub(super) reads_everything: bool,
}

/// Reads the lines of `SHOW GRANTS`.
pub(super) fn read<'l>(lines: impl IntoIterator<Item = &'l str>) -> Grants {
    let mut grants = Grants::default();
    let (mut grantees, mut is_told) = (Vec::new(), false);
    for line in lines {
        is_told = true;
        let tokens = tokens(line);
        match tokens.first() {
            Some(first) if first.is_word("GRANT") => {
                let to = tokens.iter().rposition(|token| token.is_word("TO"));
                grantees.extend(to.and_then(|to| tokens.get(to + 1)?.name().map(str::to_owned)));
                if read_grant(line, &tokens[1..], &mut grants).is_none() {
                    grants.writable.push("has a privilege that DataGenie can't read".to_owned());
                }
            }
            // `SET DEFAULT ROLE …` grants nothing; `REVOKE …` takes some of what a line before granted, which is told all the same.
            Some(first) if first.is_word("SET") || first.is_word("REVOKE") => {}
            _ => grants.writable.push("has a privilege that DataGenie can't read".to_owned()),
        }
    }
    // Every role has a line, be it that it may sign in.
    if !is_told {
        grants.writable.push("has privileges that DataGenie can't read".to_owned());
    }
    // MariaDB tells what the roles that a session has may do, each by itself.
    grants.roles.retain(|role| !grantees.contains(role));
    if grants.writable.len() > TOLD {
        grants.writable.truncate(TOLD);
        grants.writable.push("and more".to_owned());
    }
    grants
}

/// `privileges ON object TO grantee`, or `roles TO grantee`.
fn read_grant(line: &str, tokens: &[Token<'_>], grants: &mut Grants) -> Option<()> {
    let to = outside(tokens, |token| token.is_word("TO"))?;
    let options = &tokens[to..];
    let Some(on) = outside(&tokens[..to], |token| token.is_word("ON")) else {
        let roles = roles(&tokens[..to])?;
        if has_option(options, "ADMIN") {
            grants.writable.push(format!("may give others the roles {}", listed(&roles)));
        }
        grants.roles.extend(roles);
        return Some(());
    };
    let object = line.get(tokens.get(on + 1)?.start..tokens.get(to - 1)?.end)?;
    let names = privileges(&tokens[..on])?;
    grants.reads_everything |= object == "*.*" && names.iter().any(|name| name == "SELECT");
    let mut beyond: Vec<String> = names.into_iter().filter(|name| !HARMLESS.contains(&name.as_str())).collect();
    if has_option(options, "GRANT") {
        beyond.push("GRANT OPTION".to_owned());
    }
    if !beyond.is_empty() {
        let is_public = options.get(1).is_some_and(|token| token.is_word("PUBLIC"));
        let who = if is_public { "has, as everybody does," } else { "has" };
        grants.writable.push(format!("{who} {} on {object}", listed(&beyond)));
    }
    Some(())
}

/// The first token outside parentheses that is meant.
fn outside(tokens: &[Token<'_>], is_meant: impl Fn(&Token<'_>) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|token| {
        match token.kind {
            Kind::Sign('(') => depth += 1,
            Kind::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && is_meant(token)
    })
}

/// The privileges of a list, without the columns that some of them are for.
fn privileges(tokens: &[Token<'_>]) -> Option<Vec<String>> {
    let mut names = vec![String::new()];
    let mut depth = 0_usize;
    for token in tokens {
        match &token.kind {
            Kind::Sign('(') => depth += 1,
            Kind::Sign(')') => depth = depth.checked_sub(1)?,
            _ if depth > 0 => {}
            Kind::Sign(',') => names.push(String::new()),
            Kind::Word(word) => {
                let name = names.last_mut()?;
                if !name.is_empty() {
                    name.push(' ');
                }
                name.push_str(&word.to_ascii_uppercase());
            }
            Kind::Quoted(_) | Kind::Literal | Kind::Sign(_) => return None,
        }
    }
    (!names.iter().any(String::is_empty)).then_some(names)
}

/// The names of a list of roles, without the hosts that MySQL puts behind them.
fn roles(tokens: &[Token<'_>]) -> Option<Vec<String>> {
    let is_host = |place: usize| place > 0 && tokens[place - 1].is_sign('@');
    let names = tokens.iter().enumerate().filter(|(place, _)| !is_host(*place)).filter_map(|(_, token)| token.name());
    let names: Vec<String> = names.map(str::to_owned).collect();
    (!names.is_empty()).then_some(names)
}

/// Whether a grant ends with `WITH … OPTION` of this kind.
fn has_option(tokens: &[Token<'_>], kind: &str) -> bool {
    tokens.windows(2).any(|pair| matches!(pair, [first, second] if first.is_word(kind) && second.is_word("OPTION")))
}

fn listed(names: &[String]) -> String {
    let told = names.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > TOLD { format!("{told} and more") } else { told }
}

#[cfg(test)]
mod tests;
