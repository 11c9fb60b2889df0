//! What was assumed for the values of a column, in sentences that begin with its name.

use datagenie_common::{
    model::{language::Language, workbooks::SheetColumnType},
    wording::names::one_line,
};

use super::{Choice, counts::Counts};
use crate::{
    tables::{
        dates::Order,
        numbers::{Currency, UNITS},
    },
    texts::{TextId, Texts},
    words::{Words, plural},
};

/// Longer examples are cut.
const LONGEST_EXAMPLE: usize = 30;

/// A word for programs, and the rest of a sentence: `열 “금액”: …`.
pub(super) type Assumed = (&'static str, Words);

/// Says what was assumed.
pub(super) fn tell(choice: &Choice, counts: &Counts, texts: &Texts) -> Vec<Assumed> {
    let mut assumed = Vec::new();
    let mut say = |kind, korean: String, english: String| assumed.push((kind, Words::new(korean, english)));
    if counts.errors > 0 {
        let errors = counts.errors;
        say(
            "error_cells",
            format!("오류 셀 {errors}개는 값이 없는 것으로 봅니다"),
            format!("{} missing", plural(errors, "cell with an error counts as", "cells with errors count as")),
        );
    }
    if counts.placeholders > 0 && !matches!(choice, Choice::Text | Choice::Mixed | Choice::SeveralCurrencies) {
        let count = counts.placeholders;
        say(
            "placeholder_as_null",
            format!("‘-’처럼 값이 없다는 표시 {count}개는 값이 없는 것으로 봅니다"),
            format!("{} such as “-” count as missing", plural(count, "placeholder", "placeholders")),
        );
    }
    match choice {
        Choice::Number { with_commas, .. } => numbers(counts, *with_commas, &mut say),
        Choice::Compact => say(
            "text_as_date",
            "여덟 자리 숫자를 연월일로 읽었습니다".to_owned(),
            "eight digits are read as year, month and day".to_owned(),
        ),
        Choice::Month => say("text_as_date", "달은 그달의 첫날로 읽었습니다".to_owned(), "months are read as their first day".to_owned()),
        Choice::Moment { order, .. } if counts.days() > 0 => moments(counts, *order, &mut say),
        Choice::Time if counts.text_times > 0 => say(
            "text_as_date",
            format!("텍스트 {}개를 시각으로 읽었습니다", counts.text_times),
            format!("{} read as times", plural(counts.text_times, "text is", "texts are")),
        ),
        Choice::Truth if counts.text_truths > 0 => say(
            "text_as_boolean",
            format!("텍스트 {}개를 참/거짓으로 읽었습니다", counts.text_truths),
            format!("{} read as true or false", plural(counts.text_truths, "text is", "texts are")),
        ),
        Choice::SeveralCurrencies => {
            let codes = Currency::codes(counts.money);
            say(
                "currency",
                format!("여러 통화({codes})의 금액이어서 더할 수 없으므로 텍스트로 둡니다"),
                format!("amounts in several currencies ({codes}) can't be added and stay texts"),
            );
        }
        _ => {}
    }
    strays(choice, counts, texts, &mut say);
    assumed
}

fn numbers(counts: &Counts, with_commas: bool, say: &mut impl FnMut(&'static str, String, String)) {
    let (texts, _) = counts.text_numbers();
    if texts > 0 {
        let unit = UNITS.get(counts.units.trailing_zeros().saturating_sub(1) as usize).filter(|_| counts.counted > 0);
        let (korean, english) = match (with_commas, unit) {
            (_, Some(unit)) => (format!("(단위 ‘{unit}’ 제외)"), format!(" without their unit “{unit}”")),
            (true, None) => ("(쉼표가 소수점)".to_owned(), ", with a comma for the decimal point".to_owned()),
            (false, None) => (String::new(), String::new()),
        };
        say(
            "text_as_number",
            format!("텍스트 {texts}개를 숫자로 읽었습니다{korean}"),
            format!("{} read as numbers{english}", plural(texts, "text is", "texts are")),
        );
    }
    if counts.percents > 0 {
        let count = counts.percents;
        say(
            "percent",
            format!("백분율 {count}개를 소수로 읽었습니다(12.5%는 0.125)"),
            format!("{} read as fractions (12.5% is 0.125)", plural(count, "percentage is", "percentages are")),
        );
    }
    if counts.currencies > 0 {
        let (count, codes) = (counts.currencies, Currency::codes(counts.money));
        say(
            "currency",
            format!("금액 {count}개를 통화 표시({codes}) 없이 읽었습니다"),
            format!("{} read without the currency ({codes})", plural(count, "amount is", "amounts are")),
        );
    }
}

fn moments(counts: &Counts, order: Order, say: &mut impl FnMut(&'static str, String, String)) {
    let days = counts.days();
    let mut how = match (counts.either, counts.day_first, counts.month_first) {
        (0, ..) => ("", ""),
        (_, true, _) => (", 일을 월보다 앞에", ", the day before the month"),
        (_, false, true) => (", 월을 일보다 앞에", ", the month before the day"),
        (_, false, false) => (", 월을 일보다 앞에(어긋나는 값은 없음)", ", the month before the day, which no value contradicts"),
    };
    if counts.shorts > 0 {
        how = match order {
            Order::Ymd => (", 연-월-일 차례로", ", as year, month and day"),
            Order::Dmy => (", 일-월-연 차례로", ", as day, month and year"),
            Order::Mdy => (", 월-일-연 차례로", ", as month, day and year"),
        };
    }
    let zone = match (counts.zones_differ, counts.zone) {
        (true, _) => (", 시간대가 달라 협정 세계시로", ", in UTC, as their time zones differ"),
        (false, Some(_)) => (", 적힌 시각 그대로", ", by the clock that they name"),
        (false, None) => ("", ""),
    };
    say(
        "text_as_date",
        format!("텍스트 {days}개를 날짜로 읽었습니다{}{}", how.0, zone.0),
        format!("{} read as dates{}{}", plural(days, "text is", "texts are"), how.1, zone.1),
    );
}

// Values of other types: they make the column a text, or, if they are few, they are left out of it.
fn strays(choice: &Choice, counts: &Counts, texts: &Texts, say: &mut impl FnMut(&'static str, String, String)) {
    let examples = match choice {
        Choice::Mixed => {
            let parts = mixture(counts);
            let named =
                |language| parts.iter().map(|(kind, count)| format!("{} {count}", name(*kind, language))).collect::<Vec<_>>().join(", ");
            let english = parts.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
            return say(
                "mixed_types",
                format!("여러 종류의 값이 섞여 있어({}) 텍스트로 읽었습니다", named(Language::Korean)),
                format!("values of several types ({english}) are read as text"),
            );
        }
        Choice::Number { strays, .. } if *strays > 0 => (&counts.no_numbers, *strays),
        Choice::Moment { strays, .. } if *strays > 0 => (&counts.no_days, *strays),
        _ => return,
    };
    let (ids, count) = examples;
    let shown = |id: &TextId| format!("“{}”", one_line(texts.get(*id), LONGEST_EXAMPLE));
    let listed = ids.iter().map(shown).collect::<Vec<_>>().join(", ");
    let (korean, english) = if ids.is_empty() { (String::new(), String::new()) } else { (format!("({listed})"), format!(" ({listed})")) };
    say(
        "mixed_types",
        format!("다른 종류의 값 {count}개{korean}는 값이 없는 것으로 봅니다"),
        format!("{} missing{english}", plural(count, "value of another type counts as", "values of other types count as")),
    );
}

/// How many values are of each type.
pub(super) fn mixture(counts: &Counts) -> Vec<(SheetColumnType, u64)> {
    let parts = [
        (SheetColumnType::Number, counts.numbers),
        (SheetColumnType::Text, counts.texts + counts.placeholders),
        (SheetColumnType::Timestamp, counts.moments),
        (SheetColumnType::Time, counts.durations),
        (SheetColumnType::Boolean, counts.truths),
    ];
    parts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn name(kind: SheetColumnType, language: Language) -> &'static str {
    match (language, kind) {
        (Language::Korean, SheetColumnType::Number) => "숫자",
        (Language::Korean, SheetColumnType::Timestamp) => "날짜",
        (Language::Korean, SheetColumnType::Time) => "시각",
        (Language::Korean, SheetColumnType::Boolean) => "참/거짓",
        (Language::Korean, _) => "텍스트",
        (Language::English, kind) => kind.as_str(),
    }
}
