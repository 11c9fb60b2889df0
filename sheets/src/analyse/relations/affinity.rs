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

fn subject(table: &str) -> String {
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

/// How much the names speak for a reference: 0 nothing, 2 the same name, 3 that of the table.
pub(super) fn affinity(column: &str, key: &str, table: &str, sheet: &str) -> u32 {
    let about = stem(column);
    if about.is_empty() {
        return 0;
    }
    let of_table = |name: &str| {
        let subject = subject(name);
        let long = |text: &str| text.chars().count() >= 2;
        !subject.is_empty()
            && (subject == about || (long(&about) && long(&subject) && (subject.ends_with(&about) || about.ends_with(&subject))))
    };
    if of_table(table) || of_table(sheet) {
        return 3;
    }
    let same = column.trim().to_lowercase() == key.trim().to_lowercase();
    if same || about == stem(key) { 2 } else { 0 }
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

    #[test]
    fn names_speak_for_a_reference() {
        for (column, key, table) in [
            ("customer_id", "id", "customers"),
            ("고객번호", "번호", "고객"),
            ("상품코드", "코드", "상품 마스터"),
            ("dept", "id", "Dept List"),
            ("담당부서", "부서명", "부서"),
        ] {
            assert_eq!(affinity(column, key, table, table), 3, "{column} → {table}");
        }
        assert_eq!(affinity("고객번호", "고객ID", "Sheet2", "Sheet2"), 2);
        for (column, key, table) in
            [("id", "id", "customers"), ("수량", "번호", "고객"), ("amount", "id", "customers"), ("순번", "번호", "고객")]
        {
            assert_eq!(affinity(column, key, table, table), 0, "{column} → {table}");
        }
    }
}
