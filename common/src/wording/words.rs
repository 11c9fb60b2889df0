//! Words of names and sentences: English ones split on case and underscores, Korean ones as runs of Hangul.

/// Whether a character is a Hangul syllable.
#[must_use]
pub fn is_hangul(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Hangul,
    Gap,
}

fn class(c: char) -> Class {
    if is_hangul(c) {
        Class::Hangul
    } else if c.is_uppercase() {
        Class::Upper
    } else if c.is_alphanumeric() {
        Class::Lower
    } else {
        Class::Gap
    }
}

/// Splits at everything that is no letter or digit, between scripts, and inside `camelCase` and `HTTPServer`; in lower case, as written
/// otherwise.
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let here = class(c);
        let before = if at == 0 { Class::Gap } else { class(chars[at - 1]) };
        let after = chars.get(at + 1).map_or(Class::Gap, |&next| class(next));
        let starts = match here {
            Class::Gap => true,
            Class::Hangul => before != Class::Hangul,
            Class::Upper => before != Class::Upper || after == Class::Lower,
            Class::Lower => !matches!(before, Class::Lower | Class::Upper),
        };
        if starts && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if here != Class::Gap {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Makes one word of singular and plural. Not grammar: both forms only have to come out the same.
#[must_use]
pub fn fold(word: &str) -> String {
    let length = word.len();
    if !word.is_ascii() || length < 4 {
        return word.to_owned();
    }
    if let Some(stem) = word.strip_suffix("ies").or_else(|| word.strip_suffix("ie")) {
        return format!("{stem}y");
    }
    if ["sses", "xes", "ches", "shes", "tuses"].iter().any(|ending| word.ends_with(ending)) {
        return word[..length - 2].to_owned();
    }
    let plural = word.ends_with('s') && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending));
    if plural { word[..length - 1].to_owned() } else { word.to_owned() }
}
