//! Sentences in both languages: what is found on a sheet is said before it is known in which language it is wanted.

use datagenie_common::model::language::Language;

/// A sentence in each language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// In Korean.
    pub korean: String,
    /// In English.
    pub english: String,
}

impl Words {
    /// A sentence that means the same in both.
    #[must_use]
    pub fn new(korean: impl Into<String>, english: impl Into<String>) -> Self {
        Self { korean: korean.into(), english: english.into() }
    }

    /// The sentence in one of them.
    #[must_use]
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::Korean => &self.korean,
            Language::English => &self.english,
        }
    }
}

/// Something that was taken for granted of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// A word of [`datagenie_common::analyses::Assumption::kind`].
    pub kind: &'static str,
    /// The same in a sentence.
    pub words: Words,
    /// Where: `A1:C1`.
    pub range: String,
}

/// A number of things in English: `1 row`, `2 rows`.
#[must_use]
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first ten, and how many more.
#[must_use]
pub fn listed(all: &[String]) -> Words {
    let shown = all.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(11) {
        Some(more) => Words::new(format!("{shown} 외 {}개", more + 1), format!("{shown} and {} more", more + 1)),
        None => Words::new(shown.clone(), shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let all: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
        assert_eq!(listed(&all).of(Language::English), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
        assert_eq!(listed(&all).of(Language::Korean), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 외 2개");
        assert_eq!(listed(&all[..2]).of(Language::English), "1, 2");
        assert_eq!((plural(1, "row", "rows"), plural(0, "row", "rows")), ("1 row".to_owned(), "0 rows".to_owned()));
    }
}
