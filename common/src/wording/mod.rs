//! How numbers, names and particles are worded in summaries and insights, Korean and English. Pure; every sentence's digits are computed.

pub mod josa;
pub mod names;
pub mod numbers;
pub mod words;

/// With a capital first letter, for the beginning of an English sentence. A name of a single letter stays as it is written.
#[must_use]
pub fn capital(text: &str) -> String {
    if text.chars().nth(1).is_none() {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
