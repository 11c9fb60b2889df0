//! Names of columns as people give them on Korean spreadsheets, taken apart.

use super::lexicon::Bucket;

/// Nouns that names end in, the longest first where one ends in another.
const HEADS: &[&str] = &[
    "매출액",
    "매출",
    "판매액",
    "금액",
    "총액",
    "수량",
    "판매량",
    "단가",
    "가격",
    "비용",
    "원가",
    "예산",
    "이익",
    "할인액",
    "할인율",
    "급여",
    "연봉",
    "점수",
    "재고",
    "건수",
    "인원",
    "지역",
    "도시",
    "지점",
    "매장",
    "부서",
    "분류",
    "카테고리",
    "구분",
    "유형",
    "종류",
    "등급",
    "상태",
    "채널",
    "경로",
    "성별",
    "나이",
    "연령대",
    "브랜드",
    "국가",
    "담당자",
    "거래처",
    "직급",
    "이름",
];
/// Endings that say only that something is a name.
const NAMES: &[&str] = &["이름", "명칭", "명"];
/// Endings that say only that something is a key.
const KEYS: &[&str] = &["일련번호", "번호", "코드", "아이디", "ID", "Id", "id", "No", "no", "_id", " id", " ID"];

/// What else a column of this name may be called.
pub(super) fn parts(name: &str) -> Vec<&str> {
    let head = HEADS.iter().copied().find(|head| name.len() > head.len() && name.ends_with(head));
    let stem = NAMES.iter().find_map(|ending| name.strip_suffix(ending)).filter(|stem| stem.chars().count() >= 2);
    head.into_iter().chain(stem).collect()
}

/// What the rows are that have such a key: 주문 of 주문번호, order of order_id; nothing of 번호.
pub(super) fn stem(key: &str) -> String {
    let key = key.trim();
    let rest = KEYS.iter().find_map(|ending| key.strip_suffix(ending)).unwrap_or_default();
    rest.trim_end_matches(['_', ' ', '-', '.']).to_owned()
}

/// Whether a column of this name, in lower case, holds such a part of the calendar.
pub(super) fn is_of(name: &str, bucket: Bucket) -> bool {
    let (endings, names): (&[&str], &[&str]) = match bucket {
        Bucket::Year => (&["연도", "년도"], &["year", "년", "해"]),
        Bucket::Quarter => (&["분기"], &["quarter"]),
        Bucket::Month => (&["년월", "연월", "월"], &["month"]),
        Bucket::Week => (&["주차"], &["week"]),
        Bucket::Weekday => (&["요일"], &["weekday"]),
        Bucket::Day => (&["일자", "날짜"], &["day"]),
    };
    endings.iter().any(|ending| name.ends_with(ending))
        || names.contains(&name)
        || names.iter().any(|word| name.ends_with(&format!("_{word}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(parts("주문금액"), ["금액"]);
        assert_eq!(parts("상품명"), ["상품"]);
        assert_eq!(parts("담당자이름"), ["이름", "담당자"]);
        assert_eq!((parts("금액"), parts("설명")), (vec![], vec![]));
        assert_eq!(
            (stem("주문번호"), stem("order_id"), stem("번호"), stem("id")),
            ("주문".into(), "order".into(), String::new(), String::new())
        );
        assert!(is_of("주문월", Bucket::Month) && is_of("year", Bucket::Year) && !is_of("월급", Bucket::Month));
    }
}
