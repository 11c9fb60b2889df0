//! What is to be said of a table because of its sheet, and of a column because of how it is shown.

use super::{names::said, numbers::Currency};
use crate::{
    grid::{CellRange, Sheet, Signs},
    words::{Said, Words, plural},
};

/// What is to be said of a table because of the sheet that it is on.
pub(super) fn of_sheet(sheet: &Sheet, range: &CellRange, body: u32, several: bool, assumptions: &mut Vec<Said>) {
    let mut say = |kind, at: &CellRange, korean: String, english: String| {
        assumptions.push(said(kind, Words::new(korean, english), &at.to_string()));
    };
    if sheet.hidden {
        let (korean, english) =
            ("숨겨진 시트이지만 요청에 따라 읽었습니다.", "The sheet is hidden; it was read because that was asked for.");
        say("hidden_sheet", range, korean.to_owned(), english.to_owned());
    }
    if several {
        let (korean, english) = ("시트에 표가 여럿 있으며 이것은 그중 하나입니다.", "The sheet has several tables; this is one of them.");
        say("several_tables", range, korean.to_owned(), english.to_owned());
    }
    let within = |hidden: &[(u32, u32)], first: u32, last: u32| {
        let parts = hidden.iter().filter(|(from, to)| *from <= last && *to >= first).map(|(from, to)| (*from.max(&first), *to.min(&last)));
        parts.fold((0_u64, u32::MAX, 0), |(count, low, high), (from, to)| (count + u64::from(to - from) + 1, low.min(from), high.max(to)))
    };
    let (rows, top, bottom) = within(&sheet.hidden_rows, body, range.bottom);
    if rows > 0 {
        let english = format!("{} counted all the same.", plural(rows, "row is hidden and", "rows are hidden and"));
        say("hidden_rows", &CellRange { top, bottom, ..*range }, format!("숨겨진 행 {rows}개도 함께 셌습니다."), english);
    }
    let (columns, left, right) = within(&sheet.hidden_columns, range.left, range.right);
    if columns > 0 {
        let english = format!("{} read all the same.", plural(columns, "column is hidden and", "columns are hidden and"));
        say("hidden_columns", &CellRange { left, right, ..*range }, format!("숨겨진 열 {columns}개도 함께 읽었습니다."), english);
    }
    if let Some((uncomputed, at)) = sheet.uncomputed.and_then(|uncomputed| Some((uncomputed, uncomputed.range.common(range)?))) {
        let count = uncomputed.count;
        say(
            "formula_without_value",
            &at,
            format!(
                "이 시트의 수식 {count}개는 계산된 값이 저장되어 있지 않아 값이 없는 것으로 봅니다. 프로그램에서 열어 다시 저장하면 읽을 수 있습니다."
            ),
            format!(
                "{} missing: open and save the workbook in a spreadsheet program to have them computed.",
                plural(
                    count,
                    "formula of the sheet has no stored value and counts as",
                    "formulas of the sheet have no stored value and count as"
                )
            ),
        );
    }
}

/// What is to be said of numbers that are shown as percentages or as money of several currencies.
pub(super) fn of_signs(signs: Signs, name: &str, range: &str) -> Option<Said> {
    let (kind, korean, english) = if signs.are_percentages() {
        ("percent", "백분율로 표시된 값은 소수입니다(12.5%는 0.125)".to_owned(), "percentages are fractions (12.5% is 0.125)".to_owned())
    } else if signs.currencies().count_ones() > 1 {
        let codes = Currency::codes(signs.currencies());
        (
            "currency",
            format!("여러 통화({codes})로 표시되어 있지만 숫자 그대로 더합니다"),
            format!("amounts are shown in several currencies ({codes}) and added as plain numbers"),
        )
    } else {
        return None;
    };
    let words = Words::new(format!("‘{name}’ 열: {korean}."), format!("In the column “{name}” {english}."));
    Some(said(kind, words, range))
}

/// That the blank cells of a column were filled with what stands above them.
pub(super) fn of_outline(name: &str, range: &str) -> Said {
    let words = Words::new(
        format!("‘{name}’ 열: 빈 셀은 바로 위의 값과 같은 것으로 보았습니다."),
        format!("In the column “{name}” blank cells mean the value above them."),
    );
    said("blank_as_above", words, range)
}
