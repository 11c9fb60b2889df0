//! Time axes: columns whose values are points in time, each but once, whatever type the source gives them.

use chrono::{Datelike, NaiveDate};
use datagenie_common::{
    model::results::{Column, Row},
    wording::{
        names::{is_calendar, one_line},
        numbers::Amount,
    },
};
use serde_json::Value;

/// Longer labels are no points in time.
const MAX_LABEL: usize = 40;
/// Years that a bare number must be for a course over time; others are weekdays, hours, months of any year.
const COURSE_YEARS: std::ops::RangeInclusive<i64> = 1900..=2100;
/// Years that a bare number is taken for.
const YEARS: std::ops::RangeInclusive<i64> = 1000..=2999;

/// The rows of a result in the order of time.
#[derive(Debug)]
pub(crate) struct Axis {
    /// Row numbers, the earliest first; rows without a time are left out.
    pub(crate) order: Vec<usize>,
    /// What to call them, in the same order.
    labels: Vec<String>,
    /// How many points of an even grid have no row; none if the points lie on no grid.
    pub(crate) missing: Option<i64>,
    /// Whether the rows arrive in the order of time, one way or the other: only then does the result tell a course.
    pub(crate) in_order: bool,
    /// Whether the points are bare numbers that are no years: weekdays, hours, months of any year.
    pub(crate) recurring: bool,
}

impl Axis {
    /// What a row is called.
    pub(crate) fn label(&self, row: usize) -> Option<&str> {
        let at = self.order.iter().position(|ordered| *ordered == row)?;
        self.labels.get(at).map(String::as_str)
    }
}

/// A point in time: its row, its text, and the numbers in it from the year down.
struct Point {
    row: usize,
    text: String,
    parts: Vec<i64>,
}

/// Takes a column for a time axis if all of its values are points in time, and no two the same.
pub(crate) fn find(column: &Column, rows: &[Row], at: usize) -> Option<Axis> {
    let mut points = Vec::new();
    for (row, cells) in rows.iter().enumerate() {
        match cells.get(at) {
            None | Some(Value::Null) => {}
            Some(cell) => points.push(point(column, cell, row)?),
        }
    }
    points.sort_by(|a, b| a.parts.cmp(&b.parts));
    if points.is_empty() || points.windows(2).any(|pair| pair[0].parts == pair[1].parts) {
        return None;
    }
    let days = points.iter().all(|point| point.parts.len() >= 3 && point.parts.iter().skip(3).take(3).all(|part| *part == 0));
    let months = days && points.len() > 1 && points.iter().all(|point| point.parts[2] == 1);
    let missing = missing(&points, days, months);
    let label = |point: &Point| match &point.text {
        // The first of a month stands for the month where all values are firsts.
        text if months && text.is_char_boundary(7) && text.len() >= 10 => text[..7].to_owned(),
        text => one_line(without_midnight(text), MAX_LABEL),
    };
    let labels = points.iter().map(label).collect();
    let recurring = points.iter().any(|point| matches!(point.parts[..], [number] if !COURSE_YEARS.contains(&number)));
    let order: Vec<usize> = points.into_iter().map(|point| point.row).collect();
    let in_order = order.windows(2).all(|pair| pair[0] < pair[1]) || order.windows(2).all(|pair| pair[0] > pair[1]);
    Some(Axis { order, labels, missing, in_order, recurring })
}

/// Whether a number can be a year, a month as `202405`, a day as `20240531`, or a month, week, day or hour by itself.
pub(crate) fn is_calendar_number(cell: &Value) -> bool {
    let number = match Amount::of(cell) {
        Some(Amount::Exact(decimal)) if decimal.is_integer() => decimal.to_string().parse::<i64>().ok(),
        _ => None,
    };
    number.is_some_and(|number| (0..=53).contains(&number) || YEARS.contains(&number) || compact(number).is_some())
}

/// The date part of a time at midnight, else the text as it is.
pub(crate) fn without_midnight(text: &str) -> &str {
    let Some((date, time)) = text.split_once(['T', ' ']) else { return text };
    let clock = time.split(['Z', '+', '-']).next().unwrap_or_default();
    let midnight = clock.starts_with("00:00") && clock.chars().all(|c| matches!(c, '0' | ':' | '.'));
    if date.len() == 10 && midnight { date } else { text }
}

/// `202405` and `20240531` as year, month and day.
fn compact(number: i64) -> Option<Vec<i64>> {
    let parts = match number {
        100_001..=299_912 => vec![number / 100, number % 100],
        10_000_101..=29_991_231 => vec![number / 10_000, number / 100 % 100, number % 100],
        _ => return None,
    };
    is_date(&parts).then_some(parts)
}

fn is_date(parts: &[i64]) -> bool {
    let within = |at: usize, range: std::ops::RangeInclusive<i64>| parts.get(at).is_none_or(|part| range.contains(part));
    within(0, YEARS) && within(1, 1..=12) && within(2, 1..=31) && within(3, 0..=24) && within(4, 0..=59)
}

fn point(column: &Column, cell: &Value, row: usize) -> Option<Point> {
    let text = match cell {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let named = column.kind.is_temporal() || is_calendar(&column.name);
    let calendar_number = named && is_calendar_number(cell);
    let parts = if calendar_number && !text.contains('-') { vec![Amount::of(cell)?.to_f64() as i64] } else { written(&text)? };
    let compacted = if let [number] = parts[..] { compact(number).filter(|_| named) } else { None };
    let parts = compacted.unwrap_or(parts);
    // A lone number, as a year, a week or a month, is a time only if the column says so.
    let is_time = match parts[..] {
        [] => false,
        [_] => calendar_number,
        [year, ..] => is_date(&parts) || (is_week(&text) && YEARS.contains(&year)),
    };
    is_time.then_some(Point { row, text, parts })
}

/// The numbers of a written time; none if it holds anything that times are not written with.
fn written(text: &str) -> Option<Vec<i64>> {
    let of_times = |c: char| c.is_ascii_digit() || " -/.:+TZQqW년월일분기주차시".contains(c);
    if text.is_empty() || text.len() > MAX_LABEL || !text.chars().all(of_times) || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).map(|digits| digits.parse().ok()).collect()
}

fn is_quarter(text: &str) -> bool {
    text.contains(['Q', 'q']) || text.contains("분기")
}

fn is_week(text: &str) -> bool {
    text.contains('W') || text.contains('주')
}

/// Where each point lies on a grid of years, quarters, months or days.
fn position(point: &Point, days: bool, months: bool) -> Option<i64> {
    if is_week(&point.text) {
        return None;
    }
    match point.parts[..] {
        [number] => Some(number),
        [year, quarter] if is_quarter(&point.text) => Some(year * 4 + quarter),
        [year, month] => Some(year * 12 + month),
        [year, month, ..] if months => Some(year * 12 + month),
        [year, month, day, ..] if days => {
            let date = NaiveDate::from_ymd_opt(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?)?;
            Some(i64::from(date.num_days_from_ce()))
        }
        _ => None,
    }
}

// The grid's step is the smallest there is: weeks, quarters and years need no name of their own.
fn missing(points: &[Point], days: bool, months: bool) -> Option<i64> {
    let positions: Vec<i64> = points.iter().map(|point| position(point, days, months)).collect::<Option<_>>()?;
    let steps: Vec<i64> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let step = *steps.iter().min().filter(|step| **step > 0)?;
    steps.iter().all(|wide| wide % step == 0).then(|| steps.iter().map(|wide| wide / step - 1).sum())
}
