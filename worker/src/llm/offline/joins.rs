//! Ways along foreign keys: from many rows to the one they point to, never back, so no row is counted twice.

use super::{
    Refusal,
    matching::{Catalog, Link, TableId},
};

/// A step from a table along one of its foreign keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub at: TableId,
    pub link: Link,
}

/// More steps than this are no longer what a short question means.
const LONGEST: usize = 3;

impl Catalog<'_> {
    /// The shortest way from a table to another; none if foreign keys don't lead there.
    ///
    /// # Errors
    /// If two shortest ways lead there.
    pub(super) fn path(&self, from: TableId, to: TableId) -> Result<Option<Vec<Step>>, Refusal> {
        if from == to {
            return Ok(Some(Vec::new()));
        }
        let mut seen = vec![from];
        let mut level: Vec<(TableId, Vec<Step>)> = vec![(from, Vec::new())];
        for _ in 0..LONGEST {
            let mut next: Vec<(TableId, Vec<Step>)> = Vec::new();
            for (at, steps) in &level {
                for link in self.tables[*at].links.iter().filter(|link| !seen.contains(&link.table)) {
                    let mut longer = steps.clone();
                    longer.push(Step { at: *at, link: *link });
                    next.push((link.table, longer));
                }
            }
            let mut hits = next.iter().filter(|(table, _)| *table == to);
            match (hits.next(), hits.next()) {
                (Some((_, steps)), None) => return Ok(Some(steps.clone())),
                (Some(_), Some(_)) => return Err(self.several_ways(from, to)),
                (None, _) => {}
            }
            seen.extend(next.iter().map(|(table, _)| *table));
            level = next;
        }
        Ok(None)
    }

    /// Whether foreign keys lead from a table to another.
    pub(super) fn reaches(&self, from: TableId, to: TableId) -> bool {
        !matches!(self.path(from, to), Ok(None))
    }

    fn several_ways(&self, from: TableId, to: TableId) -> Refusal {
        Refusal::SeveralWays(self.tables[from].name.to_owned(), self.tables[to].name.to_owned())
    }

    /// The table to read from: the one nearest to `base` and all of `needed`, `base` itself if it can be.
    ///
    /// # Errors
    /// If there is none, or two are as near.
    pub(super) fn root(&self, base: TableId, needed: &[TableId]) -> Result<TableId, Refusal> {
        for table in needed {
            self.path(base, *table)?;
        }
        let mut candidates: Vec<(usize, bool, TableId)> =
            (0..self.tables.len()).filter_map(|table| Some((self.steps(table, base, needed)?.len(), table != base, table))).collect();
        candidates.sort_unstable();
        match candidates.as_slice() {
            [] => Err(Refusal::NoWay),
            [first, second, ..] if (first.0, first.1) == (second.0, second.1) => Err(self.several_ways(first.2, second.2)),
            [first, ..] => Ok(first.2),
        }
    }

    /// Every step from a table to `base` and all of `needed`, in an order that joins can follow.
    fn steps(&self, from: TableId, base: TableId, needed: &[TableId]) -> Option<Vec<Step>> {
        let mut all: Vec<Step> = Vec::new();
        for to in std::iter::once(&base).chain(needed) {
            for step in self.path(from, *to).ok()?? {
                if !all.contains(&step) {
                    all.push(step);
                }
            }
        }
        Some(all)
    }

    /// The steps that join `needed` to a root.
    ///
    /// # Errors
    /// If one of them can't be reached, or would be joined twice.
    pub(super) fn join(&self, root: TableId, needed: &[TableId]) -> Result<Vec<Step>, Refusal> {
        let steps = self.steps(root, root, needed).ok_or(Refusal::NoWay)?;
        for (at, step) in steps.iter().enumerate() {
            if step.link.table == root || steps[..at].iter().any(|earlier| earlier.link.table == step.link.table) {
                return Err(self.several_ways(root, step.link.table));
            }
        }
        Ok(steps)
    }
}
