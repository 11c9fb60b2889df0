//! From which columns a figure is computed, and from which table its rows are read, so that no row counts twice.

use super::{
    Refusal,
    intent::{Ask, Measure},
    matching::{Catalog, ColumnId, TableId},
    roles::Function,
    sql::{Sources, alias},
    tokens::starts_hangul,
    wording::What,
};

/// A figure in terms of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Rows,
    Values(ColumnId),
    Column(Function, ColumnId),
    /// Quantity times unit price.
    Line(ColumnId, ColumnId),
}

/// A figure, its own table, the table to read from, and tables joined only because they were named.
pub(super) struct Choice {
    pub figure: Figure,
    pub base: TableId,
    pub root: TableId,
    pub more: Vec<TableId>,
}

/// The ways to compute a measure, the preferred ones first.
fn candidates(catalog: &Catalog<'_>, ask: &Ask, measure: Measure, needed: &[TableId]) -> Vec<(TableId, Figure)> {
    let column = |function: Function, column: ColumnId| (catalog.columns[column].table, Figure::Column(function, column));
    let lines = || catalog.lines().into_iter().filter_map(|line| Some((line.table, Figure::Line(line.quantity, line.unit_price?))));
    match measure {
        Measure::Rows(table) => vec![(table, Figure::Rows)],
        Measure::Values(column) => vec![(catalog.columns[column].table, Figure::Values(column))],
        Measure::Column(function, id) => vec![column(function, id)],
        Measure::Revenue(function) => {
            let all = catalog.revenue_columns();
            let named = |id: &ColumnId| {
                let table = catalog.columns[*id].table;
                needed.contains(&table) || ask.context.contains(&table)
            };
            let preferred: Vec<ColumnId> = all.iter().copied().filter(named).collect();
            let columns = if preferred.is_empty() { all } else { preferred };
            let mut found: Vec<_> = columns.into_iter().map(|id| column(function, id)).collect();
            if function == Function::Sum {
                found.extend(lines());
            }
            found
        }
        Measure::Sold if ask.rank.is_some() => catalog.lines().into_iter().map(|line| column(Function::Sum, line.quantity)).collect(),
        Measure::Sold => {
            let columns = catalog.revenue_columns().into_iter().map(|id| column(Function::Sum, id));
            columns.chain(lines()).collect()
        }
    }
}

/// Chooses how to compute a measure together with all that is needed beside it.
///
/// # Errors
/// If no way is left, or several are.
pub(super) fn choose(catalog: &Catalog<'_>, ask: &Ask, measure: Measure, needed: &[TableId]) -> Result<Choice, Refusal> {
    let mut refusal = None;
    let mut fitting: Vec<Choice> = Vec::new();
    for (base, figure) in candidates(catalog, ask, measure, needed) {
        let beside = |table: &TableId| !needed.contains(table) && !catalog.reaches(base, *table);
        let more: Vec<TableId> = ask.context.iter().copied().filter(beside).collect();
        let all: Vec<TableId> = needed.iter().chain(&more).copied().collect();
        match catalog.root(base, &all) {
            Err(reason) => refusal = refusal.or(Some(reason)),
            // Read from a table with several rows for each of these, a sum would count them several times.
            Ok(root) if root != base && figure.counts_rows() => refusal = Some(Refusal::FanOut),
            Ok(root) => fitting.push(Choice { figure, base, root, more }),
        }
    }
    let columns: Vec<String> = fitting
        .iter()
        .filter_map(|choice| if let Figure::Column(_, column) = choice.figure { Some(catalog.full_name(column)) } else { None })
        .collect();
    if matches!(measure, Measure::Revenue(_)) && columns.len() > 1 {
        return Err(Refusal::WhichMeasure(columns));
    }
    fitting.into_iter().next().ok_or_else(|| refusal.unwrap_or(Refusal::NoMeasure(None)))
}

impl Figure {
    fn counts_rows(self) -> bool {
        matches!(self, Self::Line(..) | Self::Column(Function::Sum | Function::Avg, _))
    }

    /// The function and column, if it is one.
    pub fn aggregate(self) -> Option<(Function, ColumnId)> {
        if let Self::Column(function, column) = self { Some((function, column)) } else { None }
    }

    /// The SQL expression.
    ///
    /// # Errors
    /// If rows can't be told apart to count each once.
    pub fn expression(self, sources: &Sources<'_, '_>, base: TableId) -> Result<String, Refusal> {
        Ok(match self {
            Self::Rows if sources.root == base => "COUNT(*)".to_owned(),
            Self::Rows => match sources.catalog.tables[base].primary_key.as_slice() {
                [key] => format!("COUNT(DISTINCT {})", sources.column(*key)),
                _ => return Err(Refusal::FanOut),
            },
            Self::Values(column) => format!("COUNT(DISTINCT {})", sources.column(column)),
            Self::Column(function, column) => sources.aggregate(function, column),
            Self::Line(quantity, price) => format!("SUM({} * {})", sources.column(quantity), sources.column(price)),
        })
    }

    /// The name of the result column.
    pub fn name(self, catalog: &Catalog<'_>, measure: Measure, base: TableId, ranked: bool) -> String {
        let of = |column: ColumnId| alias(catalog.columns[column].name);
        if let Some(name) = self.korean_name(catalog, base) {
            return name;
        }
        match self {
            Self::Rows => format!("{}_count", alias(&catalog.singular_name(base))),
            Self::Values(column) => format!("{}_count", of(column)),
            Self::Line(..) => "revenue".to_owned(),
            Self::Column(Function::Sum, _) if matches!(measure, Measure::Revenue(_)) || (measure == Measure::Sold && !ranked) => {
                "revenue".to_owned()
            }
            Self::Column(Function::Sum, column) => format!("total_{}", of(column)),
            Self::Column(Function::Avg, column) => format!("average_{}", of(column)),
            Self::Column(Function::Max, column) => format!("max_{}", of(column)),
            Self::Column(Function::Min, column) => format!("min_{}", of(column)),
        }
    }

    /// The name of the result column of what has a Korean name.
    fn korean_name(self, catalog: &Catalog<'_>, base: TableId) -> Option<String> {
        let korean = |name: &str| starts_hangul(name).then(|| name.replace(['"', '`'], ""));
        let of = |column: ColumnId| korean(catalog.columns[column].name);
        Some(match self {
            Self::Rows => format!("{} 건수", korean(catalog.tables[base].name)?),
            Self::Values(column) => format!("{} 수", of(column)?),
            Self::Line(..) => return None,
            Self::Column(Function::Sum, column) => format!("{} 합계", of(column)?),
            Self::Column(Function::Avg, column) => format!("평균 {}", of(column)?),
            Self::Column(Function::Max, column) => format!("최대 {}", of(column)?),
            Self::Column(Function::Min, column) => format!("최소 {}", of(column)?),
        })
    }

    /// The figure in words.
    pub fn what(self, catalog: &Catalog<'_>, base: TableId) -> What {
        match self {
            Self::Rows => What::Count(catalog.tables[base].name.to_owned()),
            Self::Values(column) => What::CountValues(catalog.full_name(column)),
            Self::Column(function, column) => What::Figure(function, catalog.full_name(column)),
            Self::Line(quantity, price) => {
                What::Figure(Function::Sum, format!("{} × {}", catalog.full_name(quantity), catalog.full_name(price)))
            }
        }
    }
}
