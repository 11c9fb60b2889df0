//! The words of exported files.

use super::cells::Losses;
use crate::model::language::Language;

/// The names of sheets.
pub(super) struct Names {
    pub(super) rows: &'static str,
    pub(super) chart: &'static str,
    pub(super) notes: &'static str,
    pub(super) summary: &'static str,
    pub(super) figures: &'static str,
    pub(super) charts: &'static str,
    pub(super) assumptions: &'static str,
    pub(super) relations: &'static str,
}

pub(super) fn names(language: Language) -> Names {
    match language {
        Language::Korean => Names {
            rows: "결과",
            chart: "차트",
            notes: "알림",
            summary: "요약",
            figures: "열 통계",
            charts: "차트",
            assumptions: "가정",
            relations: "관계",
        },
        Language::English => Names {
            rows: "result",
            chart: "chart",
            notes: "notes",
            summary: "summary",
            figures: "columns",
            charts: "charts",
            assumptions: "assumptions",
            relations: "relations",
        },
    }
}

/// What was lost on the way into the cells, in sentences.
pub(super) fn losses(losses: Losses, language: Language) -> Vec<String> {
    let korean = language == Language::Korean;
    let say = |count: u64, korean_text: String, english: String| {
        let text = if korean { korean_text } else { english };
        (count > 0).then_some(text)
    };
    let Losses { cut, replaced, rounded, in_utc } = losses;
    [
        say(
            cut,
            format!("셀 한도인 32,767자를 넘는 글 {cut}개를 잘랐습니다."),
            format!("{cut} texts longer than a cell's 32,767 characters were cut."),
        ),
        say(
            replaced,
            format!("엑셀이 담지 못하는 제어 문자가 든 글 {replaced}개에서 그 문자를 �로 바꿨습니다."),
            format!("In {replaced} texts characters that xlsx cannot hold were replaced by �."),
        ),
        say(rounded, format!("시각 {rounded}개를 밀리초로 반올림했습니다."), format!("{rounded} moments were rounded to milliseconds.")),
        say(in_utc, "시간대가 있는 시각은 UTC로 적었습니다.".to_owned(), "Moments with a time zone are given in UTC.".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Says that a limit cut the result off.
pub(super) fn truncated(rows: u64, language: Language) -> String {
    match language {
        Language::Korean => format!("이 결과는 한도에서 잘렸습니다: {rows}행만 있고, 데이터에는 더 있을 수 있습니다."),
        Language::English => format!("This result was cut off at a limit: it has {rows} rows, the data may have more."),
    }
}

/// Says that a sheet cannot hold all rows.
pub(super) fn too_many_rows(written: u64, all: u64, language: Language) -> String {
    match language {
        Language::Korean => format!("시트 하나는 1,048,576행까지 담습니다: {all}행 중 {written}행을 적었습니다. 모두는 CSV에 있습니다."),
        Language::English => format!("A sheet holds 1,048,576 rows: {written} of {all} were written. CSV has all of them."),
    }
}

/// Says that a sheet cannot hold all columns.
pub(super) fn too_many_columns(all: usize, language: Language) -> String {
    match language {
        Language::Korean => format!("시트 하나는 16,384열까지 담습니다: {all}열 중 처음 16,384열을 적었습니다. 모두는 CSV에 있습니다."),
        Language::English => format!("A sheet holds 16,384 columns: the first of {all} were written. CSV has all of them."),
    }
}
