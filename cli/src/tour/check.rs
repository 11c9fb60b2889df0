//! Whether an answer says what the reference says. Names of columns, their order and additional columns do not matter, values do.

use serde_json::Value;

use crate::client::Row;

/// Fractions may differ by this part of the reference: engines and models round averages differently. Whole numbers may not differ.
const TOLERANCE: f64 = 1e-6;
/// Only so many columns of an answer are looked at; beyond, finding the reference among them gets expensive.
const MAX_COLUMNS: usize = 8;

/// How an answer is compared with the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// What the order of the rows means.
    pub order: Order,
    /// How times among the labels are read.
    pub grain: Grain,
    /// How far fractions may be off beyond the tolerance, where an answer may round.
    pub slack: f64,
}

/// What the order of the rows means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing: rows are a multiset.
    Any,
    /// It is part of the answer.
    Same,
    /// The answer holds the first so many rows by the reference's last column. The reference holds more of them:
    /// of rows that tie for the last places any may be in the answer.
    Top(usize),
}

/// How times among the labels are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// As they stand.
    None,
    /// `2023`, `"2023"`, `2023-01-01T00:00:00Z` and `2023년` are one year.
    Year,
    /// `2025-03`, `2025-03-01`, `2025-03-01T00:00:00Z`, `2025년 3월` and (within one year) `3` are one month.
    Month,
}

/// Whether the answer's rows are the reference's, in some choice of the answer's columns.
pub fn agrees(answer: &[Row], reference: &[Row], rule: Rule) -> bool {
    let Some(first) = reference.first() else { return answer.is_empty() };
    let wanted = match rule.order {
        Order::Top(most) => most.min(reference.len()),
        Order::Any | Order::Same => reference.len(),
    };
    let columns = answer.iter().map(Vec::len).min().unwrap_or(0).min(MAX_COLUMNS);
    answer.len() == wanted && choices(columns, first.len()).iter().any(|choice| rows_agree(answer, reference, choice, rule))
}

/// Every way to choose `wanted` of the columns, in every order.
fn choices(columns: usize, wanted: usize) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..wanted {
        let mut longer = Vec::new();
        for choice in &found {
            for column in (0..columns).filter(|column| !choice.contains(column)) {
                let mut next = choice.clone();
                next.push(column);
                longer.push(next);
            }
        }
        found = longer;
    }
    found
}

fn rows_agree(answer: &[Row], reference: &[Row], choice: &[usize], rule: Rule) -> bool {
    let same_row = |ours: &Row, theirs: &Row| {
        choice.len() == theirs.len() && choice.iter().zip(theirs).all(|(column, wanted)| same_cell(&ours[*column], wanted, rule))
    };
    match rule.order {
        Order::Same => answer.iter().zip(reference).all(|(ours, theirs)| same_row(ours, theirs)),
        Order::Any => all_found(answer, reference, same_row),
        Order::Top(_) => {
            let measures_agree = answer.iter().zip(reference).all(|(ours, theirs)| {
                let measured = choice.last().map(|column| &ours[*column]).zip(theirs.last());
                measured.is_some_and(|(ours, theirs)| same_cell(ours, theirs, rule))
            });
            measures_agree && all_found(answer, reference, same_row)
        }
    }
}

/// Whether each row of the answer is another row of the reference.
fn all_found(answer: &[Row], reference: &[Row], same_row: impl Fn(&Row, &Row) -> bool) -> bool {
    let mut left: Vec<&Row> = reference.iter().collect();
    answer.iter().all(|ours| match left.iter().position(|theirs| same_row(ours, theirs)) {
        Some(at) => {
            left.swap_remove(at);
            true
        }
        None => false,
    })
}

fn same_cell(ours: &Value, wanted: &Value, rule: Rule) -> bool {
    if let (Some(ours), Some(wanted)) = (whole(ours), whole(wanted)) {
        return ours == wanted;
    }
    if let (Some(ours), Some(wanted)) = (number(ours), number(wanted)) {
        return (ours - wanted).abs() <= (TOLERANCE * wanted.abs()).max(rule.slack);
    }
    if rule.grain != Grain::None
        && let (Some(ours), Some(wanted)) = (period(ours, rule.grain), period(wanted, rule.grain))
    {
        return ours.month == wanted.month && (ours.year.is_none() || ours.year == wanted.year);
    }
    match (ours, wanted) {
        (Value::String(ours), Value::String(wanted)) => ours.trim() == wanted.trim(),
        _ => ours == wanted,
    }
}

/// A whole number, exactly; the contract sends large ones and numerics as strings.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        Value::String(text) => {
            let text = text.trim();
            let (digits, zeros) = text.split_once('.').unwrap_or((text, ""));
            if zeros.bytes().all(|b| b == b'0') { digits.parse().ok() } else { None }
        }
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

/// A year, a month, or a month of a year.
#[derive(Debug, PartialEq, Eq)]
struct Period {
    year: Option<u32>,
    month: Option<u32>,
}

fn period(value: &Value, grain: Grain) -> Option<Period> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.as_u64()?.to_string(),
        _ => return None,
    };
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let first = numbers.next()?;
    let begins_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
    let year = first.parse::<u32>().ok().filter(|year| first.len() == 4 && (1900..3000).contains(year));
    let month_of = |text: &str| text.parse::<u32>().ok().filter(|month| text.len() <= 2 && (1..=12).contains(month));
    match (grain, year) {
        (Grain::Year, Some(year)) if begins_with_digit => Some(Period { year: Some(year), month: None }),
        (Grain::Month, Some(year)) if begins_with_digit => Some(Period { year: Some(year), month: Some(month_of(numbers.next()?)?) }),
        (Grain::Month, None) if begins_with_digit && numbers.next().is_none() => Some(Period { year: None, month: Some(month_of(first)?) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
