//! What SQLite reads only when the whole FROM and the output columns are known: join conditions and the arguments of table functions.
//! They may name tables further right, and aliases of SELECT; in parentheses of their own sometimes not, so masks of all enclosing
//! levels count.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{FunctionArg, FunctionArgExpr, JoinConstraint, TableFactor, TableWithJoins};

use super::{joins, refusal::Checked, walk::Walker};

impl Walker<'_> {
    /// Checks what was left out when the FROM was read.
    pub(super) fn late(&mut self, from: &[TableWithJoins]) -> Checked<()> {
        if self.db != DbType::Sqlite {
            return Ok(());
        }
        let outer = std::mem::replace(&mut self.wide, true);
        let result = from.iter().try_for_each(|item| self.late_item(item));
        self.wide = outer;
        result
    }

    fn late_item(&mut self, item: &TableWithJoins) -> Checked<()> {
        self.deeper(|walker| {
            walker.late_factor(&item.relation)?;
            for join in &item.joins {
                walker.late_factor(&join.relation)?;
                if let Some(JoinConstraint::On(condition)) = joins::constraint(join) {
                    walker.within("a join condition", |walker| walker.inside(condition))?;
                }
            }
            Ok(())
        })
    }

    fn late_factor(&mut self, factor: &TableFactor) -> Checked<()> {
        match factor {
            // With an alias it was read before its names were hidden.
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.late_item(table_with_joins),
            TableFactor::Table { args: Some(args), .. } => self.late_arguments(&args.args),
            TableFactor::Function { args, .. } => self.late_arguments(args),
            _ => Ok(()),
        }
    }

    fn late_arguments(&mut self, args: &[FunctionArg]) -> Checked<()> {
        self.within("FROM", |walker| {
            args.iter().try_for_each(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => walker.inside(expr),
                _ => Ok(()),
            })
        })
    }
}
