//! Cells of a column become values of one type. Where values of several types are mixed the column is text and no value is lost, unless
//! nearly all are of one type: then the others count as missing, and it is said.

mod counts;
mod told;
mod values;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use datagenie_common::{
    model::{language::Language, workbooks::SheetColumnType},
    wording::names::is_identifier,
};

use self::{counts::Counts, told::Assumed, values::Reading};
use super::{Values, classes::Classes, dates::Order};
use crate::{grid::Cell, texts::Texts};

/// Of fewer values no type is that of nearly all.
const ENOUGH: u64 = 20;
/// One of so many values may be of another type.
const FEW: u64 = 20;

/// A column's values, and what was assumed for them.
pub(super) struct Typed {
    pub(super) kind: SheetColumnType,
    pub(super) values: Values,
    pub(super) present: Vec<bool>,
    pub(super) errors: u64,
    pub(super) mixture: Vec<(SheetColumnType, u64)>,
    /// Words of [`datagenie_common::analyses::Assumption::kind`] with sentences that go on behind the column's name.
    pub(super) assumed: Vec<Assumed>,
}

/// What a column is read as.
enum Choice {
    Empty,
    /// `strays` values are of other types and count as missing.
    Number {
        with_commas: bool,
        strays: u64,
    },
    Moment {
        order: Order,
        strays: u64,
    },
    Compact,
    Month,
    Time,
    Truth,
    Text,
    /// Text, because the amounts can't be added.
    SeveralCurrencies,
    Mixed,
}

/// Types the cells of a column, one a row. `commas`: its table has numbers with a comma for the decimal point.
pub(super) fn column(cells: &[Cell], name: &str, commas: bool, classes: &mut Classes, texts: &mut Texts) -> Typed {
    let counts = Counts::of(cells, commas, classes, texts);
    let choice = choose(cells, name, &counts);
    let assumed = told::tell(&choice, &counts, texts);
    let reading = Reading { day_first: counts.day_first, order: Order::Ymd, in_utc: counts.zones_differ, months: false };
    let (kind, values, present) = match choice {
        Choice::Empty => (SheetColumnType::Empty, Values::None, vec![false; cells.len()]),
        Choice::Number { with_commas, .. } => values::numbers(cells, classes, texts, with_commas),
        Choice::Moment { order, .. } => values::moments(cells, classes, texts, Reading { order, ..reading }),
        Choice::Compact => values::moments(cells, classes, texts, reading),
        Choice::Month => values::moments(cells, classes, texts, Reading { months: true, ..reading }),
        Choice::Time => values::times(cells, classes, texts),
        Choice::Truth => values::truths(cells, classes, texts),
        Choice::Text | Choice::SeveralCurrencies => values::texts(cells, texts, SheetColumnType::Text),
        Choice::Mixed => values::texts(cells, texts, SheetColumnType::Mixed),
    };
    let mixture = if kind == SheetColumnType::Mixed { told::mixture(&counts) } else { Vec::new() };
    Typed { kind, values, present, errors: counts.errors, mixture, assumed }
}

fn choose(cells: &[Cell], name: &str, counts: &Counts) -> Choice {
    let present = counts.typed() + counts.texts;
    if present == 0 {
        // Where nothing says what is missing the words stay as they are.
        return if counts.placeholders == 0 { Choice::Empty } else { Choice::Text };
    }
    if is_day_name(name) && counts.compact_numbers + counts.compact == present {
        return Choice::Compact;
    }
    if are_months(cells, name, counts, present) {
        return Choice::Month;
    }
    let (text_numbers, with_commas) = counts.text_numbers();
    // Digits with zeros before them are codes, and so are the digits beside them.
    if counts.codes > 0 && counts.codes + counts.numbers + text_numbers >= present && counts.fractions + counts.truths == 0 {
        return Choice::Text;
    }
    if is_version_name(name) && cells.iter().any(|cell| matches!(cell, Cell::Written(..))) {
        return Choice::Text;
    }
    // 만 and 억, and units, only where all texts of the column are written that way.
    let agree = (counts.multiplied == 0 || counts.multiplied == counts.texts)
        && (counts.counted == 0 || (counts.counted == counts.texts && counts.units.count_ones() == 1));
    if counts.numbers + text_numbers == present && agree {
        return if counts.money.count_ones() > 1 { Choice::SeveralCurrencies } else { Choice::Number { with_commas, strays: 0 } };
    }
    let order = order(name, counts);
    let dated = !(counts.day_first && counts.month_first) && (counts.shorts == 0 || order.is_some());
    let order = order.unwrap_or(Order::Ymd);
    let digits = if is_day_name(name) { counts.compact + counts.compact_numbers } else { 0 };
    if counts.moments + counts.days() + digits == present && dated {
        return Choice::Moment { order, strays: 0 };
    }
    if counts.durations + counts.text_times == present {
        return Choice::Time;
    }
    if counts.truths + counts.text_truths == present && counts.vocabularies.count_ones() <= 1 {
        return Choice::Truth;
    }
    nearly(name, counts, present, dated).unwrap_or(if counts.typed() == 0 { Choice::Text } else { Choice::Mixed })
}

// The type of nearly all values; a column of codes has none.
fn nearly(name: &str, counts: &Counts, present: u64, dated: bool) -> Option<Choice> {
    let few = |strays: u64| present >= ENOUGH && strays > 0 && strays * FEW <= present;
    if is_identifier(name) || counts.codes > 0 {
        return None;
    }
    let strays = present - counts.numbers.saturating_add(counts.pointed).min(present);
    if few(strays) && counts.multiplied == 0 && counts.counted == 0 && counts.money.count_ones() <= 1 {
        return Some(Choice::Number { with_commas: false, strays });
    }
    let strays = present - (counts.moments + counts.days()).min(present);
    let sure = counts.shorts == 0 || counts.hyphened == 0;
    (few(strays) && dated && sure && counts.numbers == 0)
        .then(|| Choice::Moment { order: order(name, counts).unwrap_or(Order::Ymd), strays })
}

fn order(name: &str, counts: &Counts) -> Option<Order> {
    // Codes have hyphens, too.
    if counts.shorts == 0 || (counts.hyphened > 0 && !is_day_name(name)) {
        return None;
    }
    counts.order(Language::of(name) == Language::Korean)
}

// Months of years: `2024-10`, also `2024.10` unless it is a number, and 202410 where the name says so.
fn are_months(cells: &[Cell], name: &str, counts: &Counts, present: u64) -> bool {
    let named = is_month_name(name);
    if counts.months == present {
        return counts.dotted_months == 0 || named || present >= 3;
    }
    let numbers = || cells.iter().filter_map(|cell| cell.number());
    named && counts.numbers == present && numbers().all(|number| counts::compact_month(number).is_some())
}

fn is_day_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["일자", "날짜", "date", "일시", "년월일", "day", "ymd"].iter().any(|word| lower.contains(word))
        || lower.ends_with('일')
        || ["_dt", " dt"].iter().any(|ending| lower.ends_with(ending))
        || lower == "dt"
}

// 1.10 is another version than 1.1.
fn is_version_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["버전", "version"].iter().any(|word| lower.contains(word)) || lower == "ver" || lower == "ver."
}

fn is_month_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["년월", "연월", "월", "month", "기간", "period", "yyyymm", "ym"].iter().any(|word| lower.contains(word))
}

/// A cell as a person sees it.
pub(super) fn shown(cell: Cell, texts: &Texts) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(id) | Cell::Error(id) => texts.get(id).trim().to_owned(),
        Cell::Number(number) => number.to_string(),
        Cell::Written(number, decimals) => format!("{number:.*}", usize::from(decimals)),
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

/// A number such as 20240305 as a day.
fn compact(number: f64) -> Option<NaiveDate> {
    if number.fract() != 0.0 || !(19_000_101.0..21_000_000.0).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of eight digits")]
    let digits = number as u32;
    NaiveDate::from_ymd_opt(i32::try_from(digits / 10_000).ok()?, digits / 100 % 100, digits % 100)
}
