//! Which passwords are taken: long enough, not the user's name, not what everybody tries first.

use unicode_normalization::UnicodeNormalization;

use crate::model::usernames::folded;

/// The most characters of a password: hashing longer ones would let a caller choose the work.
pub const LONGEST: usize = 128;
/// Fewer different characters are a pattern, not a password.
const FEWEST_DIFFERENT: usize = 5;
/// What has to be left of a password when the user's name is taken out of it.
const FEWEST_BESIDE_NAME: usize = 10;

/// Words that passwords are made of by appending digits and signs; together with the product's own.
const COMMON: &[&str] = &[
    "",
    "abc",
    "abcd",
    "access",
    "adm",
    "admin",
    "administrator",
    "adminadmin",
    "asdf",
    "asdfgh",
    "asdfghjkl",
    "baseball",
    "batman",
    "changeme",
    "changemenow",
    "changethis",
    "charlie",
    "chocolate",
    "cisco",
    "computer",
    "correcthorsebatterystaple",
    "datagenie",
    "datagenieadmin",
    "default",
    "demo",
    "dragon",
    "football",
    "freedom",
    "guest",
    "hello",
    "helloworld",
    "hunter",
    "iloveyou",
    "internet",
    "jordan",
    "killer",
    "letmein",
    "letmeinnow",
    "liverpool",
    "login",
    "manager",
    "master",
    "michael",
    "monkey",
    "mustang",
    "mypassword",
    "newpassword",
    "nothing",
    "oracle",
    "pass",
    "passphrase",
    "password",
    "passwordadmin",
    "passwordpassword",
    "passwort",
    "pokemon",
    "postgres",
    "princess",
    "qazwsx",
    "qazwsxedc",
    "qwer",
    "qwert",
    "qwerty",
    "qwertyui",
    "qwertyuiop",
    "qwertyuiopasdf",
    "root",
    "rootroot",
    "secret",
    "secretpassword",
    "server",
    "shadow",
    "starwars",
    "sunshine",
    "superman",
    "supersecret",
    "system",
    "temp",
    "temporary",
    "test",
    "tester",
    "testing",
    "testpassword",
    "testtest",
    "thisisapassword",
    "trustno",
    "user",
    "welcome",
    "welcometo",
    "whatever",
    "zaq",
    "zxcv",
    "zxcvbn",
    "zxcvbnm",
    "비밀번호",
    "암호",
    "관리자",
    "사랑해",
    "안녕하세요",
    "비밀번호입니다",
];

/// Rows that fingers follow.
const ROWS: &[&str] = &[
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qazwsxedcrfvtgbyhnujmikolp",
    "가나다라마바사아자차카타파하",
];

/// Why a password is not taken. Says nothing of the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Too few characters.
    #[error("must have at least {0} characters; several words make a good one")]
    Short(usize),
    /// Too many.
    #[error("must have at most {LONGEST} characters")]
    Long,
    /// Characters that keyboards do not make, and that some programs cut off.
    #[error("must not hold control characters")]
    Control,
    /// The user's name or address, perhaps with a few characters more.
    #[error("must not be made of the user name or the email address")]
    Name,
    /// Repetitions, rows of keys, or among the first that anybody tries.
    #[error("is too easy to guess: it is a common one, a row of keys or a repetition")]
    Common,
}

/// Checks a new password of somebody with these names (user name, email address).
///
/// # Errors
/// The first [`Weakness`] found.
pub fn check(password: &str, names: &[&str], shortest: usize) -> Result<(), Weakness> {
    let length = password.chars().take(LONGEST + 1).count();
    if length > LONGEST {
        return Err(Weakness::Long);
    }
    if password.chars().any(char::is_control) {
        return Err(Weakness::Control);
    }
    // What is hashed, and what its length is: letters in one form, however they were typed.
    let prepared = prepared(password);
    if prepared.chars().count() < shortest.max(1) {
        return Err(Weakness::Short(shortest));
    }
    let plain = folded(&prepared);
    for name in names {
        let local = name.split('@').next().unwrap_or_default();
        if [name, local].into_iter().any(|name| is_made_of(&plain, &folded(name))) {
            return Err(Weakness::Name);
        }
    }
    if is_common(&plain) { Err(Weakness::Common) } else { Ok(()) }
}

/// A password as it is hashed: blanks as the plain one, letters composed (RFC 8265, `OpaqueString`). One that was typed on another
/// system, which sends "é" or "한" in parts, is the same password then. Case and width stay.
#[must_use]
pub fn prepared(password: &str) -> String {
    let is_blank = |c: char| matches!(c, '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}');
    password.chars().map(|c| if is_blank(c) { ' ' } else { c }).nfc().collect()
}

fn is_made_of(password: &str, name: &str) -> bool {
    if name.chars().count() < 3 || !password.contains(name) {
        return false;
    }
    password.replace(name, "").chars().count() < FEWEST_BESIDE_NAME
}

fn is_common(password: &str) -> bool {
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < FEWEST_DIFFERENT {
        return true;
    }
    let bare: String = password.chars().filter(|c| c.is_alphanumeric()).collect();
    if ROWS.iter().any(|row| is_row(&bare, row)) {
        return true;
    }
    // "P@ssw0rd2024!" is "password" to whoever guesses.
    let outer = |c: char| !c.is_alphabetic();
    let core = password.trim_matches(outer);
    [core, password.trim_end_matches(outer)].into_iter().any(|word| {
        let word: String = word.chars().map(unmasked).filter(|c| c.is_alphabetic()).collect();
        COMMON.contains(&word.as_str()) || repeated(&word).is_some_and(|once| COMMON.contains(&once))
    })
}

/// Whether a text follows a row, forwards or backwards, over and over.
fn is_row(text: &str, row: &str) -> bool {
    let follows = |row: Vec<char>| {
        let next = |c: char| row.iter().position(|&r| r == c).map(|at| row[(at + 1) % row.len()]);
        let chars: Vec<char> = text.chars().collect();
        let steps = chars.windows(2).filter(|pair| next(pair[0]) == Some(pair[1])).count();
        // A break or two ("123456123456") does not make it less of a row.
        chars.len() >= 4 && steps + 3 >= chars.len()
    };
    follows(row.chars().collect()) || follows(row.chars().rev().collect())
}

/// What a text repeats, if it is nothing but repetitions.
fn repeated(text: &str) -> Option<&str> {
    (1..=text.len() / 2).filter(|length| text.len().is_multiple_of(*length)).find_map(|length| {
        let once = text.get(..length)?;
        (once.repeat(text.len() / length) == text).then_some(once)
    })
}

fn unmasked(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_alice(password: &str) -> Result<(), Weakness> {
        check(password, &["alice", "alice.lee@example.com"], 12)
    }

    #[test]
    fn long_and_uncommon_ones_are_taken() {
        for password in [
            "correct horse battery",
            "a long password",
            "another password",
            "마당에 심은 나무 일곱 그루",
            "b7f0c1d2e3a49586",
            "Tr0ub4dor&3xyz",
            "alice has seven cats",
        ] {
            assert_eq!(of_alice(password), Ok(()), "{password}");
        }
        assert_eq!(of_alice(&format!("ab1c{}", "xyz-".repeat(31))), Ok(()));
        assert_eq!(check("eightlet", &["bob"], 8), Ok(()));
    }

    #[test]
    fn weak_ones_are_not() {
        for (password, weakness) in [
            ("", Weakness::Short(12)),
            ("elevenchars", Weakness::Short(12)),
            // Twelve parts, six syllables.
            ("\u{1100}\u{1161}\u{1102}\u{1161}\u{1103}\u{1161}\u{1105}\u{1161}\u{1106}\u{1161}\u{1107}\u{1161}", Weakness::Short(12)),
            (&*format!("ab1c{}x", "xyz-".repeat(31)), Weakness::Long),
            (&*"x".repeat(1_000_000), Weakness::Long),
            ("correct\0horse battery", Weakness::Control),
            ("correct\nhorse battery", Weakness::Control),
            ("alicealicealice", Weakness::Name),
            ("ALICE-2024-!!", Weakness::Name),
            ("alice.lee@example.com", Weakness::Name),
            ("Password12345", Weakness::Common),
            ("P@ssw0rd2024!", Weakness::Common),
            ("!!password!!", Weakness::Common),
            ("passwordpassword", Weakness::Common),
            ("adminadminadmin", Weakness::Common),
            ("qwertyuiop12", Weakness::Common),
            ("123456789012", Weakness::Common),
            ("210987654321", Weakness::Common),
            ("123456123456", Weakness::Common),
            ("abcdefghijkl", Weakness::Common),
            ("aaaaaaaaaaaa", Weakness::Common),
            ("abababababab", Weakness::Common),
            ("비밀번호비밀번호비밀번호", Weakness::Common),
            ("datagenie2026", Weakness::Common),
            ("            ", Weakness::Common),
        ] {
            assert_eq!(of_alice(password), Err(weakness), "{password:.40}");
        }
    }

    #[test]
    fn a_password_is_the_same_however_its_letters_are_sent() {
        assert_eq!(prepared("caf\u{65}\u{301}\u{A0}x"), "café x");
        assert_eq!(prepared("\u{1112}\u{1161}\u{11AB}"), "한");
        assert_ne!(prepared("Ａ"), prepared("A"), "width is a choice of the user's");
        assert_ne!(prepared("a"), prepared("A"));
    }
}
