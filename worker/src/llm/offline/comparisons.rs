//! Numbers that compare: "orders over 1,000,000 won", "주문이 10건 이상인 고객", "5만원에서 10만원 사이".

use super::{
    Refusal,
    lexer::{Number, Unit},
    lexicon::Word,
    roles::{Condition, Function, Operand, Reader, before},
};

/// Where a comparison stands: its number, and the first and last piece that belong to it.
#[derive(Clone, Copy)]
struct Place {
    number: usize,
    first: usize,
    last: usize,
}

impl Reader<'_, '_> {
    /// Reads every comparison.
    ///
    /// # Errors
    /// A number whose other side can't be found.
    pub(super) fn read_comparisons(&mut self) -> Result<(), Refusal> {
        for at in 0..self.lexemes.len() {
            if !self.is_used(at) && self.lexemes[at].number().is_some() {
                self.read_range(at)?;
            }
        }
        for at in 0..self.lexemes.len() {
            let Some(number) = self.lexemes[at].number().filter(|_| !self.is_used(at)).cloned() else { continue };
            let compares = |at: usize| self.word(at).filter(|word| word.compares()).map(|word| (at, word));
            let Some((operator, word)) = compares(at + 1).or_else(|| compares(before(at))) else { continue };
            let place = Place { number: at, first: at.min(operator), last: at.max(operator) };
            let operand = self.operand(place, &number)?;
            let operand = self.total_of_lines(operand)?;
            self.conditions.push(Condition { operand, operator: word, number: number.value });
            self.take(at);
            self.take(operator);
        }
        Ok(())
    }

    /// between A and B, A에서 B 사이, A~B.
    fn read_range(&mut self, at: usize) -> Result<(), Refusal> {
        let mut upper = at + 1;
        if matches!(self.word(upper), Some(Word::And | Word::To | Word::From)) {
            upper += 1;
        }
        let number = |at: usize| self.lexemes.get(at).and_then(|lexeme| lexeme.number()).cloned();
        let (Some(least), Some(most)) = (number(at), number(upper)) else { return Ok(()) };
        let opened = self.is(before(at), Word::Between) && upper == at + 2;
        let closed = matches!(self.word(upper + 1), Some(Word::Between | Word::To));
        if !opened && !closed && !self.is(before(upper), Word::To) {
            return Ok(());
        }
        let first = if opened { before(at) } else { at };
        let last = if closed { upper + 1 } else { upper };
        let operand = self.operand(Place { number: at, first, last }, &least)?;
        let operand = self.total_of_lines(operand)?;
        self.conditions.push(Condition { operand, operator: Word::Gte, number: least.value });
        self.conditions.push(Condition { operand, operator: Word::Lte, number: most.value });
        for used in first..=last {
            self.take(used);
        }
        Ok(())
    }

    /// What the number is compared with: the noun it counts, the figure named before it, else the money of the nearest table.
    fn operand(&mut self, place: Place, number: &Number) -> Result<Operand, Refusal> {
        let mut left = before(place.first);
        while matches!(self.word(left), Some(Word::And | Word::Which | Word::Latest)) {
            left = before(left);
        }
        let right = place.last + 1;
        let counted = matches!(number.unit, Unit::Things | Unit::Times);
        if let Some(table) = self.table(right).filter(|_| !self.korean && (counted || number.unit == Unit::None)) {
            self.take(right);
            return Ok(Operand::Count(table));
        }
        if let Some(table) = self.table(before(left)).filter(|_| self.is(left, Word::Count)) {
            self.take(left);
            self.take(before(left));
            return Ok(Operand::Count(table));
        }
        if self.is_figure(left) {
            return self.figure(left);
        }
        if let Some(table) = self.table(left).filter(|_| counted) {
            self.take(left);
            return Ok(Operand::Count(table));
        }
        if let Some(table) = self.table(right).filter(|_| self.korean && counted) {
            self.take(right);
            return Ok(Operand::Count(table));
        }
        if counted {
            return Err(Refusal::Unknown(vec![self.text(place.number)]));
        }
        if self.is_figure(right) {
            self.take(right);
            return if self.is(right, Word::Revenue) { Ok(Operand::Revenue(None)) } else { Ok(Operand::Column(self.column(right)?, None)) };
        }
        self.money_near(place, left, right)
    }

    /// "products that sold more than 1500 units" is about the total of a product's lines.
    fn total_of_lines(&self, operand: Operand) -> Result<Operand, Refusal> {
        let Operand::Column(column, None) = operand else { return Ok(operand) };
        let Some(line) = self.catalog.lines().into_iter().find(|line| line.quantity == column) else { return Ok(operand) };
        if self.named_tables().iter().all(|&table| table == line.table) {
            return Ok(operand);
        }
        let sold = self.lexemes.iter().any(|lexeme| {
            let text = lexeme.text.to_lowercase();
            lexeme.word() == Some(Word::Sold) || text.contains("sold") || text.starts_with("판매") || text.starts_with("팔린")
        });
        if sold { Ok(Operand::Column(column, Some(Function::Sum))) } else { Err(Refusal::OneOrTotal(self.catalog.full_name(column))) }
    }

    fn is_figure(&self, at: usize) -> bool {
        !self.is_used(at) && (self.is_measure(at) || self.is(at, Word::Revenue))
    }

    /// A measure named before the number, with the function before it: 평균 주문 금액이 10만원 이상.
    fn figure(&mut self, at: usize) -> Result<Operand, Refusal> {
        self.take(at);
        let mut left = before(at);
        if self.qualifies(left) {
            self.unqualify(left);
            left = before(left);
        } else if self.is_measure(left) {
            self.take(left);
            left = before(left);
        }
        let function = self.word(left).and_then(Function::of);
        if function.is_some() {
            self.take(left);
        }
        if self.is(at, Word::Revenue) { Ok(Operand::Revenue(function)) } else { Ok(Operand::Column(self.column(at)?, function)) }
    }

    fn money_near(&self, place: Place, left: usize, right: usize) -> Result<Operand, Refusal> {
        let beside = self.table(left).filter(|_| !self.korean);
        let after = (right..self.lexemes.len()).find_map(|at| self.table(at));
        let earlier = (0..place.first).rev().find_map(|at| self.table(at));
        let held = self.filters.first().map(|filter| self.catalog.columns[filter.column].table);
        let table = beside.or(after).or(earlier).or(held).ok_or_else(|| Refusal::Unknown(vec![self.text(place.number)]))?;
        let money = self.catalog.money_column(table).ok_or_else(|| Refusal::NoMeasure(Some(self.catalog.tables[table].name.to_owned())))?;
        Ok(Operand::Column(money, None))
    }
}
