//! Numbers that a sentence brings along in its own words: digits, number words, percent signs, factors behind a placeholder.
//! Too strict is harmless here, because the computed text takes the place of a refused one.

use datagenie_common::wording::{numbers::numbers_in, words::is_hangul};

const ENGLISH_NUMBERS: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "hundreds",
    "thousand",
    "thousands",
    "million",
    "millions",
    "billion",
    "billions",
    "trillion",
    "trillions",
    "dozen",
    "dozens",
    "double",
    "doubles",
    "doubled",
    "doubling",
    "twice",
    "triple",
    "tripled",
    "thrice",
    "quadruple",
    "quadrupled",
    "tenfold",
    "twofold",
    "half",
    "halved",
    "halves",
    "thirds",
    "quarters",
    "couple",
];
/// Korean words that are numbers wherever they stand.
const KOREAN_NUMBERS: &[&str] = &[
    "백만",
    "천만",
    "십만",
    "십억",
    "백억",
    "천억",
    "수십",
    "수백",
    "수천",
    "수만",
    "수억",
    "두배",
    "세배",
    "두 배",
    "세 배",
    "네 배",
    "몇 배",
    "갑절",
    "절반",
    "과반",
    "반토막",
    "하나뿐",
    "둘 다",
];
/// Native numerals, numbers only before a counter.
const KOREAN_NUMERALS: &[&str] = &[
    "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열", "열두", "스무", "스물", "서른", "마흔", "쉰", "예순", "일흔",
    "여든", "아흔",
];
const KOREAN_COUNTERS: &[&str] =
    &["개", "명", "건", "배", "번", "곳", "가지", "달", "살", "대", "종", "회", "차례", "사람", "도시", "상품", "고객"];
const SINO_DIGITS: &str = "일이삼사오육칠팔구";
const SINO_UNITS: &str = "십백천만억";

/// What stands beside a run of words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// A filled-in value right before it.
    pub(super) after_value: bool,
    /// One right after it.
    pub(super) before_value: bool,
}

/// Refuses words with a number that the question does not have, or that would change the number beside them; the error is the culprit.
pub(super) fn check(words: &str, place: Place, question: &str) -> Result<(), String> {
    beside_values(words, place)?;
    digits(words, question)?;
    percent_signs(words, place, question)?;
    english(words, place, question)?;
    korean(words, question)
}

/// Signs, digits and factors that would run together with a filled-in number: `-{x}`, `{x}000`, `{x}만`, `{x}M`.
fn beside_values(words: &str, place: Place) -> Result<(), String> {
    let last = words.chars().next_back();
    if place.before_value && last.is_some_and(|c| c.is_numeric() || "-\u{2212}+.,/*^×".contains(c)) {
        return Err(words.trim().chars().rev().take(1).collect());
    }
    if !place.after_value {
        return Ok(());
    }
    let mut chars = words.chars();
    let (first, second, third) = (chars.next(), chars.next(), chars.next());
    let is_digit = |c: Option<char>| c.is_some_and(char::is_numeric);
    let runs_on = is_digit(first) || (matches!(first, Some('.' | ',' | '^' | '/' | '*' | '×')) && is_digit(second));
    let korean_factor = |c: Option<char>| c.is_some_and(|c| "십백천만억조배".contains(c));
    // 만 also begins words like 만족, so behind a space it counts only before a unit or alone.
    let ends_word = third.is_none_or(|c| !is_hangul(c) || "원명개건달회대".contains(c));
    let factor = korean_factor(first) || (first == Some(' ') && korean_factor(second) && ends_word);
    let letters: String = words.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    let latin_factor = ["k", "m", "mm", "b", "bn", "mn", "tn", "t", "e", "x"].contains(&letters.to_ascii_lowercase().as_str());
    if runs_on || factor || latin_factor {
        return Err(words.chars().take(3).collect());
    }
    Ok(())
}

fn digits(words: &str, question: &str) -> Result<(), String> {
    let plain = |number: &String| number.trim_start_matches('0').to_owned();
    let asked: Vec<String> = numbers_in(question).iter().map(plain).collect();
    if let Some(own) = numbers_in(words).into_iter().find(|number| !asked.contains(&plain(number))) {
        return Err(own);
    }
    // Full-width digits, ½, ②, Ⅳ; Hanja numerals count as numeric too.
    let odd = |c: char| (c.is_numeric() && !c.is_ascii_digit()) || "一二三四五六七八九十百千万億兆".contains(c);
    match words.chars().find(|c| odd(*c) && !question.contains(*c)) {
        Some(own) => Err(own.to_string()),
        None => Ok(()),
    }
}

/// A percent sign belongs to a placeholder right before it, or stands in the question with the same number.
fn percent_signs(words: &str, place: Place, question: &str) -> Result<(), String> {
    for sign in ["%", "％", "‰", "퍼센트", "프로", "percent", "per cent"] {
        for (at, _) in words.match_indices(sign) {
            let before = words[..at].trim_end();
            let of_value = before.is_empty() && place.after_value;
            let number = numbers_in(before).pop().filter(|number| before.ends_with(number.as_str()));
            let asked = number
                .is_some_and(|number| question.contains(&format!("{number}{sign}")) || question.contains(&format!("{number} {sign}")));
            // 프로 also begins words (프로모션, 프로젝트).
            let is_word = sign == "프로" && words[at + sign.len()..].chars().next().is_some_and(is_hangul);
            if !(of_value || asked || is_word) {
                return Err(sign.to_owned());
            }
        }
    }
    Ok(())
}

fn english(words: &str, place: Place, question: &str) -> Result<(), String> {
    let list = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
    };
    let asked = list(question);
    let own = list(words);
    // Behind a value a factor is wrong even if the question has the word.
    let factor = own.first().filter(|word| place.after_value && ENGLISH_NUMBERS.contains(&word.as_str()));
    let number = own.iter().find(|word| ENGLISH_NUMBERS.contains(&word.as_str()) && !asked.contains(word));
    match factor.or(number) {
        Some(word) => Err(word.clone()),
        None => Ok(()),
    }
}

fn korean(words: &str, question: &str) -> Result<(), String> {
    let own = |word: &str| words.contains(word) && !question.contains(word);
    if let Some(word) = KOREAN_NUMBERS.iter().find(|word| own(word)) {
        return Err((*word).to_owned());
    }
    let mut before = None;
    for (at, c) in words.char_indices() {
        let inside_word = before.replace(c).is_some_and(is_hangul);
        let rest = &words[at..];
        if !inside_word
            && let Some(found) = counted(rest).or_else(|| sino(rest))
            && !question.contains(&found)
        {
            return Err(found);
        }
    }
    Ok(())
}

/// `두 명`, `세 가지` at the beginning of a text.
fn counted(text: &str) -> Option<String> {
    KOREAN_NUMERALS.iter().find_map(|numeral| {
        let rest = text.strip_prefix(*numeral)?.trim_start();
        let counter = KOREAN_COUNTERS.iter().find(|counter| rest.starts_with(**counter))?;
        let length = text.len() - rest.len() + counter.len();
        text.get(..length).map(str::to_owned)
    })
}

/// `삼십`, `이백오십만` at the beginning of a text: numerals with a unit behind the first.
fn sino(text: &str) -> Option<String> {
    let found: String = text.chars().take_while(|c| SINO_DIGITS.contains(*c) || SINO_UNITS.contains(*c)).collect();
    found.chars().skip(1).any(|c| SINO_UNITS.contains(c)).then_some(found)
}
