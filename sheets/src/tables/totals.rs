//! Words that people write beside totals and other figures over rows.

/// What a row that begins with such a word holds, if its numbers bear it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// A sum, by a word that means nothing else: `합계`.
    Total,
    /// A sum of the rows since the last one: `소계`.
    Subtotal,
    /// A sum, by a word that may begin a name, too: `총무팀`.
    Perhaps,
    Mean,
    Largest,
    Smallest,
    Count,
}

const TOTALS: &[&str] = &["합계", "총계", "계", "누계", "총합", "총합계", "합", "총액", "전체합계", "total", "totals", "grandtotal", "sum"];
const SUBTOTALS: &[&str] = &["소계", "중계", "subtotal", "sub-total", "subtotals"];
const ENDINGS: &[&str] = &["합계", "총계", "total", "totals"];
/// Words with which a total begins, and names as well.
const BEGINNINGS: &[&str] = &["total", "총", "합계", "누계", "전체", "전국", "sumof", "all", "overall"];
const MEANS: &[&str] = &["평균", "average", "avg", "avg.", "mean", "평균값"];
const LARGEST: &[&str] = &["최대", "최댓값", "최대값", "최고", "max", "maximum", "최고값"];
const SMALLEST: &[&str] = &["최소", "최솟값", "최소값", "최저", "min", "minimum", "최저값"];
const COUNTS: &[&str] = &["건수", "개수", "총건수", "count", "인원", "총인원"];
/// Longer texts are sentences or names.
const LONGEST: usize = 120;
const LONGEST_WORD: usize = 30;

/// What a text announces.
pub(super) fn of(text: &str) -> Option<Figure> {
    if text.len() > LONGEST {
        return None;
    }
    let word = word(text);
    let is = |list: &[&str]| list.contains(&word.as_str());
    let ends = |list: &[&str]| list.iter().any(|ending| word.ends_with(ending));
    if word.is_empty() || word.chars().count() > LONGEST_WORD {
        return None;
    }
    if is(SUBTOTALS) || ends(SUBTOTALS) {
        return Some(Figure::Subtotal);
    }
    if is(TOTALS) || ends(ENDINGS) {
        return Some(Figure::Total);
    }
    if is(MEANS) || ends(&["평균", "average"]) {
        return Some(Figure::Mean);
    }
    if is(LARGEST) {
        return Some(Figure::Largest);
    }
    if is(SMALLEST) {
        return Some(Figure::Smallest);
    }
    if is(COUNTS) {
        return Some(Figure::Count);
    }
    let perhaps = BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)) || text.trim_end().ends_with(" 계");
    perhaps.then_some(Figure::Perhaps)
}

/// Without blanks, decorations and what stands in parentheses at the end: `< 합 계 (원) >` is 합계.
fn word(text: &str) -> String {
    let text = text.trim().trim_matches(|c: char| matches!(c, '<' | '>' | '[' | ']' | '【' | '】' | '*' | '■' | '▶' | '-' | '=' | '#'));
    let text = match text.trim_end().strip_suffix([')', '）']).and_then(|inside| inside.rsplit_once(['(', '（'])) {
        Some((before, _)) if !before.trim().is_empty() => before,
        _ => text,
    };
    text.to_lowercase().chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '：' | '(' | ')' | '[' | ']' | '*' | '.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_have_many_names() {
        for text in [
            "합계",
            "합 계",
            "합계(원)",
            "합계 (단위: 천원)",
            "[총계]",
            "Grand Total",
            "TOTAL:",
            "Total (KRW)",
            "2024년 합계",
            "( 계 )",
            "총 합 계",
        ] {
            assert_eq!(of(text), Some(Figure::Total), "{text}");
        }
        for (text, expected) in [
            ("서울 소계", Some(Figure::Subtotal)),
            ("Sub-total", Some(Figure::Subtotal)),
            ("평균", Some(Figure::Mean)),
            ("전체 평균", Some(Figure::Mean)),
            ("Average", Some(Figure::Mean)),
            ("Max", Some(Figure::Largest)),
            ("최솟값", Some(Figure::Smallest)),
            ("건수", Some(Figure::Count)),
            ("총무팀", Some(Figure::Perhaps)),
            ("Total sales", Some(Figure::Perhaps)),
            ("서울 계", Some(Figure::Perhaps)),
            ("서울", None),
            ("시계", None),
            ("회계", None),
            ("()", None),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}
