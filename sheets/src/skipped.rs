//! Why a sheet is left out of an analysis.

use datagenie_common::{analyses::SkippedSheet, model::language::Language};

use crate::words::Words;

/// What a sheet is that has no cells to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWorksheet {
    /// A chart on a sheet of its own.
    Chart,
    /// A dialog of Excel 5.
    Dialog,
    /// Macros of Excel 4, or a module of Visual Basic. They are never run.
    Macros,
    /// Something newer than this reader.
    Unknown,
}

/// Why a sheet is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is hidden, and hidden sheets were not asked for.
    Hidden,
    /// No cell has a value.
    Empty,
    /// There are cells, but no table.
    NoTable,
    /// It is no sheet with cells.
    NoWorksheet(NoWorksheet),
    /// Its part of the file is damaged: what the reader said.
    Unreadable(String),
}

impl Why {
    /// A word of [`SkippedSheet::reason`].
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Empty => "empty",
            Self::NoTable => "no_table",
            Self::NoWorksheet(_) => "not_a_worksheet",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// The same in a sentence about the sheet.
    #[must_use]
    pub fn words(&self, sheet: &str) -> Words {
        match self {
            Self::Hidden => Words::new(
                format!("‘{sheet}’ 시트는 숨겨져 있어 제외했습니다."),
                format!("The sheet “{sheet}” is hidden and was left out."),
            ),
            Self::Empty => Words::new(format!("‘{sheet}’ 시트는 비어 있습니다."), format!("The sheet “{sheet}” is empty.")),
            Self::NoTable => Words::new(
                format!("‘{sheet}’ 시트에는 값이 있지만 표(두 행이나 두 열 이상 이어진 값)가 없습니다."),
                format!("The sheet “{sheet}” has cells, but no table: two rows or two columns that belong together."),
            ),
            Self::NoWorksheet(kind) => {
                let (korean, english) = match kind {
                    NoWorksheet::Chart => ("차트 시트여서", "is a chart"),
                    NoWorksheet::Dialog => ("대화 상자 시트여서", "is a dialog"),
                    NoWorksheet::Macros => ("매크로 시트여서", "is a sheet of macros"),
                    NoWorksheet::Unknown => ("알 수 없는 종류여서", "is of an unknown kind"),
                };
                Words::new(
                    format!("‘{sheet}’ 시트는 {korean} 읽을 셀이 없습니다."),
                    format!("The sheet “{sheet}” {english} and has no cells to read."),
                )
            }
            Self::Unreadable(error) => Words::new(
                format!("‘{sheet}’ 시트는 손상되어 읽지 못했습니다({error})."),
                format!("The sheet “{sheet}” could not be read: {error}."),
            ),
        }
    }
}

/// A sheet that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub sheet: String,
    /// Why.
    pub why: Why,
}

impl Skipped {
    /// As an analysis says it.
    #[must_use]
    pub fn told(&self, language: Language) -> SkippedSheet {
        let text = self.why.words(&self.sheet).of(language).to_owned();
        SkippedSheet { sheet: self.sheet.clone(), reason: self.why.reason().to_owned(), text }
    }
}
