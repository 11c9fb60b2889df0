//! Joins: which kinds there are, what their conditions may name, and what `*` means after them.

use std::collections::{HashMap, HashSet};

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{Expr, Join, JoinConstraint, JoinOperator, TableWithJoins};

use super::{
    names,
    refusal::{Checked, Refusal},
    scope::{Source, Star},
    selects::single_ident,
    walk::Walker,
};

impl Walker<'_> {
    /// Checks an item of FROM with its joins. `before`: what the first join's left side holds besides.
    pub(super) fn joined(&mut self, item: &TableWithJoins, before: Vec<Star>) -> Checked<Vec<Star>> {
        self.deeper(|walker| {
            let first = walker.level().sources.len();
            let mut left = before;
            left.extend(walker.factor(&item.relation)?);
            for join in &item.joins {
                let right = walker.factor(&join.relation)?;
                left = walker.join(join, first, left, right)?;
            }
            Ok(left)
        })
    }

    // `first`: the first source of the joined item.
    fn join(&mut self, join: &Join, first: usize, mut left: Vec<Star>, right: Vec<Star>) -> Checked<Vec<Star>> {
        let allowed = self.db == DbType::Mysql || !matches!(join.join_operator, JoinOperator::StraightJoin(_));
        let Some(constraint) = constraint(join).filter(|_| allowed && !join.global) else {
            return Err(
                Refusal::refused("This kind of join is not allowed.").hint("Use JOIN, LEFT JOIN, RIGHT JOIN, FULL JOIN or CROSS JOIN.")
            );
        };
        // The common columns hold what either side has.
        let either = matches!(join.join_operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_));
        match constraint {
            JoinConstraint::None => {}
            JoinConstraint::On(condition) => self.condition(condition, first)?,
            JoinConstraint::Using(columns) => {
                let idents = columns.iter().map(single_ident).collect::<Checked<Vec<_>>>()?;
                let keys: Vec<String> = idents.iter().map(|ident| names::key(self.db, ident)).collect();
                for (ident, key) in idents.iter().zip(&keys) {
                    let known = |side: &[Star]| side.iter().any(|star| star.column.key == *key);
                    if !(known(&left) && known(&right)) {
                        return Err(Refusal::invalid(format!("USING needs a column `{}` on both sides.", names::text(ident)))
                            .hint("Use ON with the columns of each side.")
                            .at(ident.span));
                    }
                }
                return self.merged(&keys, either, &left, &right);
            }
            JoinConstraint::Natural => {
                let common: HashSet<&str> = right.iter().map(|star| star.column.key.as_str()).collect();
                let keys: Vec<String> =
                    left.iter().map(|star| &star.column.key).filter(|key| common.contains(key.as_str())).cloned().collect();
                return self.merged(&keys, either, &left, &right);
            }
        }
        left.extend(right);
        Ok(left)
    }

    // A join condition sees the tables it joins, and what encloses the SELECT: not what stands before them in FROM. Such a name would
    // be found further out. SQLite's are read later.
    fn condition(&mut self, condition: &Expr, first: usize) -> Checked<()> {
        if self.db == DbType::Sqlite {
            return Ok(());
        }
        let outside: Vec<Source> = self.level().sources.drain(..first).collect();
        let result = self.within("a join condition", |walker| walker.inside(condition));
        let level = self.level();
        let joined = std::mem::replace(&mut level.sources, outside);
        level.sources.extend(joined);
        result
    }

    // What `*` means after USING or NATURAL: the common columns once, then the rest of each side. SQLite leaves the common ones in
    // their place on the left.
    fn merged(&mut self, keys: &[String], either: bool, left: &[Star], right: &[Star]) -> Checked<Vec<Star>> {
        let common: HashSet<&str> = keys.iter().map(String::as_str).collect();
        let is_common = |star: &&Star| common.contains(star.column.key.as_str());
        if let Some(star) = left.iter().chain(right).filter(is_common).find(|star| star.column.mask.is_some()) {
            return self.within("a join condition", |walker| Err(walker.masked(&star.column.shown)));
        }
        let once = |star: &Star| Star { source: star.source.filter(|_| !either), column: star.column.clone() };
        let mut stars = Vec::with_capacity(left.len() + right.len());
        if self.db == DbType::Sqlite {
            stars.extend(left.iter().map(|star| if is_common(&star) { once(star) } else { star.clone() }));
        } else {
            let first: HashMap<&str, &Star> = left.iter().rev().map(|star| (star.column.key.as_str(), star)).collect();
            stars.extend(keys.iter().filter_map(|key| first.get(key.as_str()).copied()).map(once));
            stars.extend(left.iter().filter(|star| !is_common(star)).cloned());
        }
        stars.extend(right.iter().filter(|star| !is_common(star)).cloned());
        Ok(stars)
    }
}

/// The condition of a join, if it is of a kind that our engines have.
pub(super) fn constraint(join: &Join) -> Option<&JoinConstraint> {
    match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::StraightJoin(constraint) => Some(constraint),
        _ => None,
    }
}
