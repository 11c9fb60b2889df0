//! Whether rows that are called totals hold figures over other rows, and whether the last row is a total without being called one.

use super::{totals::Figure, view::View};
use crate::grid::{Cell, CellRange};

/// Columns that are added up.
const MOST_COLUMNS: u32 = 64;
/// Sums of rounded numbers differ by so much of themselves.
const ROUNDING: f64 = 0.002;
/// Sums that nothing announces must be sums, but for the rounding of floats.
const EXACT: f64 = 1e-9;

/// What was seen of a column so far.
#[derive(Clone, Copy)]
struct Seen {
    sum: f64,
    count: u32,
    least: f64,
    largest: f64,
}

impl Seen {
    const NOTHING: Self = Self { sum: 0.0, count: 0, least: f64::INFINITY, largest: f64::NEG_INFINITY };

    fn add(&mut self, number: f64) {
        self.sum += number;
        self.count += 1;
        self.least = self.least.min(number);
        self.largest = self.largest.max(number);
    }

    fn is(&self, number: f64, figure: Figure) -> bool {
        if self.count == 0 {
            return false;
        }
        let about = |expected: f64| number != 0.0 && (number - expected).abs() <= expected.abs() * ROUNDING;
        match figure {
            Figure::Total | Figure::Subtotal | Figure::Perhaps => about(self.sum),
            Figure::Mean => about(self.sum / f64::from(self.count)),
            Figure::Largest => about(self.largest),
            Figure::Smallest => about(self.least),
            Figure::Count => about(f64::from(self.count)),
        }
    }
}

/// Says of each row below the header that has a word for a figure whether a number in it is about that figure of the rows since the last
/// one, of all rows above, or, in the first row, of all rows below.
pub(super) fn checked(view: &mut View<'_>, range: &CellRange, body: u32, worded: &[Option<Figure>]) -> Vec<bool> {
    let mut borne_out = vec![false; worded.len()];
    let figure_of = |place: usize| worded.get(place).copied().flatten();
    for col in range.left..=range.right.min(range.left.saturating_add(MOST_COLUMNS)) {
        let numbers = numbers(view, range, body, col);
        let mut all = Seen::NOTHING;
        numbers.iter().filter(|(place, _)| figure_of(*place).is_none()).for_each(|(_, number)| all.add(*number));
        let (mut since, mut above) = (Seen::NOTHING, Seen::NOTHING);
        for (place, number) in numbers {
            let Some(figure) = figure_of(place) else {
                since.add(number);
                above.add(number);
                continue;
            };
            let is = if place == 0 { all.is(number, figure) } else { since.is(number, figure) || above.is(number, figure) };
            if let Some(slot) = borne_out.get_mut(place) {
                *slot |= is;
            }
            // What only looks like a total is data to those that follow.
            if is || figure != Figure::Perhaps {
                since = Seen::NOTHING;
            } else {
                since.add(number);
                above.add(number);
            }
        }
    }
    borne_out
}

/// Whether all numbers of the row at `place` below the header are sums (one at least) or means of the rows above that are `data`.
pub(super) fn is_total(view: &mut View<'_>, range: &CellRange, body: u32, place: usize, is_data: impl Fn(usize) -> bool) -> bool {
    let mut sums = 0;
    for col in range.left..=range.right.min(range.left.saturating_add(MOST_COLUMNS)) {
        let mut above = Seen::NOTHING;
        let mut here = None;
        for (row, number) in numbers(view, range, body, col) {
            if row == place {
                here = Some(number);
            } else if row < place && is_data(row) {
                above.add(number);
            }
        }
        let Some(number) = here else { continue };
        let near = |expected: f64| (number - expected).abs() <= expected.abs() * EXACT;
        if above.count < 2 {
            return false;
        }
        if near(above.sum) {
            sums += 1;
        } else if !near(above.sum / f64::from(above.count)) {
            return false;
        }
    }
    sums > 0
}

/// Numbers of a column, by their place below the header.
fn numbers(view: &mut View<'_>, range: &CellRange, body: u32, col: u32) -> Vec<(usize, f64)> {
    let Some(column) = view.sheet.column(col) else { return Vec::new() };
    let cells = column.cells_between(body, range.bottom);
    let number = |(row, cell): (u32, Cell)| {
        let number = match cell {
            Cell::Text(id) => view.classes.of(view.texts, id).number.map(|parsed| parsed.value),
            cell => cell.number(),
        };
        number.map(|number| ((row - body) as usize, number))
    };
    cells.filter_map(number).collect()
}
