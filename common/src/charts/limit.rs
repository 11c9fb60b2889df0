//! What a chart leaves out, and the phrase that says so.

use super::{ChartType, MAX_SERIES, Series, choose::Draft, format, most_places};
use crate::model::{language::Language, results::ResultView};

/// What became of the limits.
pub(super) struct Limited {
    pub(super) note: Option<String>,
    pub(super) truncated: bool,
}

/// Cuts series to [`MAX_SERIES`] and [`most_places`], and says what is missing, in phrases.
pub(super) fn cut(series: &mut Vec<Series>, kind: ChartType, language: Language) -> Vec<String> {
    let mut notes = Vec::from_iter(largest_series(series, language));
    let most = most_places(kind, series.len());
    let places = keep_first_places(series, most);
    if places > most {
        notes.push(first_places(places as u64, most, language));
    }
    notes
}

/// Cuts a draft likewise, and says what is missing of the result.
pub(super) fn apply(draft: &mut Draft, view: &ResultView<'_>, language: Language) -> Limited {
    let korean = language == Language::Korean;
    let rows = view.rows.len() as u64;
    let all_rows = view.row_count.max(rows);

    let mut notes = Vec::from_iter(largest_series(&mut draft.series, language));
    let most = most_places(draft.kind, draft.series.len());
    let places = keep_first_places(&mut draft.series, most);
    let known = if draft.row_is_place && draft.undated == 0 { all_rows } else { places as u64 };
    if let Some(all) = draft.sampled_from {
        let shown: usize = draft.series.iter().map(|series| series.points.len()).sum();
        notes.push(sample_note(shown as u64, all, language));
    }
    if let Some(all) = draft.largest_of {
        let (all, shown) = (format::count(all as u64), format::count(places as u64));
        notes.push(if korean { format!("{all}개 중 가장 큰 {shown}개") } else { format!("the {shown} largest of {all}") });
    }
    if places > most {
        notes.push(first_places(known, most, language));
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
    if draft.unvalued > 0 {
        let unvalued = format::count(draft.unvalued as u64);
        notes.push(if korean { format!("값이 없는 {unvalued}행 제외") } else { format!("{unvalued} without a value left out") });
    }
    if !draft.left_out.is_empty() {
        let names = draft.left_out.join(", ");
        notes.push(if korean { format!("크기가 달라 제외: {names}") } else { format!("of another size, left out: {names}") });
    }
    let note = if notes.is_empty() { None } else { Some(notes.join(" · ")) };
    Limited { note, truncated }
}

/// Says that a scatter chart shows a sample.
pub(super) fn sample_note(shown: u64, all: u64, language: Language) -> String {
    let (shown, all) = (format::count(shown), format::count(all));
    match language {
        Language::Korean => format!("{all}개 점 중 표본 {shown}개"),
        Language::English => format!("a sample of {shown} of {all} points"),
    }
}

fn first_places(known: u64, most: usize, language: Language) -> String {
    let (known, most) = (format::count(known), format::count(most as u64));
    match language {
        Language::Korean => format!("{known}개 중 처음 {most}개"),
        Language::English => format!("first {most} of {known}"),
    }
}

fn largest_series(series: &mut Vec<Series>, language: Language) -> Option<String> {
    if series.len() <= MAX_SERIES {
        return None;
    }
    let all = format::count(series.len() as u64);
    keep_largest(series);
    Some(match language {
        Language::Korean => format!("{all}개 계열 중 가장 큰 {MAX_SERIES}개"),
        Language::English => format!("the {MAX_SERIES} largest of {all} series"),
    })
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
