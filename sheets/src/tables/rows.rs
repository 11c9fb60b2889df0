//! Which rows below a header are data: not totals, not headers printed again, not notes below the table, not blank.

use super::{layout::Layout, sums, view::View};
use crate::{
    grid::{Cell, CellRange},
    texts::TextId,
};

/// The rows of a table's body.
pub(super) struct Rows {
    /// Rows of data.
    pub(super) data: Vec<u32>,
    /// Rows of totals.
    pub(super) totals: Vec<u32>,
    /// Headers printed again.
    pub(super) repeated: Vec<u32>,
    /// Blank rows between the others.
    pub(super) blank: Vec<u32>,
    /// Notes below.
    pub(super) notes: Vec<u32>,
    /// The last row that belongs to the table.
    pub(super) bottom: u32,
}

const TOTALS: &[&str] = &[
    "합계",
    "총계",
    "소계",
    "계",
    "누계",
    "총합",
    "총합계",
    "합",
    "총액",
    "전체합계",
    "total",
    "totals",
    "grandtotal",
    "subtotal",
    "sub-total",
    "sum",
];
const ENDINGS: &[&str] = &["합계", "소계", "총계", "total", "subtotal", "totals"];
const NOTES: &[&str] = &["※", "*", "주)", "주:", "주1", "note", "source", "출처", "자료", "비고:", "†"];
/// Longer texts alone in a row are sentences.
const SENTENCE: usize = 30;

#[derive(Clone, Copy, Default)]
struct Line {
    filled: u32,
    typed: u32,
    label: Option<TextId>,
}

/// Tells the rows below the header apart.
pub(super) fn of(view: &mut View<'_>, range: &CellRange, layout: &Layout) -> Rows {
    let body = layout.body();
    let lines = lines(view, range, body);
    let mut rows =
        Rows { data: Vec::new(), totals: Vec::new(), repeated: Vec::new(), blank: Vec::new(), notes: Vec::new(), bottom: range.bottom };
    let width = range.right - range.left + 1;
    let usual = lines.iter().filter(|line| line.filled > 1).count() * 2 >= lines.len();
    let mut end = lines.len();
    while end > 1 && width > 1 && usual {
        let Some(line) = lines.get(end - 1) else { break };
        let note = line.filled == 0 || (line.filled == 1 && line.label.is_some_and(|id| is_note(view.texts.get(id), width)));
        if !note {
            break;
        }
        end -= 1;
        if line.filled > 0 {
            rows.notes.push(body + u32::try_from(end).unwrap_or_default());
        }
    }
    rows.bottom = (body + u32::try_from(end).unwrap_or_default()).saturating_sub(1).max(layout.top);
    let header = layout.top..body;
    let is_worded = |line: &Line| line.typed > 0 && line.label.is_some_and(|id| view.classes.of(view.texts, id).total);
    let worded: Vec<bool> = lines.iter().take(end).map(is_worded).collect();
    let summed = if worded.contains(&true) { sums::checked(view, range, body, &worded) } else { Vec::new() };
    let trailing = end - lines.iter().take(end).zip(&worded).rev().take_while(|(line, worded)| **worded || line.filled == 0).count();
    for (place, line) in lines.iter().take(end).enumerate() {
        let row = body + u32::try_from(place).unwrap_or_default();
        // Within a table a word alone is not enough, for it may be a name: the numbers must be sums of the rows around.
        let total = worded.get(place) == Some(&true)
            && (place >= trailing || summed.get(place) == Some(&true) || line.label.is_some_and(|id| is_subtotal(view.texts.get(id))));
        if line.filled == 0 {
            rows.blank.push(row);
        } else if total {
            rows.totals.push(row);
        } else if line.typed == 0 && header.clone().any(|header| is_same(view, range, header, row)) {
            rows.repeated.push(row);
        } else {
            rows.data.push(row);
        }
    }
    // A table of nothing but totals is a table of data.
    if rows.data.is_empty() {
        rows.data = std::mem::take(&mut rows.totals);
    }
    rows
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
                    let counts = line.typed == 0 && (line.label.is_none() || class.total);
                    if counts {
                        line.label = Some(id);
                    }
                }
                _ => line.typed += 1,
            }
            line.filled += 1;
        }
    }
    lines
}

/// Whether a text is a word for a total, or ends in one.
pub(super) fn is_total(text: &str) -> bool {
    if text.len() > 120 {
        return false;
    }
    let word = word(text);
    TOTALS.contains(&word.as_str()) || (word.chars().count() <= 30 && ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

fn is_subtotal(text: &str) -> bool {
    let word = word(text);
    ["소계", "subtotal", "sub-total", "중계"].iter().any(|ending| word.ends_with(ending))
}

fn word(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '(' | ')' | '[' | ']' | '*' | '<' | '>')).collect()
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
