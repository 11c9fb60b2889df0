//! Settles figure, ranking, groups and conditions once their words are found, and falls back to lists.

use super::{
    Refusal,
    intent::{Counted, Figure, Intent, Measure, Shape},
    lexer::Lexeme,
    lexicon::{Bucket, Word},
    matching::{ColumnId, Meaning, TableId},
    roles::{Condition, Dimension, Function, Operand, before},
};

impl Intent<'_, '_> {
    fn unknown(&self, at: usize) -> Refusal {
        Refusal::Unknown(vec![self.reader.text(at)])
    }

    pub(super) fn find_figure(&mut self) -> Result<(), Refusal> {
        let ranked = self.ranking.is_some();
        if let Some(counted) = self.counted {
            if self.function == Some(Function::Avg) {
                return Err(Refusal::Method(self.text_of(Word::Count)));
            }
            let measure = match counted {
                Counted::Filtered => Measure::Rows(self.reader.catalog.columns[self.ask.filters[0].column].table),
                Counted::All(table) => Measure::Rows(table),
                Counted::Noun(at) => match self.reader.table(at) {
                    Some(table) => Measure::Rows(table),
                    None => Measure::Values(self.reader.column(at)?),
                },
            };
            self.figure = Some(Figure::Settled(measure));
        } else if let Some(&head) = self.heads.first().filter(|_| !self.projecting) {
            // In a ranking the superlative orders the rows; it is no function of the figure.
            let function = self.function.filter(|function| !(ranked && matches!(function, Function::Max | Function::Min)));
            self.figure = Some(match self.reader.word(head) {
                Some(Word::Aov) if matches!(function, Some(Function::Max | Function::Min)) => {
                    return Err(Refusal::Method(self.reader.text(head)));
                }
                Some(Word::Aov) => Figure::Settled(Measure::Revenue(Function::Avg)),
                Some(Word::Revenue) if function == Some(Function::Avg) => return Err(Refusal::AverageRevenue),
                Some(Word::Revenue) => Figure::Settled(Measure::Revenue(function.unwrap_or(Function::Sum))),
                Some(_) => Figure::Settled(Measure::Sold),
                None => {
                    let column = self.reader.column(head)?;
                    function.map_or(Figure::Bare(column), |function| Figure::Settled(Measure::Column(function, column)))
                }
            });
        } else if matches!(self.ranking, Some(Word::MaxPrice | Word::MinPrice)) {
            self.figure = Some(Figure::Price);
        } else if self.ranking == Some(Word::BestSold) {
            self.figure = Some(Figure::Settled(Measure::Sold));
        }
        Ok(())
    }

    /// The column that the figure is taken from, if it is one.
    fn figure_column(&self) -> Option<ColumnId> {
        match self.figure {
            Some(Figure::Bare(column) | Figure::Settled(Measure::Column(_, column))) => Some(column),
            _ => None,
        }
    }

    pub(super) fn rank(&mut self) -> Result<(), Refusal> {
        let Some(word) = self.ranking else { return Ok(()) };
        let ascending = matches!(word, Word::Bottom | Word::Least | Word::Min | Word::MinPrice | Word::Asc);
        self.ask.rank = Some(if ascending { Word::Asc } else { Word::Desc });
        let ordered = matches!(word, Word::Desc | Word::Asc);
        if self.ask.groups.is_empty() && !(ordered && self.free.is_empty()) {
            let plural = self.find_target(word)?;
            if self.ask.limit.is_none() && !ordered {
                self.ask.limit = Some(self.default_limit(word, plural));
            }
        } else if self.ask.limit.is_none() {
            self.ask.limit = match word {
                Word::Top | Word::Bottom => Some(10),
                Word::Most | Word::Least | Word::BestSold | Word::Max | Word::Min => Some(1),
                _ => None,
            };
        }
        // The top of every group would need a window function.
        let place = self.place(word);
        let inner = self.free.iter().any(|&at| place.is_none_or(|place| at > place));
        let several = self.ask.groups.len() > 1 && self.ask.limit.is_some();
        if !self.ask.groups.is_empty() && (several || inner) {
            return Err(Refusal::Nested);
        }
        Ok(())
    }

    /// One for "the most …" of one thing, else ten.
    fn default_limit(&self, word: Word, plural: bool) -> u32 {
        let text = self.text_of(word).to_lowercase();
        let superlative = !matches!(word, Word::Top | Word::Bottom) || (!self.reader.korean && !plural) || text == "꼴찌";
        let single = if self.reader.korean {
            word != Word::BestSold || self.text_of(word).starts_with("가장") || self.text_of(word).starts_with("제일")
        } else {
            !plural
        };
        if superlative && single { 1 } else { 10 }
    }

    /// Finds what is ranked; tells whether it was named in the plural.
    fn find_target(&mut self, word: Word) -> Result<bool, Refusal> {
        let place = self.place(word);
        let after = |at: &usize| place.map_or(!self.reader.korean, |place| *at > place);
        let (later, earlier): (Vec<usize>, Vec<usize>) = self.free.iter().copied().partition(after);
        let asked = self.place(Word::Which).map(|at| at + 1).filter(|at| self.free.contains(at));
        let names_target = matches!(word, Word::Top | Word::Bottom | Word::BestSold | Word::MaxPrice | Word::MinPrice);
        // In Korean the noun that the ranking modifies comes after it, and last.
        let placed = match (self.reader.korean, names_target) {
            (true, _) => later.last().or(earlier.last()),
            (false, true) => later.first().or(earlier.first()),
            (false, false) => earlier.first().or(later.first()),
        };
        let Some(at) = asked.or(placed.copied()) else {
            if let Some(plural) = self.target_of_values(word) {
                return Ok(plural);
            }
            let spender = self.has(Word::Who) && matches!(self.figure, Some(Figure::Settled(Measure::Revenue(Function::Sum))));
            if let Some(buyer) = self.buyers().filter(|_| spender) {
                self.ask.target = Some(Dimension::Table(buyer));
                return Ok(false);
            }
            let own = self.figure_column().filter(|_| self.ask.limit.is_some() || self.has(Word::Who));
            let column = own.ok_or(Refusal::NoTarget)?;
            self.ask.target = Some(Dimension::Table(self.reader.catalog.columns[column].table));
            return Ok(false);
        };
        self.free.retain(|&free| free != at);
        self.reader.take(at);
        self.ask.target = Some(self.reader.dimension(at)?);
        Ok(self.reader.lexemes[at].plural)
    }

    /// "the most expensive electronics": a known value stands for the rows that have it.
    fn target_of_values(&mut self, word: Word) -> Option<bool> {
        let [filter] = self.ask.filters.as_slice() else { return None };
        if filter.negated || !matches!(word, Word::MaxPrice | Word::MinPrice | Word::BestSold) {
            return None;
        }
        let (column, catalog) = (filter.column, self.reader.catalog);
        let table = catalog.columns[column].table;
        // Only what has a name and a price is sold.
        catalog.tables[table].label.and(catalog.price_column(table))?;
        self.ask.target = Some(Dimension::Table(table));
        let named = |lexeme: &&Lexeme<'_>| lexeme.values.iter().any(|(held, _)| *held == column);
        Some(self.reader.lexemes.iter().filter(named).any(|lexeme| lexeme.plural))
    }

    /// The table of those who buy.
    fn buyers(&self) -> Option<TableId> {
        self.reader.catalog.meanings("customer")?.iter().find_map(|(_, meaning)| match meaning {
            Meaning::Table(table) => Some(*table),
            _ => None,
        })
    }

    /// Tables and attributes still without a role.
    fn rest(&self) -> (Vec<TableId>, Vec<usize>) {
        let left: Vec<usize> = self.nouns.iter().copied().filter(|&at| !self.reader.is_used(at)).collect();
        let tables = left.iter().filter_map(|&at| self.reader.table(at)).collect();
        (tables, left.into_iter().filter(|&at| self.reader.is_attribute(at)).collect())
    }

    fn take_table(&mut self, table: TableId) {
        let found = self.nouns.iter().copied().find(|&at| !self.reader.is_used(at) && self.reader.table(at) == Some(table));
        if let Some(at) = found {
            self.reader.take(at);
        }
    }

    /// Groups named without a word for it: "city revenue", 요일 매출.
    fn add_named_groups(&mut self, distribution: bool) -> Result<(), Refusal> {
        let revenue = matches!(self.figure, Some(Figure::Settled(Measure::Revenue(Function::Sum) | Measure::Sold)));
        if revenue && self.ranking.is_none() && self.ask.groups.is_empty() && self.ask.target.is_none() && self.reader.conditions.is_empty()
        {
            let (tables, attributes) = self.rest();
            if let ([], [at]) = (tables.as_slice(), attributes.as_slice()) {
                let column = self.reader.column(*at)?;
                self.reader.take(*at);
                self.ask.groups.push(Dimension::Column(column));
            }
        }
        if self.ask.target.is_none() && (self.figure.is_some() || distribution || self.has(Word::Trend)) {
            for at in self.nouns.clone() {
                if let Some(bucket) = self.reader.unit(at).filter(|_| !self.reader.is_used(at)) {
                    self.reader.take(at);
                    if !self.ask.groups.contains(&Dimension::Time(bucket)) {
                        self.ask.groups.push(Dimension::Time(bucket));
                    }
                }
            }
        }
        Ok(())
    }

    /// Groups that the words for shares, trends and comparisons imply.
    pub(super) fn add_groups(&mut self) -> Result<(), Refusal> {
        let distribution = self.ask.share || self.has(Word::Distribution);
        self.add_named_groups(distribution)?;
        if distribution && self.ask.groups.is_empty() && self.ask.target.is_none() {
            let (tables, attributes) = self.rest();
            if let Some(&at) = attributes.first() {
                let column = self.reader.column(at)?;
                self.reader.take(at);
                self.ask.groups.push(Dimension::Column(column));
            } else if self.ask.filters.len() == 1 && !self.ask.filters[0].negated {
                // The share of one value is seen among the others.
                let filter = self.ask.filters.remove(0);
                self.ask.groups.push(Dimension::Column(filter.column));
            } else if tables.len() >= 2 || (tables.len() == 1 && self.figure.is_some()) {
                self.take_table(tables[0]);
                self.ask.groups.push(Dimension::Table(tables[0]));
            } else {
                return Err(Refusal::NoTarget);
            }
        }
        let by_time = self.ask.groups.iter().any(|group| matches!(group, Dimension::Time(_)));
        let split = self.ask.time.split;
        let side_by_side = self.ask.groups.is_empty() && self.ask.target.is_none() && self.figure.is_some();
        if self.has(Word::Trend) && !by_time {
            self.ask.groups.push(Dimension::Time(split.unwrap_or(Bucket::Month)));
        } else if let Some(bucket) = split
            && !by_time
            && (side_by_side || self.has(Word::Compare))
        {
            self.ask.groups.push(Dimension::Time(bucket));
        }
        if self.has(Word::Compare) && self.ask.groups.is_empty() {
            match self.ask.filters.as_slice() {
                [filter] if filter.values.len() > 1 => self.ask.groups.push(Dimension::Column(filter.column)),
                _ => return Err(Refusal::Method(self.text_of(Word::Compare))),
            }
        }
        Ok(())
    }

    /// Splits conditions into those on rows and those on groups, and finds the groups where only conditions imply them.
    pub(super) fn apply_conditions(&mut self) -> Result<(), Refusal> {
        let on_group = |condition: &Condition| !matches!(condition.operand, Operand::Column(_, None));
        let (mut having, mut rows): (Vec<Condition>, Vec<Condition>) = self.reader.conditions.iter().cloned().partition(on_group);
        if !having.is_empty() && self.ask.groups.is_empty() && self.ask.target.is_none() {
            self.group_for(&mut having, &mut rows)?;
        }
        let fewer = |condition: &Condition| {
            let none = condition.operator == Word::Eq && condition.number.is_zero();
            matches!(condition.operand, Operand::Count(_)) && (none || matches!(condition.operator, Word::Lt | Word::Lte))
        };
        // Those without any would be missing from the groups.
        if having.iter().any(fewer) {
            return Err(Refusal::Fewer);
        }
        for condition in rows {
            let Operand::Column(column, _) = condition.operand else { continue };
            self.ask.rows.push((column, condition.operator, condition.number));
        }
        if self.figure.is_none()
            && let Some(condition) = having.first()
        {
            self.figure = Some(match condition.operand {
                Operand::Count(table) => Figure::Settled(Measure::Rows(table)),
                Operand::Revenue(function) => Figure::Settled(Measure::Revenue(function.unwrap_or(Function::Sum))),
                Operand::Column(column, Some(function)) => Figure::Settled(Measure::Column(function, column)),
                Operand::Column(column, None) => Figure::Bare(column),
            });
        }
        self.ask.having = having;
        Ok(())
    }

    fn group_for(&mut self, having: &mut Vec<Condition>, rows: &mut Vec<Condition>) -> Result<(), Refusal> {
        let counts = |table: TableId| having.iter().any(|condition| condition.operand == Operand::Count(table));
        if let Some(Counted::Noun(at)) = self.counted {
            let target = self.reader.dimension(at)?;
            let own = matches!(target, Dimension::Table(table) if counts(table));
            if !own {
                self.ask.shape = Shape::GroupCount;
                self.ask.target = Some(target);
                self.figure = None;
                return Ok(());
            }
        }
        let (mut tables, _) = self.rest();
        tables.sort_unstable();
        tables.dedup();
        let money = match tables.as_slice() {
            [table] => self.reader.catalog.money_column(*table),
            _ => None,
        };
        if let Some(money) = money
            && having.iter().all(|condition| condition.operand == Operand::Revenue(None))
            && self.reader.catalog.revenue_columns().contains(&money)
        {
            // "orders with sales over …" is about single orders.
            rows.extend(having.drain(..).map(|condition| Condition { operand: Operand::Column(money, None), ..condition }));
            return Ok(());
        }
        let target = if self.reader.korean { self.free.last() } else { self.free.first() };
        let at = *target.ok_or(Refusal::NoTarget)?;
        self.ask.target = Some(self.reader.dimension(at)?);
        self.reader.take(at);
        self.free.retain(|&free| free != at);
        self.ask.rank = self.ask.rank.or(Some(Word::Desc));
        Ok(())
    }

    /// Where no figure is named: the rows of the table named, or the money of the target.
    pub(super) fn default_figure(&mut self) -> Result<(), Refusal> {
        if self.figure.is_some() || (self.ask.groups.is_empty() && self.ask.target.is_none()) {
            return Ok(());
        }
        if self.ask.shape == Shape::GroupCount {
            return Err(Refusal::NoTarget);
        }
        let (tables, _) = self.rest();
        let named = if self.reader.korean { tables.last() } else { tables.first() };
        let table = named.copied();
        let target = if let Some(Dimension::Table(table)) = self.ask.target { Some(table) } else { None };
        let catalog = self.reader.catalog;
        let table_of = |column: ColumnId| catalog.columns[column].table;
        let date_table = self.reader.dates.first().map(|&date| table_of(date));
        let rows_of = |table: TableId| Figure::Settled(Measure::Rows(table));
        self.figure = Some(if matches!(self.ranking, Some(Word::Max | Word::Min)) && target.is_some() && table.is_none() {
            Figure::Money
        } else if let Some(table) = table {
            self.take_table(table);
            rows_of(table)
        } else if let Some(table) = date_table.filter(|&table| target.is_some_and(|target| target != table)) {
            rows_of(table)
        } else if self.ask.target.is_some() {
            return Err(Refusal::RankBy);
        } else if let Some(filter) = self.ask.filters.first() {
            rows_of(table_of(filter.column))
        } else if let Some((column, ..)) = self.ask.rows.first() {
            rows_of(table_of(*column))
        } else if let Some(table) = date_table {
            rows_of(table)
        } else if let Some(table) = self.reader.owner {
            rows_of(table)
        } else {
            let grouped = self.ask.groups.iter().find_map(|group| match group {
                Dimension::Table(table) => Some(*table),
                Dimension::Column(column) => Some(table_of(*column)),
                Dimension::Time(_) => None,
            });
            let distribution = self.ask.share || self.has(Word::Distribution) || self.has(Word::Count);
            rows_of(grouped.filter(|_| distribution).ok_or(Refusal::NoMeasure(None))?)
        });
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), Refusal> {
        let Some(figure) = self.figure else {
            if self.has(Word::Superlative) && self.ask.newest.is_none() {
                return Err(Refusal::NoTarget);
            }
            return self.list();
        };
        if self.ask.newest.is_some() {
            return Err(Refusal::Nested);
        }
        let target = if let Some(Dimension::Table(table)) = self.ask.target { Some(table) } else { None };
        let catalog = self.reader.catalog;
        match figure {
            Figure::Settled(measure) => self.ask.measure = Some(measure),
            Figure::Bare(column) => {
                if self.ask.rank.is_some() && target == Some(catalog.columns[column].table) {
                    self.ask.shape = Shape::RankedRows(column);
                } else if catalog.is_additive(column) {
                    self.ask.measure = Some(Measure::Column(Function::Sum, column));
                } else {
                    return Err(Refusal::WhichFunction(catalog.columns[column].name.to_owned()));
                }
            }
            Figure::Price | Figure::Money => {
                let table = target.ok_or(Refusal::NoTarget)?;
                let priced = matches!(figure, Figure::Price);
                let column = if priced { catalog.price_column(table) } else { catalog.money_column(table) };
                let missing = || Refusal::NoMeasure(Some(catalog.tables[table].name.to_owned()));
                self.ask.shape = Shape::RankedRows(column.ok_or_else(missing)?);
            }
        }
        let (tables, attributes) = self.rest();
        self.ask.context = tables;
        if let Some(&at) = attributes.iter().find(|&&at| !self.describes_value(at)) {
            return Err(self.unknown(at));
        }
        match self.ask.limit {
            Some(limit) if self.ask.groups.is_empty() && self.ask.target.is_none() => Err(Refusal::Unknown(vec![limit.to_string()])),
            _ => Ok(()),
        }
    }

    /// 가전 상품: a noun behind a known value of the same table only says what is so.
    fn describes_value(&self, at: usize) -> bool {
        let reader = &self.reader;
        let table = |column: &ColumnId| reader.catalog.columns[*column].table;
        let own = |held: &(ColumnId, &str)| reader.columns(at).iter().any(|column| table(column) == table(&held.0));
        let text = reader.columns(at).iter().all(|&column| reader.catalog.columns[column].text);
        let value = reader.lexemes.get(before(at)).filter(|_| reader.is_value(before(at)));
        text && value.is_some_and(|value| value.values.iter().any(own))
    }

    /// Rows, distinct values, or a figure that only a table's name stands for: "average order".
    fn list(&mut self) -> Result<(), Refusal> {
        let (tables, attributes) = self.rest();
        let catalog = self.reader.catalog;
        if let Some(function @ (Function::Sum | Function::Avg)) = self.function {
            let [table] = tables.as_slice() else { return Err(Refusal::NoMeasure(None)) };
            self.ask.measure = Some(if function == Function::Sum {
                Measure::Rows(*table)
            } else {
                let missing = || Refusal::NoMeasure(Some(catalog.tables[*table].name.to_owned()));
                Measure::Column(Function::Avg, catalog.money_column(*table).ok_or_else(missing)?)
            });
            return Ok(());
        }
        if let [at] = attributes.as_slice()
            && self.heads.is_empty()
            && self.ask.newest.is_none()
        {
            let column = self.reader.column(*at)?;
            if tables.is_empty() || !catalog.columns[column].source.values.is_empty() {
                self.ask.shape = Shape::Distinct(column);
                self.reader.take(*at);
                return Ok(());
            }
        }
        let named = if self.reader.korean { tables.last() } else { tables.first() };
        let table = match (named, attributes.first()) {
            (Some(table), _) => *table,
            (None, Some(&at)) => catalog.columns[self.reader.column(at)?].table,
            // "list products with price": the table only says whose price.
            (None, None) if self.projecting && !self.heads.is_empty() => catalog.columns[self.reader.column(self.heads[0])?].table,
            // 기업 고객 목록, "electronics over 500,000 won".
            (None, None) if self.has(Word::List) || !self.ask.rows.is_empty() => match self.ask.filters.first() {
                Some(filter) => catalog.columns[filter.column].table,
                None => return Err(Refusal::NoTarget),
            },
            (None, None) => return Err(Refusal::NoTarget),
        };
        self.project(table, &attributes)?;
        self.ask.shape = Shape::Rows;
        self.ask.target = Some(Dimension::Table(table));
        if self.ask.newest.is_some() && self.ask.limit.is_none() {
            self.ask.limit = Some(if self.one_row(table) { 1 } else { 10 });
        }
        self.ask.context = tables.into_iter().filter(|other| *other != table).collect();
        Ok(())
    }

    /// The columns named, and the label where only measures are.
    fn project(&mut self, table: TableId, attributes: &[usize]) -> Result<(), Refusal> {
        let catalog = self.reader.catalog;
        for at in attributes.iter().chain(&self.heads) {
            let own = self.reader.columns(*at).iter().copied().find(|&column| catalog.columns[column].table == table);
            let column = own.ok_or_else(|| self.unknown(*at))?;
            self.ask.project.push(column);
            self.reader.take(*at);
        }
        self.ask.project.sort_unstable();
        let measures = !self.ask.project.is_empty() && self.ask.project.iter().all(|&column| catalog.columns[column].measure);
        if let Some(label) = catalog.tables[table].label.filter(|_| measures) {
            self.ask.project.insert(0, label);
        }
        Ok(())
    }

    /// Whether "latest" asks for one row.
    fn one_row(&self, table: TableId) -> bool {
        if self.reader.korean {
            let text = self.ask.newest.map(|word| self.text_of(word)).unwrap_or_default();
            return ["가장", "제일", "첫", "최초", "마지막", "맨"].iter().any(|word| text.starts_with(word));
        }
        !self.reader.lexemes.iter().any(|lexeme| lexeme.plural && lexeme.tables.first() == Some(&table))
    }
}
