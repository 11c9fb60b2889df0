//! Writes the SQL of what is asked.

use super::{
    Refusal,
    figures::{self, Choice},
    intent::{Ask, Measure, Shape},
    lexicon::{Bucket, Word},
    matching::{Catalog, ColumnId, TableId},
    roles::{Dimension, Function, Operand},
    sql::{Sources, alias, number, operator},
    tokens::starts_hangul,
    wording::{Group, Reading, What},
};

/// Columns listed of a wide table.
const WIDEST: usize = 12;

/// A statement and how the question was read.
pub(super) struct Rendered {
    pub sql: String,
    pub chart: &'static str,
    pub reading: Reading,
}

/// Writes the statement.
///
/// # Errors
/// If the tables can't be joined, or the figure would be counted twice.
pub(super) fn render(catalog: &Catalog<'_>, mut ask: Ask, korean: bool) -> Result<Rendered, Refusal> {
    if ask.fresh && ask.measure.is_none() && !lists_fresh_rows(catalog, &ask) {
        return Err(Refusal::Fresh);
    }
    if let Some(Measure::Column(Function::Avg, column)) = ask.measure
        && ask.groups == [Dimension::Table(catalog.columns[column].table)]
        && ask.target.is_none()
    {
        // 주문당 평균 금액: the average is over the rows of that table already.
        ask.groups.clear();
        ask.rank = None;
    }
    let writer = Writer { catalog, korean, needed: needed(catalog, &ask), dimensions: dimensions(&ask), ask };
    match writer.ask.shape {
        Shape::Rows | Shape::RankedRows(_) => writer.rows(),
        Shape::Distinct(column) => writer.distinct(column),
        Shape::Figure | Shape::GroupCount => writer.figure(),
    }
}

/// "new customers in 2024" lists those whose own date lies in the period.
fn lists_fresh_rows(catalog: &Catalog<'_>, ask: &Ask) -> bool {
    let Some(Dimension::Table(table)) = ask.target else { return false };
    let own = |column: &ColumnId| catalog.columns[*column].table == table;
    let dated = ask.dates.iter().all(own) && catalog.tables[table].date.is_some() && ask.time.is_set();
    dated && ask.shape == Shape::Rows && ask.context.is_empty() && ask.filters.iter().all(|filter| own(&filter.column))
}

/// What a figure is grouped by, periods first.
fn dimensions(ask: &Ask) -> Vec<Dimension> {
    let mut dimensions: Vec<Dimension> = Vec::new();
    let target = ask.target.filter(|_| matches!(ask.shape, Shape::Figure | Shape::GroupCount));
    for dimension in ask.groups.iter().copied().chain(target) {
        if !dimensions.contains(&dimension) {
            dimensions.push(dimension);
        }
    }
    dimensions.sort_by_key(|dimension| !matches!(dimension, Dimension::Time(_)));
    dimensions
}

/// The tables that groups, filters and dates need.
fn needed(catalog: &Catalog<'_>, ask: &Ask) -> Vec<TableId> {
    let table_of = |column: ColumnId| catalog.columns[column].table;
    let mut needed: Vec<TableId> = dimensions(ask)
        .into_iter()
        .filter_map(|dimension| match dimension {
            Dimension::Table(table) => Some(table),
            Dimension::Column(column) => Some(table_of(column)),
            Dimension::Time(_) => None,
        })
        .collect();
    needed.extend(ask.filters.iter().map(|filter| table_of(filter.column)));
    needed.extend(ask.rows.iter().map(|(column, ..)| table_of(*column)));
    needed.extend(ask.dates.iter().map(|&column| table_of(column)));
    needed
}

struct Writer<'c, 'a> {
    catalog: &'c Catalog<'a>,
    korean: bool,
    needed: Vec<TableId>,
    dimensions: Vec<Dimension>,
    ask: Ask,
}

/// The SELECT list, GROUP BY and tie-breaking ORDER BY of the groups.
#[derive(Default)]
struct Grouping {
    select: Vec<String>,
    keys: Vec<String>,
    ties: Vec<String>,
}

impl<'c, 'a> Writer<'c, 'a> {
    fn is_timed(&self) -> bool {
        self.ask.time.is_set() || self.dimensions.iter().any(|dimension| matches!(dimension, Dimension::Time(_)))
    }

    /// The date that periods are about: the one named, else that of the rows read, else of what they are part of.
    fn time_column(&self, root: TableId, base: TableId) -> Result<Option<ColumnId>, Refusal> {
        if !self.is_timed() {
            return Ok(None);
        }
        if let Some(first) = self.ask.dates.first() {
            return if self.ask.dates.iter().all(|date| date == first) { Ok(Some(*first)) } else { Err(Refusal::SeveralPeriods) };
        }
        let own = [root, base].into_iter().find_map(|table| self.catalog.tables[table].date);
        if own.is_some() {
            return Ok(own);
        }
        let mut wholes: Vec<(usize, ColumnId)> = (0..self.catalog.tables.len())
            .filter(|&table| table != root && self.catalog.is_part_of(root, table))
            .filter_map(|table| {
                let date = self.catalog.tables[table].date?;
                Some((self.catalog.path(root, table).ok()??.len(), date))
            })
            .collect();
        wholes.sort_unstable();
        match wholes.as_slice() {
            [first, second, ..] if first.0 == second.0 => Err(self.no_date(base)),
            [first, ..] => Ok(Some(first.1)),
            [] => Err(self.no_date(base)),
        }
    }

    fn no_date(&self, table: TableId) -> Refusal {
        Refusal::NoDate(self.catalog.tables[table].name.to_owned())
    }

    fn sources(&self, root: TableId, more: &[TableId], columns: &[Option<ColumnId>]) -> Result<Sources<'c, 'a>, Refusal> {
        let mut tables = self.needed.clone();
        tables.extend(more);
        tables.extend(columns.iter().flatten().map(|&column| self.catalog.columns[column].table));
        Sources::new(self.catalog, root, &tables)
    }

    fn conditions(&self, sources: &Sources<'_, '_>, time: Option<ColumnId>) -> Vec<String> {
        let mut conditions = Vec::new();
        if let Some(column) = time {
            let column = sources.column(column);
            conditions.extend(self.ask.time.start.map(|start| format!("{column} >= '{start}'")));
            conditions.extend(self.ask.time.end.map(|end| format!("{column} < '{end}'")));
        }
        for filter in &self.ask.filters {
            let column = sources.column(filter.column);
            let values: Vec<String> = filter.values.iter().map(|value| sources.literal(value)).collect();
            conditions.push(match (values.as_slice(), filter.negated) {
                ([value], false) => format!("{column} = {value}"),
                ([value], true) => format!("{column} <> {value}"),
                (_, false) => format!("{column} IN ({})", values.join(", ")),
                (_, true) => format!("{column} NOT IN ({})", values.join(", ")),
            });
        }
        for (column, word, value) in &self.ask.rows {
            conditions.push(format!("{} {} {}", sources.column(*column), operator(*word), number(value)));
        }
        conditions
    }

    fn reading(&self, what: What, sources: &Sources<'_, '_>, conditions: &[String], limit: Option<u32>) -> Reading {
        let tables = sources.tables().into_iter().map(|table| self.catalog.tables[table].name.to_owned()).collect();
        Reading { what, groups: Vec::new(), conditions: conditions.to_vec(), having: Vec::new(), limit, tables, included: Vec::new() }
    }

    /// Rows of one table.
    fn rows(mut self) -> Result<Rendered, Refusal> {
        let Some(Dimension::Table(base)) = self.ask.target else { return Err(Refusal::NoTarget) };
        let many: Vec<TableId> = self.ask.context.iter().copied().filter(|&table| !self.catalog.reaches(base, table)).collect();
        let needed: Vec<TableId> = self.needed.iter().chain(&many).copied().collect();
        let root = self.catalog.root(base, &needed)?;
        if root != base {
            // The conditions are about other rows, several to each of these: list these with the number of those.
            if let Some((column, ..)) = self.ask.rows.iter().find(|(column, ..)| self.catalog.columns[*column].table != base) {
                return Err(Refusal::OneOrTotal(self.catalog.full_name(*column)));
            }
            if self.ask.shape != Shape::Rows || self.ask.newest.is_some() || !self.ask.project.is_empty() {
                return Err(Refusal::FanOut);
            }
            self.ask.shape = Shape::Figure;
            self.ask.measure = Some(Measure::Rows(root));
            self.ask.rank = Some(Word::Desc);
            self.ask.context.clear();
            return render(self.catalog, self.ask, self.korean);
        }
        let time = self.time_column(root, base)?;
        let newest = if self.ask.newest.is_some() {
            let own = self.ask.dates.first().copied().or(self.catalog.tables[base].date);
            Some(own.ok_or_else(|| self.no_date(base))?)
        } else {
            None
        };
        let ranked = if let Shape::RankedRows(column) = self.ask.shape { Some(column) } else { None };
        let sources = self.sources(root, &[], &[time, newest, ranked])?;
        let conditions = self.conditions(&sources, time);
        let columns = self.listed_columns(base, ranked);
        let order = self.row_order(&sources, &columns, newest, ranked);
        let limit = self.ask.limit;
        let select: Vec<String> = columns.iter().map(|&column| sources.column(column)).collect();
        let sql = format!(
            "SELECT {} FROM {}{} ORDER BY {}{}",
            select.join(", "),
            sources.joined(),
            where_clause(&conditions),
            order.join(", "),
            limit_clause(limit)
        );
        let labelled = ranked.is_some() && self.catalog.tables[base].label.is_some();
        let what = What::Rows(self.catalog.tables[base].name.to_owned(), ranked.or(newest).map(|column| self.catalog.full_name(column)));
        let reading = self.reading(what, &sources, &conditions, limit);
        Ok(Rendered { sql, chart: if labelled { "bar" } else { "table" }, reading })
    }

    fn listed_columns(&self, table: TableId, ranked: Option<ColumnId>) -> Vec<ColumnId> {
        let relation = &self.catalog.tables[table];
        let all = || relation.columns.iter().copied().take(WIDEST).collect::<Vec<_>>();
        let Some(ranked) = ranked else {
            return if self.ask.project.is_empty() { all() } else { self.ask.project.clone() };
        };
        let mut columns = relation.label.map_or_else(all, |label| vec![label]);
        if !columns.contains(&ranked) {
            columns.push(ranked);
        }
        columns
    }

    fn row_order(
        &self,
        sources: &Sources<'_, '_>,
        columns: &[ColumnId],
        newest: Option<ColumnId>,
        ranked: Option<ColumnId>,
    ) -> Vec<String> {
        let relation = &self.catalog.tables[sources.root];
        let sorted = |column: ColumnId, descending: bool| sources.column(column) + if descending { " DESC" } else { "" };
        let newest_first = self.ask.newest == Some(Word::Latest);
        let mut order = Vec::new();
        if let Some(column) = ranked {
            order.push(sorted(column, self.ask.rank == Some(Word::Desc)));
            order.extend(relation.label.map(|label| sorted(label, false)));
        } else if let Some(column) = newest {
            order.push(sorted(column, newest_first));
        } else if let Some((column, word, _)) = self.ask.rows.first() {
            order.push(sorted(*column, matches!(word, Word::Gte | Word::Gt)));
        }
        let keys: Vec<ColumnId> =
            if relation.primary_key.is_empty() { columns.iter().copied().take(1).collect() } else { relation.primary_key.clone() };
        for key in keys {
            let key = sorted(key, newest_first && ranked.is_none());
            if !order.contains(&key) {
                order.push(key);
            }
        }
        order
    }

    /// The different values of a column.
    fn distinct(self, column: ColumnId) -> Result<Rendered, Refusal> {
        let base = self.catalog.columns[column].table;
        let root = self.catalog.root(base, &self.needed)?;
        let time = self.time_column(root, base)?;
        let sources = self.sources(root, &[base], &[time])?;
        let conditions = self.conditions(&sources, time);
        let limit = self.ask.limit;
        let name = sources.column(column);
        let sql =
            format!("SELECT DISTINCT {name} FROM {}{} ORDER BY {name}{}", sources.joined(), where_clause(&conditions), limit_clause(limit));
        let reading = self.reading(What::Values(self.catalog.full_name(column)), &sources, &conditions, limit);
        Ok(Rendered { sql, chart: "table", reading })
    }

    /// One figure, or one for each group.
    fn figure(self) -> Result<Rendered, Refusal> {
        let measure = self.ask.measure.ok_or(Refusal::NoMeasure(None))?;
        let own_rows = matches!(measure, Measure::Rows(table) if self.needed.iter().all(|&needed| needed == table));
        let timed_rows = self.is_timed() && own_rows && self.ask.context.is_empty();
        if self.ask.fresh && !timed_rows {
            return Err(Refusal::Fresh);
        }
        let Choice { figure, base, root, more } = figures::choose(self.catalog, &self.ask, measure, &self.needed)?;
        let time = self.time_column(root, base)?;
        let mut tables = vec![base];
        tables.extend(more);
        let sources = self.sources(root, &tables, &[time])?;
        let conditions = self.conditions(&sources, time);
        let expression = figure.expression(&sources, base)?;
        let name = sources.quote(&figure.name(self.catalog, measure, base, self.ask.rank.is_some()));
        let having = self.having(&sources, measure, figure.aggregate(), &expression)?;
        let grouping = self.grouping(&sources, time)?;
        let from = format!("{}{}", sources.joined(), where_clause(&conditions));
        let what = figure.what(self.catalog, base);
        let mut reading = self.reading(what, &sources, &conditions, self.ask.limit);
        reading.groups = self.group_names(time);
        reading.having.clone_from(&having);
        if matches!(measure, Measure::Revenue(_)) {
            reading.included = self.included(&sources);
        }
        if self.ask.shape == Shape::GroupCount {
            return self.group_count(&from, &having, &grouping, &sources, reading);
        }
        if self.dimensions.is_empty() {
            return Ok(Rendered { sql: format!("SELECT {expression} AS {name} FROM {from}"), chart: "number", reading });
        }
        let mut sql =
            format!("SELECT {}, {expression} AS {name} FROM {from} GROUP BY {}", grouping.select.join(", "), grouping.keys.join(", "));
        if !having.is_empty() {
            sql += &format!(" HAVING {}", having.join(" AND "));
        }
        let over_time = match self.dimensions.first() {
            Some(Dimension::Time(_)) => true,
            Some(Dimension::Column(column)) => self.catalog.columns[*column].calendar,
            _ => false,
        };
        let leading = match self.ask.rank {
            Some(Word::Asc) => vec![name],
            Some(_) => vec![format!("{name} DESC")],
            None if over_time => Vec::new(),
            None if matches!(measure, Measure::Column(Function::Min, _)) => vec![name],
            None => vec![format!("{name} DESC")],
        };
        let order: Vec<String> = leading.into_iter().chain(grouping.ties).collect();
        sql += &format!(" ORDER BY {}", order.join(", "));
        sql += &limit_clause(self.ask.limit);
        Ok(Rendered { sql, chart: self.chart(), reading })
    }

    fn chart(&self) -> &'static str {
        match self.dimensions.first() {
            _ if self.ask.share => "pie",
            Some(Dimension::Time(bucket)) if self.ask.rank.is_none() && *bucket != Bucket::Weekday => "line",
            _ => "bar",
        }
    }

    fn group_count(
        &self,
        from: &str,
        having: &[String],
        grouping: &Grouping,
        sources: &Sources<'_, '_>,
        reading: Reading,
    ) -> Result<Rendered, Refusal> {
        let (keys, counted) = match self.ask.target {
            Some(Dimension::Table(table)) => {
                let keys = self.catalog.tables[table].primary_key.iter().map(|&key| sources.column(key)).collect();
                (keys, self.catalog.singular_name(table))
            }
            Some(Dimension::Column(column)) => (grouping.keys.clone(), self.catalog.columns[column].name.to_owned()),
            _ => return Err(Refusal::NoTarget),
        };
        if keys.is_empty() {
            return Err(Refusal::NoTarget);
        }
        let keys = keys.join(", ");
        let sql = format!(
            "SELECT COUNT(*) AS {}_count FROM (SELECT {keys} FROM {from} GROUP BY {keys} HAVING {}) AS matched",
            alias(&counted),
            having.join(" AND ")
        );
        Ok(Rendered { sql, chart: "number", reading })
    }

    fn having(
        &self,
        sources: &Sources<'_, '_>,
        measure: Measure,
        aggregate: Option<(Function, ColumnId)>,
        expression: &str,
    ) -> Result<Vec<String>, Refusal> {
        let mut having = Vec::new();
        for condition in &self.ask.having {
            let same = match (condition.operand, measure) {
                (Operand::Count(table), Measure::Rows(counted)) => table == counted,
                (Operand::Revenue(function), Measure::Revenue(asked)) => function.unwrap_or(Function::Sum) == asked,
                (Operand::Column(column, Some(function)), _) => aggregate == Some((function, column)),
                _ => false,
            };
            let left = match condition.operand {
                _ if same => expression.to_owned(),
                Operand::Count(table) if table == sources.root => "COUNT(*)".to_owned(),
                _ => return Err(Refusal::Nested),
            };
            having.push(format!("{left} {} {}", operator(condition.operator), number(&condition.number)));
        }
        Ok(having)
    }

    fn grouping(&self, sources: &Sources<'_, '_>, time: Option<ColumnId>) -> Result<Grouping, Refusal> {
        let mut grouping = Grouping::default();
        for dimension in &self.dimensions {
            match *dimension {
                Dimension::Time(bucket) => {
                    let column = time.ok_or(Refusal::SeveralPeriods)?;
                    let expression = sources.bucket(bucket, &sources.column(column), self.korean);
                    let name = bucket_name(bucket);
                    grouping.select.push(format!("{expression} AS {name}"));
                    grouping.keys.push(expression);
                    grouping.ties.push(name.to_owned());
                }
                Dimension::Column(column) => {
                    let name = sources.column(column);
                    grouping.select.push(name.clone());
                    grouping.keys.push(name.clone());
                    grouping.ties.push(name);
                }
                Dimension::Table(table) => self.group_by_table(sources, table, &mut grouping)?,
            }
        }
        Ok(grouping)
    }

    /// Two rows may have the same label: the key keeps them apart.
    fn group_by_table(&self, sources: &Sources<'_, '_>, table: TableId, grouping: &mut Grouping) -> Result<(), Refusal> {
        let relation = &self.catalog.tables[table];
        let label = relation.label.or(relation.primary_key.first().copied());
        let label = label.ok_or_else(|| Refusal::NoLabel(relation.name.to_owned()))?;
        let name = sources.column(label);
        let keys: Vec<String> = relation.primary_key.iter().filter(|&&key| key != label).map(|&key| sources.column(key)).collect();
        let shown = if starts_hangul(relation.name) { relation.name.to_owned() } else { alias(&self.catalog.singular_name(table)) };
        grouping.select.push(format!("{name} AS {}", sources.quote(&shown)));
        grouping.keys.extend(keys.iter().cloned().chain([name.clone()]));
        grouping.ties.push(name);
        grouping.ties.extend(keys);
        Ok(())
    }

    fn group_names(&self, time: Option<ColumnId>) -> Vec<Group> {
        let name = |dimension: &Dimension| match *dimension {
            Dimension::Time(bucket) => Group::Period(bucket, time.map(|column| self.catalog.full_name(column)).unwrap_or_default()),
            Dimension::Column(column) => Group::Named(self.catalog.full_name(column)),
            Dimension::Table(table) => Group::Named(self.catalog.tables[table].name.to_owned()),
        };
        self.dimensions.iter().map(name).collect()
    }

    /// States that a reader might expect to be left out of revenue, and that are not.
    fn included(&self, sources: &Sources<'_, '_>) -> Vec<String> {
        let tables = sources.tables();
        let mut included = Vec::new();
        for (id, column) in self.catalog.columns.iter().enumerate() {
            let chosen = self.ask.filters.iter().any(|filter| filter.column == id) || self.dimensions.contains(&Dimension::Column(id));
            if chosen || !tables.contains(&column.table) {
                continue;
            }
            let undone = |value: &&String| matches!(value.to_lowercase().as_str(), "cancelled" | "canceled" | "refunded" | "취소" | "환불");
            included.extend(column.source.values.iter().filter(undone).cloned());
        }
        included
    }
}

fn where_clause(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

fn bucket_name(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Day => "day",
        Bucket::Weekday => "weekday",
        Bucket::Week => "week",
        Bucket::Month => "month",
        Bucket::Quarter => "quarter",
        Bucket::Year => "year",
    }
}

// A list is not cut unless somebody asks for so many: the engine's own limit cuts it, and says so.
fn limit_clause(limit: Option<u32>) -> String {
    limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"))
}
