//! Korean particles, which depend on how the word before them ends.

/// How a word ends, as far as particles care.
enum Ending {
    Vowel,
    /// ㄹ, which only (으)로 treats like a vowel.
    Rieul,
    Consonant,
    /// Latin letters and the like: how they are read is not known.
    Unknown,
}

fn ending(word: &str) -> Ending {
    let Some(last) = word.chars().rev().find(|c| c.is_alphanumeric() || *c == '%') else { return Ending::Unknown };
    match last {
        '\u{AC00}'..='\u{D7A3}' => match (u32::from(last) - 0xAC00) % 28 {
            0 => Ending::Vowel,
            8 => Ending::Rieul,
            _ => Ending::Consonant,
        },
        // Read as 영, 일, 이, 삼 …; a zero ends 십, 백, 천 or 만.
        '0' | '3' | '6' => Ending::Consonant,
        '1' | '7' | '8' => Ending::Rieul,
        // A percent sign is read 퍼센트.
        '2' | '4' | '5' | '9' | '%' => Ending::Vowel,
        _ => Ending::Unknown,
    }
}

fn with(word: &str, consonant: &str, vowel: &str) -> String {
    match ending(word) {
        Ending::Vowel => format!("{word}{vowel}"),
        Ending::Rieul | Ending::Consonant => format!("{word}{consonant}"),
        Ending::Unknown => format!("{word}{consonant}({vowel})"),
    }
}

/// 은/는
#[must_use]
pub fn topic(word: &str) -> String {
    with(word, "은", "는")
}

/// 이/가
#[must_use]
pub fn subject(word: &str) -> String {
    with(word, "이", "가")
}

/// 을/를
#[must_use]
pub fn object(word: &str) -> String {
    with(word, "을", "를")
}

/// 으로/로
#[must_use]
pub fn toward(word: &str) -> String {
    match ending(word) {
        Ending::Vowel | Ending::Rieul => format!("{word}로"),
        Ending::Consonant => format!("{word}으로"),
        Ending::Unknown => format!("{word}(으)로"),
    }
}

#[cfg(test)]
mod tests {
    use super::{object, subject, topic, toward};

    #[test]
    fn particles_follow_the_last_sound() {
        assert_eq!(topic("매출 합계"), "매출 합계는");
        assert_eq!(topic("매출"), "매출은");
        assert_eq!(subject("건수"), "건수가");
        assert_eq!(subject("금액(원)"), "금액(원)이");
        assert_eq!(object("가격"), "가격을");
        assert_eq!(object("amount"), "amount을(를)");
        assert_eq!(topic("2,345"), "2,345는");
        assert_eq!(topic("1,230"), "1,230은");
    }

    #[test]
    fn rieul_takes_the_short_form_of_toward() {
        assert_eq!(toward("서울"), "서울로");
        assert_eq!(toward("부산"), "부산으로");
        assert_eq!(toward("1,238"), "1,238로");
        assert_eq!(toward("10"), "10으로");
        assert_eq!(toward("12.3%"), "12.3%로");
    }
}
