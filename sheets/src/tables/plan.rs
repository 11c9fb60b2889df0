//! What is done with each rectangle of a sheet: the tables among them, with their rows and names, before any value is read.

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
    words::{Said, Words, plural},
};

/// Blank rows that a table goes on behind.
const LONGEST_PAUSE: u32 = 3;
/// Rectangles looked back at for one that goes on.
const LOOKED_BACK: usize = 16;
/// Rows between a title and its table.
const TITLE_ABOVE: u32 = 3;
/// A table of one column with longer texts is a note.
const SENTENCE: usize = 40;
/// Rows of a description above a table.
const MOST_DESCRIPTIONS: usize = 8;
/// Rows of all rectangles of a sheet: merged cells may make each as tall as the sheet.
const MOST_ROWS: u64 = 100_000_000;

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
    pub(super) assumptions: Vec<Said>,
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
    let ranges = beside::joined(&mut view, regions::find(sheet));
    let ranges = joined(&mut view, ranges);
    let ranges = beside::joined(&mut view, ranges);
    let mut plans = Vec::new();
    let mut scraps: Vec<Scrap> = Vec::new();
    let mut rows: u64 = 0;
    for range in ranges {
        rows += u64::from(range.bottom - range.top) + 1;
        if rows > MOST_ROWS {
            return Err(ReadError::TooLarge(format!("the cells of “{}” lie in too many pieces", sheet.name)));
        }
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
    Ok(without_descriptions(&view, plans))
}

/// All cells of a sheet as one table, where nothing on it looks like one. Rows and columns without a cell are left out, so that a cell far
/// away costs no more than one nearby.
pub(super) fn whole(sheet: &Sheet, texts: &Texts, classes: &mut Classes, options: &Options) -> Result<Plan, ReadError> {
    let mut view = View { sheet, texts, classes, all_merges: &[], merges: Vec::new() };
    let columns: Vec<u32> = (0..sheet.column_count()).filter(|&col| sheet.column(col).is_some_and(|column| column.filled() > 0)).collect();
    let mut rows: Vec<u32> =
        columns.iter().filter_map(|&col| sheet.column(col)).flat_map(|column| column.cells().map(|(row, _)| row)).collect();
    rows.sort_unstable();
    rows.dedup();
    if columns.len() > options.limits.max_columns {
        let (most, count) = (options.limits.max_columns, columns.len());
        return Err(ReadError::TooLarge(format!("“{}” has cells in {count} columns; at most {most} are read", sheet.name)));
    }
    let range = CellRange {
        top: rows.first().copied().unwrap_or_default(),
        left: columns.first().copied().unwrap_or_default(),
        bottom: rows.last().copied().unwrap_or_default(),
        right: columns.last().copied().unwrap_or_default(),
    };
    view.enter(&range);
    let words = Words::new(
        "표처럼 보이는 것이 없어 값이 있는 모든 셀을 머리글 없는 표 하나로 보았습니다.",
        "Nothing looks like a table, so all cells with a value are taken as one without a header.",
    );
    let mut assumptions = vec![said("no_table", words, &range.to_string())];
    let layout = Layout { titles: Vec::new(), top: range.top, header_rows: 0 };
    let columns = names::columns(&view, &range, &layout, &mut assumptions);
    Ok(Plan { range, header_rows: 0, body: range.top, title: None, rows, total_rows: Vec::new(), columns, fills: Vec::new(), assumptions })
}

/// Two columns of a few names and what they are (`작성자: 홍길동`) right above a longer table describe it, and are no table.
fn without_descriptions(view: &View<'_>, plans: Vec<Plan>) -> Vec<Plan> {
    let describes = |plan: &Plan, other: &Plan| {
        let near = other.range.top > plan.range.bottom && other.range.top - plan.range.bottom <= TITLE_ABOVE + 1;
        near && other.rows.len() >= plan.rows.len() && other.header_rows > 0 && other.range.left <= plan.range.right
    };
    let is_description = |plan: &Plan| {
        let [(names, _), (values, _)] = plan.columns[..] else { return false };
        let rows: Vec<u32> = (plan.range.top..=plan.range.bottom).take(MOST_DESCRIPTIONS + 1).collect();
        let name = |row: &u32| if let Cell::Text(id) = view.sheet.get(*row, names) { Some(view.texts.get(id).trim()) } else { None };
        if rows.len() > MOST_DESCRIPTIONS || !rows.iter().all(|row| name(row).is_some()) {
            return false;
        }
        let colons = rows.iter().filter_map(name).filter(|name| name.ends_with([':', '：'])).count();
        // What is counted is told by a table, however short.
        let counted = plan.rows.iter().all(|row| view.sheet.get(*row, values).number().is_some());
        (rows.len() <= 2 && !counted) || colons * 2 > rows.len()
    };
    // From the bottom, so that each is compared with tables that stay.
    let mut kept: Vec<Plan> = Vec::with_capacity(plans.len());
    for plan in plans.into_iter().rev() {
        let described = kept.iter_mut().rev().take(LOOKED_BACK).find(|table| describes(&plan, table));
        match described.filter(|_| is_description(&plan)) {
            Some(table) => {
                table.title = table.title.take().or(plan.title);
                let count = u64::from(plan.range.bottom - plan.range.top) + 1;
                let words = Words::new(
                    format!("표 위의 {count}개 행은 표에 대한 설명으로 보았습니다."),
                    format!("{} above the table {} it.", plural(count, "row", "rows"), if count == 1 { "describes" } else { "describe" }),
                );
                table.assumptions.insert(0, said("title_row", words, &plan.range.to_string()));
            }
            None => kept.push(plan),
        }
    }
    kept.reverse();
    kept
}

/// Rectangles below each other of which the lower one goes on with the upper one's rows are one.
fn joined(view: &mut View<'_>, ranges: Vec<CellRange>) -> Vec<CellRange> {
    let mut found: Vec<CellRange> = Vec::with_capacity(ranges.len());
    for band in ranges.chunk_by(|a, b| (a.top, a.bottom) == (b.top, b.bottom)) {
        let mut left = band.to_vec();
        // Rows that a blank column parts go on with a table that has the same one.
        if left.len() > 1
            && let Some((place, whole)) = whole_band(view, &found, &left)
        {
            left.retain(|range| range.left < whole.left || range.right > whole.right);
            if let Some(upper) = found.get_mut(place) {
                upper.bottom = whole.bottom;
            }
        }
        for range in left {
            let start = found.len().saturating_sub(LOOKED_BACK);
            let upper = (start..found.len()).rev().find(|&place| found.get(place).is_some_and(|upper| goes_on(view, upper, &range)));
            match upper.and_then(|place| found.get_mut(place)) {
                Some(upper) => upper.bottom = range.bottom,
                None => found.push(range),
            }
        }
    }
    found
}

/// The table above that the rectangles of a band, as far as they lie below it, go on with, and the rectangle around these.
fn whole_band(view: &mut View<'_>, found: &[CellRange], band: &[CellRange]) -> Option<(usize, CellRange)> {
    let start = found.len().saturating_sub(LOOKED_BACK);
    (start..found.len()).rev().find_map(|place| {
        let upper = found.get(place)?;
        let mut below = band.iter().filter(|range| range.left >= upper.left && range.right <= upper.right);
        let first = below.next()?;
        // Only where the table has a blank column in the same place: others are several tables below a wide one.
        let (count, whole, parted) = below.fold((1, *first, true), |(count, whole, parted), range| {
            let blank = (whole.right + 1..range.left).all(|col| view.is_blank(col, upper.top, upper.bottom));
            (count + 1, whole.around(range), parted && blank)
        });
        (count > 1 && parted && goes_on(view, upper, &whole)).then_some((place, whole))
    })
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

fn titles(view: &View<'_>, range: &CellRange, layout: &Layout, assumptions: &mut Vec<Said>) -> Option<String> {
    let mut title = None;
    for &row in &layout.titles {
        let cell = (range.left..=range.right).map(|col| view.sheet.get(row, col)).find(|cell| !cell.is_empty());
        let text = cell.map(|cell| shown(cell, view.texts)).unwrap_or_default();
        if !text.is_empty() && title.is_none() && !layout::is_unit(&text) && !text.starts_with(['※', '*']) {
            title = Some(text.chars().take(200).collect());
        }
    }
    if let (Some(&first), Some(&last)) = (layout.titles.first(), layout.titles.last()) {
        let cells = CellRange { top: first, bottom: last, ..*range }.to_string();
        let count = layout.titles.len() as u64;
        let words = Words::new(
            format!("머리글 위의 {count}개 행은 제목으로 보았습니다."),
            format!("{} above the header {} read as a title.", plural(count, "row", "rows"), if count == 1 { "is" } else { "are" }),
        );
        assumptions.push(said("title_row", words, &cells));
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

fn headers(view: &View<'_>, table: &CellRange, layout: &Layout, assumptions: &mut Vec<Said>) {
    let cells = CellRange { bottom: layout.body().saturating_sub(1).max(layout.top), ..*table };
    match layout.header_rows {
        0 => {
            let words =
                Words::new("머리글이 없어 열을 순서로 부릅니다.", "The table has no header; its columns are called after their place.");
            assumptions.push(said("no_header", words, &CellRange { bottom: layout.top, ..*table }.to_string()));
        }
        1 => {}
        rows => {
            let words = Words::new(
                format!("머리글이 {rows}개 행이어서 위에서 아래로 이어 붙였습니다."),
                format!("The header has {rows} rows; their texts are joined from top to bottom."),
            );
            assumptions.push(said("multi_row_header", words, &cells.to_string()));
        }
    }
    if layout.header_rows > 0 && view.merges.iter().any(|merge| merge.top < layout.body() && merge.bottom >= layout.top) {
        let words = Words::new(
            "머리글의 병합된 셀은 그것이 덮는 모든 열의 이름입니다.",
            "Merged cells of the header name all columns that they cover.",
        );
        assumptions.push(said("merged_header", words, &cells.to_string()));
    }
}

fn fills(view: &View<'_>, table: &CellRange, body: u32, assumptions: &mut Vec<Said>) -> Vec<CellRange> {
    let within = |merge: &&CellRange| merge.bottom > merge.top && merge.top >= body && table.contains(merge.top, merge.left);
    let fills: Vec<CellRange> = view.merges.iter().filter(within).copied().collect();
    if let Some(first) = fills.first() {
        let words = Words::new(
            format!("병합된 셀의 값은 그 모든 행의 값으로 보았습니다({}곳).", fills.len()),
            format!("The value of merged cells holds for all their rows ({}).", plural(fills.len() as u64, "place", "places")),
        );
        assumptions.push(said("merged_cells", words, &fills.iter().fold(*first, |all, fill| all.around(fill)).to_string()));
    }
    fills
}

fn tell(rows: &rows::Rows, table: &CellRange, assumptions: &mut Vec<Said>) {
    let mut told = |kind, found: &[u32], korean: String, english: String| {
        if let (Some(&first), Some(&last)) = (found.iter().min(), found.iter().max()) {
            assumptions.push(said(kind, Words::new(korean, english), &CellRange { top: first, bottom: last, ..*table }.to_string()));
        }
    };
    let numbers: Vec<String> = rows.totals.iter().take(10).map(|row| (u64::from(*row) + 1).to_string()).collect();
    let numbers = numbers.join(", ");
    let unnamed = rows.unnamed.map(|row| u64::from(row) + 1);
    let (korean, english) = unnamed.map_or_else(Default::default, |row| {
        (format!(" {row}행은 이름이 없지만 위 행들의 합계입니다."), format!(" Row {row} has no name, but holds the sums of those above."))
    });
    told(
        "total_row",
        &rows.totals,
        format!("합계 행은 세지 않았습니다: {numbers}.{korean}"),
        format!("Rows of totals are not counted: {numbers}.{english}"),
    );
    let many = |found: &[u32], one: &'static str, more: &'static str| plural(found.len() as u64, one, more);
    told(
        "repeated_header",
        &rows.repeated,
        format!("머리글이 되풀이된 {}개 행은 제외했습니다.", rows.repeated.len()),
        format!("{} left out.", many(&rows.repeated, "row that repeats the header is", "rows that repeat the header are")),
    );
    told(
        "section_row",
        &rows.sections,
        format!("구역의 이름만 있는 {}개 행은 제외했습니다.", rows.sections.len()),
        format!("{} left out.", many(&rows.sections, "row that only names a section is", "rows that only name sections are")),
    );
    told(
        "blank_rows",
        &rows.blank,
        format!("표 안의 빈 행 {}개는 건너뛰었습니다.", rows.blank.len()),
        format!("{} passed over.", many(&rows.blank, "blank row within the table is", "blank rows within the table are")),
    );
    told(
        "note_row",
        &rows.notes,
        format!("표 아래의 {}개 행은 주석으로 보았습니다.", rows.notes.len()),
        format!("{}.", many(&rows.notes, "row below the table is a note", "rows below the table are notes")),
    );
}
