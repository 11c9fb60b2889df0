//! Which columns of a schema are money, revenue, quantities: by their names, and by their comments where names say nothing.

use datagenie_common::wording::names;

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
/// Words of Korean names, the likeliest money first.
const KOREAN_MONEY: &[&str] = &[
    "매출",
    "판매액",
    "판매금액",
    "금액",
    "총액",
    "합계",
    "급여",
    "연봉",
    "월급",
    "임금",
    "가격",
    "단가",
    "판매가",
    "비용",
    "예산",
    "원가",
];
/// Korean names whose sum is revenue, the likeliest first; then those that only contain such a word.
const KOREAN_REVENUE: &[&str] = &[
    "매출",
    "매출액",
    "매출금액",
    "총매출",
    "총매출액",
    "판매액",
    "판매금액",
    "판매매출",
    "매출합계",
    "결제금액",
    "주문금액",
    "거래금액",
    "구매금액",
    "총금액",
    "합계금액",
    "금액",
    "총액",
    "합계",
];
const KOREAN_REVENUE_PARTS: &[&str] = &["매출", "판매금액", "판매액", "결제금액", "주문금액", "금액"];
const NOT_KOREAN_REVENUE: &[&str] =
    &["할인", "세", "배송", "수수료", "환불", "취소", "반품", "원가", "비용", "이익", "목표", "예산", "수량", "처", "단가", "율", "평균"];
const KOREAN_QUANTITIES: &[&str] = &["수량", "판매수량", "판매량", "주문수량", "구매수량", "개수", "판매개수"];
const KOREAN_PRICES: &[&str] = &["단가", "판매단가", "가격", "판매가", "판매가격"];
const REVENUE_WORDS: &[&str] = &["revenue", "sales", "amount", "total", "turnover"];
const NOT_REVENUE: &[&str] = &["tax", "discount", "shipping", "fee"];
const ADDITIVE_WORDS: &[&str] = &[
    "amount", "revenue", "sales", "total", "turnover", "quantity", "qty", "stock", "budget", "count", "cost", "profit", "discount",
    "hours", "expense", "expenses", "income", "units", "payment", "payments", "visits", "visitors", "clicks", "views",
];

/// A Korean name without blanks and the unit in parentheses.
fn plain(name: &str) -> String {
    name.split(['(', '[']).next().unwrap_or(name).chars().filter(|c| !c.is_whitespace() && *c != '_').collect()
}

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
            let by_korean = || KOREAN_MONEY.iter().position(|word| column.is_korean() && name.contains(word)).map(|at| at + 20);
            by_last.or_else(by_any).or_else(by_korean).or_else(by_comment)
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
        let priced = |column: &Column<'_>| {
            let english = column.name.to_lowercase().split(['_', ' ']).any(|word| matches!(word, "price" | "cost"));
            english || (column.is_korean() && ["가격", "단가", "판매가"].iter().any(|word| column.name.contains(word)))
        };
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
            let hit = by_name.or_else(|| self.korean_revenue(table)).or_else(|| self.measures(table).find(|(_, column)| told(column)));
            found.extend(hit.map(|(id, _)| id));
        }
        found
    }

    /// The column of a Korean name whose sum is most likely revenue.
    fn korean_revenue(&self, table: TableId) -> Option<(ColumnId, &Column<'a>)> {
        let korean = || self.measures(table).filter(|(_, column)| column.is_korean());
        let exact = |word: &str| korean().find(|(_, column)| plain(column.name) == word);
        let part = |word: &str| {
            korean().find(|(_, column)| column.name.contains(word) && !NOT_KOREAN_REVENUE.iter().any(|not| column.name.contains(not)))
        };
        KOREAN_REVENUE.iter().find_map(|word| exact(word)).or_else(|| KOREAN_REVENUE_PARTS.iter().find_map(|word| part(word)))
    }

    /// The tables of line items.
    pub(super) fn lines(&self) -> Vec<Line> {
        let line = |table: TableId| {
            let counts = |column: &Column<'_>| {
                matches!(column.last_word().as_str(), "quantity" | "qty") || KOREAN_QUANTITIES.contains(&plain(column.name).as_str())
            };
            let quantity = self.measures(table).find(|(_, column)| counts(column))?.0;
            let prices = ["unit_price", "price", "sale_price", "unitprice"];
            let priced = |column: &Column<'_>| {
                prices.contains(&column.name.to_lowercase().replace(' ', "_").as_str())
                    || KOREAN_PRICES.contains(&plain(column.name).as_str())
            };
            let unit_price = self.measures(table).find(|(_, column)| priced(column));
            Some(Line { table, quantity, unit_price: unit_price.map(|(id, _)| id) })
        };
        (0..self.tables.len()).filter_map(line).collect()
    }

    /// Whether a column may be what is meant by revenue.
    pub(super) fn is_revenue_like(&self, column: ColumnId) -> bool {
        let column = &self.columns[column];
        let korean = || column.is_korean() && KOREAN_REVENUE_PARTS.iter().any(|word| column.name.contains(word));
        matches!(column.last_word().as_str(), "amount" | "revenue" | "sales" | "total") || korean()
    }

    /// Whether sums of a column mean something; those of prices and ages don't.
    pub(super) fn is_additive(&self, column: ColumnId) -> bool {
        let column = &self.columns[column];
        if column.is_korean() { names::is_additive(column.name) } else { ADDITIVE_WORDS.contains(&column.last_word().as_str()) }
    }

    /// Whether a table's rows are parts of another's, so that they happened when it did.
    pub(super) fn is_part_of(&self, part: TableId, whole: TableId) -> bool {
        let prefix = format!("{}_", singular(&self.tables[whole].name.to_lowercase()));
        self.lines().iter().any(|line| line.table == part) || self.tables[part].name.to_lowercase().starts_with(&prefix)
    }
}
