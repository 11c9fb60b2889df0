//! Observations on the tables, worded as those on the answers of questions. Every number of a sentence is in its evidence.

use std::cmp::Ordering;

use datagenie_common::{
    analyses::{AnalysedColumn, AnalysedTable},
    model::{
        language::Language,
        questions::{Insight, InsightKind},
    },
    wording::{
        capital,
        josa::{object, subject, topic, toward},
        names::{display, one_line},
        numbers::{Amount, decimal_evidence, grouped, show_percent},
    },
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    View,
    charts::period,
    groups::{self, Course, Group},
    roles::{Measure, Roles},
    steps::Step,
};
use crate::tables::Table;

/// Observations in all.
const MAX_INSIGHTS: usize = 12;
/// So many tables are spoken of, the longest ones.
const MAX_TABLES: usize = 3;
/// So many measures of a table get a total.
const MAX_TOTALS: usize = 2;
/// Longer names of categories are cut.
const MAX_LABEL: usize = 60;
/// Of fewer periods those that are not whole are told, too.
const LEAST_WHOLE: usize = 5;
/// Of a column that is emptier than this it is said, in percent.
const TOLD_EMPTINESS: u64 = 5;

/// The most telling observations, table by table, the longest table first.
pub(super) fn find(view: &View<'_>) -> Vec<Insight> {
    let tables = view.longest(MAX_TABLES);
    let of_each = MAX_INSIGHTS / tables.len().max(1);
    tables.into_iter().filter_map(|table| Observer::of(view, table)).flat_map(|observer| observer.all(of_each)).collect()
}

/// One table, to be spoken of.
pub(super) struct Observer<'a> {
    pub(super) seen: &'a AnalysedTable,
    pub(super) roles: &'a Roles,
    view: &'a View<'a>,
    table: &'a Table,
}

impl<'a> Observer<'a> {
    pub(super) fn of(view: &'a View<'a>, table: usize) -> Option<Self> {
        let (seen, roles) = (view.analysed.get(table)?, view.roles.get(table)?);
        Some(Self { seen, roles, view, table: view.tables.tables.get(table)? })
    }

    fn all(&self, most: usize) -> Vec<Insight> {
        let mut found: Vec<Insight> = self.roles.measures.iter().filter_map(|measure| self.total(measure)).take(MAX_TOTALS).collect();
        found.extend(self.largest());
        found.extend(self.trend());
        found.extend(self.outliers());
        found.extend(self.roles.measures.iter().find(|measure| !measure.additive).and_then(|measure| self.range(measure)));
        found.extend(self.span());
        found.extend(self.emptiest());
        found.push(self.count());
        found.truncate(most);
        found.into_iter().map(|insight| self.of_table(insight)).collect()
    }

    // Says of which table an observation is, if there are several.
    fn of_table(&self, mut insight: Insight) -> Insight {
        if self.view.analysed.len() > 1 {
            insight.text = format!("{}: {}", self.seen.name, insight.text);
        }
        if let Value::Object(evidence) = &mut insight.evidence {
            evidence.insert("table".to_owned(), json!(self.seen.name));
        }
        insight
    }

    fn column(&self, column: usize) -> Option<&AnalysedColumn> {
        self.seen.columns.get(column)
    }

    fn spoken(&self, column: usize) -> String {
        self.column(column).map_or_else(String::new, |column| display(&column.name, self.view.language))
    }

    /// The sum of a measure that can be added.
    pub(super) fn total(&self, measure: &Measure) -> Option<Insight> {
        let column = self.column(measure.column).filter(|_| measure.additive)?;
        let total = amount(groups::tidy(column.sum?))?;
        let (name, sum, rows) = (&measure.name, total.show(), count(self.seen.rows));
        let mut text = match self.view.language {
            Language::Korean => format!("{rows}개 행의 {} 모두 더하면 {sum}입니다.", object(name)),
            Language::English => format!("{} over all {rows} rows adds up to {sum}.", capital(name)),
        };
        if column.nulls > 0 {
            let skipped = count(column.nulls);
            text.push_str(&match self.view.language {
                Language::Korean => format!(" 값이 없는 {skipped}개 행은 제외했습니다."),
                Language::English => format!(" Rows without a number, left out: {skipped}."),
            });
        }
        let evidence = json!({"measure": column.name, "rows": self.seen.rows, "skipped": column.nulls, "total": total.evidence()});
        Some(Insight { kind: InsightKind::Total, text, evidence })
    }

    /// Which category has the most of the first measure, and what part of the whole that is.
    pub(super) fn largest(&self) -> Vec<Insight> {
        let (Some(&category), measure) = (self.roles.categories.first(), self.roles.measures.first()) else { return Vec::new() };
        let groups = groups::by_category(self.table, &self.view.tables.texts, category, measure);
        // A tie is no first place, and rows without a category are none.
        let mut named =
            groups.iter().filter(|(label, _)| label.is_some()).filter_map(|(label, group)| Some((label.as_ref()?, group.value(measure)?)));
        let (Some((label, value)), second) = (named.next(), named.next()) else { return Vec::new() };
        if second.is_none_or(|(_, second)| second >= value) {
            return Vec::new();
        }
        let label = one_line(label, MAX_LABEL);
        let top = self.top(category, measure, &label, value);
        let share =
            if measure.is_none_or(|measure| measure.additive) { self.share(category, measure, &label, value, &groups) } else { None };
        top.into_iter().chain(share).collect()
    }

    fn top(&self, category: usize, measure: Option<&Measure>, label: &str, value: f64) -> Option<Insight> {
        let (value, category) = (amount(value)?, self.spoken(category));
        let shown = value.show();
        let text = match (self.view.language, measure) {
            (Language::Korean, None) => format!("{category} 가운데 {subject} 가장 많습니다({shown}개 행).", subject = subject(label)),
            (Language::English, None) => format!("{label} is the most frequent {category}: {shown} rows."),
            (Language::Korean, Some(measure)) if measure.additive => {
                format!("{category}별로 {} 가장 큰 것은 {label}입니다({shown}).", subject(&measure.name))
            }
            (Language::English, Some(measure)) if measure.additive => {
                format!("By {category}, {label} has the largest {}: {shown}.", measure.name)
            }
            (Language::Korean, Some(measure)) => {
                format!("{category}별로 평균 {} 가장 큰 것은 {label}입니다({shown}).", subject(&measure.name))
            }
            (Language::English, Some(measure)) => format!("By {category}, {label} has the largest average {}: {shown}.", measure.name),
        };
        let evidence = json!({
            "measure": measure.and_then(|measure| self.column(measure.column)).map(|column| &column.name),
            "average": measure.is_some_and(|measure| !measure.additive), "category": category, "label": label, "value": value.evidence(),
        });
        Some(Insight { kind: InsightKind::Top, text, evidence })
    }

    // None where a part is below zero, as the parts then make no whole.
    fn share(
        &self,
        category: usize,
        measure: Option<&Measure>,
        label: &str,
        value: f64,
        groups: &[(Option<String>, Group)],
    ) -> Option<Insight> {
        let parts: Vec<f64> = groups.iter().filter_map(|(_, group)| group.value(measure)).collect();
        if parts.iter().any(|part| *part < 0.0) {
            return None;
        }
        let (whole, value) = (amount(groups::tidy(parts.iter().sum()))?, amount(value)?);
        let percent = value.percent_of(&whole)?;
        let (part, all, shown, category) = (value.show(), whole.show(), show_percent(percent), self.spoken(category));
        let text = match (self.view.language, measure) {
            (Language::Korean, Some(measure)) => {
                format!("{} 전체 {}의 {} 차지합니다({all} 중 {part}).", subject(label), measure.name, object(&shown))
            }
            (Language::English, Some(measure)) => format!("{label} makes up {shown} of the {} ({part} of {all}).", measure.name),
            (Language::Korean, None) => format!("{} 전체 행의 {} 차지합니다({all} 중 {part}).", subject(label), object(&shown)),
            (Language::English, None) => format!("{label} makes up {shown} of the rows ({part} of {all})."),
        };
        let evidence = json!({
            "measure": measure.and_then(|measure| self.column(measure.column)).map(|column| &column.name), "category": category,
            "label": label, "value": value.evidence(), "total": whole.evidence(), "share_percent": decimal_evidence(percent),
        });
        Some(Insight { kind: InsightKind::Share, text, evidence })
    }

    fn trend(&self) -> Option<Insight> {
        let (&time, measure) = (self.roles.times.first()?, self.roles.measures.first());
        let mut course = groups::over_time(self.table, time, measure)?;
        if measure.is_none() && groups::are_single(course.points.iter().map(|(_, group)| group)) {
            return None;
        }
        whole_periods(&mut course);
        let points: Vec<(i64, Amount)> =
            course.points.iter().filter_map(|(index, group)| Some((*index, amount(group.value(measure)?)?))).collect();
        let name = match (measure, self.view.language) {
            (Some(measure), _) if measure.additive => measure.name.clone(),
            (Some(measure), Language::Korean) => format!("평균 {}", measure.name),
            (Some(measure), Language::English) => format!("average {}", measure.name),
            (None, Language::Korean) => "행 수".to_owned(),
            (None, Language::English) => "number of rows".to_owned(),
        };
        let line = Line::of(&course, &points)?;
        let text = line.text(&name, period(&course), self.view.language);
        let evidence = json!({
            "measure": measure.and_then(|measure| self.column(measure.column)).map(|column| &column.name), "time": self.column(time)?.name,
            "first_label": line.first_label, "last_label": line.last_label, "first": line.first.evidence(), "last": line.last.evidence(),
            "by_percent": line.by_percent.map(decimal_evidence), "rises": line.rises, "steps": line.steps,
        });
        let kind = if line.steps > 1 { InsightKind::Trend } else { InsightKind::Change };
        Some(Insight { kind, text, evidence })
    }

    fn outliers(&self) -> Option<Insight> {
        let columns = self.roles.measures.iter().filter_map(|measure| Some((measure, self.column(measure.column)?)));
        let (measure, column, outliers) = columns
            .filter_map(|(measure, column)| Some((measure, column, column.outliers.as_ref()?)))
            .find(|(_, _, outliers)| outliers.count > 0)?;
        let example = outliers.examples.first()?;
        let (low, high, value) = (amount(groups::tidy(outliers.low))?, amount(groups::tidy(outliers.high))?, amount(example.value)?);
        let (from, to, shown, number, name) = (low.show(), high.show(), value.show(), count(outliers.count), &measure.name);
        let cell = &example.cell;
        let text = match self.view.language {
            Language::Korean => format!(
                "{name} 값 가운데 {number}개가 다른 값과 크게 다릅니다({from}보다 작거나 {to}보다 큼). 가장 벗어난 값은 {cell}의 {shown}입니다."
            ),
            Language::English if outliers.count == 1 => {
                format!("{number} value of {name} is far from the others (below {from} or above {to}): {shown} in {cell}.")
            }
            Language::English => {
                format!(
                    "{number} values of {name} are far from the others (below {from} or above {to}), the most extreme is {shown} in {cell}."
                )
            }
        };
        let evidence = json!({
            "measure": column.name, "count": outliers.count, "low": low.evidence(), "high": high.evidence(), "value": value.evidence(),
            "cell": cell,
        });
        Some(Insight { kind: InsightKind::Outlier, text, evidence })
    }

    fn range(&self, measure: &Measure) -> Option<Insight> {
        let column = self.column(measure.column)?;
        let (least, largest) = (Amount::of(column.min.as_ref()?)?, Amount::of(column.max.as_ref()?)?);
        let median = amount(groups::tidy(column.quantiles?.p50))?;
        let (from, to, middle, name) = (least.show(), largest.show(), median.show(), &measure.name);
        let text = match self.view.language {
            Language::Korean => format!("{} 최소 {from}, 최대 {to}이며 중앙값은 {middle}입니다.", topic(name)),
            Language::English => format!("{} ranges from {from} to {to}, with a median of {middle}.", capital(name)),
        };
        let evidence = json!({"measure": column.name, "min": least.evidence(), "max": largest.evidence(), "median": median.evidence()});
        Some(Insight { kind: InsightKind::Range, text, evidence })
    }

    /// From the first to the last day of the first column of time.
    pub(super) fn span(&self) -> Option<Insight> {
        let column = self.roles.times.first().and_then(|time| self.column(*time))?;
        // Moments are told by their day.
        let day = |value: &Option<Value>| match value {
            Some(Value::String(text)) => Some(text.split('T').next().unwrap_or_default().to_owned()),
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let (from, to, name) = (day(&column.min)?, day(&column.max)?, display(&column.name, self.view.language));
        let text = match self.view.language {
            Language::Korean => format!("{} {from}부터 {to}까지입니다.", topic(&name)),
            Language::English => format!("{} runs from {from} to {to}.", capital(&name)),
        };
        let evidence = json!({"column": column.name, "min": column.min, "max": column.max});
        Some(Insight { kind: InsightKind::Range, text, evidence })
    }

    // The column of which most is missing, if that is much; columns that are wholly empty are seen without being told.
    fn emptiest(&self) -> Option<Insight> {
        let partly = self.seen.columns.iter().filter(|column| column.nulls > 0 && column.distinct > 0);
        let column =
            partly.rev().max_by_key(|column| column.nulls).filter(|column| column.nulls * 100 >= self.seen.rows * TOLD_EMPTINESS)?;
        let whole = Amount::of(&json!(self.seen.rows))?;
        let percent = Amount::of(&json!(column.nulls))?.percent_of(&whole)?;
        let (name, nulls, rows) = (display(&column.name, self.view.language), count(column.nulls), count(self.seen.rows));
        let shown = show_percent(percent);
        let text = match self.view.language {
            Language::Korean => format!("{rows}개 행 중 {nulls}개({shown})에 {name} 값이 없습니다."),
            Language::English => format!("{nulls} of {rows} rows ({shown}) have no {name}."),
        };
        let evidence =
            json!({"column": column.name, "nulls": column.nulls, "rows": self.seen.rows, "share_percent": decimal_evidence(percent)});
        Some(Insight { kind: InsightKind::Count, text, evidence })
    }

    fn count(&self) -> Insight {
        let (rows, columns) = (self.seen.rows, self.seen.columns.len());
        let text = self.view.size(rows, columns);
        Insight { kind: InsightKind::Count, text, evidence: json!({"rows": rows, "columns": columns}) }
    }
}

/// A count with separators.
pub(super) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

fn amount(number: f64) -> Option<Amount> {
    Amount::of(&Value::from(number))
}

// A month of which only the first days are in the data would look like a fall. Where enough periods remain, those at the ends that the
// data fill by less than four fifths are left out.
fn whole_periods(course: &mut Course) {
    let Some((min, max)) = course.ends else { return };
    let part = |index: i64, moment: i64| {
        let (start, end) = (course.step.start(index), course.step.start(index.saturating_add(1)));
        (moment.saturating_sub(start)) as f64 / end.saturating_sub(start).max(1) as f64
    };
    let late = course.points.first().is_some_and(|(index, _)| part(*index, min) > 0.2);
    let early = course.points.last().is_some_and(|(index, _)| part(*index, max) < 0.8);
    // Days and hours are never filled; of few points each counts.
    let coarse = matches!(course.step, Step::Months(_));
    if !coarse || course.by_period || course.points.len() < LEAST_WHOLE {
        return;
    }
    if early {
        course.points.pop();
    }
    if late {
        course.points.remove(0);
    }
}

/// A measure over time, from end to end.
struct Line<'a> {
    first_label: String,
    last_label: String,
    first: &'a Amount,
    last: &'a Amount,
    /// Without a sign; none if the first number is not above zero.
    by_percent: Option<Decimal>,
    rises: usize,
    steps: usize,
}

impl<'a> Line<'a> {
    fn of(course: &Course, points: &'a [(i64, Amount)]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let steps = points.len() - 1;
        if steps == 0 {
            return None;
        }
        let rises =
            points.iter().zip(points.iter().skip(1)).filter(|(before, after)| after.1.compare(&before.1) == Ordering::Greater).count();
        let by_percent = last.1.minus(&first.1).and_then(|change| change.percent_of(&first.1)).map(|percent| percent.abs());
        let label = |index: i64| course.step.label(index);
        Some(Self { first_label: label(first.0), last_label: label(last.0), first: &first.1, last: &last.1, by_percent, rises, steps })
    }

    fn text(&self, name: &str, period: (&str, &str), language: Language) -> String {
        let (from, to, first, last) = (&self.first_label, &self.last_label, self.first.show(), self.last.show());
        let direction = self.last.compare(self.first);
        let by = self.by_percent.map(show_percent);
        let mut text = match (language, direction) {
            (Language::Korean, Ordering::Equal) => {
                format!("{} {} 처음({from})과 마지막({to})이 {} 같습니다.", period.0, topic(name), toward(&last))
            }
            (Language::Korean, _) => {
                let verb = if direction == Ordering::Greater { "증가" } else { "감소" };
                let by = by.map(|by| format!("{by} ")).unwrap_or_default();
                format!("{} {} {from} {first}에서 {to} {} {by}{verb}했습니다.", period.0, topic(name), toward(&last))
            }
            (Language::English, Ordering::Equal) => {
                format!("{} by {} is the same at both ends: {last} ({from} and {to}).", capital(name), period.1)
            }
            (Language::English, _) => {
                let verb = if direction == Ordering::Greater { "rose" } else { "fell" };
                let by = by.map(|by| format!(" by {by},")).unwrap_or_default();
                format!("{} by {} {verb}{by} from {first} ({from}) to {last} ({to}).", capital(name), period.1)
            }
        };
        if self.steps > 1 {
            let (rises, steps) = (count(self.rises as u64), count(self.steps as u64));
            text.push_str(&match language {
                Language::Korean => format!(" {steps}번의 변화 중 {rises}번 증가했습니다."),
                Language::English => format!(" It rose in {rises} of {steps} steps."),
            });
        }
        text
    }
}
