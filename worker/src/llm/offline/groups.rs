//! What rows are grouped by: "by city", "per month and channel", "도시별", "도시와 채널별".

use super::{
    Refusal,
    lexer::Sense,
    lexicon::{Bucket, Word},
    roles::{Dimension, Reader, before},
    tokens::starts_hangul,
};

impl Reader<'_, '_> {
    /// Reads every group.
    ///
    /// # Errors
    /// "by" without anything to group by.
    pub(super) fn read_groups(&mut self) -> Result<(), Refusal> {
        for at in 0..self.lexemes.len() {
            if let Sense::Bucket(bucket) = self.lexemes[at].sense {
                // A sheet may tell months by a column of its own, without any date.
                let dimension = self.catalog.calendar_column(bucket).map_or(Dimension::Time(bucket), Dimension::Column);
                self.add_group(dimension, false);
                self.take(at);
                continue;
            }
            match self.word(at) {
                Some(Word::Suffix) => self.group_before(at)?,
                Some(word @ (Word::By | Word::Each)) => self.group_after(at, word == Word::By)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// 도시별, 도시와 채널별.
    fn group_before(&mut self, at: usize) -> Result<(), Refusal> {
        self.take(at);
        let mut noun = before(at);
        if !self.take_group(noun, false)? {
            return Err(Refusal::Unknown(vec![self.text(at)]));
        }
        loop {
            let earlier = noun.wrapping_sub(2);
            if !self.is(before(noun), Word::And) || !self.is_noun(earlier) || self.is_used(earlier) {
                return Ok(());
            }
            self.take(before(noun));
            noun = earlier;
            self.take_group(noun, true)?;
        }
    }

    /// by city, per customer, by month and channel; "by revenue" names what to rank by instead.
    fn group_after(&mut self, at: usize, by: bool) -> Result<(), Refusal> {
        self.take(at);
        if starts_hangul(&self.text(at)) {
            if self.is_noun(before(at)) && !self.is_used(before(at)) {
                self.take_group(before(at), false)?;
            }
            return Ok(());
        }
        let mut noun = at + 1;
        if self.is(noun, Word::Each) {
            self.take(noun);
            noun += 1;
        }
        if by && (self.is_head(noun) || matches!(self.word(noun), Some(Word::Count | Word::Avg | Word::Sum | Word::Max | Word::Min))) {
            self.sort_by = Some(noun);
            return Ok(());
        }
        noun = self.skip_qualifier(noun);
        if by && self.table(noun).is_some() && self.is_head(noun + 1) {
            self.sort_by = Some(noun + 1);
            return Ok(());
        }
        if !self.take_group(noun, false)? {
            return Err(Refusal::Unknown(vec![self.text(at)]));
        }
        while matches!(self.word(noun + 1), Some(Word::And | Word::By | Word::Each)) {
            let mut next = noun + 2;
            if matches!(self.word(next), Some(Word::By | Word::Each)) {
                next += 1;
            }
            next = self.skip_qualifier(next);
            if !self.is_noun(next) || self.is_used(next) {
                break;
            }
            for between in noun + 1..next {
                self.take(between);
            }
            self.take_group(next, false)?;
            noun = next;
        }
        Ok(())
    }

    /// "customer city": the table only says whose city.
    fn skip_qualifier(&mut self, at: usize) -> usize {
        let qualified = self.is_attribute(at + 1) || self.is_date(at + 1);
        if self.table(at).is_some() && qualified && self.qualifies(at) {
            self.take(at);
            self.owner = self.table(at);
            at + 1
        } else {
            at
        }
    }

    /// Groups by the noun at a place, if there is one.
    fn take_group(&mut self, at: usize, front: bool) -> Result<bool, Refusal> {
        if !self.is_noun(at) && self.columns(at).is_empty() {
            return Ok(false);
        }
        let dimension = if self.is_date(at) {
            let date = self.column(at)?;
            self.dates.push(date);
            Dimension::Time(Bucket::Day)
        } else {
            self.dimension(at)?
        };
        self.take(at);
        let owner = before(at);
        if self.table(at).is_none() && self.qualifies(owner) {
            self.take(owner);
            self.owner = self.table(owner);
        }
        self.add_group(dimension, front);
        Ok(true)
    }

    fn add_group(&mut self, dimension: Dimension, front: bool) {
        if self.groups.contains(&dimension) {
            return;
        }
        if front { self.groups.insert(0, dimension) } else { self.groups.push(dimension) }
    }
}
