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

/// Words of column names as queries of ours write them, and what they are called in Korean.
const KOREAN_WORDS: &[(&str, &str)] = &[
    ("amount", "금액"),
    ("average", "평균"),
    ("avg", "평균"),
    ("category", "카테고리"),
    ("channel", "채널"),
    ("city", "도시"),
    ("count", "수"),
    ("customer", "고객"),
    ("date", "날짜"),
    ("day", "일"),
    ("department", "부서"),
    ("employee", "직원"),
    ("item", "품목"),
    ("max", "최대"),
    ("min", "최소"),
    ("month", "월"),
    ("name", "이름"),
    ("order", "주문"),
    ("percent", "퍼센트"),
    ("price", "가격"),
    ("product", "상품"),
    ("quantity", "수량"),
    ("quarter", "분기"),
    ("revenue", "매출"),
    ("salary", "급여"),
    ("sales", "매출"),
    ("segment", "구분"),
    ("share", "비중"),
    ("status", "상태"),
    ("total", "총"),
    ("weekday", "요일"),
    ("year", "연도"),
];

/// A column's English name in Korean (`order_count`: 주문 수), if all of its words are known; so that a Korean answer does not speak
/// of `order_count`.
#[must_use]
pub fn korean_name(column: &str) -> Option<String> {
    let lower = column.to_ascii_lowercase();
    let words = lower.split(['_', ' ']).filter(|word| !word.is_empty());
    let known = |word: &str| KOREAN_WORDS.iter().find(|(english, _)| *english == word).map(|(_, korean)| *korean);
    let spoken: Option<Vec<&str>> = words.map(|word| known(word).or_else(|| known(word.strip_suffix('s')?))).collect();
    spoken.filter(|words| !words.is_empty()).map(|words| words.join(" "))
}

impl Language {
    /// Korean if the text holds any Hangul, else English.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let hangul = |c: char| matches!(c, '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' | '\u{AC00}'..='\u{D7A3}');
        if text.chars().any(hangul) { Self::Korean } else { Self::English }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_columns_are_spoken_of_in_korean() {
        assert_eq!(korean_name("order_count").as_deref(), Some("주문 수"));
        assert_eq!(korean_name("Average_Amount").as_deref(), Some("평균 금액"));
        assert_eq!(korean_name("customers").as_deref(), Some("고객"));
        for unknown in ["", "_", "고객수", "order_flux", "s"] {
            assert_eq!(korean_name(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn hangul_makes_a_question_korean() {
        assert_eq!(Language::of("Top 5 상품"), Language::Korean);
        assert_eq!(Language::of("Top 5 products, s'il vous plaît"), Language::English);
    }
}
