//! The values of a column once its type is chosen.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use datagenie_common::model::workbooks::SheetColumnType;

use super::{compact, counts::compact_month, shown};
use crate::{
    grid::Cell,
    tables::{
        Values,
        classes::Classes,
        dates::{Order, Precision, Told},
    },
    texts::{TextId, Texts},
    times::MICROS_PER_DAY,
};

/// Whole numbers up to here are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A type, the values, and which rows have one.
pub(super) type Made = (SheetColumnType, Values, Vec<bool>);

pub(super) fn numbers(cells: &[Cell], classes: &mut Classes, texts: &Texts, with_commas: bool) -> Made {
    let mut numbers = Vec::with_capacity(cells.len());
    let mut present = Vec::with_capacity(cells.len());
    for &cell in cells {
        let value = match cell {
            Cell::Text(id) => {
                let class = classes.of(texts, id);
                class.number.filter(|_| !class.placeholder).map(|parsed| if with_commas { parsed.comma } else { parsed.value })
            }
            cell => cell.number(),
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

/// How days that are texts are read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub(super) day_first: bool,
    pub(super) order: Order,
    /// Moments of different clocks are told by that of UTC.
    pub(super) in_utc: bool,
    /// Numbers of six digits are months.
    pub(super) months: bool,
}

pub(super) fn moments(cells: &[Cell], classes: &mut Classes, texts: &Texts, reading: Reading) -> Made {
    let mut micros = Vec::with_capacity(cells.len());
    let mut present = Vec::with_capacity(cells.len());
    let mut clocked = false;
    for &cell in cells {
        let value = match cell {
            Cell::Moment(value) => Some(value),
            Cell::Text(id) => classes.of(texts, id).told.and_then(|told| moment(told, reading, &mut clocked)),
            cell => cell.number().and_then(|number| if reading.months { compact_month(number) } else { compact(number) }).map(midnight),
        };
        micros.push(value.unwrap_or_default());
        present.push(value.is_some());
    }
    if clocked || micros.iter().any(|micros| micros.rem_euclid(MICROS_PER_DAY) != 0) {
        return (SheetColumnType::Timestamp, Values::Micros(micros), present);
    }
    let days = micros.iter().map(|micros| i32::try_from(micros.div_euclid(MICROS_PER_DAY)).unwrap_or_default()).collect();
    (SheetColumnType::Date, Values::Days(days), present)
}

fn moment(told: Told, reading: Reading, clocked: &mut bool) -> Option<i64> {
    let mut at = |date: NaiveDate, time: Option<NaiveTime>| {
        *clocked |= time.is_some();
        micros_of(date.and_time(time.unwrap_or(NaiveTime::MIN)))
    };
    match told {
        Told::Moment(moment, precision, ahead) => {
            *clocked |= precision == Precision::Moment;
            let ahead = ahead.filter(|_| reading.in_utc).map_or(0, i64::from);
            Some(micros_of(moment) - ahead * 60_000_000)
        }
        Told::Either(first, second, year, time) => {
            let (day, month) = if reading.day_first { (first, second) } else { (second, first) };
            NaiveDate::from_ymd_opt(year.into(), month.into(), day.into()).map(|date| at(date, time))
        }
        Told::Short(short, time) => short.day(reading.order).map(|date| at(date, time)),
        Told::Month(month, _) => Some(midnight(month)),
        Told::Compact(date) => Some(midnight(date)),
        Told::Time(_) => None,
    }
}

pub(super) fn times(cells: &[Cell], classes: &mut Classes, texts: &Texts) -> Made {
    let mut present = Vec::with_capacity(cells.len());
    let mut micros = Vec::with_capacity(cells.len());
    for &cell in cells {
        let value = match cell {
            Cell::Duration(micros) => Some(micros),
            Cell::Text(id) => match classes.of(texts, id).told {
                Some(Told::Time(micros)) => Some(micros),
                _ => None,
            },
            _ => None,
        };
        micros.push(value.unwrap_or_default());
        present.push(value.is_some());
    }
    (SheetColumnType::Time, Values::Micros(micros), present)
}

pub(super) fn truths(cells: &[Cell], classes: &mut Classes, texts: &Texts) -> Made {
    let read = |cell: Cell, classes: &mut Classes| match cell {
        Cell::Bool(value) => Some(value),
        Cell::Text(id) => classes.of(texts, id).truth.map(|(value, _)| value),
        _ => None,
    };
    let values: Vec<Option<bool>> = cells.iter().map(|&cell| read(cell, classes)).collect();
    let present = values.iter().map(Option::is_some).collect();
    (SheetColumnType::Boolean, Values::Booleans(values.into_iter().map(Option::unwrap_or_default).collect()), present)
}

pub(super) fn texts(cells: &[Cell], texts: &mut Texts, kind: SheetColumnType) -> Made {
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

fn midnight(date: NaiveDate) -> i64 {
    micros_of(date.and_time(NaiveTime::MIN))
}

fn micros_of(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}
