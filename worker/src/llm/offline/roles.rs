//! Gives the pieces of a question their roles: filters, comparisons, groups, limits. What is left is for `intent`.

use rust_decimal::Decimal;

use super::{
    Refusal,
    lexer::{Lexeme, Sense, Unit},
    lexicon::{Bucket, Word},
    matching::{Catalog, ColumnId, TableId},
    time::TimeFilter,
};

/// What rows are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    /// One row for each row of a table, shown by its label.
    Table(TableId),
    /// One row for each value of a column.
    Column(ColumnId),
    /// One row for each period.
    Time(Bucket),
}

/// An aggregate of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Sum,
    Avg,
    Max,
    Min,
}

impl Function {
    /// The function a word asks for.
    pub fn of(word: Word) -> Option<Self> {
        Some(match word {
            Word::Sum => Self::Sum,
            Word::Avg => Self::Avg,
            Word::Max => Self::Max,
            Word::Min => Self::Min,
            _ => return None,
        })
    }
}

/// What a number is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// How many rows of a table.
    Count(TableId),
    /// Revenue, summed up if no function is named.
    Revenue(Option<Function>),
    /// A column, or an aggregate of it.
    Column(ColumnId, Option<Function>),
}

/// `operand operator number`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    pub operand: Operand,
    pub operator: Word,
    pub number: Decimal,
}

/// A column held against known values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub column: ColumnId,
    pub values: Vec<String>,
    pub negated: bool,
}

/// A question while its pieces get their roles.
pub(super) struct Reader<'c, 'a> {
    pub lexemes: Vec<Lexeme<'a>>,
    pub catalog: &'c Catalog<'a>,
    pub korean: bool,
    pub time: TimeFilter,
    /// Pieces whose role is found.
    used: Vec<bool>,
    /// Tables named only to say whose column follows.
    qualifiers: Vec<bool>,
    pub groups: Vec<Dimension>,
    /// Date columns named.
    pub dates: Vec<ColumnId>,
    /// The table whose column is a group.
    pub owner: Option<TableId>,
    pub filters: Vec<Filter>,
    pub conditions: Vec<Condition>,
    /// The measure that "by" asks to rank by.
    pub sort_by: Option<usize>,
    pub limit: Option<u32>,
}

/// The index before; out of every range at the start.
pub(super) fn before(at: usize) -> usize {
    at.wrapping_sub(1)
}

impl<'c, 'a> Reader<'c, 'a> {
    /// A reader of a question without its time expressions.
    pub fn new(lexemes: Vec<Lexeme<'a>>, catalog: &'c Catalog<'a>, time: TimeFilter, korean: bool) -> Self {
        let count = lexemes.len();
        Self {
            lexemes,
            catalog,
            korean,
            time,
            used: vec![false; count],
            qualifiers: vec![false; count],
            groups: Vec::new(),
            dates: Vec::new(),
            owner: None,
            filters: Vec::new(),
            conditions: Vec::new(),
            sort_by: None,
            limit: None,
        }
    }

    /// Finds every role that does not depend on what is asked.
    ///
    /// # Errors
    /// What can't be answered, and what is ambiguous.
    pub fn read(&mut self) -> Result<(), Refusal> {
        self.refuse_words()?;
        self.refuse_unknown()?;
        self.narrow();
        self.read_values()?;
        self.read_quoted()?;
        self.read_comparisons()?;
        self.read_groups()?;
        self.read_limit()
    }

    // What a piece is. Indexes may lie outside.

    pub fn word(&self, at: usize) -> Option<Word> {
        self.lexemes.get(at).and_then(Lexeme::word)
    }

    pub fn is(&self, at: usize, word: Word) -> bool {
        self.word(at) == Some(word)
    }

    pub fn text(&self, at: usize) -> String {
        self.lexemes.get(at).map(|lexeme| lexeme.text.clone()).unwrap_or_default()
    }

    pub fn table(&self, at: usize) -> Option<TableId> {
        self.lexemes.get(at)?.tables.first().copied()
    }

    pub fn columns(&self, at: usize) -> &[ColumnId] {
        self.lexemes.get(at).filter(|lexeme| lexeme.tables.is_empty()).map_or(&[][..], |lexeme| lexeme.columns.as_slice())
    }

    pub fn is_measure(&self, at: usize) -> bool {
        self.columns(at).iter().any(|&column| self.catalog.columns[column].measure)
    }

    pub fn is_date(&self, at: usize) -> bool {
        let columns = self.columns(at);
        !columns.is_empty() && columns.iter().all(|&column| self.catalog.columns[column].date)
    }

    /// A column to group by or to list.
    pub fn is_attribute(&self, at: usize) -> bool {
        !self.columns(at).is_empty() && !self.is_measure(at) && !self.is_date(at)
    }

    pub fn is_value(&self, at: usize) -> bool {
        self.lexemes.get(at).is_some_and(|lexeme| !lexeme.values.is_empty() && lexeme.tables.is_empty() && lexeme.columns.is_empty())
    }

    pub fn unit(&self, at: usize) -> Option<Bucket> {
        if let Sense::Unit(bucket) = self.lexemes.get(at)?.sense { Some(bucket) } else { None }
    }

    /// Something rows could be grouped by.
    pub fn is_noun(&self, at: usize) -> bool {
        self.table(at).is_some() || self.is_attribute(at) || self.unit(at).is_some()
    }

    /// Something that is added up.
    pub fn is_head(&self, at: usize) -> bool {
        self.is_measure(at) || matches!(self.word(at), Some(Word::Revenue | Word::Sold | Word::Aov))
    }

    pub fn is_used(&self, at: usize) -> bool {
        self.used.get(at).copied().unwrap_or(true)
    }

    pub fn take(&mut self, at: usize) {
        if let Some(used) = self.used.get_mut(at) {
            *used = true;
        }
    }

    pub fn qualifies(&self, at: usize) -> bool {
        self.qualifiers.get(at).copied().unwrap_or(false)
    }

    pub fn unqualify(&mut self, at: usize) {
        if let Some(qualifier) = self.qualifiers.get_mut(at) {
            *qualifier = false;
        }
    }

    /// The one column meant.
    ///
    /// # Errors
    /// If several tables have one of that name.
    pub fn column(&self, at: usize) -> Result<ColumnId, Refusal> {
        match self.columns(at) {
            [] => Err(Refusal::Unknown(vec![self.text(at)])),
            [column] => Ok(*column),
            several => Err(self.which_column(at, several.iter().copied())),
        }
    }

    pub fn which_column(&self, at: usize, columns: impl Iterator<Item = ColumnId>) -> Refusal {
        Refusal::WhichColumn(self.text(at), columns.map(|column| self.catalog.full_name(column)).collect())
    }

    /// What a noun would group by.
    ///
    /// # Errors
    /// As [`Self::column`].
    pub fn dimension(&self, at: usize) -> Result<Dimension, Refusal> {
        match (self.unit(at), self.table(at)) {
            (Some(bucket), _) => Ok(Dimension::Time(bucket)),
            (None, Some(table)) => Ok(Dimension::Table(table)),
            (None, None) => self.column(at).map(Dimension::Column),
        }
    }

    // Roles.

    fn refuse_words(&self) -> Result<(), Refusal> {
        for lexeme in &self.lexemes {
            match lexeme.word() {
                Some(Word::Predict) => return Err(Refusal::Predict),
                Some(Word::Why) => return Err(Refusal::Why),
                Some(Word::Write) => return Err(Refusal::Write),
                Some(Word::Method) => return Err(Refusal::Method(lexeme.text.clone())),
                _ => {}
            }
        }
        Ok(())
    }

    /// Unknown words end it: any of them may say which rows are meant.
    fn refuse_unknown(&self) -> Result<(), Refusal> {
        let unknown = |lexeme: &&Lexeme<'_>| lexeme.sense == Sense::Unknown;
        let words: Vec<String> = self.lexemes.iter().filter(unknown).map(|lexeme| lexeme.text.clone()).collect();
        if words.is_empty() { Ok(()) } else { Err(Refusal::Unknown(words)) }
    }

    pub fn named_tables(&self) -> Vec<TableId> {
        (0..self.lexemes.len()).filter_map(|at| self.table(at)).collect()
    }

    /// A table's name next to a column says whose column it is.
    fn narrow(&mut self) {
        for at in 0..self.lexemes.len() {
            if self.columns(at).is_empty() {
                continue;
            }
            for (near, qualifies) in [(before(at), true), (at + 1, false)] {
                let Some(table) = self.table(near) else { continue };
                let own = self.columns_of(at, &[table]);
                if !own.is_empty() {
                    self.lexemes[at].columns = own;
                    if qualifies {
                        self.qualifiers[near] = true;
                    }
                    break;
                }
            }
        }
        let named = self.named_tables();
        for at in 0..self.lexemes.len() {
            if self.columns(at).len() > 1 {
                let own = self.columns_of(at, &named);
                if !own.is_empty() {
                    self.lexemes[at].columns = own;
                }
            }
        }
    }

    fn columns_of(&self, at: usize, tables: &[TableId]) -> Vec<ColumnId> {
        self.columns(at).iter().copied().filter(|&column| tables.contains(&self.catalog.columns[column].table)).collect()
    }

    /// A number that compares nothing is a number of rows, if it stands where one would.
    fn read_limit(&mut self) -> Result<(), Refusal> {
        let ranks = |word: Option<Word>| word.is_some_and(is_ranking);
        for at in 0..self.lexemes.len() {
            let Some(number) = self.lexemes[at].number().filter(|_| !self.is_used(at)).cloned() else { continue };
            let near = ranks(self.word(before(at))) || ranks(self.word(at + 1));
            let placed = if self.korean {
                let counted = number.unit == Unit::Things;
                let ranked = (0..self.lexemes.len()).any(|at| ranks(self.word(at)));
                near || (counted && (ranked || (self.is_noun(before(at)) && !self.counts_for_others(at))))
            } else {
                // "customers with 10 orders" is no list of ten.
                let first = !(0..at).any(|earlier| self.is_noun(earlier));
                near || (first && (self.is_noun(at + 1) || self.is_value(at + 1)))
            };
            let counts = matches!(number.unit, Unit::None | Unit::Things) && self.limit.is_none();
            let Some(limit) = number.whole.filter(|limit| placed && counts && (1..=10_000).contains(limit)) else {
                return Err(Refusal::Unknown(vec![self.text(at)]));
            };
            self.limit = Some(limit);
            self.take(at);
            for near in [before(at), at + 1] {
                if self.is(near, Word::To) {
                    self.take(near);
                }
            }
        }
        Ok(())
    }
}

impl Reader<'_, '_> {
    /// 주문 10건인 고객: a number of orders told of something else is no number of rows.
    fn counts_for_others(&self, number: usize) -> bool {
        let table = self.table(before(number));
        let own = |at: usize| self.columns(at).iter().any(|&column| Some(self.catalog.columns[column].table) == table);
        (number + 1..self.lexemes.len()).any(|at| self.is_noun(at) && !own(at))
    }
}

/// Whether a word asks for an order of rows.
fn is_ranking(word: Word) -> bool {
    matches!(
        word,
        Word::Top
            | Word::Bottom
            | Word::Most
            | Word::Least
            | Word::Max
            | Word::Min
            | Word::MaxPrice
            | Word::MinPrice
            | Word::BestSold
            | Word::Latest
            | Word::Oldest
            | Word::Desc
            | Word::Asc
    )
}
