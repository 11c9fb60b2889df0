//! What a text may be, found out once for each different text of a workbook.

use super::{
    dates::{self, Told},
    numbers::{self, Parsed},
    totals::{self, Figure},
};
use crate::{
    grid::Cell,
    texts::{TextId, Texts},
};

/// Words that people write for "nothing".
const PLACEHOLDERS: &[&str] = &[
    "-",
    "--",
    "---",
    "—",
    "–",
    ".",
    "n/a",
    "na",
    "n.a.",
    "#n/a",
    "<na>",
    "null",
    "(null)",
    "none",
    "nan",
    "nat",
    "inf",
    "-inf",
    "없음",
    "미정",
    "미상",
    "해당없음",
    "해당 없음",
];

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
    /// What a word such as `합계` announces.
    pub(super) figure: Option<Figure>,
    /// Nothing but digits, of which a number would lose some: `007`.
    pub(super) code: bool,
}

impl Class {
    /// Of a text that is nothing but words.
    const WORDS: Self = Self { blank: false, placeholder: false, number: None, told: None, truth: None, figure: None, code: false };
}

/// Classes of texts, by their ids: the same one for all texts that are only words.
#[derive(Default)]
pub(super) struct Classes {
    /// Places in `found` from 1; 0: not looked at yet.
    known: Vec<u32>,
    found: Vec<Class>,
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
            self.known.resize(texts.len().max(place + 1), 0);
        }
        let known = self.known.get(place).copied().unwrap_or_default();
        if let Some(class) = (known as usize).checked_sub(1).and_then(|place| self.found.get(place)) {
            return *class;
        }
        let class = classify(texts.get(id));
        if self.found.is_empty() {
            self.found.push(Class::WORDS);
        }
        let number = if class == Class::WORDS {
            1
        } else {
            self.found.push(class);
            u32::try_from(self.found.len()).unwrap_or_default()
        };
        if let Some(known) = self.known.get_mut(place) {
            *known = number;
        }
        class
    }

    /// What a person takes the cell for.
    pub(super) fn sight(&mut self, texts: &Texts, cell: Cell) -> Sight {
        match cell {
            Cell::Empty => Sight::Empty,
            Cell::Number(_) | Cell::Written(..) => Sight::Number,
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
        "예" | "네" => Some((true, 1)),
        "아니오" | "아니요" => Some((false, 1)),
        "참" => Some((true, 4)),
        "거짓" => Some((false, 4)),
        "y" => Some((true, 2)),
        "n" => Some((false, 2)),
        "yes" => Some((true, 3)),
        "no" => Some((false, 3)),
        _ => None,
    };
    let told = dates::parse(trimmed);
    // What is a day for sure is nothing else.
    let dated = matches!(told, Some(Told::Moment(..)));
    let number = if dated { None } else { numbers::parse(trimmed) };
    Class {
        blank: trimmed.is_empty(),
        placeholder: PLACEHOLDERS.contains(&lower.as_str()),
        number,
        told,
        truth,
        figure: if dated { None } else { totals::of(trimmed) },
        code: number.is_none() && !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
