//! Which rows of a rectangle are titles, which are its header, and where its data begins.

use chrono::Datelike;

use super::{classes::Sight, dates::Told, view::View};
use crate::grid::{Cell, CellRange};

/// Rows looked at to tell a header from data.
const LOOKED_AT: u32 = 24;
/// Lines above a header.
const MOST_TITLES: u32 = 12;
/// Rows of a header.
const MOST_HEADER_ROWS: u32 = 3;

/// How a rectangle is divided.
pub(super) struct Layout {
    /// Lines above the header: title, unit and the like.
    pub(super) titles: Vec<u32>,
    /// First row of the header, or of the data if there is none.
    pub(super) top: u32,
    /// Rows of the header.
    pub(super) header_rows: u32,
}

impl Layout {
    /// First row of data.
    pub(super) fn body(&self) -> u32 {
        self.top + self.header_rows
    }
}

/// Divides a rectangle.
pub(super) fn of(view: &mut View<'_>, range: &CellRange) -> Layout {
    let mut top = range.top;
    let mut titles = Vec::new();
    while top < range.bottom && top - range.top < MOST_TITLES && is_title(view, range, top) {
        titles.push(top);
        top += 1;
    }
    let header_rows = header_rows(view, &CellRange { top, ..*range });
    Layout { titles, top, header_rows }
}

/// A line with one cell above lines with more.
fn is_title(view: &mut View<'_>, range: &CellRange, row: u32) -> bool {
    if range.left == range.right {
        return false;
    }
    let filled: Vec<u32> = (range.left..=range.right).filter(|&col| !view.sheet.get(row, col).is_empty()).collect();
    let below = (row + 1..=range.bottom.min(row + 4)).map(|row| view.filled(range, row)).max().unwrap_or_default();
    if below < 2 {
        return false;
    }
    match filled[..] {
        [] => true,
        [col] => {
            let unit = matches!(view.sheet.get(row, col), Cell::Text(id) if is_unit(view.texts.get(id)));
            let wide = view.merge_at(row, col).is_some_and(|merge| merge.right > merge.left && merge.bottom == merge.top);
            let tall = view.merge_at(row, col).is_some_and(|merge| merge.bottom > merge.top && merge.left == merge.right);
            (unit || wide || col == range.left)
                && !tall
                && (col == range.left || !is_group(view, range, row, col))
                && view.sight(row, col) == Sight::Text
        }
        _ => is_remark(view, range, row, &filled),
    }
}

/// A line of a few cells, such as an author and a unit, above a fuller line that begins in the same column.
fn is_remark(view: &mut View<'_>, range: &CellRange, row: u32, filled: &[u32]) -> bool {
    let fullest = (row + 1..=range.bottom.min(row + 2)).rev().max_by_key(|&row| view.filled(range, row)).unwrap_or(row);
    let begins = filled.first() == Some(&range.left) && !view.sheet.get(row + 1, range.left).is_empty();
    let unit = filled.iter().any(|&col| matches!(view.sheet.get(row, col), Cell::Text(id) if view.texts.get(id).contains("단위")));
    if filled.len() * 2 > view.filled(range, fullest) || filled.iter().any(|&col| is_group(view, range, row, col)) {
        return false;
    }
    // A header with names missing stands above data, a remark above a header.
    unit || (begins && (range.left..=range.right).all(|col| matches!(view.sight(fullest, col), Sight::Text | Sight::Empty)))
}

/// A line that says what the numbers below are counted in, or something else in parentheses.
pub(super) fn is_unit(text: &str) -> bool {
    let text = text.trim();
    text.contains("단위") || text.to_lowercase().contains("unit:") || (text.starts_with('(') && text.ends_with(')'))
}

fn header_rows(view: &mut View<'_>, range: &CellRange) -> u32 {
    let rows = range.bottom - range.top + 1;
    if rows < 2 {
        return 0;
    }
    let last = range.bottom.min(range.top + LOOKED_AT);
    let lines: Vec<Vec<Sight>> =
        (range.top..=last).map(|row| (range.left..=range.right).map(|col| view.sight(row, col)).collect()).collect();
    let Some(first) = lines.first() else { return 0 };
    if is_counted(view, range, first) && !same_kind_below(view, range) {
        let below = lines.get(1).filter(|below| is_labels(below));
        // Years with gaps between them stand above names of their own.
        let groups = below.is_some_and(|below| {
            let gaps = first.iter().zip(below).any(|(upper, lower)| *upper == Sight::Empty && *lower == Sight::Text);
            gaps && kinds(&lines, 2).iter().any(Option::is_some)
        });
        return if groups { whole_header(view, range, &lines, 2) } else { 1 };
    }
    let last = lines.len() - 1;
    for (place, line) in lines.iter().enumerate().take(last.min(MOST_HEADER_ROWS as usize)) {
        let kinds = kinds(&lines, place + 1);
        let named = line.iter().zip(&kinds).filter(|(sight, kind)| **sight == Sight::Text && kind.is_some()).count();
        let data = line.iter().filter(|sight| !matches!(sight, Sight::Text | Sight::Empty)).count();
        if named > 0 && data * 4 <= named {
            return whole_header(view, range, &lines, place + 1);
        }
        if data > 0 {
            return 0;
        }
        if kinds.iter().all(Option::is_none) {
            break;
        }
    }
    if !is_labels(first) {
        return 0;
    }
    let groups = (range.left..=range.right).any(|col| is_group(view, range, range.top, col));
    if groups && rows > 2 {
        return whole_header(view, range, &lines, 2);
    }
    u32::from(is_named(view, range))
}

/// What each column holds from a row on, where that is not text: most of its values, or the last ones of a few.
fn kinds(lines: &[Vec<Sight>], from: usize) -> Vec<Option<Sight>> {
    let width = lines.first().map_or(0, Vec::len);
    let told = |sight: &Sight| matches!(sight, Sight::Text | Sight::Number | Sight::Time | Sight::Truth);
    let kind = |col: usize| {
        let below: Vec<Sight> = lines.iter().skip(from).filter_map(|line| line.get(col).copied()).filter(told).collect();
        [Sight::Number, Sight::Time, Sight::Truth].into_iter().find(|kind| {
            let count = below.iter().filter(|sight| *sight == kind).count();
            let suffix = below.iter().rev().take_while(|sight| *sight == kind).count();
            count > 0 && (count * 10 >= below.len() * 6 || (below.len() <= 6 && suffix == count))
        })
    };
    (0..width).map(kind).collect()
}

/// Rows below the first ones of a header that belong to it: names below groups, units below names.
fn whole_header(view: &View<'_>, range: &CellRange, lines: &[Vec<Sight>], first: usize) -> u32 {
    let mut header = first;
    while header < MOST_HEADER_ROWS as usize && header + 1 < lines.len() {
        let (Some(upper), Some(lower)) = (lines.get(header - 1), lines.get(header)) else { break };
        let kinds = kinds(lines, header + 1);
        let row = range.top + u32::try_from(header).unwrap_or_default();
        let groups = (range.left..=range.right).any(|col| is_group(view, range, row - 1, col));
        let over = lower.iter().zip(&kinds).filter(|(sight, kind)| **sight == Sight::Text && kind.is_some()).count();
        let data = lower.iter().zip(&kinds).any(|(sight, kind)| kind.is_some() && !matches!(sight, Sight::Text | Sight::Empty));
        let gaps = upper.iter().zip(lower).any(|(upper, lower)| *upper == Sight::Empty && *lower == Sight::Text);
        let labels = is_labels(lower) && !data && (over > 1 || (over == 1 && gaps));
        let counted = groups && is_counted_below(view, range, row, lower);
        let named = groups && is_labels(lower) && kinds.iter().all(Option::is_none);
        if !labels && !counted && !named {
            break;
        }
        header += 1;
    }
    let below = range.top + u32::try_from(header).unwrap_or_default();
    let tall = view
        .merges
        .iter()
        .filter(|merge| merge.top >= range.top && merge.top < below && merge.left <= range.right && merge.left >= range.left);
    let bottom = tall.map(|merge| merge.bottom + 1).filter(|end| *end - range.top <= MOST_HEADER_ROWS + 1 && *end <= range.bottom).max();
    bottom.unwrap_or(below).max(below) - range.top
}

/// Years or numbers below groups, each group with its own.
fn is_counted_below(view: &View<'_>, range: &CellRange, row: u32, line: &[Sight]) -> bool {
    let typed = line.iter().filter(|sight| !matches!(sight, Sight::Text | Sight::Empty)).count();
    let years = |row: u32| (range.left..=range.right).filter(|&col| view.sheet.get(row, col).number().is_some_and(is_year)).count();
    typed > 0 && years(row) == typed && years(row + 1) < typed
}

/// A merged cell over several names.
fn is_group(view: &View<'_>, range: &CellRange, row: u32, col: u32) -> bool {
    let Some(merge) = view.merge_at(row, col).filter(|merge| merge.right > merge.left) else { return false };
    let below = merge.bottom + 1;
    let whole = merge.left <= range.left && merge.right >= range.right;
    let names = (merge.left..=merge.right.min(range.right)).filter(|&col| !view.sheet.get(below, col).is_empty()).count();
    !whole && below <= range.bottom && names > 1
}

fn is_year(number: f64) -> bool {
    number.fract() == 0.0 && (1900.0..=2100.0).contains(&number)
}

fn is_labels(line: &[Sight]) -> bool {
    line.contains(&Sight::Text) && line.iter().all(|sight| matches!(sight, Sight::Text | Sight::Empty))
}

/// Years, days or 1, 2, 3 … as names of columns.
fn is_counted(view: &mut View<'_>, range: &CellRange, line: &[Sight]) -> bool {
    if line.iter().any(|sight| matches!(sight, Sight::Truth | Sight::Error)) {
        return false;
    }
    let counted: Vec<(f64, bool)> = (range.left..=range.right).filter_map(|col| counted(view, range.top, col)).collect();
    let numbers: Vec<f64> = counted.iter().map(|(number, _)| *number).collect();
    let typed = line.iter().filter(|sight| matches!(sight, Sight::Number | Sight::Time)).count();
    if numbers.len() < 2 || numbers.len() != typed || matches!(line.first(), Some(Sight::Number | Sight::Time)) {
        return false;
    }
    let rising = numbers.windows(2).all(|pair| pair[0] < pair[1]) || numbers.windows(2).all(|pair| pair[0] > pair[1]);
    let years = numbers.iter().all(|number| is_year(*number));
    let in_steps = numbers.windows(2).all(|pair| (pair[1] - pair[0] - 1.0).abs() < f64::EPSILON);
    let days = counted.iter().any(|(_, is_day)| *is_day);
    rising && (years || in_steps || days)
}

/// A number, or a day as a number, and whether it is a day; texts such as `2024-10` are days, too.
fn counted(view: &mut View<'_>, row: u32, col: u32) -> Option<(f64, bool)> {
    match view.sheet.get(row, col) {
        Cell::Moment(micros) => Some((micros as f64, true)),
        Cell::Text(id) => {
            let class = view.classes.of(view.texts, id);
            match class.told {
                Some(Told::Moment(moment, ..)) => Some((moment.and_utc().timestamp_micros() as f64, true)),
                Some(Told::Month(day, _)) => Some((f64::from(day.num_days_from_ce()), true)),
                _ => class.number.map(|number| (number.value, false)),
            }
        }
        cell => cell.number().map(|number| (number, false)),
    }
}

/// Whether the values below look like the row itself: then it is data.
fn same_kind_below(view: &mut View<'_>, range: &CellRange) -> bool {
    (range.left..=range.right).any(|col| match (counted(view, range.top, col), counted(view, range.top + 1, col)) {
        (Some((_, true)), Some((_, true))) => true,
        (Some((upper, false)), Some((lower, false))) => (1900.0..=2100.0).contains(&upper) && is_year(lower),
        _ => false,
    })
}

/// Whether the first row of a table of texts names its columns: nearly every cell filled and short, no two alike, none found again below.
pub(super) fn is_named(view: &View<'_>, range: &CellRange) -> bool {
    let mut names = std::collections::HashSet::new();
    let (mut named, mut nameless) = (0_u32, 0_u32);
    for col in range.left..=range.right {
        let Cell::Text(id) = view.sheet.get(range.top, col) else {
            if view.is_blank(col, range.top, range.bottom) {
                continue;
            }
            if !view.sheet.get(range.top, col).is_empty() {
                return false;
            }
            nameless += 1;
            continue;
        };
        let text = view.texts.get(id).trim();
        if text.is_empty() || text.chars().count() > 60 || !names.insert(id) {
            return false;
        }
        let below = range.top + 1..=range.bottom.min(range.top + 1_000);
        if below.clone().any(|row| view.sheet.get(row, col) == Cell::Text(id)) {
            return false;
        }
        named += 1;
    }
    // A name is forgotten more often than a table has none, but of two columns one name is too little.
    nameless == 0 || (named >= 2 && nameless * 3 <= named + nameless && range.bottom - range.top >= 3)
}
