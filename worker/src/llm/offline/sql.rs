//! Pieces of SQL in three dialects: names, literals, time buckets, aggregates, the FROM clause.

use datagenie_common::model::connections::DbType;
use rust_decimal::Decimal;

use super::{
    Refusal,
    joins::Step,
    lexicon::{Bucket, Word},
    matching::{Catalog, ColumnId, TableId},
    roles::Function,
};
use crate::llm::identifiers::{is_reserved, quoted};

/// The tables a statement reads, joined.
pub(super) struct Sources<'c, 'a> {
    pub catalog: &'c Catalog<'a>,
    pub root: TableId,
    steps: Vec<Step>,
}

impl<'c, 'a> Sources<'c, 'a> {
    /// `root`, with what is needed joined to it.
    ///
    /// # Errors
    /// If a table can't be joined.
    pub fn new(catalog: &'c Catalog<'a>, root: TableId, needed: &[TableId]) -> Result<Self, Refusal> {
        Ok(Self { catalog, root, steps: catalog.join(root, needed)? })
    }

    /// The tables, in the order of their joins.
    pub fn tables(&self) -> Vec<TableId> {
        std::iter::once(self.root).chain(self.steps.iter().map(|step| step.link.table)).collect()
    }

    /// The tables joined, as they follow FROM.
    pub fn joined(&self) -> String {
        let mut joined = self.table(self.root);
        for step in &self.steps {
            let (to, key) = (self.column(step.link.to), self.column(step.link.from));
            joined += &format!(" JOIN {} ON {to} = {key}", self.table(step.link.table));
        }
        joined
    }

    fn table(&self, table: TableId) -> String {
        let relation = &self.catalog.tables[table];
        let name = if relation.schema == self.catalog.default_schema {
            self.quote(relation.name)
        } else {
            format!("{}.{}", self.quote(relation.schema), self.quote(relation.name))
        };
        let binding = self.binding(table);
        if binding == relation.name { name } else { format!("{name} AS {}", self.quote(&binding)) }
    }

    /// The name a table goes by: its own, numbered where two schemas have one of the same name.
    fn binding(&self, table: TableId) -> String {
        let name = self.catalog.tables[table].name;
        let same = self.tables().into_iter().filter(|&other| self.catalog.tables[other].name == name);
        match same.take_while(|&other| other != table).count() {
            0 => name.to_owned(),
            earlier => format!("{name}_{}", earlier + 1),
        }
    }

    /// A column, qualified where several tables are read.
    pub fn column(&self, column: ColumnId) -> String {
        let source = &self.catalog.columns[column];
        let name = self.quote(source.name);
        if self.steps.is_empty() { name } else { format!("{}.{name}", self.quote(&self.binding(source.table))) }
    }

    /// A name, quoted if it has to be.
    pub fn quote(&self, name: &str) -> String {
        let bare = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !is_reserved(name);
        if bare { name.to_owned() } else { quoted(name, self.catalog.dialect) }
    }

    /// A string literal.
    pub fn literal(&self, text: &str) -> String {
        let text = text.replace('\'', "''");
        // MySQL reads a backslash as an escape.
        let text = if self.catalog.dialect == DbType::Mysql { text.replace('\\', "\\\\") } else { text };
        format!("'{text}'")
    }

    /// An aggregate of a column.
    pub fn aggregate(&self, function: Function, column: ColumnId) -> String {
        let name = self.column(column);
        let kind = self.catalog.columns[column].source.data_type.to_lowercase();
        match function {
            Function::Sum => format!("SUM({name})"),
            Function::Max => format!("MAX({name})"),
            Function::Min => format!("MIN({name})"),
            // PostgreSQL rounds numerics to digits, not floats.
            Function::Avg
                if self.catalog.dialect == DbType::Postgresql && ["double", "real", "float"].iter().any(|float| kind.contains(float)) =>
            {
                format!("ROUND(CAST(AVG({name}) AS numeric), 2)")
            }
            Function::Avg => format!("ROUND(AVG({name}), 2)"),
        }
    }

    /// The label of the period that a date lies in, as text that sorts: `2024`, `2024-Q1`, `2024-03`, `2024-03-15`, `1 Monday`.
    pub fn bucket(&self, bucket: Bucket, date: &str, korean: bool) -> String {
        let dialect = self.catalog.dialect;
        match (dialect, bucket) {
            (_, Bucket::Weekday) => self.weekday(date, korean),
            (DbType::Postgresql, _) => {
                let format = match bucket {
                    Bucket::Year => "YYYY",
                    Bucket::Quarter => "YYYY-\"Q\"Q",
                    Bucket::Month => "YYYY-MM",
                    _ => "YYYY-MM-DD",
                };
                format!("to_char({date}, '{format}')")
            }
            (DbType::Sqlite, Bucket::Quarter) => {
                format!("strftime('%Y', {date}) || '-Q' || ((CAST(strftime('%m', {date}) AS INTEGER) + 2) / 3)")
            }
            (DbType::Mysql, Bucket::Quarter) => {
                let cases: Vec<String> =
                    (1..=4).map(|quarter| format!("WHEN {quarter} THEN DATE_FORMAT({date}, '%Y-Q{quarter}')")).collect();
                format!("CASE EXTRACT(QUARTER FROM {date}) {} END", cases.join(" "))
            }
            (DbType::Sqlite | DbType::Mysql, _) => {
                let format = match bucket {
                    Bucket::Year => "%Y",
                    Bucket::Month => "%Y-%m",
                    _ => "%Y-%m-%d",
                };
                if dialect == DbType::Sqlite { format!("strftime('{format}', {date})") } else { format!("DATE_FORMAT({date}, '{format}')") }
            }
        }
    }

    fn weekday(&self, date: &str, korean: bool) -> String {
        let (day, keys) = match self.catalog.dialect {
            DbType::Postgresql => (format!("EXTRACT(ISODOW FROM {date})"), ["1", "2", "3", "4", "5", "6", "7"]),
            DbType::Sqlite => (format!("strftime('%w', {date})"), ["'1'", "'2'", "'3'", "'4'", "'5'", "'6'", "'0'"]),
            DbType::Mysql => (format!("DATE_FORMAT({date}, '%w')"), ["'1'", "'2'", "'3'", "'4'", "'5'", "'6'", "'0'"]),
        };
        let names = if korean {
            ["월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"]
        } else {
            ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
        };
        let cases: Vec<String> =
            keys.iter().zip(names).zip(1..).map(|((key, name), number)| format!("WHEN {key} THEN '{number} {name}'")).collect();
        format!("CASE {day} {} END", cases.join(" "))
    }
}

/// The operator of a comparison.
pub(super) fn operator(word: Word) -> &'static str {
    match word {
        Word::Gt => ">",
        Word::Lte => "<=",
        Word::Lt => "<",
        Word::Eq => "=",
        _ => ">=",
    }
}

/// A number literal.
pub(super) fn number(value: &Decimal) -> String {
    value.normalize().to_string()
}

/// A name for a result column: lower-case ASCII words.
pub(super) fn alias(name: &str) -> String {
    let plain: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let plain = plain.trim_matches('_');
    if plain.starts_with(|c: char| c.is_ascii_lowercase()) { plain.to_owned() } else { "value".to_owned() }
}
