//! Rectangles beside each other, one blank column apart, that are one table.

use super::{classes::Sight, layout, rows, view::View};
use crate::grid::{Cell, CellRange};

/// Rectangles of a sheet on which this is looked for: people lay out no more by hand.
const MOST: usize = 2_000;
/// Rows times columns that are looked at in all: a table that grows column by column would be read again for each.
const MOST_CELLS: u64 = 200_000_000;

/// Joins rectangles that are parts of one table, and drops those that lie within the joined ones.
pub(super) fn joined(view: &mut View<'_>, mut ranges: Vec<CellRange>) -> Vec<CellRange> {
    if ranges.len() > MOST {
        return ranges;
    }
    let mut room = MOST_CELLS;
    let mut place = 0;
    while let Some(&left) = ranges.get(place) {
        let right =
            ranges.iter().find(|right| right.left == left.right + 2 && right.top <= left.bottom && left.top <= right.bottom).copied();
        match right {
            Some(right) if spend(&mut room, &left, &right) && is_one(view, &left, &right) => {
                let whole = CellRange { right: right.right, top: left.top.min(right.top), bottom: left.bottom.max(right.bottom), ..left };
                ranges.retain(|range| !within(range, &whole));
                ranges.insert(place.min(ranges.len()), whole);
                ranges.sort_by_key(|range| (range.top, range.left));
                place = ranges.iter().position(|range| *range == whole).unwrap_or(place);
            }
            _ => place += 1,
        }
    }
    ranges
}

fn spend(room: &mut u64, left: &CellRange, right: &CellRange) -> bool {
    let cells = |range: &CellRange| u64::from(range.bottom - range.top + 1) * u64::from(range.right - range.left + 1);
    let left = room.checked_sub(cells(left) + cells(right));
    *room = left.unwrap_or_default();
    left.is_some()
}

fn within(range: &CellRange, whole: &CellRange) -> bool {
    whole.contains(range.top, range.left) && whole.contains(range.bottom, range.right)
}

/// One table: header and last row are on the same rows, and one part can't stand alone, or the right one has no key of its own.
fn is_one(view: &mut View<'_>, left: &CellRange, right: &CellRange) -> bool {
    view.enter(left);
    let upper = layout::of(view, left);
    let bottom = rows::of(view, left, &upper).bottom;
    view.enter(right);
    let other = layout::of(view, right);
    let end = rows::of(view, right, &other).bottom;
    if upper.top != other.top || upper.body() != other.body() || upper.header_rows == 0 || !other.titles.is_empty() {
        // A column of remarks with a few values has its name on the header's row.
        let remarks = right.left == right.right && right.top == upper.top && right.bottom > right.top && right.bottom <= bottom;
        return remarks && upper.header_rows == 1 && view.sight(right.top, right.left) == Sight::Text;
    }
    let single = left.left == left.right || right.left == right.right;
    if single && end <= bottom {
        return true;
    }
    bottom == end && end > upper.body() && !shares_name(view, left, right, upper.top) && is_measure(view, right, upper.body())
}

/// The same name on both sides: two tables of one form.
fn shares_name(view: &View<'_>, left: &CellRange, right: &CellRange, row: u32) -> bool {
    (left.left..=left.right).any(|col| {
        let cell = view.sheet.get(row, col);
        !cell.is_empty() && (right.left..=right.right).any(|other| view.sheet.get(row, other) == cell)
    })
}

/// Whether the first column holds numbers that count nothing: amounts, not the keys of another table.
fn is_measure(view: &View<'_>, range: &CellRange, body: u32) -> bool {
    let cells: Vec<Cell> = (body..=range.bottom.min(body + 20)).map(|row| view.sheet.get(row, range.left)).collect();
    let numbers: Vec<f64> = cells.iter().filter_map(|cell| cell.number()).collect();
    let counted = numbers.windows(2).all(|pair| pair[1] - pair[0] == 1.0);
    numbers.len() == cells.len() && !counted
}
