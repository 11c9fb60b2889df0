//! Observations on a result, computed from its rows: totals, the largest, shares, trends. Every number of a sentence is in its evidence,
//! as it stands there or rounded.

mod axis;
pub(crate) mod measures;
pub(crate) mod shape;

#[cfg(test)]
pub(crate) mod tests;

use std::cmp::Ordering;

use datagenie_common::{
    model::{
        language::Language,
        questions::{Insight, InsightKind},
        results::ResultView,
    },
    wording::{
        capital,
        josa::{object, subject, topic, toward},
        numbers::{Amount, decimal_evidence, grouped, show_percent},
    },
};
use serde_json::{Value, json};

use self::{measures::Measure, shape::Shape};

/// The most observations on one result.
const MAX_INSIGHTS: usize = 6;
/// So many columns of numbers get a total of their own.
const MAX_TOTALS: usize = 2;
/// So many of those that tie for the largest are named.
const NAMED_TIES: usize = 3;
/// A list of fewer rows is not taken for one of the smallest: two rows rise by chance.
const LEAST_ASCENDING: usize = 3;
/// Of a longer course the highest and the lowest point say more than the ends.
const MOST_STEPS: usize = 60;

/// At most six observations, the most telling first. Of a result that is cut off, or of which only the first rows are at hand, they speak
/// of these rows, and nothing is said of a whole. A single row, or none, has none.
#[must_use]
pub fn insights(view: &ResultView<'_>, language: Language) -> Vec<Insight> {
    if view.rows.len() < 2 {
        return Vec::new();
    }
    let shape = Shape::of(view, language);
    let mut found: Vec<Insight> = Vec::new();
    found.extend(shape.measures.iter().filter_map(|measure| total(&shape, measure)).take(MAX_TOTALS));
    if let Some(measure) = shape.measures.first() {
        match bottom(&shape, measure) {
            Some(bottom) => found.push(scoped(&shape, bottom)),
            None => found.extend([top(&shape, measure).map(|top| scoped(&shape, top)), share(&shape, measure)].into_iter().flatten()),
        }
        found.extend(trend(&shape, measure).map(|trend| scoped(&shape, trend)));
    }
    let spread = shape.measures.iter().find(|measure| !measure.additive || !shape.is_labelled());
    found.extend(spread.and_then(|measure| range(&shape, measure)).map(|range| scoped(&shape, range)));
    found.push(count(&shape));
    found.truncate(MAX_INSIGHTS);
    found
}

/// Says of which rows an observation is, if they are not all.
fn scoped(shape: &Shape<'_>, mut insight: Insight) -> Insight {
    if shape.is_partial() {
        let rows = shape.view.rows.len();
        let shown = grouped(&rows.to_string());
        insight.text = match shape.language {
            Language::Korean => format!("처음 {shown}개 행 기준: {}", insight.text),
            Language::English => format!("Of the first {shown} rows: {}", insight.text),
        };
        if let Value::Object(evidence) = &mut insight.evidence {
            evidence.insert("first_rows".to_owned(), json!(rows));
        }
    }
    insight
}

/// The sum of a measure over all rows; none where adding makes no sense or rows are missing.
pub(crate) fn total(shape: &Shape<'_>, measure: &Measure) -> Option<Insight> {
    if !measure.additive || shape.is_partial() {
        return None;
    }
    let total = measure.total()?;
    let rows = shape.view.rows.len();
    let (name, sum, shown_rows) = (&measure.name, total.show(), grouped(&rows.to_string()));
    let mut text = match shape.language {
        Language::Korean => format!("{shown_rows}개 행의 {} 모두 더하면 {sum}입니다.", object(name)),
        Language::English => format!("{} over these {shown_rows} rows adds up to {sum}.", capital(name)),
    };
    if measure.skipped > 0 {
        let skipped = grouped(&measure.skipped.to_string());
        text.push_str(&match shape.language {
            Language::Korean => format!(" 값이 없는 {skipped}개 행은 제외했습니다."),
            Language::English => format!(" Rows without a number, left out: {skipped}."),
        });
    }
    let evidence = json!({
        "measure": column_name(shape, measure), "rows": rows, "skipped": measure.skipped, "total": total.evidence(),
        "exact": matches!(total, Amount::Exact(_)),
    });
    Some(Insight { kind: InsightKind::Total, text, evidence })
}

/// Which row has the largest number, ties said.
pub(crate) fn top(shape: &Shape<'_>, measure: &Measure) -> Option<Insight> {
    let largest = measure.largest()?;
    if !shape.is_labelled() || measure.values.len() < 2 {
        return None;
    }
    let rows = measure.top_rows();
    let ties = rows.len();
    let labels: Vec<String> = rows.iter().take(NAMED_TIES).map(|row| shape.label(*row)).collect();
    let text = top_text(shape, measure, largest, &labels, ties);
    let evidence = json!({
        "measure": column_name(shape, measure), "labels": labels, "value": largest.evidence(), "ties": ties,
        "more_ties": ties - labels.len(), "values": measure.values.len(), "skipped": measure.skipped,
    });
    Some(Insight { kind: InsightKind::Top, text, evidence })
}

/// Which row has the smallest number, where the rows rise as a list of the smallest does; none over time.
pub(crate) fn bottom(shape: &Shape<'_>, measure: &Measure) -> Option<Insight> {
    let rising = measure.values.len() >= LEAST_ASCENDING && measure.is_ascending();
    if !rising || !shape.is_labelled() || shape.axis.is_some() {
        return None;
    }
    let least = measure.least()?;
    let rows = measure.bottom_rows();
    let ties = rows.len();
    let labels: Vec<String> = rows.iter().take(NAMED_TIES).map(|row| shape.label(*row)).collect();
    let more = ties - labels.len();
    let (name, value, listed, shown_more) = (&measure.name, least.show(), labels.join(", "), grouped(&more.to_string()));
    let text = match shape.language {
        Language::Korean if more > 0 => format!("{} 가장 작은 것은 {listed} 외 {shown_more}개입니다(모두 {value}).", subject(name)),
        Language::Korean if ties > 1 => format!("{} 가장 작은 것은 {listed}입니다(모두 {value}).", subject(name)),
        Language::Korean => format!("{} 가장 작은 것은 {listed}입니다({value}).", subject(name)),
        Language::English if more > 0 => format!("{listed} and {shown_more} more tie for the smallest {name}: {value}."),
        Language::English if ties > 1 => format!("{listed} tie for the smallest {name}: {value}."),
        Language::English => format!("{listed} has the smallest {name}: {value}."),
    };
    let evidence = json!({
        "measure": column_name(shape, measure), "labels": labels, "value": least.evidence(), "ties": ties,
        "more_ties": more, "values": measure.values.len(), "skipped": measure.skipped,
    });
    Some(Insight { kind: InsightKind::Range, text, evidence })
}

fn top_text(shape: &Shape<'_>, measure: &Measure, largest: &Amount, labels: &[String], ties: usize) -> String {
    let (name, value, listed) = (&measure.name, largest.show(), labels.join(", "));
    let more = ties - labels.len();
    let (shown_ties, shown_more) = (grouped(&ties.to_string()), grouped(&more.to_string()));
    let all_same = ties == measure.values.len();
    match shape.language {
        Language::Korean if all_same => {
            format!("값이 있는 {shown_ties}개 행의 {} 모두 {} 같습니다.", subject(name), toward(&value))
        }
        Language::Korean if more > 0 => {
            format!("{} 가장 큰 것은 {listed} 외 {shown_more}개입니다(모두 {value}).", subject(name))
        }
        Language::Korean if ties > 1 => format!("{} 가장 큰 것은 {listed}입니다(모두 {value}).", subject(name)),
        Language::Korean => format!("{} 가장 큰 것은 {listed}입니다({value}).", subject(name)),
        Language::English if all_same => format!("{} is the same in all {shown_ties} rows that have it: {value}.", capital(name)),
        Language::English if more > 0 => format!("{listed} and {shown_more} more tie for the largest {name}: {value}."),
        Language::English if ties > 1 => format!("{listed} tie for the largest {name}: {value}."),
        Language::English => format!("{listed} has the largest {name}: {value}."),
    }
}

/// What part of the total the largest has; none over time, where it says little, and none where the parts make no whole.
fn share(shape: &Shape<'_>, measure: &Measure) -> Option<Insight> {
    let countable = measure.additive && measure.is_non_negative() && measure.values.len() > 1;
    if shape.is_partial() || shape.axis.is_some() || !shape.is_labelled() || !countable {
        return None;
    }
    let top_rows = measure.top_rows();
    let [row] = top_rows[..] else { return None };
    let (value, total) = (measure.at(row)?, measure.total()?);
    let percent = value.percent_of(&total)?;
    let (label, name, rows) = (shape.label(row), &measure.name, shape.view.rows.len());
    let (part, whole, shown_rows) = (value.show(), total.show(), grouped(&rows.to_string()));
    let shown = show_percent(percent);
    let text = match shape.language {
        Language::Korean => {
            format!("{} 이 {shown_rows}개 행의 {name} 가운데 {} 차지합니다({whole} 중 {part}).", subject(&label), object(&shown))
        }
        Language::English => format!("{label} makes up {shown} of the {name} of these {shown_rows} rows ({part} of {whole})."),
    };
    let evidence = json!({
        "measure": column_name(shape, measure), "label": label, "value": value.evidence(), "total": total.evidence(),
        "share_percent": decimal_evidence(percent), "rows": rows, "skipped": measure.skipped,
    });
    Some(Insight { kind: InsightKind::Share, text, evidence })
}

/// From the first to the last point in time; a change if there are only two. None if the rows come in another order than that of time
/// (a ranking of months), or if the points recur (weekdays, hours).
pub(crate) fn trend(shape: &Shape<'_>, measure: &Measure) -> Option<Insight> {
    let axis = shape.axis.as_ref().filter(|axis| axis.in_order && !axis.recurring)?;
    let points: Vec<(usize, &Amount)> = axis.order.iter().filter_map(|row| measure.at(*row).map(|amount| (*row, amount))).collect();
    let (&(first_row, first), &(last_row, last)) = (points.first()?, points.last()?);
    if points.len() < 2 {
        return None;
    }
    let without_number = axis.order.len() - points.len();
    if points.len() > MOST_STEPS
        && let Some(mut extremes) = extremes(shape, measure, &points)
    {
        extremes.text.push_str(&gaps(axis.missing.unwrap_or(0), without_number, shape.language));
        if let Value::Object(evidence) = &mut extremes.evidence {
            evidence.insert("missing".to_owned(), json!(axis.missing));
            evidence.insert("without_number".to_owned(), json!(without_number));
        }
        return Some(extremes);
    }
    let rises = points.windows(2).filter(|pair| pair[1].1.compare(pair[0].1) == Ordering::Greater).count();
    let falls = points.windows(2).filter(|pair| pair[1].1.compare(pair[0].1) == Ordering::Less).count();
    let change = last.minus(first);
    let percent = change.as_ref().and_then(|change| change.percent_of(first));
    let course = Course {
        first_label: shape.label(first_row),
        last_label: shape.label(last_row),
        first,
        last,
        by_percent: percent.map(|percent| percent.abs()),
        rises,
        steps: points.len() - 1,
    };
    let mut text = course.text(&measure.name, shape.language);
    text.push_str(&gaps(axis.missing.unwrap_or(0), without_number, shape.language));
    let evidence = json!({
        "measure": column_name(shape, measure), "first_label": course.first_label, "last_label": course.last_label,
        "first": first.evidence(), "last": last.evidence(), "change": change.map(|change| change.evidence()),
        "change_percent": percent.map(decimal_evidence), "by_percent": course.by_percent.map(decimal_evidence),
        "rises": rises, "falls": falls, "steps": course.steps, "missing": axis.missing, "without_number": without_number,
    });
    let kind = if course.steps > 1 { InsightKind::Trend } else { InsightKind::Change };
    Some(Insight { kind, text, evidence })
}

// The highest and the lowest of many points in time, the first of those that tie; none if all are the same.
fn extremes(shape: &Shape<'_>, measure: &Measure, points: &[(usize, &Amount)]) -> Option<Insight> {
    let outermost =
        |wanted: Ordering| points.iter().copied().reduce(|best, point| if point.1.compare(best.1) == wanted { point } else { best });
    let (highest_row, highest) = outermost(Ordering::Greater)?;
    let (lowest_row, lowest) = outermost(Ordering::Less)?;
    if highest.compare(lowest) == Ordering::Equal {
        return None;
    }
    let (highest_label, lowest_label) = (shape.label(highest_row), shape.label(lowest_row));
    let (high, low, name, shown_points) = (highest.show(), lowest.show(), &measure.name, grouped(&points.len().to_string()));
    let text = match shape.language {
        Language::Korean => {
            format!(
                "{} {shown_points}개 시점 중 {highest_label}에 {} 가장 높고 {lowest_label}에 {} 가장 낮습니다.",
                topic(name),
                toward(&high),
                toward(&low)
            )
        }
        Language::English => {
            let name = capital(name);
            format!("{name} is highest at {high} ({highest_label}) and lowest at {low} ({lowest_label}), of {shown_points} points in time.")
        }
    };
    let evidence = json!({
        "measure": column_name(shape, measure), "highest_label": highest_label, "lowest_label": lowest_label,
        "highest": highest.evidence(), "lowest": lowest.evidence(), "points": points.len(),
    });
    Some(Insight { kind: InsightKind::Trend, text, evidence })
}

/// A measure over time, from end to end.
struct Course<'a> {
    first_label: String,
    last_label: String,
    first: &'a Amount,
    last: &'a Amount,
    /// Without a sign; none if the first number is not above zero.
    by_percent: Option<rust_decimal::Decimal>,
    rises: usize,
    steps: usize,
}

impl Course<'_> {
    fn text(&self, name: &str, language: Language) -> String {
        let (from, to) = (&self.first_label, &self.last_label);
        let (first, last) = (self.first.show(), self.last.show());
        let direction = self.last.compare(self.first);
        let by = self.by_percent.map(show_percent);
        let mut text = match (language, direction) {
            (Language::Korean, Ordering::Equal) => {
                format!("{} 처음({from})과 마지막({to})이 {} 같습니다.", topic(name), toward(&last))
            }
            (Language::Korean, _) => {
                let verb = if direction == Ordering::Greater { "증가" } else { "감소" };
                let by = by.map(|by| format!("{by} ")).unwrap_or_default();
                format!("{} {from} {first}에서 {to} {} {by}{verb}했습니다.", topic(name), toward(&last))
            }
            (Language::English, Ordering::Equal) => {
                format!("{} is the same at both ends: {last} ({from} and {to}).", capital(name))
            }
            (Language::English, _) => {
                let verb = if direction == Ordering::Greater { "rose" } else { "fell" };
                let by = by.map(|by| format!(" by {by},")).unwrap_or_default();
                format!("{} {verb}{by} from {first} ({from}) to {last} ({to}).", capital(name))
            }
        };
        if self.steps > 1 {
            let (rises, steps) = (grouped(&self.rises.to_string()), grouped(&self.steps.to_string()));
            text.push_str(&match language {
                Language::Korean => format!(" {steps}번의 변화 중 {rises}번 증가했습니다."),
                Language::English => format!(" It rose in {rises} of {steps} steps."),
            });
        }
        text
    }
}

/// What is not there of a series, said rather than passed over.
fn gaps(missing: i64, without_number: usize, language: Language) -> String {
    let mut text = String::new();
    let (shown_missing, shown_without) = (grouped(&missing.to_string()), grouped(&without_number.to_string()));
    if missing > 0 {
        text.push_str(&match language {
            Language::Korean => format!(" 중간에 행이 없는 시점이 {shown_missing}개 있습니다."),
            Language::English => format!(" Points in between without a row: {shown_missing}."),
        });
    }
    if without_number > 0 {
        text.push_str(&match language {
            Language::Korean => format!(" 값이 없는 시점이 {shown_without}개 있습니다."),
            Language::English => format!(" Points without a number: {shown_without}."),
        });
    }
    text
}

/// From the smallest to the largest number, for measures that are not added.
pub(crate) fn range(shape: &Shape<'_>, measure: &Measure) -> Option<Insight> {
    let (least, largest) = (measure.least()?, measure.largest()?);
    if least.compare(largest) == Ordering::Equal {
        return None;
    }
    let (from, to, name) = (least.show(), largest.show(), &measure.name);
    let text = match shape.language {
        Language::Korean => format!("{} 최소 {from}, 최대 {to}입니다.", topic(name)),
        Language::English => format!("{} ranges from {from} to {to}.", capital(name)),
    };
    let evidence = json!({
        "measure": column_name(shape, measure), "min": least.evidence(), "max": largest.evidence(),
        "values": measure.values.len(), "skipped": measure.skipped,
    });
    Some(Insight { kind: InsightKind::Range, text, evidence })
}

fn count(shape: &Shape<'_>) -> Insight {
    let view = &shape.view;
    let (all, first) = (grouped(&view.row_count.to_string()), grouped(&view.rows.len().to_string()));
    let mut text = match (shape.language, view.truncated) {
        (Language::Korean, true) => format!("결과가 한도에서 잘려 {all}개 행만 있습니다."),
        (Language::Korean, false) => format!("결과는 {all}개 행입니다."),
        (Language::English, true) => format!("The result was cut off at a limit, with {all} rows."),
        (Language::English, false) => format!("The result has {all} rows."),
    };
    if !view.complete {
        text.push_str(&match shape.language {
            Language::Korean => format!(" 다른 관찰은 처음 {first}개 행 기준입니다."),
            Language::English => format!(" The other observations are of the first {first} rows."),
        });
    }
    let evidence =
        json!({ "rows": view.row_count, "observed_rows": view.rows.len(), "truncated": view.truncated, "complete": view.complete });
    Insight { kind: InsightKind::Count, text, evidence }
}

fn column_name<'a>(shape: &Shape<'a>, measure: &Measure) -> &'a str {
    let columns = shape.view.columns;
    columns.get(measure.column).map_or("", |column| column.name.as_str())
}
