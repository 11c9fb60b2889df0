//! Cells of a column become values of one type. No value is lost: what does not fit makes the column text or mixed.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use datagenie_common::model::workbooks::SheetColumnType;

use super::{
    Values,
    classes::{Class, Classes},
    dates::{Precision, Told},
};
use crate::{
    grid::Cell,
    texts::{TextId, Texts},
};

/// Whole numbers up to here are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;
const DAY_MICROS: i64 = 86_400_000_000;

/// A column's values, and what was assumed for them.
pub(super) struct Typed {
    pub(super) kind: SheetColumnType,
    pub(super) values: Values,
    pub(super) present: Vec<bool>,
    pub(super) errors: u64,
    pub(super) mixture: Vec<(SheetColumnType, u64)>,
    /// Words of [`datagenie_common::analyses::Assumption::kind`] with sentences that end after "… column".
    pub(super) assumed: Vec<(&'static str, String)>,
}

#[derive(Default)]
struct Counts {
    numbers: u64,
    truths: u64,
    moments: u64,
    durations: u64,
    errors: u64,
    placeholders: u64,
    texts: u64,
    text_numbers: u64,
    percents: u64,
    currencies: u64,
    multiplied: u64,
    european: u64,
    separated: u64,
    text_days: u64,
    compact: u64,
    text_times: u64,
    text_truths: u64,
    vocabularies: u8,
    compact_numbers: u64,
    day_first: bool,
    month_first: bool,
    either: u64,
}

/// Types the cells of a column, one a row.
pub(super) fn column(cells: &[Cell], name: &str, classes: &mut Classes, texts: &mut Texts) -> Typed {
    let counts = count(cells, classes, texts);
    let typed = counts.numbers + counts.truths + counts.moments + counts.durations;
    let present = typed + counts.texts;
    let days = counts.text_days + counts.either;
    let dated = is_date_name(name);
    let mut assumed = Vec::new();
    if counts.errors > 0 {
        assumed.push(("error_cells", format!("{} cells are errors and count as missing", counts.errors)));
    }
    let kind = if present == 0 && counts.placeholders == 0 {
        Choice::Empty
    } else if present == 0 {
        // Nothing says what is missing: the words stay as they are.
        Choice::Text
    } else if dated && counts.compact_numbers + counts.compact == present {
        assumed.push(("text_as_date", "eight digits are read as year, month and day".to_owned()));
        Choice::Compact
    } else if counts.numbers + counts.text_numbers == present && numbers_agree(&counts) {
        Choice::Number
    } else if counts.moments + days == present && !(counts.day_first && counts.month_first) {
        Choice::Moment
    } else if counts.durations + counts.text_times == present {
        Choice::Time
    } else if counts.truths + counts.text_truths == present && counts.vocabularies.count_ones() <= 1 {
        Choice::Truth
    } else if typed == 0 {
        Choice::Text
    } else {
        Choice::Mixed
    };
    tell(&kind, &counts, days, &mut assumed);
    let mut made = match kind {
        Choice::Empty => (SheetColumnType::Empty, Values::None, vec![false; cells.len()]),
        Choice::Number => number_values(cells, classes, texts),
        Choice::Moment | Choice::Compact => moment_values(cells, classes, texts, counts.day_first),
        Choice::Time => time_values(cells, classes, texts),
        Choice::Truth => truth_values(cells, classes, texts),
        Choice::Text => text_values(cells, texts, SheetColumnType::Text),
        Choice::Mixed => text_values(cells, texts, SheetColumnType::Mixed),
    };
    let mixture = if made.0 == SheetColumnType::Mixed { mixture(&counts) } else { Vec::new() };
    if made.0 == SheetColumnType::Mixed {
        let parts: Vec<String> = mixture.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        assumed.push(("mixed_types", format!("values of several types ({}) are read as text", parts.join(", "))));
    }
    made.2.truncate(cells.len());
    Typed { kind: made.0, values: made.1, present: made.2, errors: counts.errors, mixture, assumed }
}

enum Choice {
    Empty,
    Number,
    Moment,
    Compact,
    Time,
    Truth,
    Text,
    Mixed,
}

fn tell(kind: &Choice, counts: &Counts, days: u64, assumed: &mut Vec<(&'static str, String)>) {
    if counts.placeholders > 0 && !matches!(kind, Choice::Text | Choice::Mixed) {
        assumed.push(("placeholder_as_null", format!("{} placeholders such as “-” count as missing", counts.placeholders)));
    }
    match kind {
        Choice::Number => {
            if counts.text_numbers > 0 {
                assumed.push(("text_as_number", format!("{} texts are read as numbers", counts.text_numbers)));
            }
            if counts.percents > 0 {
                assumed.push(("percent", format!("{} percentages are read as fractions (12.5% is 0.125)", counts.percents)));
            }
            if counts.currencies > 0 {
                assumed.push(("currency", format!("{} amounts are read without their currency", counts.currencies)));
            }
        }
        Choice::Moment if days > 0 => {
            let order = match (counts.either, counts.day_first) {
                (0, _) => "",
                (_, true) => ", the day before the month",
                (_, false) if counts.month_first => ", the month before the day",
                _ => ", the month before the day, which no value contradicts",
            };
            assumed.push(("text_as_date", format!("{days} texts are read as dates{order}")));
        }
        Choice::Time if counts.text_times > 0 => {
            assumed.push(("text_as_date", format!("{} texts are read as times of day", counts.text_times)));
        }
        Choice::Truth if counts.text_truths > 0 => {
            assumed.push(("text_as_boolean", format!("{} texts are read as true or false", counts.text_truths)));
        }
        _ => {}
    }
}

// 만 and 억, or commas for points, only where all texts of the column are written that way.
fn numbers_agree(counts: &Counts) -> bool {
    (counts.multiplied == 0 || counts.multiplied == counts.texts) && (counts.european == 0 || counts.european == counts.separated)
}

fn is_date_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["일자", "날짜", "date", "일시", "년월일", "day"].iter().any(|word| lower.contains(word)) || lower.ends_with('일')
}

fn count(cells: &[Cell], classes: &mut Classes, texts: &Texts) -> Counts {
    let mut counts = Counts::default();
    for &cell in cells {
        match cell {
            Cell::Empty => {}
            Cell::Number(number) => {
                counts.numbers += 1;
                counts.compact_numbers += u64::from(compact(number).is_some());
            }
            Cell::Bool(_) => counts.truths += 1,
            Cell::Moment(_) => counts.moments += 1,
            Cell::Duration(_) => counts.durations += 1,
            Cell::Error(_) => counts.errors += 1,
            Cell::Text(id) => {
                let class = classes.of(texts, id);
                if class.placeholder {
                    counts.placeholders += 1;
                } else if !class.blank {
                    count_text(&mut counts, &class, texts.get(id));
                }
            }
        }
    }
    counts
}

fn count_text(counts: &mut Counts, class: &Class, text: &str) {
    counts.texts += 1;
    if let Some(number) = class.number {
        counts.text_numbers += 1;
        counts.percents += u64::from(number.percent);
        counts.currencies += u64::from(number.currency);
        counts.multiplied += u64::from(number.multiplied);
        counts.european += u64::from(number.european);
        counts.separated += u64::from(text.contains([',', '.']));
    }
    match class.told {
        Some(Told::Moment(..)) => counts.text_days += 1,
        Some(Told::Either(first, second, ..)) => {
            counts.either += 1;
            counts.day_first |= first > 12;
            counts.month_first |= second > 12;
        }
        Some(Told::Compact(_)) => counts.compact += 1,
        Some(Told::Time(_)) => counts.text_times += 1,
        None => {}
    }
    if let Some((_, vocabulary)) = class.truth {
        counts.text_truths += 1;
        counts.vocabularies |= 1 << vocabulary;
    }
}

fn mixture(counts: &Counts) -> Vec<(SheetColumnType, u64)> {
    let parts = [
        (SheetColumnType::Number, counts.numbers),
        (SheetColumnType::Text, counts.texts + counts.placeholders),
        (SheetColumnType::Timestamp, counts.moments),
        (SheetColumnType::Time, counts.durations),
        (SheetColumnType::Boolean, counts.truths),
    ];
    parts.into_iter().filter(|(_, count)| *count > 0).collect()
}

type Made = (SheetColumnType, Values, Vec<bool>);

fn number_values(cells: &[Cell], classes: &mut Classes, texts: &Texts) -> Made {
    let mut numbers = Vec::with_capacity(cells.len());
    let mut present = Vec::with_capacity(cells.len());
    for &cell in cells {
        let value = match cell {
            Cell::Number(number) => Some(number),
            Cell::Text(id) => classes.of(texts, id).number.map(|parsed| parsed.value),
            _ => None,
        };
        let value = value.filter(|value| value.is_finite());
        numbers.push(value.unwrap_or_default());
        present.push(value.is_some());
    }
    let whole = numbers.iter().all(|number| number.fract() == 0.0 && number.abs() < EXACT);
    if whole {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let integers = numbers.iter().map(|&number| number as i64).collect();
        return (SheetColumnType::Integer, Values::Integers(integers), present);
    }
    (SheetColumnType::Number, Values::Numbers(numbers), present)
}

fn moment_values(cells: &[Cell], classes: &mut Classes, texts: &Texts, day_first: bool) -> Made {
    let mut micros = Vec::with_capacity(cells.len());
    let mut present = Vec::with_capacity(cells.len());
    let mut clocked = false;
    for &cell in cells {
        let value = match cell {
            Cell::Moment(value) => Some(value),
            Cell::Number(number) => compact(number).map(|date| micros_of(date.and_time(NaiveTime::MIN))),
            Cell::Text(id) => match classes.of(texts, id).told {
                Some(Told::Moment(moment, precision)) => {
                    clocked |= precision == Precision::Moment;
                    Some(micros_of(moment))
                }
                Some(Told::Either(first, second, year, time)) => {
                    clocked |= time.is_some();
                    let (day, month) = if day_first { (first, second) } else { (second, first) };
                    let date = NaiveDate::from_ymd_opt(year, month, day);
                    date.map(|date| micros_of(date.and_time(time.unwrap_or(NaiveTime::MIN))))
                }
                Some(Told::Compact(date)) => Some(micros_of(date.and_time(NaiveTime::MIN))),
                _ => None,
            },
            _ => None,
        };
        micros.push(value.unwrap_or_default());
        present.push(value.is_some());
    }
    if clocked || micros.iter().any(|micros| micros.rem_euclid(DAY_MICROS) != 0) {
        return (SheetColumnType::Timestamp, Values::Micros(micros), present);
    }
    let days = micros.iter().map(|micros| i32::try_from(micros.div_euclid(DAY_MICROS)).unwrap_or_default()).collect();
    (SheetColumnType::Date, Values::Days(days), present)
}

fn time_values(cells: &[Cell], classes: &mut Classes, texts: &Texts) -> Made {
    let mut present = Vec::with_capacity(cells.len());
    let mut micros = Vec::with_capacity(cells.len());
    for &cell in cells {
        let value = match cell {
            Cell::Duration(micros) => Some(micros),
            Cell::Text(id) => match classes.of(texts, id).told {
                Some(Told::Time(time)) => {
                    Some(i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000))
                }
                _ => None,
            },
            _ => None,
        };
        micros.push(value.unwrap_or_default());
        present.push(value.is_some());
    }
    (SheetColumnType::Time, Values::Micros(micros), present)
}

fn truth_values(cells: &[Cell], classes: &mut Classes, texts: &Texts) -> Made {
    let read = |cell: Cell, classes: &mut Classes| match cell {
        Cell::Bool(value) => Some(value),
        Cell::Text(id) => classes.of(texts, id).truth.map(|(value, _)| value),
        _ => None,
    };
    let values: Vec<Option<bool>> = cells.iter().map(|&cell| read(cell, classes)).collect();
    let present = values.iter().map(Option::is_some).collect();
    (SheetColumnType::Boolean, Values::Booleans(values.into_iter().map(Option::unwrap_or_default).collect()), present)
}

fn text_values(cells: &[Cell], texts: &mut Texts, kind: SheetColumnType) -> Made {
    let mut ids = Vec::with_capacity(cells.len());
    let mut present = Vec::with_capacity(cells.len());
    for &cell in cells {
        let id = match cell {
            Cell::Empty | Cell::Error(_) => None,
            Cell::Text(id) => trimmed(id, texts),
            other => texts.intern(&shown(other, texts)),
        };
        ids.push(id.unwrap_or(TextId(0)));
        present.push(id.is_some());
    }
    (kind, Values::Texts(ids), present)
}

fn trimmed(id: TextId, texts: &mut Texts) -> Option<TextId> {
    let text = texts.get(id);
    let inner = text.trim();
    if inner.is_empty() {
        return None;
    }
    if inner.len() == text.len() {
        return Some(id);
    }
    let inner = inner.to_owned();
    texts.intern(&inner)
}

/// A cell as a person sees it.
pub(super) fn shown(cell: Cell, texts: &Texts) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(id) | Cell::Error(id) => texts.get(id).trim().to_owned(),
        Cell::Number(number) => number.to_string(),
        Cell::Bool(value) => if value { "TRUE" } else { "FALSE" }.to_owned(),
        Cell::Moment(micros) => moment(micros).map_or_else(String::new, |moment| {
            let day = format!("{:04}-{:02}-{:02}", moment.year(), moment.month(), moment.day());
            if moment.time() == NaiveTime::MIN { day } else { format!("{day} {}", moment.time().format("%H:%M:%S")) }
        }),
        Cell::Duration(micros) => {
            let seconds = micros.div_euclid(1_000_000);
            let (sign, seconds) = if seconds < 0 { ("-", -seconds) } else { ("", seconds) };
            format!("{sign}{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
        }
    }
}

fn moment(micros: i64) -> Option<NaiveDateTime> {
    chrono::DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc())
}

fn micros_of(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

/// A number such as 20240305 as a day.
fn compact(number: f64) -> Option<NaiveDate> {
    if number.fract() != 0.0 || !(19_000_101.0..21_000_000.0).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of eight digits")]
    let digits = number as u32;
    NaiveDate::from_ymd_opt(i32::try_from(digits / 10_000).ok()?, digits / 100 % 100, digits % 100)
}
