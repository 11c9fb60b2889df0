//! The figures of one column. Each takes one sorted copy of its values, so that memory holds one column more and not all of them twice.

use datagenie_common::{
    analyses::{AnalysedColumn, TopValue},
    model::workbooks::SheetColumnType,
};
use serde_json::Value;

use super::{
    histogram,
    numbers::{Figures, Number, outliers},
    tally::{Tally, present, tally},
    values,
};
use crate::{
    grid::letters,
    tables::{Table, TypedColumn, Values},
    texts::{TextId, Texts},
    times,
};

/// All figures of a column.
pub(super) fn analysed(table: &Table, column: &TypedColumn, texts: &Texts) -> AnalysedColumn {
    let mut found = described(column);
    match &column.values {
        Values::Integers(values) => {
            let mut sorted: Vec<i64> = present(values, &column.present).collect();
            sorted.sort_unstable();
            let tally = tally(&sorted, |a, b| a.cmp(&b));
            found.histogram = histogram::of_whole(&sorted, tally.distinct);
            numbers(&mut found, table, column, &sorted, values);
            ends(&mut found, &sorted, &tally, Value::from);
        }
        Values::Numbers(values) => {
            // A negative zero is a zero.
            let mut sorted: Vec<f64> = present(values, &column.present).map(|number| number + 0.0).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let tally = tally(&sorted, |a, b| a.total_cmp(&b));
            found.histogram = histogram::of_floats(&sorted);
            numbers(&mut found, table, column, &sorted, values);
            ends(&mut found, &sorted, &tally, Value::from);
        }
        Values::Days(days) => moments(&mut found, present(days, &column.present).map(values::midnight).collect(), true),
        Values::Micros(micros) if column.kind == SheetColumnType::Time => {
            let mut sorted: Vec<i64> = present(micros, &column.present).collect();
            sorted.sort_unstable();
            let tally = tally(&sorted, |a, b| a.cmp(&b));
            ends(&mut found, &sorted, &tally, |micros| Value::from(times::time(micros)));
        }
        Values::Micros(micros) => moments(&mut found, present(micros, &column.present).collect(), false),
        Values::Texts(ids) => words(&mut found, present(ids, &column.present).collect(), texts),
        Values::Booleans(values) => {
            let mut sorted: Vec<bool> = present(values, &column.present).collect();
            sorted.sort_unstable();
            let tally = tally(&sorted, |a, b| a.cmp(&b));
            ends(&mut found, &sorted, &tally, Value::from);
        }
        Values::None => {}
    }
    found
}

// What is known without looking at values.
fn described(column: &TypedColumn) -> AnalysedColumn {
    let mixture = column.mixture.iter().map(|(kind, count)| TopValue { value: Value::from(kind.as_str()), count: *count }).collect();
    AnalysedColumn {
        name: column.name.clone(),
        column: letters(column.col),
        kind: column.kind,
        nulls: column.present.iter().filter(|present| !**present).count() as u64,
        errors: column.errors,
        distinct: 0,
        min: None,
        max: None,
        mean: None,
        sum: None,
        std_dev: None,
        quantiles: None,
        top_values: Vec::new(),
        histogram: Vec::new(),
        outliers: None,
        mixture,
    }
}

fn ends<T: Copy>(found: &mut AnalysedColumn, sorted: &[T], tally: &Tally<T>, json: impl Fn(T) -> Value) {
    found.distinct = tally.distinct;
    found.top_values = tally.top.iter().map(|(value, count)| TopValue { value: json(*value), count: *count }).collect();
    found.min = sorted.first().map(|value| json(*value));
    found.max = sorted.last().map(|value| json(*value));
}

fn numbers<N: Number>(found: &mut AnalysedColumn, table: &Table, column: &TypedColumn, sorted: &[N], values: &[N]) {
    let Some(figures) = Figures::of(sorted) else { return };
    let there = values.iter().copied().enumerate().zip(&column.present).filter(|(_, present)| **present).map(|(value, _)| value);
    found.outliers = outliers(sorted, &figures.quantiles, table, column.col, there);
    found.mean = figures.mean;
    found.sum = figures.sum;
    found.std_dev = figures.std_dev;
    found.quantiles = Some(figures.quantiles);
}

fn moments(found: &mut AnalysedColumn, mut micros: Vec<i64>, are_days: bool) {
    micros.sort_unstable();
    let tally = tally(&micros, |a, b| a.cmp(&b));
    found.histogram = histogram::of_moments(&micros, are_days);
    ends(found, &micros, &tally, |micros| values::moment(micros, are_days));
}

// The ids are sorted to be counted; who is first and last is told by the texts.
fn words(found: &mut AnalysedColumn, mut ids: Vec<TextId>, texts: &Texts) {
    ids.sort_unstable();
    let order = |a: TextId, b: TextId| texts.get(a).cmp(texts.get(b));
    let tally = tally(&ids, order);
    let different = || ids.chunk_by(|a, b| a == b).filter_map(|run| run.first().copied());
    let (min, max) = (different().min_by(|a, b| order(*a, *b)), different().max_by(|a, b| order(*a, *b)));
    ends(found, &[], &tally, |id| values::text(texts, id));
    found.min = min.map(|id| values::text(texts, id));
    found.max = max.map(|id| values::text(texts, id));
}
