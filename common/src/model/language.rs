//! The language of a question, which is the language of its answer.

use crate::word_enum;

word_enum! {
    /// A language that summaries and insights are worded in.
    pub enum Language {
        /// Korean.
        Korean = "ko",
        /// English, and the fallback for every other language.
        English = "en",
    }
}

impl Language {
    /// Korean if the text holds any Hangul, else English.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let hangul = |c: char| matches!(c, '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' | '\u{AC00}'..='\u{D7A3}');
        if text.chars().any(hangul) { Self::Korean } else { Self::English }
    }
}
