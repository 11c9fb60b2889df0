//! Names of people among texts. A weak hint: 강남구 begins with a surname as well, and so does the name of many a thing.

use std::collections::HashMap;

use crate::question::link::words::is_hangul;

/// Fewer different values than this are a list of choices.
const LEAST_DIFFERENT: usize = 5;

/// The surnames of some 97 of a hundred Koreans.
const SURNAMES: &str = "김이박최정강조윤장임한오서신권황안송류유전홍고문양손배백허남심노하곽성차주우구민진나지엄채원천방공현함변염여추도소석선설마길연위표명기반라왕금옥육인맹제모";
const LONG_SURNAMES: [&str; 7] = ["남궁", "황보", "제갈", "선우", "독고", "사공", "서문"];

/// Whether at least `wanted` of these values, each given with how often it occurs, are names of people, and nothing speaks against it.
pub(super) fn look_like_names(values: &[(&str, u64)], wanted: u64) -> bool {
    let (mut korean, mut latin, mut three) = (0_u64, 0_u64, 0_u64);
    let mut lasts: HashMap<char, u64> = HashMap::new();
    for (value, count) in values {
        let value = value.trim();
        if is_korean_name(value) {
            korean += count;
            three += if value.chars().count() == 3 { *count } else { 0 };
            if let Some(last) = value.chars().last() {
                *lasts.entry(last).or_default() += count;
            }
        } else if is_latin_name(value) {
            latin += count;
        }
    }
    // 강남구 and 서초구, 전주시 and 구미시: what ends alike is a kind of thing.
    let alike = lasts.values().max().is_some_and(|most| most * 2 > korean);
    let usual = korean == 0 || three * 2 > korean;
    values.len() >= LEAST_DIFFERENT && korean + latin >= wanted && usual && !alike
}

fn is_korean_name(text: &str) -> bool {
    let length = text.chars().count();
    if !(2..=4).contains(&length) || !text.chars().all(is_hangul) {
        return false;
    }
    let long = LONG_SURNAMES.iter().any(|surname| text.starts_with(surname)) && length > 2;
    long || (length < 4 && text.chars().next().is_some_and(|first| SURNAMES.contains(first)))
}

/// Two or three capitalised words: `Emma Smith`, `J. R. Müller`, `Mary-Jane O'Neil`.
fn is_latin_name(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let is_word = |word: &&str| {
        let mut letters = word.chars();
        letters.next().is_some_and(|first| first.is_uppercase() && !is_hangul(first))
            && letters.all(|c| (c.is_alphabetic() && !is_hangul(c)) || matches!(c, '\'' | '-' | '.'))
            && word.chars().any(|c| c.is_lowercase() || c == '.')
    };
    (2..=3).contains(&words.len()) && text.chars().count() <= 40 && words.iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(values: &[&str]) -> bool {
        let counted: Vec<(&str, u64)> = values.iter().map(|value| (*value, 1)).collect();
        look_like_names(&counted, values.len() as u64)
    }

    #[test]
    fn names_in_hangul_and_latin_letters_are_found() {
        assert!(all(&["김민준", "이서연", "박도윤", "최하은", "정우진", "남궁민수", "김솔"]));
        assert!(all(&["Emma Smith", "Liam Brown", "Olivia Jones", "Noah J. Davis", "Mary-Jane O'Neil"]));
        assert!(all(&["김민준", "이서연", "박도윤", "Emma Smith", "Liam Brown"]));
    }

    #[test]
    fn places_words_and_things_are_not() {
        assert!(!all(&["서울", "부산", "대구", "인천", "광주", "대전", "울산", "제주"]));
        assert!(!all(&["강남구", "서초구", "송파구", "마포구", "성동구", "노원구"]));
        assert!(!all(&["전자제품", "의류", "식품", "도서", "가구", "화장품"]));
        assert!(!all(&["주문접수", "배송완료", "이용약관", "고객문의", "신규가입"]));
        assert!(!all(&["SHIPPED LATE", "PAID FULL", "IN TRANSIT", "NOT PAID", "ON HOLD"]));
        assert!(!all(&["one two", "three four", "five six", "seven eight", "nine ten"]));
        assert!(!all(&["김민준", "이서연", "박도윤", "최하은"]), "too few");
    }
}
