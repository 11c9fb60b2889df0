//! Names that people sign in with: which are taken, and what they are compared by, so that nobody takes a name that looks like another's.

use unicode_normalization::UnicodeNormalization;

/// The fewest characters of a name.
pub const SHORTEST: usize = 3;
/// The most.
pub const LONGEST: usize = 50;

/// Why a name is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// Too short or too long.
    #[error("must have 3 to 50 characters")]
    Length,
    /// Blanks where nobody sees them.
    #[error("must not begin or end with a blank, or have two in a row")]
    Blanks,
    /// Control characters, invisible ones, signs, digits of other scripts.
    #[error("may hold letters, the digits 0 to 9, single blanks and . _ - @ + only")]
    Character,
    /// Letters that nobody can tell apart.
    #[error("must not mix scripts: the letters of one may look like another's")]
    MixedScripts,
    /// `...`
    #[error("must hold a letter or a digit")]
    NoLetter,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Hangul,
    Kana,
    Han,
    /// One that is not written together with another.
    Other(u8),
}

/// The name as it is stored: in the form NFKC, if it may be taken.
///
/// # Errors
/// [`NameProblem`].
pub fn check(given: &str) -> Result<String, NameProblem> {
    // The longest text whose NFKC form could still be short enough; more is not looked at.
    if given.chars().take(LONGEST * 4 + 1).count() > LONGEST * 4 {
        return Err(NameProblem::Length);
    }
    let name: String = given.nfkc().collect();
    if !(SHORTEST..=LONGEST).contains(&name.chars().count()) {
        return Err(NameProblem::Length);
    }
    if name.trim() != name || name.contains("  ") {
        return Err(NameProblem::Blanks);
    }
    let mut scripts: Vec<Script> = Vec::new();
    let mut named = false;
    for c in name.chars() {
        match c {
            '0'..='9' => named = true,
            ' ' | '.' | '_' | '-' | '@' | '+' => {}
            _ => {
                let script = script(c).ok_or(NameProblem::Character)?;
                named = true;
                if !scripts.contains(&script) {
                    scripts.push(script);
                }
            }
        }
    }
    if !named {
        return Err(NameProblem::NoLetter);
    }
    if go_together(&scripts) { Ok(name) } else { Err(NameProblem::MixedScripts) }
}

/// What names are compared and looked up by: without case and width, look-alike letters of other scripts as the Latin ones. It never
/// fails: a name that could not be taken is simply nobody's.
#[must_use]
pub fn folded(name: &str) -> String {
    // A name is short; who sends a novel is looked up by its beginning, and not found.
    name.chars().take(LONGEST * 4).nfkc().flat_map(char::to_lowercase).map(plain).collect()
}

// The combinations of Unicode's "highly restrictive" profile (UTS 39): Latin with Chinese, Japanese or Korean, else one alone.
fn go_together(scripts: &[Script]) -> bool {
    let all_of = |allowed: &[Script]| scripts.iter().all(|script| allowed.contains(script));
    scripts.len() < 2 || all_of(&[Script::Latin, Script::Han, Script::Kana]) || all_of(&[Script::Latin, Script::Han, Script::Hangul])
}

/// The script of a letter; none: no letter, or of a script that is not taken.
fn script(c: char) -> Option<Script> {
    let script = match c {
        // Letters of clicks, which look like bars and marks.
        '\u{1C0}'..='\u{1C3}' => return None,
        'a'..='z' | 'A'..='Z' | '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' => Script::Latin,
        '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}' => Script::Greek,
        '\u{400}'..='\u{52F}' => Script::Cyrillic,
        // Whole syllables alone: after NFKC no honest name has others, and the fillers among the parts are invisible.
        '\u{AC00}'..='\u{D7A3}' => Script::Hangul,
        '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}' => Script::Kana,
        '\u{3005}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{20000}'..='\u{323AF}' => Script::Han,
        '\u{531}'..='\u{556}' | '\u{561}'..='\u{586}' => Script::Other(0),
        '\u{5D0}'..='\u{5EA}' => Script::Other(1),
        '\u{620}'..='\u{64A}' | '\u{671}'..='\u{6D3}' => Script::Other(2),
        '\u{E01}'..='\u{E30}' | '\u{E40}'..='\u{E46}' => Script::Other(3),
        '\u{10D0}'..='\u{10FA}' => Script::Other(4),
        _ => return None,
    };
    // The ranges hold a few signs, such as × and ÷, and marks.
    c.is_alphabetic().then_some(script)
}

/// The Latin letter that a lower-case letter, or its capital, looks like.
fn plain(c: char) -> char {
    match c {
        'а' | 'α' | 'ɑ' => 'a',
        'в' | 'β' | 'ь' | 'ƅ' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' | 'ё' | 'є' => 'e',
        'ɡ' => 'g',
        'н' | 'η' | 'һ' => 'h',
        'і' | 'ι' | 'ı' | 'ї' | 'ɩ' => 'i',
        'ј' => 'j',
        'к' | 'κ' | 'ĸ' => 'k',
        'ӏ' | 'ⅼ' => 'l',
        'м' | 'μ' => 'm',
        'ν' | 'ѵ' => 'v',
        'о' | 'ο' | 'σ' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'ζ' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_script_are_taken_in_their_nfkc_form() {
        for (given, stored) in [
            ("alice", "alice"),
            ("Ann Lee", "Ann Lee"),
            ("jörg.müller-2", "jörg.müller-2"),
            ("김철수", "김철수"),
            // As macOS sends it: the parts of the syllables.
            ("\u{1100}\u{1175}\u{11B7}\u{110E}\u{1165}\u{11AF}\u{1109}\u{116E}", "김철수"),
            ("김철수kim", "김철수kim"),
            ("山田たろう", "山田たろう"),
            ("Ольга", "Ольга"),
            ("Γιάννης", "Γιάννης"),
            ("ａｄｍｉｎ", "admin"),
            ("bob@example.com", "bob@example.com"),
        ] {
            assert_eq!(check(given).as_deref(), Ok(stored), "{given}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_or_seen_is_not_taken() {
        for (given, problem) in [
            ("ab", NameProblem::Length),
            ("", NameProblem::Length),
            (&*"x".repeat(51), NameProblem::Length),
            (&*"x".repeat(5_000), NameProblem::Length),
            (" alice", NameProblem::Blanks),
            ("alice  b", NameProblem::Blanks),
            // A no-break space is a blank after NFKC.
            ("alice\u{A0}", NameProblem::Blanks),
            ("ali\u{200B}ce", NameProblem::Character),
            ("ali\u{202E}ce", NameProblem::Character),
            ("ali\nce", NameProblem::Character),
            ("ali\u{7F}ce", NameProblem::Character),
            ("ali\0ce", NameProblem::Character),
            ("a\u{3164}bc", NameProblem::Character),
            ("a\u{115F}bc", NameProblem::Character),
            ("alice\u{301}\u{302}\u{303}", NameProblem::Character),
            ("ali×ce", NameProblem::Character),
            ("a\u{1C0}ice", NameProblem::Character),
            ("user٣", NameProblem::Character),
            ("'; DROP TABLE users", NameProblem::Character),
            ("😀😀😀", NameProblem::Character),
            ("...", NameProblem::NoLetter),
            ("аlice", NameProblem::MixedScripts),
            ("alicε", NameProblem::MixedScripts),
            ("김철수Ольга", NameProblem::MixedScripts),
        ] {
            assert_eq!(check(given), Err(problem), "{given:?}");
        }
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        for (left, right) in [
            ("Alice", "ALICE"),
            ("admin", "ａｄｍｉｎ"),
            ("раура", "paypa"),
            ("COCA", "СОСА"),
            ("ﬁona", "fiona"),
            ("mick", "mıck"),
            ("mick", "micĸ"),
        ] {
            assert_eq!(folded(left), folded(right), "{left} {right}");
        }
        for (left, right) in [("alice", "alice2"), ("김철수", "김철주"), ("jorg", "jörg")] {
            assert_ne!(folded(left), folded(right), "{left} {right}");
        }
        assert!(folded(&"x".repeat(100_000)).len() <= LONGEST * 4);
    }
}
