//! What the name of a column tells: whether its numbers may be added, and what to call it in a sentence.

use super::words::split;
use crate::model::language::{Language, korean_name};

/// Longer names are cut.
const MAX_NAME: usize = 60;

const AGGREGATES: &[&str] = &["sum", "count", "cnt", "avg", "average", "min", "max", "total"];
const IDENTIFIERS: &[&str] =
    &["id", "ids", "uuid", "guid", "code", "no", "key", "pk", "zip", "zipcode", "postcode", "phone", "tel", "barcode", "sku"];
const KOREAN_IDENTIFIERS: &[&str] = &["번호", "코드", "아이디", "식별자", "연락처"];
const CALENDAR: &[&str] = &[
    "year",
    "yr",
    "yyyy",
    "yyyymm",
    "month",
    "mon",
    "mm",
    "ym",
    "yearmonth",
    "quarter",
    "qtr",
    "week",
    "weekday",
    "dow",
    "day",
    "date",
    "hour",
];
/// Functions whose unnamed result is a point in time.
const CALENDAR_FUNCTIONS: &[&str] = &["strftime", "extract", "date"];
const KOREAN_CALENDAR: &[&str] =
    &["연도", "년도", "년", "연월", "년월", "월", "분기", "주차", "요일", "일자", "날짜", "일", "시간대", "기간"];
/// They end like points in time, but are lengths and kinds of them.
const KOREAN_NO_CALENDAR: &[&str] = &["개월", "평일", "휴일"];
/// Never added up, whatever else the name says.
const NEVER_ADDED: &[&str] = &[
    "avg",
    "average",
    "mean",
    "median",
    "rate",
    "ratio",
    "percent",
    "percentage",
    "pct",
    "share",
    "proportion",
    "margin",
    "growth",
    "change",
    "diff",
    "min",
    "minimum",
    "max",
    "maximum",
    "lowest",
    "highest",
    "first",
    "last",
    "distinct",
    "unique",
    "active",
    "mau",
    "dau",
    "cumulative",
    "cumsum",
    "running",
    "rank",
    "score",
    "rating",
    "index",
    "stddev",
    "variance",
    "var",
    "percentile",
];
const KOREAN_NEVER_ADDED: &[&str] = &[
    "평균",
    "비율",
    "율",
    "률",
    "비중",
    "중앙값",
    "중간값",
    "최대",
    "최소",
    "최고",
    "최저",
    "최댓값",
    "최솟값",
    "고유",
    "누적",
    "순위",
    "점수",
    "평점",
    "지수",
    "편차",
    "분산",
    "증감",
    "성장",
    "대비",
    "%",
];
/// Added up only if the name says that it is a sum already.
const PER_PIECE: &[&str] = &[
    "price",
    "unit",
    "year",
    "age",
    "balance",
    "stock",
    "inventory",
    "level",
    "temperature",
    "temp",
    "latitude",
    "longitude",
    "lat",
    "lng",
    "lon",
    "height",
    "weight",
    "grade",
    "version",
];
const KOREAN_PER_PIECE: &[&str] = &["버전", "단가", "가격", "나이", "연령", "연도", "잔액", "재고", "온도", "위도", "경도", "등급"];
const SUMS: &[&str] = &["sum", "total", "count", "cnt", "number", "num", "qty", "quantity", "revenue", "amount"];
const KOREAN_SUMS: &[&str] = &["합계", "총", "건수", "개수", "수량", "매출", "금액", "합"];

fn any_word(words: &[String], list: &[&str]) -> bool {
    words.iter().any(|word| list.contains(&word.as_str()))
}

fn any_part(name: &str, list: &[&str]) -> bool {
    list.iter().any(|part| name.contains(part))
}

/// Whether the name is that of an identifier: a number that is no quantity.
#[must_use]
pub fn is_identifier(name: &str) -> bool {
    let words = split(name);
    let last = words.last().is_some_and(|word| IDENTIFIERS.contains(&word.as_str()));
    (last && !any_word(&words, AGGREGATES)) || KOREAN_IDENTIFIERS.iter().any(|ending| name.trim().ends_with(ending))
}

/// Whether the name is that of a point in time (`year`, `주문월`, an unnamed `strftime(…)`).
#[must_use]
pub fn is_calendar(name: &str) -> bool {
    let words = split(name);
    let name = name.trim();
    // A pivot's `1월` holds amounts, not months.
    let korean = KOREAN_CALENDAR.iter().any(|ending| name.ends_with(ending))
        && !KOREAN_NO_CALENDAR.iter().any(|ending| name.ends_with(ending))
        && !name.contains(|c: char| c.is_ascii_digit());
    let listed = |word: Option<&String>, list: &[&str]| word.is_some_and(|word| list.contains(&word.as_str()));
    let function = listed(words.first(), CALENDAR_FUNCTIONS) || (name.contains('(') && listed(words.first(), CALENDAR));
    let english = (listed(words.last(), CALENDAR) || function || name == "to_char") && !any_word(&words, AGGREGATES);
    english || korean
}

/// Whether the sum of the column's numbers means anything: not for averages, rates, prices, extremes, years, counts of distinct things.
#[must_use]
pub fn is_additive(name: &str) -> bool {
    let words = split(name);
    if any_word(&words, NEVER_ADDED) || any_part(name, KOREAN_NEVER_ADDED) || is_identifier(name) {
        return false;
    }
    let per_piece = any_word(&words, PER_PIECE) || any_part(name, KOREAN_PER_PIECE);
    !per_piece || any_word(&words, SUMS) || any_part(name, KOREAN_SUMS)
}

/// What to call the column: its name in one line, and a word for what databases call an unnamed aggregate.
#[must_use]
pub fn display(name: &str, language: Language) -> String {
    let korean = language == Language::Korean;
    let folded = name.trim().to_lowercase();
    let function = folded.split('(').next().unwrap_or_default().trim();
    let unnamed = match function {
        "count" | "cnt" => Some(("건수", "count")),
        "sum" => Some(("합계", "total")),
        "avg" => Some(("평균", "average")),
        "min" => Some(("최솟값", "minimum")),
        "max" => Some(("최댓값", "maximum")),
        "?column?" | "" => Some(("결과", "result")),
        _ => None,
    };
    if let Some((in_korean, in_english)) = unnamed {
        return if korean { in_korean } else { in_english }.to_owned();
    }
    if korean && let Some(spoken) = korean_name(name) {
        return spoken;
    }
    one_line(&name.replace('_', " "), MAX_NAME)
}

/// Text in one line, cut where it is too long, but never inside a number.
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let cut: String = line.chars().take(most).collect();
    format!("{}…", cut.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '.' | '-')))
}

#[cfg(test)]
mod tests {
    use super::{display, is_additive, is_calendar, is_identifier, one_line};
    use crate::model::language::Language;

    #[test]
    fn sums_are_told_from_what_must_not_be_added() {
        for name in [
            "amount",
            "total_sales",
            "매출 합계",
            "주문 건수",
            "count(*)",
            "SUM(o.unit_price * o.quantity)",
            "총가격",
            "quantity",
            "order_count",
        ] {
            assert!(is_additive(name), "{name}");
        }
        for name in [
            "avg",
            "avg(amount)",
            "평균 금액",
            "price",
            "unitPrice",
            "가격(원)",
            "전환율",
            "growth_rate",
            "age",
            "max_amount",
            "customer_id",
            "distinct_users",
        ] {
            assert!(!is_additive(name), "{name}");
        }
    }

    #[test]
    fn calendars_and_identifiers_are_known_by_name() {
        assert!(
            is_calendar("order_year") && is_calendar("주문월") && is_calendar("strftime('%Y', ordered_at)") && is_calendar("date_trunc")
        );
        assert!(!is_calendar("days_open") && !is_calendar("count(day)") && !is_calendar("이용개월") && !is_calendar("amount"));
        assert!(is_identifier("id") && is_identifier("customer_id") && is_identifier("주문번호"));
        assert!(!is_identifier("count(id)") && !is_identifier("paid") && !is_identifier("number_of_orders"));
    }

    #[test]
    fn unnamed_aggregates_get_a_word() {
        assert_eq!(display("COUNT(*)", Language::Korean), "건수");
        assert_eq!(display("?column?", Language::English), "result");
        assert_eq!(display("total_sales", Language::English), "total sales");
    }

    #[test]
    fn a_cut_never_shortens_a_number() {
        assert_eq!(one_line("abc 12345", 6), "abc …");
        assert_eq!(one_line("a\nb\u{7}c", 10), "a b c");
    }
}
