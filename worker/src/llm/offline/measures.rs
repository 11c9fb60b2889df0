//! Which columns of a schema are money, revenue, quantities: by their names, and by their comments where names say nothing.

use super::{
    matching::{Catalog, Column, ColumnId, TableId},
    tokens::singular,
};

/// A table of line items: how many of something, at what price each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub table: TableId,
    pub quantity: ColumnId,
    pub unit_price: Option<ColumnId>,
}

const MONEY_WORDS: &[&str] = &["revenue", "sales", "amount", "total", "turnover", "salary", "price", "cost"];
const MONEY_COMMENTS: &[&str] = &["매출", "금액", "가격", "급여"];
const REVENUE_WORDS: &[&str] = &["revenue", "sales", "amount", "total", "turnover"];
const NOT_REVENUE: &[&str] = &["tax", "discount", "shipping", "fee"];
const ADDITIVE_WORDS: &[&str] = &[
    "amount", "revenue", "sales", "total", "turnover", "quantity", "qty", "stock", "budget", "count", "cost", "profit", "discount", "hours",
];

impl<'a> Catalog<'a> {
    fn measures(&self, table: TableId) -> impl Iterator<Item = (ColumnId, &Column<'a>)> {
        self.tables[table].columns.iter().map(|&id| (id, &self.columns[id])).filter(|(_, column)| column.measure)
    }

    /// The column that "over 100,000 won" is about in a table.
    pub(super) fn money_column(&self, table: TableId) -> Option<ColumnId> {
        let rank = |column: &Column<'_>| {
            let name = column.name.to_lowercase();
            let last = column.last_word();
            let by_last = MONEY_WORDS.iter().position(|word| *word == last);
            let by_any = || MONEY_WORDS.iter().position(|word| name.split('_').any(|part| part == *word)).map(|at| at + 20);
            let by_comment = || {
                let comment = column.source.comment.as_deref()?;
                MONEY_COMMENTS.iter().any(|word| comment.contains(word)).then_some(40)
            };
            by_last.or_else(by_any).or_else(by_comment)
        };
        let best = self.measures(table).filter_map(|(id, column)| Some((rank(column)?, id))).min_by_key(|(rank, _)| *rank);
        if let Some((_, column)) = best {
            return Some(column);
        }
        let mut measures = self.measures(table);
        match (measures.next(), measures.next()) {
            (Some((only, _)), None) => Some(only),
            _ => None,
        }
    }

    /// The column that "most expensive" is about in a table.
    pub(super) fn price_column(&self, table: TableId) -> Option<ColumnId> {
        let priced = |column: &Column<'_>| column.name.to_lowercase().split('_').any(|word| matches!(word, "price" | "cost"));
        self.measures(table).find(|(_, column)| priced(column)).map(|(id, _)| id).or_else(|| self.money_column(table))
    }

    /// At most one column a table whose sum is revenue.
    pub(super) fn revenue_columns(&self) -> Vec<ColumnId> {
        let mut found = Vec::new();
        for table in 0..self.tables.len() {
            let plain = |column: &Column<'_>| !NOT_REVENUE.iter().any(|word| column.name.to_lowercase().contains(word));
            let by_name =
                REVENUE_WORDS.iter().find_map(|word| self.measures(table).find(|(_, column)| column.last_word() == *word && plain(column)));
            let told = |column: &Column<'_>| column.source.comment.as_deref().is_some_and(|comment| comment.contains("매출"));
            let hit = by_name.or_else(|| self.measures(table).find(|(_, column)| told(column)));
            found.extend(hit.map(|(id, _)| id));
        }
        found
    }

    /// The tables of line items.
    pub(super) fn lines(&self) -> Vec<Line> {
        let line = |table: TableId| {
            let quantity = self.measures(table).find(|(_, column)| matches!(column.last_word().as_str(), "quantity" | "qty"))?.0;
            let prices = ["unit_price", "price", "sale_price", "unitprice"];
            let unit_price = self.measures(table).find(|(_, column)| prices.contains(&column.name.to_lowercase().as_str()));
            Some(Line { table, quantity, unit_price: unit_price.map(|(id, _)| id) })
        };
        (0..self.tables.len()).filter_map(line).collect()
    }

    /// Whether a column may be what is meant by revenue.
    pub(super) fn is_revenue_like(&self, column: ColumnId) -> bool {
        matches!(self.columns[column].last_word().as_str(), "amount" | "revenue" | "sales" | "total")
    }

    /// Whether sums of a column mean something; those of prices and ages don't.
    pub(super) fn is_additive(&self, column: ColumnId) -> bool {
        ADDITIVE_WORDS.contains(&self.columns[column].last_word().as_str())
    }

    /// Whether a table's rows are parts of another's, so that they happened when it did.
    pub(super) fn is_part_of(&self, part: TableId, whole: TableId) -> bool {
        let prefix = format!("{}_", singular(&self.tables[whole].name.to_lowercase()));
        self.lines().iter().any(|line| line.table == part) || self.tables[part].name.to_lowercase().starts_with(&prefix)
    }
}
