//! Whether rows that are called totals hold the sums of other rows.

use super::view::View;
use crate::grid::{Cell, CellRange};

/// Columns that are added up.
const MOST_COLUMNS: u32 = 64;
/// Sums of rounded numbers differ by so much of themselves.
const ROUNDING: f64 = 0.002;

/// Says of each row below the header that is `worded` as a total whether a number in it is about the sum of the rows since the last total,
/// of all rows above, or, in the first row, of all rows below.
pub(super) fn checked(view: &mut View<'_>, range: &CellRange, body: u32, worded: &[bool]) -> Vec<bool> {
    let mut sums = vec![false; worded.len()];
    for col in range.left..=range.right.min(range.left.saturating_add(MOST_COLUMNS)) {
        let numbers = numbers(view, range, body, col);
        let all: f64 = numbers.iter().filter(|(place, _)| worded.get(*place) == Some(&false)).map(|(_, number)| number).sum();
        let (mut since, mut above): (Option<f64>, Option<f64>) = (None, None);
        for (place, number) in numbers {
            if worded.get(place) != Some(&true) {
                since = Some(since.unwrap_or_default() + number);
                above = Some(above.unwrap_or_default() + number);
                continue;
            }
            let is_sum = if place == 0 { about(number, Some(all)) } else { about(number, since) || about(number, above) };
            if let Some(slot) = sums.get_mut(place) {
                *slot |= is_sum;
            }
            since = None;
        }
    }
    sums
}

fn about(number: f64, sum: Option<f64>) -> bool {
    sum.is_some_and(|sum| number != 0.0 && (number - sum).abs() <= sum.abs() * ROUNDING)
}

/// Numbers of a column, by their place below the header.
fn numbers(view: &mut View<'_>, range: &CellRange, body: u32, col: u32) -> Vec<(usize, f64)> {
    let Some(column) = view.sheet.column(col) else { return Vec::new() };
    let cells = column.cells_between(body, range.bottom);
    let number = |(row, cell): (u32, Cell)| {
        let number = match cell {
            Cell::Number(number) => Some(number),
            Cell::Text(id) => view.classes.of(view.texts, id).number.map(|parsed| parsed.value),
            _ => None,
        };
        number.map(|number| ((row - body) as usize, number))
    };
    cells.filter_map(number).collect()
}
