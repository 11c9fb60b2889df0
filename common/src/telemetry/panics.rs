//! Panics as log lines. Their words are made by whoever panics, the standard library among them, and may quote what was at hand (a question,
//! a row, a URL with its password): what is quoted, and what looks like a secret, is left out; where it happened always stands there.

use std::panic::PanicHookInfo;

/// So many characters of it are looked at.
const LONGEST: usize = 1_000;
/// A run of small and capital letters, digits and signs of base64 that is as long as this is taken for a key or a token.
const KEY_CHARS: usize = 32;
const LEFT_OUT: char = '…';
const TOKENS: [&str; 4] = ["dg_", "dgs_", "whsec_", "sk-"];
const NAMES: [&str; 6] = ["password", "secret", "token", "key", "authorization", "bearer"];

/// What a panic says, without what it quotes.
pub(super) fn words(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    scrubbed(text.unwrap_or("no words"))
}

fn scrubbed(text: &str) -> String {
    let (mut kept, mut hide_next) = (String::new(), false);
    let cut: String = text.chars().take(LONGEST).collect();
    for word in unquoted(&cut).split_inclusive(|c: char| c.is_whitespace() || "(){}[],;".contains(c)) {
        let (scrubbed, names_secret) = scrubbed_word(word);
        // A name may stand apart from its value: `password = x`.
        if hide_next && (word.trim().is_empty() || matches!(word.trim(), "=" | ":")) {
            kept.push_str(word);
            continue;
        }
        if hide_next {
            kept.push(LEFT_OUT);
            kept.extend(word.chars().last().filter(|c| c.is_whitespace()));
        } else {
            kept.push_str(&scrubbed);
        }
        hide_next = names_secret;
    }
    kept
}

/// The text without what stands in quotes, but for names of types and functions, as `Result::unwrap()`. What is opened and not closed was cut.
fn unquoted(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once(['"', '`']) {
        let quote = rest[before.len()..].chars().next().unwrap_or('"');
        kept.push_str(before);
        kept.push(quote);
        let Some(end) = closing(opened, quote) else {
            kept.push(LEFT_OUT);
            return kept;
        };
        let quoted = &opened[..end];
        let is_name = quoted.contains("::") && quoted.chars().all(|c| c.is_ascii_alphanumeric() || "_:()<>".contains(c));
        if is_name {
            kept.push_str(quoted);
        } else if !quoted.is_empty() {
            kept.push(LEFT_OUT);
        }
        kept.push(quote);
        rest = &opened[end + 1..];
    }
    kept.push_str(rest);
    kept
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// The word without a secret, and whether the next one is a secret's value.
fn scrubbed_word(word: &str) -> (String, bool) {
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        return (format!("{scheme}://{LEFT_OUT}@{host}"), false);
    }
    let end = word.chars().last().filter(|c| c.is_whitespace()).map(String::from).unwrap_or_default();
    let names_secret = |name: &str| NAMES.iter().any(|secret| name.to_ascii_lowercase().ends_with(secret));
    if let Some((name, value)) = word.split_once(['=', ':'])
        && names_secret(name)
    {
        return match value.trim() {
            "" => (word.to_owned(), true),
            _ => (format!("{name}={LEFT_OUT}{end}"), false),
        };
    }
    let looks_like_one = word.split(|c: char| !is_of_a_key(c)).any(|run| is_key(run) || TOKENS.iter().any(|token| run.starts_with(token)));
    if looks_like_one { (format!("{LEFT_OUT}{end}"), false) } else { (word.to_owned(), names_secret(word.trim())) }
}

fn is_of_a_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/_-".contains(c)
}

fn is_key(run: &str) -> bool {
    run.len() >= KEY_CHARS && run.contains(|c: char| c.is_ascii_uppercase()) && run.contains(|c: char| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::{sealing::generate_key, tokens},
        ids::SessionId,
    };

    #[test]
    fn what_a_panic_quotes_is_left_out_and_what_happened_is_told() {
        for (text, kept) in [
            ("index out of bounds: the len is 3 but the index is 5", "index out of bounds: the len is 3 but the index is 5"),
            (
                "end byte index 2 is not a char boundary; it is inside '한' (bytes 1..4) of `a한국 planted words`",
                "end byte index 2 is not a char boundary; it is inside '한' (bytes 1..4) of `…`",
            ),
            (
                "called `Result::unwrap()` on an `Err` value: Database(\"a \\\"planted\\\" row\", 7)",
                "called `Result::unwrap()` on an `…` value: Database(\"…\", 7)",
            ),
            ("assertion failed: `cut off and planted", "assertion failed: `…"),
            ("no such user: postgres://u:planted@db:5432/d)", "no such user: postgres://…@db:5432/d)"),
            ("config { password: planted, port: 1 }", "config { password: … port: 1 }"),
            ("refused: api_key=planted", "refused: api_key=…"),
            ("sent Bearer planted and failed", "sent Bearer … and failed"),
            ("job 0198c0de-0000-7000-8000-000000000001 is gone", "job 0198c0de-0000-7000-8000-000000000001 is gone"),
        ] {
            assert_eq!(scrubbed(text), kept);
        }
    }

    #[test]
    fn keys_and_tokens_are_left_out_wherever_they_stand() {
        use secrecy::ExposeSecret;
        let (session, key) = (tokens::mint_session(SessionId::new()), tokens::mint_api_key());
        let signing = crate::crypto::SigningSecret::mint();
        let secrets = [
            generate_key(),
            session.token.expose_secret().to_owned(),
            key.key.expose_secret().to_owned(),
            signing.text().expose_secret().to_owned(),
            "sk-planted".to_owned(),
        ];
        for secret in secrets {
            for text in [format!("no key {secret}"), format!("Key({secret})"), format!("main:{secret},other"), format!("k={secret}.")] {
                let kept = scrubbed(&text);
                assert!(!kept.contains(&secret[secret.len() - 6..]), "{text}: {kept}");
            }
        }
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(scrubbed(&"a word ".repeat(1_000)).len(), LONGEST);
    }
}
