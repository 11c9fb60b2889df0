//! What a chart leaves out, and the phrase that says so.

use super::Draft;
use crate::{
    charts::{MAX_SERIES, Series, format, most_places},
    model::{language::Language, results::ResultView},
};

/// What became of the limits.
pub(super) struct Limited {
    pub(super) note: Option<String>,
    pub(super) truncated: bool,
}

/// Cuts a draft to [`MAX_SERIES`] series and [`most_places`], and says what is missing.
pub(super) fn apply(draft: &mut Draft, view: &ResultView<'_>, language: Language) -> Limited {
    let korean = language == Language::Korean;
    let mut notes = Vec::new();
    let rows = view.rows.len() as u64;
    let all_rows = view.row_count.max(rows);

    let series = draft.series.len();
    if series > MAX_SERIES {
        keep_largest(&mut draft.series);
        notes.push(if korean {
            format!("{}개 계열 중 가장 큰 {MAX_SERIES}개", format::count(series as u64))
        } else {
            format!("the {MAX_SERIES} largest of {} series", format::count(series as u64))
        });
    }
    let most = most_places(draft.kind, draft.series.len());
    let places = keep_first_places(&mut draft.series, most);
    let known = if draft.row_is_place && draft.undated == 0 { all_rows } else { places as u64 };
    if let Some(all) = draft.largest_of {
        let (all, shown) = (format::count(all as u64), format::count(places as u64));
        notes.push(if korean { format!("{all}개 중 가장 큰 {shown}개") } else { format!("the {shown} largest of {all}") });
    }
    if places > most {
        let (known, most) = (format::count(known), format::count(most as u64));
        notes.push(if korean { format!("{known}개 중 처음 {most}개") } else { format!("first {most} of {known}") });
    } else if rows < all_rows {
        let (rows, all_rows) = (format::count(rows), format::count(all_rows));
        notes.push(if korean { format!("{all_rows}행 중 처음 {rows}행") } else { format!("first {rows} of {all_rows} rows") });
    }
    if view.truncated {
        notes.push(if korean { "결과가 한도에서 잘림".to_owned() } else { "the result was cut off at a limit".to_owned() });
    }
    let truncated = !notes.is_empty();
    if draft.undated > 0 {
        let undated = format::count(draft.undated as u64);
        notes.push(if korean { format!("시점이 없는 {undated}행 제외") } else { format!("{undated} of unknown time left out") });
    }
    if !draft.left_out.is_empty() {
        let names = draft.left_out.join(", ");
        notes.push(if korean { format!("크기가 달라 제외: {names}") } else { format!("of another size, left out: {names}") });
    }
    let note = if notes.is_empty() { None } else { Some(notes.join(" · ")) };
    Limited { note, truncated }
}

// The series of the largest sums, in the order they came in.
fn keep_largest(series: &mut Vec<Series>) {
    let size = |series: &Series| series.points.iter().filter_map(|point| point.value).map(f64::abs).sum::<f64>();
    let mut sizes: Vec<(usize, f64)> = series.iter().map(size).enumerate().collect();
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut kept: Vec<usize> = sizes.into_iter().take(MAX_SERIES).map(|(index, _)| index).collect();
    kept.sort_unstable();
    let mut index = 0;
    series.retain(|_| {
        index += 1;
        kept.binary_search(&(index - 1)).is_ok()
    });
}

// Keeps what lies on the first places of the axis, and says how many there were.
fn keep_first_places(series: &mut [Series], most: usize) -> usize {
    let longest = series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    let timed = series.iter().flat_map(|series| &series.points).all(|point| point.at.is_some());
    let mut times: Vec<f64> = series.iter().flat_map(|series| &series.points).filter_map(|point| point.at).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    if timed && let Some(last) = times.get(most - 1) {
        for series in series.iter_mut() {
            series.points.retain(|point| point.at.is_some_and(|at| at <= *last));
        }
    }
    for series in series.iter_mut() {
        series.points.truncate(most);
    }
    if timed { times.len().max(longest) } else { longest }
}
