//! What is done with each rectangle of a sheet: the tables among them, with their rows and names, before any value is read.

use datagenie_common::analyses::Assumption;

use super::{
    beside,
    classes::{Classes, Sight},
    layout::{self, Layout},
    names::{self, said},
    regions, rows,
    typing::shown,
    view::View,
};
use crate::{
    error::ReadError,
    grid::{Cell, CellRange, Sheet},
    limits::Options,
    texts::Texts,
};

/// Blank rows that a table goes on behind.
const LONGEST_PAUSE: u32 = 3;
/// Rectangles looked back at for one that goes on.
const LOOKED_BACK: usize = 16;
/// Rows between a title and its table.
const TITLE_ABOVE: u32 = 3;
/// A table of one column with longer texts is a note.
const SENTENCE: usize = 40;

/// A table before its values are read.
pub(super) struct Plan {
    /// Header, data and totals.
    pub(super) range: CellRange,
    pub(super) header_rows: u32,
    /// First row below the header.
    pub(super) body: u32,
    pub(super) title: Option<String>,
    pub(super) rows: Vec<u32>,
    pub(super) total_rows: Vec<u32>,
    /// Columns of the sheet with their names; blank ones are left out.
    pub(super) columns: Vec<(u32, String)>,
    /// Merged cells of the data that are filled down.
    pub(super) fills: Vec<CellRange>,
    pub(super) assumptions: Vec<Assumption>,
}

/// A line of text that is no table.
struct Scrap {
    range: CellRange,
    text: String,
}

/// The tables of a sheet.
pub(super) fn of(sheet: &Sheet, texts: &Texts, classes: &mut Classes, options: &Options) -> Result<Vec<Plan>, ReadError> {
    let mut all_merges = sheet.merges.clone();
    all_merges.sort_unstable_by_key(|merge| (merge.top, merge.left));
    let mut view = View { sheet, texts, classes, all_merges: &all_merges, merges: Vec::new() };
    let ranges = joined(&mut view, regions::find(sheet));
    let ranges = beside::joined(&mut view, ranges);
    let mut plans = Vec::new();
    let mut scraps: Vec<Scrap> = Vec::new();
    for range in ranges {
        let width = range.right - range.left + 1;
        if width as usize > options.limits.max_columns {
            let most = options.limits.max_columns;
            return Err(ReadError::TooLarge(format!("the table {range} of “{}” has {width} columns; at most {most} are read", sheet.name)));
        }
        view.enter(&range);
        match plan(&mut view, range) {
            Some(mut plan) => {
                if plan.title.is_none() {
                    plan.title = title_above(&scraps, &plan);
                }
                plans.push(plan);
                if plans.len() > options.limits.max_tables {
                    let most = options.limits.max_tables;
                    return Err(ReadError::TooLarge(format!("“{}” has more than {most} tables", sheet.name)));
                }
            }
            None if scraps.len() < 10_000 => {
                let cell = (range.top..=range.bottom)
                    .find_map(|row| (range.left..=range.right).map(|col| sheet.get(row, col)).find(|cell| matches!(cell, Cell::Text(_))));
                if let Some(cell) = cell {
                    scraps.push(Scrap { range, text: shown(cell, texts) });
                }
            }
            None => {}
        }
    }
    Ok(plans)
}

/// Rectangles below each other of which the lower one goes on with the upper one's rows are one.
fn joined(view: &mut View<'_>, ranges: Vec<CellRange>) -> Vec<CellRange> {
    let mut found: Vec<CellRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let start = found.len().saturating_sub(LOOKED_BACK);
        let upper = (start..found.len()).rev().find(|&place| found.get(place).is_some_and(|upper| goes_on(view, upper, &range)));
        match upper.and_then(|place| found.get_mut(place)) {
            Some(upper) => upper.bottom = range.bottom,
            None => found.push(range),
        }
    }
    found
}

fn goes_on(view: &mut View<'_>, upper: &CellRange, lower: &CellRange) -> bool {
    if lower.top <= upper.bottom || lower.top - upper.bottom > LONGEST_PAUSE + 1 || lower.left < upper.left || lower.right > upper.right {
        return false;
    }
    let (width, other) = (upper.right - upper.left + 1, lower.right - lower.left + 1);
    if width < 2 || other * 2 < width {
        return false;
    }
    if is_header_of(view, upper, lower) || is_more_text(view, upper, lower) {
        return true;
    }
    let mut typed = 0;
    for col in lower.left..=lower.right {
        let (above, below) = (view.sight(upper.bottom, col), view.sight(lower.top, col));
        match (above, below) {
            (Sight::Empty | Sight::Error, _) | (_, Sight::Empty | Sight::Error) => {}
            (above, below) if above != below => return false,
            (Sight::Text, _) => {}
            _ => typed += 1,
        }
    }
    typed > 0
}

/// A header, or a title and a header, with its data behind a blank row.
fn is_header_of(view: &mut View<'_>, upper: &CellRange, lower: &CellRange) -> bool {
    if upper.bottom - upper.top > 3 || lower.top - upper.bottom > 3 {
        return false;
    }
    let (mut names, mut typed) = (0, 0);
    for col in lower.left..=lower.right {
        match (view.sight(upper.bottom, col), view.sight(lower.top, col)) {
            (_, Sight::Empty) => {}
            (Sight::Text, Sight::Text) => names += 1,
            (Sight::Text, _) => (names, typed) = (names + 1, typed + 1),
            _ => return false,
        }
    }
    let only = (upper.left..=upper.right).all(|col| matches!(view.sight(upper.bottom, col), Sight::Text | Sight::Empty));
    names > 1 && typed > 0 && only
}

/// Rows of texts that go on behind one blank row: none of them names columns.
fn is_more_text(view: &mut View<'_>, upper: &CellRange, lower: &CellRange) -> bool {
    if lower.top - upper.bottom != 2 || upper.bottom == upper.top || (lower.left, lower.right) != (upper.left, upper.right) {
        return false;
    }
    let texts = |view: &mut View<'_>, row: u32| (upper.left..=upper.right).all(|col| view.sight(row, col) == Sight::Text);
    texts(view, upper.bottom) && texts(view, lower.top) && (lower.top == lower.bottom || !layout::is_named(view, lower))
}

fn plan(view: &mut View<'_>, range: CellRange) -> Option<Plan> {
    let layout = layout::of(view, &range);
    let body = layout.body();
    if body > range.bottom {
        return None;
    }
    let rows = rows::of(view, &range, &layout);
    let width = range.right - range.left + 1;
    let alone = width == 1 && (rows.data.len() < 2 || is_note(view, &range, &layout));
    let scrap = width > 1 && layout.header_rows == 0 && rows.data.len() < 2;
    if rows.data.is_empty() || alone || scrap {
        return None;
    }
    let table = CellRange { top: layout.top, bottom: rows.bottom, ..range };
    let mut assumptions = Vec::new();
    let title = titles(view, &range, &layout, &mut assumptions);
    headers(view, &table, &layout, &mut assumptions);
    let columns = names::columns(view, &table, &layout, &mut assumptions);
    let fills = fills(view, &table, body, &mut assumptions);
    tell(&rows, &table, &mut assumptions);
    Some(Plan {
        range: table,
        header_rows: layout.header_rows,
        body,
        title,
        rows: rows.data,
        total_rows: rows.totals,
        columns,
        fills,
        assumptions,
    })
}

/// A column of sentences without a header.
fn is_note(view: &mut View<'_>, range: &CellRange, layout: &Layout) -> bool {
    let cells: Vec<Cell> = (layout.top..=range.bottom.min(layout.top + 50)).map(|row| view.sheet.get(row, range.left)).collect();
    let texts: Vec<usize> =
        cells.iter().filter_map(|cell| if let Cell::Text(id) = cell { Some(view.texts.get(*id).chars().count()) } else { None }).collect();
    let long = texts.iter().filter(|&&length| length > SENTENCE).count();
    !texts.is_empty() && texts.len() == cells.len() && (long * 2 > texts.len() || texts.len() < 3)
}

fn titles(view: &View<'_>, range: &CellRange, layout: &Layout, assumptions: &mut Vec<Assumption>) -> Option<String> {
    let mut title = None;
    for &row in &layout.titles {
        let cell = (range.left..=range.right).map(|col| view.sheet.get(row, col)).find(|cell| !cell.is_empty());
        let text = cell.map(|cell| shown(cell, view.texts)).unwrap_or_default();
        if !text.is_empty() && title.is_none() && !layout::is_unit(&text) {
            title = Some(text.chars().take(200).collect());
        }
    }
    if let (Some(&first), Some(&last)) = (layout.titles.first(), layout.titles.last()) {
        let cells = CellRange { top: first, bottom: last, ..*range }.to_string();
        assumptions.push(said("title_row", format!("{} rows above the header are titles.", layout.titles.len()), &cells));
    }
    title
}

fn title_above(scraps: &[Scrap], plan: &Plan) -> Option<String> {
    let above = |scrap: &&Scrap| {
        scrap.range.bottom < plan.range.top
            && plan.range.top - scrap.range.bottom <= TITLE_ABOVE + 1
            && scrap.range.left <= plan.range.right
            && scrap.range.left >= plan.range.left.saturating_sub(1)
    };
    let told = |scrap: &&Scrap| !layout::is_unit(&scrap.text);
    scraps.get(scraps.len().saturating_sub(64)..)?.iter().filter(above).find(told).map(|scrap| scrap.text.chars().take(200).collect())
}

fn headers(view: &View<'_>, table: &CellRange, layout: &Layout, assumptions: &mut Vec<Assumption>) {
    let cells = CellRange { bottom: layout.body().saturating_sub(1).max(layout.top), ..*table };
    match layout.header_rows {
        0 => {
            let text = "The table has no header; its columns are called after their place.".to_owned();
            assumptions.push(said("no_header", text, &CellRange { bottom: layout.top, ..*table }.to_string()));
        }
        1 => {}
        rows => {
            let text = format!("The header has {rows} rows; their texts are joined from top to bottom.");
            assumptions.push(said("multi_row_header", text, &cells.to_string()));
        }
    }
    if layout.header_rows > 0 && view.merges.iter().any(|merge| merge.top < layout.body() && merge.bottom >= layout.top) {
        let text = "Merged cells of the header name all columns that they cover.".to_owned();
        assumptions.push(said("merged_header", text, &cells.to_string()));
    }
}

fn fills(view: &View<'_>, table: &CellRange, body: u32, assumptions: &mut Vec<Assumption>) -> Vec<CellRange> {
    let within = |merge: &&CellRange| merge.bottom > merge.top && merge.top >= body && table.contains(merge.top, merge.left);
    let fills: Vec<CellRange> = view.merges.iter().filter(within).copied().collect();
    if let Some(first) = fills.first() {
        let text = format!("The value of merged cells holds for all their rows ({} times).", fills.len());
        assumptions.push(said("merged_cells", text, &first.to_string()));
    }
    fills
}

fn tell(rows: &rows::Rows, table: &CellRange, assumptions: &mut Vec<Assumption>) {
    let mut told = |kind: &str, found: &[u32], text: String| {
        if let (Some(&first), Some(&last)) = (found.iter().min(), found.iter().max()) {
            assumptions.push(said(kind, text, &CellRange { top: first, bottom: last, ..*table }.to_string()));
        }
    };
    let numbers: Vec<String> = rows.totals.iter().take(10).map(|row| (u64::from(*row) + 1).to_string()).collect();
    told("total_row", &rows.totals, format!("Rows of totals are not counted: {}.", numbers.join(", ")));
    told("repeated_header", &rows.repeated, format!("The header is printed again in {} rows, which are left out.", rows.repeated.len()));
    told("blank_rows", &rows.blank, format!("{} blank rows within the table are passed over.", rows.blank.len()));
    told("note_row", &rows.notes, format!("{} rows below the table are notes.", rows.notes.len()));
}
