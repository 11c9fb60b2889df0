//! Which rows below a header are data: not totals, not headers printed again, not names of sections, not notes below the table, not blank.

use super::{classes::Sight, layout::Layout, sums, totals::Figure, view::View};
use crate::{
    grid::{Cell, CellRange},
    texts::TextId,
};

/// The rows of a table's body.
#[derive(Default)]
pub(super) struct Rows {
    /// Rows of data.
    pub(super) data: Vec<u32>,
    /// Rows of totals and other figures over rows.
    pub(super) totals: Vec<u32>,
    /// Of these, the one that nothing announces.
    pub(super) unnamed: Option<u32>,
    /// Headers printed again.
    pub(super) repeated: Vec<u32>,
    /// A merged text over the whole width: the name of what follows.
    pub(super) sections: Vec<u32>,
    /// Blank rows between the others.
    pub(super) blank: Vec<u32>,
    /// Notes below.
    pub(super) notes: Vec<u32>,
    /// The last row that belongs to the table.
    pub(super) bottom: u32,
}

const NOTES: &[&str] =
    &["※", "*", "주)", "주:", "주1", "note", "source", "출처", "자료", "비고:", "†", "끝", "- 끝", "-끝", "이하여백", "이하 여백"];
/// Rows above a text alone at the end of a table that are looked at to learn what its column holds.
const LOOKED_BACK: usize = 50;
/// Longer texts alone in a row are sentences.
const SENTENCE: usize = 30;

#[derive(Clone, Copy, Default)]
struct Line {
    filled: u32,
    typed: u32,
    label: Option<TextId>,
    /// The column of the first filled cell.
    first: u32,
}

/// Tells the rows below the header apart.
pub(super) fn of(view: &mut View<'_>, range: &CellRange, layout: &Layout) -> Rows {
    let body = layout.body();
    let lines = lines(view, range, body);
    let mut rows = Rows { bottom: range.bottom, ..Rows::default() };
    let end = without_notes(view, range, body, &lines, &mut rows);
    rows.bottom = (body + u32::try_from(end).unwrap_or_default()).saturating_sub(1).max(layout.top);
    let lines = lines.get(..end).unwrap_or_default();
    let totals = totals(view, range, body, lines);
    for (place, line) in lines.iter().enumerate() {
        let row = body + u32::try_from(place).unwrap_or_default();
        if line.filled == 0 {
            rows.blank.push(row);
        } else if totals.get(place) == Some(&true) {
            rows.totals.push(row);
        } else if line.typed == 0 && (layout.top..body).any(|header| is_same(view, range, header, row)) {
            rows.repeated.push(row);
        } else if is_section(view, range, row, line) {
            rows.sections.push(row);
        } else {
            rows.data.push(row);
        }
    }
    // A table of nothing but totals is a table of data, and so is one of nothing but sections.
    if rows.data.is_empty() {
        let left = if rows.totals.is_empty() { &mut rows.sections } else { &mut rows.totals };
        rows.data = std::mem::take(left);
    }
    unnamed_total(view, range, body, lines, &mut rows);
    rows
}

/// Takes notes off the end, and tells where the table ends.
fn without_notes(view: &mut View<'_>, range: &CellRange, body: u32, lines: &[Line], rows: &mut Rows) -> usize {
    let width = range.right - range.left + 1;
    let usual = lines.iter().filter(|line| line.filled > 1).count() * 2 >= lines.len();
    let mut end = lines.len();
    while end > 1 && width > 1 && usual {
        let Some(line) = lines.get(end - 1) else { break };
        let alone = line.filled == 1 && line.typed == 0;
        let row = body + u32::try_from(end - 1).unwrap_or_default();
        let note = line.filled == 0
            || (alone && line.label.is_some_and(|id| is_note(view.texts.get(id), width)))
            || (alone && line.label.is_some() && is_among_numbers(view, body, row, line.first));
        if !note {
            break;
        }
        end -= 1;
        if line.filled > 0 {
            rows.notes.push(body + u32::try_from(end).unwrap_or_default());
        }
    }
    end
}

/// Which rows are totals. Within a table a word alone is not enough, for it may be a name: the numbers must bear it out.
fn totals(view: &mut View<'_>, range: &CellRange, body: u32, lines: &[Line]) -> Vec<bool> {
    let figure = |line: &Line| line.label.filter(|_| line.typed > 0).and_then(|id| view.classes.of(view.texts, id).figure);
    let worded: Vec<Option<Figure>> = lines.iter().map(figure).collect();
    let mut totals = vec![false; lines.len()];
    if worded.iter().all(Option::is_none) {
        return totals;
    }
    let borne_out = sums::checked(view, range, body, &worded);
    let mut trailing = true;
    for (place, line) in lines.iter().enumerate().rev() {
        let sure = match worded.get(place).copied().flatten() {
            Some(Figure::Subtotal) => true,
            Some(Figure::Total) => trailing,
            _ => false,
        };
        let total = sure || borne_out.get(place) == Some(&true);
        trailing &= total || line.filled == 0;
        if let Some(slot) = totals.get_mut(place) {
            *slot = total;
        }
    }
    totals
}

/// The last row, if it has no name where the others have one, and its numbers are the sums of theirs.
fn unnamed_total(view: &mut View<'_>, range: &CellRange, body: u32, lines: &[Line], rows: &mut Rows) {
    let Some(&last) = rows.data.last().filter(|_| rows.data.len() > 2) else { return };
    let place_of = |row: u32| (row - body) as usize;
    let Some(line) = lines.get(place_of(last)) else { return };
    let named = rows.data.iter().filter(|row| lines.get(place_of(**row)).is_some_and(|line| line.label.is_some())).count();
    if line.label.is_some() || line.typed != line.filled || named * 5 < (rows.data.len() - 1) * 4 {
        return;
    }
    let is_data = |place: usize| u32::try_from(place).is_ok_and(|place| rows.data.binary_search(&(body + place)).is_ok());
    let numbers = (range.left..=range.right).all(|col| match view.sheet.get(last, col) {
        Cell::Empty | Cell::Number(_) | Cell::Written(..) => true,
        Cell::Text(id) => {
            let class = view.classes.of(view.texts, id);
            class.blank || class.number.is_some()
        }
        Cell::Bool(_) | Cell::Moment(_) | Cell::Duration(_) | Cell::Error(_) => false,
    });
    if numbers && sums::is_total(view, range, body, place_of(last), is_data) {
        rows.data.pop();
        rows.totals.push(last);
        rows.unnamed = Some(last);
    }
}

fn lines(view: &mut View<'_>, range: &CellRange, body: u32) -> Vec<Line> {
    let count = usize::try_from((range.bottom + 1).saturating_sub(body)).unwrap_or_default();
    let mut lines = vec![Line::default(); count];
    for col in range.left..=range.right {
        let Some(column) = view.sheet.column(col) else { continue };
        for (row, cell) in column.cells_between(body, range.bottom) {
            let Some(line) = lines.get_mut((row - body) as usize) else { continue };
            let class = match cell {
                Cell::Text(id) => Some((id, view.classes.of(view.texts, id))),
                _ => None,
            };
            match class {
                Some((_, class)) if class.blank => continue,
                Some((id, class)) if class.number.is_none() && class.told.is_none() => {
                    // A total's word stands left of its numbers; behind a group's name it may stand in the second cell.
                    let counts = line.typed == 0 && (line.label.is_none() || class.figure.is_some());
                    if counts {
                        line.label = Some(id);
                    }
                }
                _ => line.typed += 1,
            }
            if line.filled == 0 {
                line.first = col;
            }
            line.filled += 1;
        }
    }
    lines
}

/// A text alone in its row that is merged over half of the width or more.
fn is_section(view: &View<'_>, range: &CellRange, row: u32, line: &Line) -> bool {
    if line.filled != 1 || line.typed > 0 || line.label.is_none() || range.right - range.left < 1 {
        return false;
    }
    view.merge_at(row, line.first).is_some_and(|merge| {
        let covered = merge.right.min(range.right) + 1 - merge.left;
        merge.bottom == merge.top && covered > 1 && covered * 2 > range.right - range.left
    })
}

/// Whether the cells above one hold only numbers and times, two at least.
fn is_among_numbers(view: &mut View<'_>, body: u32, row: u32, col: u32) -> bool {
    let sights: Vec<Sight> =
        (body..row).rev().take(LOOKED_BACK).map(|row| view.sight(row, col)).filter(|sight| *sight != Sight::Empty).collect();
    sights.len() > 1 && sights.iter().all(|sight| matches!(sight, Sight::Number | Sight::Time))
}

fn is_note(text: &str, width: u32) -> bool {
    let text = text.trim().to_lowercase();
    NOTES.iter().any(|mark| text.starts_with(mark)) || (width > 2 && text.chars().count() > SENTENCE)
}

fn is_same(view: &View<'_>, range: &CellRange, header: u32, row: u32) -> bool {
    let mut filled = 0;
    for col in range.left..=range.right {
        let (upper, lower) = (view.sheet.get(header, col), view.sheet.get(row, col));
        if upper != lower {
            return false;
        }
        filled += u32::from(!upper.is_empty());
    }
    filled > 1 || (filled == 1 && range.left == range.right)
}
