//! What a text may be, found out once for each different text of a workbook.

use super::{
    dates::{self, Told},
    numbers::{self, Parsed},
    rows,
};
use crate::{
    grid::Cell,
    texts::{TextId, Texts},
};

/// Words that people write for "nothing".
const PLACEHOLDERS: &[&str] =
    &["-", "--", "—", "–", ".", "n/a", "na", "#n/a", "null", "none", "nan", "없음", "미정", "해당없음", "해당 없음"];

/// A text, read in all ways in which it may be meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Class {
    /// Nothing but white space.
    pub(super) blank: bool,
    pub(super) placeholder: bool,
    pub(super) number: Option<Parsed>,
    pub(super) told: Option<Told>,
    /// A truth value, and which pair of words it is of.
    pub(super) truth: Option<(bool, u8)>,
    /// A word for a total, such as `합계`.
    pub(super) total: bool,
}

/// Classes of texts, by their ids.
#[derive(Default)]
pub(super) struct Classes {
    known: Vec<Option<Class>>,
}

/// What a cell is at first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Empty,
    Text,
    Number,
    Time,
    Truth,
    Error,
}

impl Classes {
    pub(super) fn of(&mut self, texts: &Texts, id: TextId) -> Class {
        let place = id.0 as usize;
        if self.known.len() <= place {
            self.known.resize(texts.len().max(place + 1), None);
        }
        match self.known.get_mut(place) {
            Some(known) => *known.get_or_insert_with(|| classify(texts.get(id))),
            None => classify(texts.get(id)),
        }
    }

    /// What a person takes the cell for.
    pub(super) fn sight(&mut self, texts: &Texts, cell: Cell) -> Sight {
        match cell {
            Cell::Empty => Sight::Empty,
            Cell::Number(_) => Sight::Number,
            Cell::Bool(_) => Sight::Truth,
            Cell::Moment(_) | Cell::Duration(_) => Sight::Time,
            Cell::Error(_) => Sight::Error,
            Cell::Text(id) => {
                let class = self.of(texts, id);
                match class {
                    // What stands for "nothing" says nothing about its row or column.
                    Class { blank: true, .. } | Class { placeholder: true, .. } => Sight::Empty,
                    Class { number: Some(_), .. } => Sight::Number,
                    Class { told: Some(_), .. } => Sight::Time,
                    _ => Sight::Text,
                }
            }
        }
    }
}

fn classify(text: &str) -> Class {
    let trimmed = text.trim();
    let lower = trimmed.to_lowercase();
    let truth = match lower.as_str() {
        "true" => Some((true, 0)),
        "false" => Some((false, 0)),
        "예" => Some((true, 1)),
        "아니오" | "아니요" => Some((false, 1)),
        "y" => Some((true, 2)),
        "n" => Some((false, 2)),
        "yes" => Some((true, 3)),
        "no" => Some((false, 3)),
        _ => None,
    };
    Class {
        blank: trimmed.is_empty(),
        placeholder: PLACEHOLDERS.contains(&lower.as_str()),
        number: numbers::parse(trimmed),
        told: dates::parse(trimmed),
        truth,
        total: rows::is_total(trimmed),
    }
}
