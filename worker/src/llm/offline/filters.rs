//! Known values and quoted texts as filters, and what is excluded.

use super::{
    Refusal,
    lexer::Sense,
    lexicon::Word,
    matching::{ColumnId, TableId},
    roles::{Filter, Reader, before},
};

impl Reader<'_, '_> {
    /// The values that a word of negation is about, with those joined to it.
    fn negated_values(&mut self) -> Result<Vec<usize>, Refusal> {
        let mut negated = Vec::new();
        for at in 0..self.lexemes.len() {
            if !self.is(at, Word::Not) {
                continue;
            }
            let step = |at: usize, by: usize| if self.korean { at.wrapping_sub(by) } else { at + by };
            let near = [step(at, 1), step(at, 2)].into_iter().find(|&near| self.is_value(near));
            let Some(mut value) = near else { return Err(Refusal::Negation(self.text(at))) };
            negated.push(value);
            while matches!(self.word(step(value, 1)), Some(Word::And | Word::Or)) && self.is_value(step(value, 2)) {
                value = step(value, 2);
                negated.push(value);
            }
            self.take(at);
        }
        Ok(negated)
    }

    /// Reads every known value as a filter.
    ///
    /// # Errors
    /// A negation of nothing known, a value of several columns.
    pub(super) fn read_values(&mut self) -> Result<(), Refusal> {
        let negated = self.negated_values()?;
        for at in 0..self.lexemes.len() {
            if !self.is_value(at) {
                continue;
            }
            let held = self.value_meanings(at);
            let column = held[0].0;
            if held.iter().any(|(other, _)| *other != column) {
                let mut columns: Vec<ColumnId> = held.iter().map(|(column, _)| *column).collect();
                columns.dedup();
                return Err(self.which_column(at, columns.into_iter()));
            }
            let is_negated = negated.contains(&at);
            let known = self.filters.iter().position(|filter| filter.column == column && filter.negated == is_negated);
            let slot = known.unwrap_or(self.filters.len());
            if known.is_none() {
                self.filters.push(Filter { column, values: Vec::new(), negated: is_negated });
            }
            for (_, value) in held {
                if !self.filters[slot].values.contains(&value) {
                    self.filters[slot].values.push(value);
                }
            }
            self.take(at);
            for near in [before(at), at + 1] {
                let joins = matches!(self.word(near), Some(Word::And | Word::Or));
                if joins && self.is_value(near + 1) && self.is_value(before(near)) {
                    self.take(near);
                }
            }
        }
        Ok(())
    }

    /// What a value may be, as far as the words around it decide: a column named next to it, else a table named anywhere.
    fn value_meanings(&mut self, at: usize) -> Vec<(ColumnId, String)> {
        let mut held: Vec<(ColumnId, String)> =
            self.lexemes[at].values.iter().map(|(column, value)| (*column, (*value).to_owned())).collect();
        let keep = |held: &[(ColumnId, String)], fits: &dyn Fn(ColumnId) -> bool| -> Vec<(ColumnId, String)> {
            held.iter().filter(|(column, _)| fits(*column)).cloned().collect()
        };
        for near in [before(at), at + 1, at.wrapping_sub(2)] {
            let own = keep(&held, &|column| self.columns(near).contains(&column));
            let grouped = self.is(near.wrapping_add(1), Word::Suffix) || matches!(self.word(before(near)), Some(Word::By | Word::Each));
            if !own.is_empty() && !grouped {
                held = own;
                self.take(near);
                self.unqualify(before(near));
                break;
            }
        }
        let named = self.named_tables();
        let mentioned: Vec<TableId> =
            (0..self.lexemes.len()).flat_map(|at| self.columns(at)).map(|&column| self.catalog.columns[column].table).collect();
        for pool in [named, mentioned] {
            if held.iter().all(|(column, _)| *column == held[0].0) {
                break;
            }
            let own = keep(&held, &|column| pool.contains(&self.catalog.columns[column].table));
            if !own.is_empty() {
                held = own;
            }
        }
        held
    }

    /// Reads other quoted text as a filter: it is held against the column or the label of the table named beside it.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn read_quoted(&mut self) -> Result<(), Refusal> {
        for at in 0..self.lexemes.len() {
            if self.lexemes[at].sense != Sense::Quoted {
                continue;
            }
            let mut found = None;
            for near in [before(at), at.wrapping_sub(2), at + 1] {
                let texts: Vec<ColumnId> = self.columns(near).iter().copied().filter(|&column| self.catalog.columns[column].text).collect();
                if !texts.is_empty() {
                    self.lexemes[near].columns = texts;
                    found = Some(self.column(near)?);
                    self.take(near);
                    break;
                }
                if let Some(label) = self.table(near).and_then(|table| self.catalog.tables[table].label) {
                    found = Some(label);
                    break;
                }
            }
            let Some(column) = found else { return Err(Refusal::Unknown(vec![self.text(at)])) };
            for near in [before(at), at + 1] {
                if self.is(near, Word::Call) {
                    self.take(near);
                }
            }
            self.take(at);
            self.filters.push(Filter { column, values: vec![self.text(at)], negated: false });
        }
        Ok(())
    }
}
