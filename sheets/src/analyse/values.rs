//! Values of cells as JSON, in the form of an answer's rows.

use serde_json::Value;

use crate::{
    texts::{TextId, Texts},
    times::{self, MICROS_PER_DAY},
};

/// Longer texts are cut.
const MAX_TEXT: usize = 200;

/// A text, cut where it is too long.
pub(super) fn text(texts: &Texts, id: TextId) -> Value {
    let whole = texts.get(id);
    let end = whole.char_indices().nth(MAX_TEXT).map_or(whole.len(), |(at, _)| at);
    Value::from(whole.get(..end).unwrap_or(whole))
}

/// A moment, or the day alone.
pub(super) fn moment(micros: i64, is_day: bool) -> Value {
    Value::from(if is_day { times::day(micros.div_euclid(MICROS_PER_DAY)) } else { times::moment(micros) })
}

/// The first moment of a day. Days beyond what microseconds reach, 290,000 years from now, count as the last one.
pub(super) fn midnight(day: i32) -> i64 {
    i64::from(day).saturating_mul(MICROS_PER_DAY)
}
