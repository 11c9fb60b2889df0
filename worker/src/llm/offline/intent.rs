//! Decides what is asked: one figure, groups of it, a ranking, a list or distinct values.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{
    Refusal,
    lexicon::Word,
    matching::{ColumnId, TableId},
    roles::{Condition, Dimension, Filter, Function, Reader, before},
    time::TimeFilter,
};

/// The figure asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Rows of a table.
    Rows(TableId),
    /// Different values of a column.
    Values(ColumnId),
    /// An aggregate of a column.
    Column(Function, ColumnId),
    /// Revenue, wherever the schema has it.
    Revenue(Function),
    /// What was sold: pieces in a ranking, else revenue.
    Sold,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One figure, or one for each group.
    Figure,
    /// How many groups meet the conditions.
    GroupCount,
    /// Rows of the target, ordered by a column of it.
    RankedRows(ColumnId),
    /// Rows of the target.
    Rows,
    /// The different values of a column.
    Distinct(ColumnId),
}

/// What is asked, in terms of the schema.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub shape: Shape,
    pub measure: Option<Measure>,
    pub groups: Vec<Dimension>,
    /// What is ranked or listed.
    pub target: Option<Dimension>,
    /// `Desc` or `Asc`.
    pub rank: Option<Word>,
    pub limit: Option<u32>,
    pub filters: Vec<Filter>,
    /// Conditions on single rows.
    pub rows: Vec<(ColumnId, Word, Decimal)>,
    /// Conditions on groups.
    pub having: Vec<Condition>,
    /// Columns to list; none: all.
    pub project: Vec<ColumnId>,
    /// `Latest` or `Oldest` first.
    pub newest: Option<Word>,
    /// Other tables named.
    pub context: Vec<TableId>,
    pub dates: Vec<ColumnId>,
    pub time: TimeFilter,
    pub share: bool,
    pub fresh: bool,
}

/// Words whose role is told by being there.
const TOLD: &[Word] = &[
    Word::Top,
    Word::Bottom,
    Word::Most,
    Word::Least,
    Word::MaxPrice,
    Word::MinPrice,
    Word::Max,
    Word::Min,
    Word::BestSold,
    Word::Desc,
    Word::Asc,
    Word::Latest,
    Word::Oldest,
    Word::Sum,
    Word::Avg,
    Word::Share,
    Word::Trend,
    Word::Distribution,
    Word::List,
    Word::Which,
    Word::Distinct,
    Word::Compare,
    Word::And,
    Word::Between,
    Word::Or,
    Word::Call,
    Word::Fresh,
    Word::Superlative,
    Word::Who,
];

/// The order in which ranking words are looked for.
const RANKINGS: &[Word] = &[
    Word::BestSold,
    Word::Top,
    Word::Bottom,
    Word::Most,
    Word::Least,
    Word::MaxPrice,
    Word::MinPrice,
    Word::Max,
    Word::Min,
    // "sorted ascending" has both.
    Word::Asc,
    Word::Desc,
];

/// Words that may be left over.
const HARMLESS: &[Word] = &[Word::Since, Word::To, Word::From, Word::After, Word::Before, Word::Latest, Word::Max, Word::Min];

/// What "how many" counts.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    Noun(usize),
    /// Nothing named: the rows that the filters are about.
    Filtered,
    /// Nothing named, and there is one table.
    All(TableId),
}

/// A figure before it is settled.
#[derive(Clone, Copy)]
pub(super) enum Figure {
    Settled(Measure),
    /// A column without a function.
    Bare(ColumnId),
    /// The price of the target.
    Price,
    /// The money of the target.
    Money,
}

/// A question while it is decided what it asks.
pub(super) struct Intent<'c, 'a> {
    pub reader: Reader<'c, 'a>,
    /// First place of each word without a role.
    pub words: BTreeMap<Word, usize>,
    pub counted: Option<Counted>,
    pub counting: bool,
    pub heads: Vec<usize>,
    /// The measures named are columns to list.
    pub projecting: bool,
    pub function: Option<Function>,
    pub ranking: Option<Word>,
    /// Nouns without a role, and those of them that no column follows.
    pub nouns: Vec<usize>,
    pub free: Vec<usize>,
    pub figure: Option<Figure>,
    pub ask: Ask,
}

impl<'c, 'a> Intent<'c, 'a> {
    /// Reads what is asked.
    ///
    /// # Errors
    /// What can't be answered, and what is ambiguous.
    pub fn read(mut reader: Reader<'c, 'a>) -> Result<Ask, Refusal> {
        reader.read()?;
        let mut words = BTreeMap::new();
        for at in (0..reader.lexemes.len()).filter(|&at| !reader.is_used(at)) {
            if let Some(word) = reader.word(at) {
                words.entry(word).or_insert(at);
            }
        }
        let ask = Ask {
            shape: Shape::Figure,
            measure: None,
            groups: reader.groups.clone(),
            target: None,
            rank: None,
            limit: reader.limit,
            filters: reader.filters.clone(),
            rows: Vec::new(),
            having: Vec::new(),
            project: Vec::new(),
            newest: None,
            context: Vec::new(),
            dates: Vec::new(),
            time: reader.time,
            share: words.contains_key(&Word::Share),
            fresh: words.contains_key(&Word::Fresh),
        };
        let mut intent = Self {
            reader,
            words,
            counted: None,
            counting: false,
            heads: Vec::new(),
            projecting: false,
            function: None,
            ranking: None,
            nouns: Vec::new(),
            free: Vec::new(),
            figure: None,
            ask,
        };
        intent.decide()?;
        Ok(intent.ask)
    }

    fn decide(&mut self) -> Result<(), Refusal> {
        self.take_dates()?;
        self.ranking = RANKINGS.iter().copied().find(|&word| self.has(word));
        self.find_counted();
        self.find_heads()?;
        self.find_function()?;
        let len = self.reader.lexemes.len();
        self.nouns = (0..len).filter(|&at| !self.reader.is_used(at) && self.reader.is_noun(at)).collect();
        self.free = self.nouns.iter().copied().filter(|&at| !self.reader.qualifies(at)).collect();
        if self.free.is_empty() && self.heads.is_empty() {
            self.free.clone_from(&self.nouns);
        }
        self.settle_ranking()?;
        self.ask.newest = [Word::Latest, Word::Oldest].into_iter().find(|&word| self.has(word));
        if self.reader.sort_by.is_some() && self.ranking.is_none() {
            self.ranking = Some(Word::Desc);
        }
        for at in 0..len {
            if self.reader.word(at).is_some_and(|word| TOLD.contains(&word)) {
                self.reader.take(at);
            }
        }
        self.find_figure()?;
        self.rank()?;
        self.add_groups()?;
        self.apply_conditions()?;
        self.default_figure()?;
        self.finish()?;
        self.refuse_lost_function()?;
        self.ask.dates = std::mem::take(&mut self.reader.dates);
        let left: Vec<String> = (0..len)
            .filter(|&at| !self.reader.is_used(at) && (!self.reader.is_noun(at) || self.reader.unit(at).is_some()))
            .filter(|&at| self.reader.word(at).is_none_or(|word| !HARMLESS.contains(&word)))
            .map(|at| self.reader.text(at))
            .collect();
        if left.is_empty() { Ok(()) } else { Err(Refusal::Unknown(left)) }
    }

    pub fn has(&self, word: Word) -> bool {
        self.words.contains_key(&word)
    }

    pub fn place(&self, word: Word) -> Option<usize> {
        self.words.get(&word).copied()
    }

    pub fn text_of(&self, word: Word) -> String {
        self.place(word).map(|at| self.reader.text(at)).unwrap_or_default()
    }

    fn take_dates(&mut self) -> Result<(), Refusal> {
        for at in 0..self.reader.lexemes.len() {
            if !self.reader.is_used(at) && self.reader.is_date(at) {
                let date = self.reader.column(at)?;
                self.reader.dates.push(date);
                self.reader.take(at);
            }
        }
        Ok(())
    }

    fn find_counted(&mut self) {
        let Some(count) = self.place(Word::Count) else { return };
        self.counting = true;
        let reader = &self.reader;
        let countable = |at: usize| !reader.is_used(at) && (reader.table(at).is_some() || reader.is_attribute(at));
        let earlier = (0..count).rev().find(|&at| countable(at));
        let later = (count + 1..reader.lexemes.len()).find(|&at| countable(at));
        let text = reader.text(count).to_lowercase();
        let found = if reader.korean {
            // 몇 명의 고객
            let leads = matches!(text.as_str(), "몇" | "몇명" | "몇개" | "몇건" | "몇가지" | "몇곳") && later == Some(count + 1);
            if leads { later } else { earlier.or(later) }
        } else if matches!(text.as_str(), "count" | "counts" | "number" | "numbers") {
            earlier.or(later)
        } else {
            later.or(earlier)
        };
        self.counted = if let Some(mut at) = found {
            // "customers have a phone number" is not "customer phone numbers".
            if reader.qualifies(at) && countable(at + 1) && reader.is_attribute(at + 1) && !reader.lexemes[at].plural {
                at += 1;
            }
            self.reader.take(at);
            if self.reader.qualifies(before(at)) {
                self.reader.take(before(at));
            }
            Some(Counted::Noun(at))
        } else {
            let only = (self.reader.catalog.tables.len() == 1).then_some(Counted::All(0));
            (!self.ask.filters.is_empty()).then_some(Counted::Filtered).or(only)
        };
        self.reader.take(count);
        self.count_pieces();
    }

    /// "how many items were sold", "상품이 몇 개 팔렸어" ask for pieces, not for rows.
    fn count_pieces(&mut self) {
        let reader = &self.reader;
        let lines = reader.catalog.lines();
        let [line] = lines.as_slice() else { return };
        let sold = (0..reader.lexemes.len()).find(|&at| reader.is(at, Word::Sold));
        let (table, items) = match self.counted {
            Some(Counted::Noun(at)) => (reader.table(at), reader.text(at).to_lowercase().starts_with("item")),
            Some(Counted::Filtered) => (Some(reader.catalog.columns[self.ask.filters[0].column].table), true),
            Some(Counted::All(_)) | None => return,
        };
        let named = table.is_some_and(|table| table == line.table || reader.catalog.reaches(line.table, table));
        let finite = sold.is_some_and(|at| ["팔렸", "판매됐", "판매되었"].iter().any(|verb| reader.text(at).starts_with(verb)));
        let ordered =
            items && reader.lexemes.iter().any(|lexeme| matches!(lexeme.text.to_lowercase().as_str(), "ordered" | "bought" | "purchased"));
        let filtered = matches!(self.counted, Some(Counted::Filtered));
        let pieces = if filtered { sold.is_some() } else { finite || ordered || (items && sold.is_some()) };
        if !named || !pieces {
            return;
        }
        self.counted = None;
        self.figure = Some(Figure::Settled(Measure::Column(Function::Sum, line.quantity)));
        if let Some(sold) = sold {
            self.reader.take(sold);
        }
        if !self.ask.time.is_set() {
            self.reader.dates.clear();
        }
    }

    fn find_heads(&mut self) -> Result<(), Refusal> {
        let reader = &self.reader;
        let all: Vec<usize> = (0..reader.lexemes.len()).filter(|&at| !reader.is_used(at) && reader.is_head(at)).collect();
        let revenue = all.iter().copied().find(|&at| reader.is(at, Word::Revenue));
        let any_measure = all.iter().any(|&at| reader.is_measure(at));
        let mut heads: Vec<usize> = Vec::new();
        if let Some(revenue) = revenue {
            // 매출 금액 is one figure.
            let same = |at: usize| at.abs_diff(revenue) <= 1 && reader.columns(at).iter().any(|&c| reader.catalog.is_revenue_like(c));
            heads.push(revenue);
            heads.extend(all.iter().copied().filter(|&at| !matches!(reader.word(at), Some(Word::Revenue | Word::Sold)) && !same(at)));
        } else {
            heads.extend(all.iter().copied().filter(|&at| !any_measure || !reader.is(at, Word::Sold)));
        }
        if let Some(&first) = heads.first() {
            let (word, columns) = (reader.word(first), reader.columns(first).to_vec());
            heads.retain(|&at| at == first || reader.word(at) != word || reader.columns(at) != columns.as_slice());
        }
        for at in all {
            self.reader.take(at);
            if self.reader.qualifies(before(at)) {
                self.reader.take(before(at));
            }
        }
        self.heads = heads;
        self.projecting = self.lists_measures();
        if self.heads.len() > 1 && !self.projecting {
            return Err(Refusal::SeveralFigures(self.heads.iter().map(|&at| self.reader.text(at)).collect()));
        }
        if let (Some(&head), Some(count)) = (self.heads.first(), self.place(Word::Count)) {
            return Err(Refusal::SeveralFigures(vec![self.reader.text(head), self.reader.text(count)]));
        }
        Ok(())
    }

    /// Whether the measures named are columns of a list: "names and prices of products", "price of products".
    fn lists_measures(&self) -> bool {
        let reader = &self.reader;
        let shaped = [Word::Share, Word::Distribution, Word::Trend, Word::Sum, Word::Avg].into_iter().any(|word| self.has(word));
        if self.has(Word::List) && !shaped && reader.groups.is_empty() && self.ranking.is_none() {
            return true;
        }
        let tables = (0..reader.lexemes.len()).any(|at| reader.table(at).is_some());
        let measures = !self.heads.is_empty() && self.heads.iter().all(|&at| reader.is_measure(at));
        if shaped || !tables || !measures || !reader.groups.is_empty() || self.ranking.is_some() {
            return false;
        }
        let attributes = (0..reader.lexemes.len()).any(|at| !reader.is_used(at) && reader.is_attribute(at));
        let single = self.heads.len() == 1 && !self.counting && !self.has(Word::Superlative) && !self.has(Word::Who);
        let rate = reader.columns(self.heads[0]).first().is_some_and(|&column| !reader.catalog.is_additive(column));
        attributes || (single && rate)
    }

    fn find_function(&mut self) -> Result<(), Refusal> {
        let order = [Word::Avg, Word::Sum, Word::Max, Word::Min];
        self.function = order.into_iter().find(|&word| self.has(word)).and_then(Function::of);
        let both = |one: Word, other: Word| self.has(one) && self.has(other);
        if both(Word::Max, Word::Min) {
            return Err(Refusal::SeveralFigures(vec![self.text_of(Word::Max), self.text_of(Word::Min)]));
        }
        if both(Word::Sum, Word::Avg) {
            return Err(Refusal::SeveralFigures(vec![self.text_of(Word::Sum), self.text_of(Word::Avg)]));
        }
        Ok(())
    }

    /// "max amount of cancelled orders", "취소된 주문의 최대 금액": one figure of the rows named, no list of them.
    fn is_extreme_of_rows(&self) -> bool {
        let reader = &self.reader;
        let (Some(place), [head], [table]) = (self.ranking.and_then(|word| self.place(word)), self.heads.as_slice(), self.free.as_slice())
        else {
            return false;
        };
        let own = |column: &ColumnId| reader.table(*table) == Some(reader.catalog.columns[*column].table);
        let ordered = if reader.korean { *table < place } else { *head < *table };
        place < *head && ordered && self.ask.limit.is_none() && reader.columns(*head).iter().any(own)
    }

    /// "average orders per month" would be an average of counts.
    fn refuse_lost_function(&self) -> Result<(), Refusal> {
        let counts = matches!(self.ask.measure, Some(Measure::Rows(_) | Measure::Values(_) | Measure::Sold));
        let ranks = self.ranking.is_some();
        let lost = [(Word::Avg, true), (Word::Max, !ranks), (Word::Min, !ranks)];
        match lost.into_iter().find(|&(word, lost)| counts && lost && self.has(word)) {
            Some((word, _)) => Err(Refusal::Method(self.text_of(word))),
            None => Ok(()),
        }
    }

    /// Tells rankings from plain maxima: "highest price" is a figure, "city with the highest revenue" a ranking.
    fn settle_ranking(&mut self) -> Result<(), Refusal> {
        if let Some(place) = self.place(Word::Superlative) {
            let word = match self.ranking {
                None | Some(Word::Desc) => Some(Word::Most),
                Some(Word::Asc) => Some(Word::Least),
                Some(_) => None,
            };
            if let Some(word) = word {
                self.ranking = Some(word);
                self.words.entry(word).or_insert(place);
            }
        }
        if matches!(self.ranking, Some(Word::Max | Word::Min)) {
            let no_target = self.free.is_empty() && !self.has(Word::Who);
            let plain = !self.ask.groups.is_empty() || no_target || self.ask.time.split.is_some();
            // The highest revenue by city is that of a city, not of an order.
            let revenue = self.heads.first().is_some_and(|&head| self.reader.is(head, Word::Revenue)) && !self.has(Word::Avg);
            if revenue && self.ask.groups.is_empty() && plain {
                return Err(Refusal::ExtremeRevenue);
            }
            if (plain && !revenue) || self.is_extreme_of_rows() {
                self.ranking = None;
            }
        }
        if self.ranking.is_none() && self.has(Word::Avg) && (self.has(Word::Max) || self.has(Word::Min)) {
            return Err(Refusal::SeveralFigures(vec![self.text_of(Word::Avg)]));
        }
        Ok(())
    }
}
