//! Words of questions, names and comments, and how well they fit each other.

use std::collections::{BTreeSet, HashMap};

pub(crate) use datagenie_common::wording::words::{fold, is_hangul, split};

/// English words that say nothing about which table is meant.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "all", "any", "are", "as", "at", "be", "by", "did", "do", "does", "each", "every", "for", "from", "give", "had",
    "has", "have", "how", "i", "in", "into", "is", "it", "its", "list", "many", "me", "most", "much", "my", "of", "on", "or", "our", "out",
    "per", "please", "show", "than", "that", "the", "their", "there", "these", "they", "this", "to", "us", "was", "we", "were", "what",
    "when", "where", "which", "who", "with", "you",
];

/// How much of a Korean word must be found, two syllables at a time, when the word itself is not.
const LEAST_BIGRAMS: f64 = 1.0 / 3.0;

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
