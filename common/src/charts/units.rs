//! The unit of a measure, from its column's name.

use crate::word_enum;

word_enum! {
    /// What a value is counted in, as far as its name says.
    #[derive(Default)]
    pub enum Unit {
        /// Not said.
        #[default]
        None = "none",
        /// Korean won.
        Won = "won",
        /// United States dollars.
        Dollar = "usd",
        /// Parts of a hundred: 12.5 is 12.5 %.
        Percent = "percent",
        /// Parts of one: 0.125 is 12.5 %.
        Fraction = "fraction",
    }
}

impl Unit {
    /// The unit of a column, from its name; whether a rate is told in parts of one or of a hundred shows in its values.
    #[must_use]
    pub fn of_column(name: &str, values: impl Iterator<Item = f64>) -> Self {
        of(name, values)
    }

    // By reference: the form that serde asks for.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// Words that end with 원 and have nothing to do with money, and multiples of won (a ₩ before 만원 would be wrong by 10,000).
const NOT_WON: &[&str] = &[
    "회원",
    "직원",
    "인원",
    "사원",
    "의원",
    "병원",
    "학원",
    "정원",
    "자원",
    "지원",
    "공원",
    "임원",
    "구성원",
    "종업원",
    "담원",
    "매원",
    "요원",
    "동원",
    "차원",
    "법원",
    "위원",
    "교원",
    "점원",
    "후원",
    "단원",
    "팀원",
    "합원",
    "구원",
    "무원",
    "만원",
    "천원",
    "억원",
    "조원",
    "백원",
];

/// The unit of the measure of this name. Rates are told from percentages by their size, so the values are looked at too.
pub(super) fn of(name: &str, values: impl Iterator<Item = f64>) -> Unit {
    let lower = name.trim().to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if lower.contains('%') || words.iter().any(|word| matches!(*word, "percent" | "percentage" | "pct" | "퍼센트")) {
        return Unit::Percent;
    }
    if is_won(&lower, &words) {
        return Unit::Won;
    }
    if lower.contains('$') || lower.contains('＄') || words.contains(&"usd") {
        return Unit::Dollar;
    }
    if is_rate(&lower, &words) {
        let largest = values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
        return if largest <= 1.0 { Unit::Fraction } else { Unit::Percent };
    }
    Unit::None
}

fn is_won(lower: &str, words: &[&str]) -> bool {
    let name = lower.trim_end_matches([')', ']', ' ']);
    let won = name.ends_with('원') && !NOT_WON.iter().any(|other| name.ends_with(other));
    won || lower.contains("krw") || lower.contains('₩') || (words.len() > 1 && words.last() == Some(&"won"))
}

fn is_rate(lower: &str, words: &[&str]) -> bool {
    let korean =
        lower.contains("비율") || lower.contains("비중") || ((lower.ends_with('율') || lower.ends_with('률')) && !lower.ends_with("환율"));
    let last = words.last().copied().unwrap_or_default();
    let other_rate = words.iter().any(|word| matches!(*word, "exchange" | "heart" | "hourly" | "daily" | "frame" | "bit" | "fx"));
    korean || (matches!(last, "rate" | "ratio" | "share") && !other_rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, values: &[f64]) -> Unit {
        of(name, values.iter().copied())
    }

    #[test]
    fn names_tell_units() {
        let cases: &[(&str, &[f64], Unit)] = &[
            ("매출(원)", &[5.0], Unit::Won),
            ("총액 원", &[5.0], Unit::Won),
            ("total_krw", &[5.0], Unit::Won),
            ("amount_won", &[5.0], Unit::Won),
            ("won", &[5.0], Unit::None),
            ("회원", &[5.0], Unit::None),
            ("인원", &[5.0], Unit::None),
            ("매출(만원)", &[5.0], Unit::None),
            ("amount", &[5.0], Unit::None),
            ("price ($)", &[5.0], Unit::Dollar),
            ("revenue_usd", &[5.0], Unit::Dollar),
            ("취소율", &[0.1, 0.3], Unit::Fraction),
            ("취소율", &[10.0, 30.0], Unit::Percent),
            ("비율(%)", &[0.5], Unit::Percent),
            ("cancel_rate", &[0.5], Unit::Fraction),
            ("exchange_rate", &[0.5], Unit::None),
            ("환율", &[1300.0], Unit::None),
            ("", &[], Unit::None),
        ];
        for (name, values, expected) in cases {
            assert_eq!(unit(name, values), *expected, "{name}");
        }
    }
}
