//! Words of questions, names and comments: English ones split on case and underscores, Korean ones as runs of Hangul.

use std::collections::{BTreeSet, HashMap};

/// English words that say nothing about which table is meant.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "all", "any", "are", "as", "at", "be", "by", "did", "do", "does", "each", "every", "for", "from", "give", "had",
    "has", "have", "how", "i", "in", "into", "is", "it", "its", "list", "many", "me", "most", "much", "my", "of", "on", "or", "our", "out",
    "per", "please", "show", "than", "that", "the", "their", "there", "these", "they", "this", "to", "us", "was", "we", "were", "what",
    "when", "where", "which", "who", "with", "you",
];

/// How much of a Korean word must be found, two syllables at a time, when the word itself is not.
const LEAST_BIGRAMS: f64 = 1.0 / 3.0;

/// Whether a character is a Hangul syllable.
pub(crate) fn is_hangul(c: char) -> bool {
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
pub(crate) fn split(text: &str) -> Vec<String> {
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
pub(crate) fn fold(word: &str) -> String {
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

/// The terms of a name or comment: folded English words, and Korean words of at least two syllables.
pub(crate) fn terms(text: &str) -> Vec<String> {
    split(text).into_iter().filter(|word| !is_korean(word) || word.chars().count() > 1).map(|word| fold(&word)).collect()
}

fn is_korean(word: &str) -> bool {
    word.chars().next().is_some_and(is_hangul)
}

fn bigrams(word: &str) -> impl Iterator<Item = (char, char)> + '_ {
    word.chars().zip(word.chars().skip(1))
}

/// A question, ready to be compared with names, comments and values.
#[derive(Debug)]
pub(crate) struct Asked {
    text: String,
    words: BTreeSet<String>,
    bigrams: BTreeSet<(char, char)>,
}

impl Asked {
    /// Takes a question apart.
    pub(crate) fn of(question: &str) -> Self {
        let words = split(question);
        let bigrams = words.iter().filter(|word| is_korean(word)).flat_map(|word| bigrams(word)).collect();
        let words = words.iter().filter(|word| !STOP_WORDS.contains(&word.as_str())).map(|word| fold(word)).collect();
        Self { text: question.to_lowercase(), words, bigrams }
    }

    /// How much of a term the question says: 0 to 1.
    pub(crate) fn says(&self, term: &str) -> f64 {
        if !is_korean(term) {
            return if self.words.contains(term) { 1.0 } else { 0.0 };
        }
        if self.text.contains(term) {
            return 1.0;
        }
        let (mut all, mut found) = (0_u32, 0_u32);
        for pair in bigrams(term) {
            all += 1;
            found += u32::from(self.bigrams.contains(&pair));
        }
        let part = if all == 0 { 0.0 } else { f64::from(found) / f64::from(all) };
        // Syllables that only look alike weigh less than the word itself.
        if part < LEAST_BIGRAMS { 0.0 } else { part * 0.6 }
    }

    /// Whether the question names this value: all of its words, or (Korean) its very text.
    pub(crate) fn names_value(&self, value: &str) -> bool {
        let value = value.trim().to_lowercase();
        if value.chars().count() < 2 {
            return false;
        }
        if value.chars().any(is_hangul) {
            return self.text.contains(&value);
        }
        let words = split(&value);
        !words.is_empty() && words.iter().all(|word| self.words.contains(&fold(word)))
    }
}

/// How telling each term is: one that every table has (`id`, a prefix) weighs little, a rare one much.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    tables: usize,
    tables_with: HashMap<String, usize>,
}

impl Weights {
    /// Counts the terms of one more table.
    pub(crate) fn add(&mut self, terms: BTreeSet<String>) {
        self.tables += 1;
        for term in terms {
            *self.tables_with.entry(term).or_default() += 1;
        }
    }

    /// From 1 (in every table) up.
    fn of(&self, term: &str) -> f64 {
        let with = self.tables_with.get(term).copied().unwrap_or(1).max(1);
        1.0 + (self.tables.max(1) as f64 / with as f64).ln()
    }

    /// How well a question fits a name or comment: the weights of the terms it says, times the part of the terms that it says.
    pub(crate) fn score(&self, asked: &Asked, terms: &[String]) -> f64 {
        if terms.is_empty() {
            return 0.0;
        }
        let said: Vec<f64> = terms.iter().map(|term| asked.says(term)).collect();
        let weight: f64 = terms.iter().zip(&said).map(|(term, said)| self.of(term) * said).sum();
        weight * said.iter().sum::<f64>() / terms.len() as f64
    }
}
