//! Whether names say that a column refers to a table: `customer_id` to `customers`, 고객번호 to 고객.

use datagenie_common::wording::words::{fold, split};

/// Words that say only that a column is a key.
const KEY_WORDS: &[&str] = &["id", "ids", "no", "num", "number", "nr", "code", "key", "pk", "fk", "ref", "idx", "seq", "uuid", "cd"];
/// The same at the end of a Korean word.
const KOREAN_KEY_WORDS: &[&str] = &["일련번호", "번호", "코드", "아이디", "식별자", "키", "명", "이름"];
/// Words of sheets that say nothing of what is on them.
const SHEET_WORDS: &[&str] = &["sheet", "table", "list", "data", "master", "info", "tbl", "dim", "fact", "the", "of"];
const KOREAN_SHEET_WORDS: &[&str] = &["마스터", "목록", "리스트", "정보", "현황", "내역", "데이터", "대장", "명단", "표", "시트"];

/// What a key's name is about without the words that make it a key: `customer` of `customer_id`, 고객 of 고객번호, nothing of `id`.
pub(super) fn stem(column: &str) -> String {
    stripped(column, KEY_WORDS, KOREAN_KEY_WORDS)
}

/// What a table's or a sheet's name is about.
pub(super) fn subject(table: &str) -> String {
    stripped(table, SHEET_WORDS, KOREAN_SHEET_WORDS)
}

fn stripped(name: &str, words: &[&str], korean: &[&str]) -> String {
    let mut kept = String::new();
    for word in split(name) {
        if words.contains(&word.as_str()) || word.chars().all(|c| c.is_ascii_digit()) {
            continue;
        }
        let mut rest = word.as_str();
        while let Some(shorter) = korean.iter().find_map(|ending| rest.strip_suffix(ending)) {
            rest = shorter;
        }
        kept.push_str(&fold(rest));
    }
    kept
}

/// A column's name, taken apart once for many comparisons.
pub(super) struct Named {
    about: String,
    whole: String,
}

impl Named {
    pub(super) fn new(column: &str) -> Self {
        Self { about: stem(column), whole: column.trim().to_lowercase() }
    }
}

/// The names of a key, of its table and of its sheet, taken apart likewise.
pub(super) struct KeyNames {
    key: Named,
    subjects: [String; 2],
}

impl KeyNames {
    pub(super) fn new(key: &str, table: &str, sheet: &str) -> Self {
        Self { key: Named::new(key), subjects: [subject(table), subject(sheet)] }
    }
}

/// How much the names speak for a reference: 0 nothing, 2 the same name, 3 that of the table.
pub(super) fn affinity(column: &Named, key: &KeyNames) -> u32 {
    let about = &column.about;
    if about.is_empty() {
        return 0;
    }
    let of_table = |subject: &String| {
        let long = |text: &str| text.chars().nth(1).is_some();
        !subject.is_empty()
            && (subject == about
                || (long(about) && long(subject) && (subject.ends_with(about.as_str()) || about.ends_with(subject.as_str()))))
    };
    if key.subjects.iter().any(of_table) {
        return 3;
    }
    if column.whole == key.key.whole || *about == key.key.about { 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_about_what_remains() {
        for (name, expected) in [
            ("customer_id", "customer"),
            ("customerNo", "customer"),
            ("고객번호", "고객"),
            ("상품 코드", "상품"),
            ("id", ""),
            ("번호", ""),
            ("부서명", "부서"),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
    }

    fn speaks(column: &str, key: &str, table: &str) -> u32 {
        affinity(&Named::new(column), &KeyNames::new(key, table, table))
    }

    #[test]
    fn names_speak_for_a_reference() {
        for (column, key, table) in [
            ("customer_id", "id", "customers"),
            ("고객번호", "번호", "고객"),
            ("상품코드", "코드", "상품 마스터"),
            ("dept", "id", "Dept List"),
            ("담당부서", "부서명", "부서"),
        ] {
            assert_eq!(speaks(column, key, table), 3, "{column} → {table}");
        }
        assert_eq!(speaks("고객번호", "고객ID", "Sheet2"), 2);
        for (column, key, table) in
            [("id", "id", "customers"), ("수량", "번호", "고객"), ("amount", "id", "customers"), ("순번", "번호", "고객")]
        {
            assert_eq!(speaks(column, key, table), 0, "{column} → {table}");
        }
    }
}
