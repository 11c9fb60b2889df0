//! The schema as questions speak of it: relations, columns, labels, dates, measures, and every phrase that may mean one of them.

use std::collections::HashMap;

use datagenie_common::{
    model::{
        connections::DbType,
        schemas::{SourceSchema, Table, TableColumn},
    },
    wording::{names, words},
};

use super::{
    korean, lexicon,
    tokens::{phrase_key, singular, starts_hangul, tokenize},
};

/// Index of a relation in [`Catalog::tables`].
pub(super) type TableId = usize;
/// Index of a column in [`Catalog::columns`].
pub(super) type ColumnId = usize;

/// A relation.
pub(super) struct Relation<'a> {
    /// Its schema.
    pub schema: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its columns, in their order.
    pub columns: Vec<ColumnId>,
    /// Those of its primary key.
    pub primary_key: Vec<ColumnId>,
    /// What names one of its rows to a person.
    pub label: Option<ColumnId>,
    /// When one of its rows happened.
    pub date: Option<ColumnId>,
    /// Foreign keys of one column, to other relations.
    pub links: Vec<Link>,
}

/// A column.
pub(super) struct Column<'a> {
    /// Whose it is.
    pub table: TableId,
    /// Its name.
    pub name: &'a str,
    /// As the catalogue has it.
    pub source: &'a TableColumn,
    /// Part of a foreign key.
    pub foreign: bool,
    /// Names something else or is only a code: nothing to add up.
    pub id_like: bool,
    /// A date or timestamp.
    pub date: bool,
    /// A number that means an amount of something.
    pub measure: bool,
    /// Text.
    pub text: bool,
    /// A part of the calendar told by a number or a word, such as 연도: no date, and nothing to add up.
    pub calendar: bool,
}

impl Column<'_> {
    /// The last word of its name, without what stands in parentheses.
    pub fn last_word(&self) -> String {
        last_word(self.name)
    }

    /// Whether it is called in Korean, as columns of spreadsheets are.
    pub fn is_korean(&self) -> bool {
        starts_hangul(self.name)
    }
}

/// A foreign key: `from` points to `to`, a column of `table`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub from: ColumnId,
    pub table: TableId,
    pub to: ColumnId,
}

/// What a phrase may mean in this schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    Table(TableId),
    Column(ColumnId),
    Value(ColumnId, &'a str),
}

impl Meaning<'_> {
    fn kind(self) -> u8 {
        match self {
            Self::Table(_) => 0,
            Self::Column(_) => 1,
            Self::Value(..) => 2,
        }
    }
}

/// The schema, ready for questions.
pub(super) struct Catalog<'a> {
    /// The engine.
    pub dialect: DbType,
    /// What an unqualified name means.
    pub default_schema: &'a str,
    /// Relations by id.
    pub tables: Vec<Relation<'a>>,
    /// Columns by id.
    pub columns: Vec<Column<'a>>,
    /// Phrase → its meanings; while building with a rank, 0 being its very name.
    keys: HashMap<String, Vec<(u8, Meaning<'a>)>>,
}

const NUMERIC: &[&str] = &["int", "numeric", "decimal", "real", "double", "float", "money", "number", "serial"];
const ID_WORDS: &[&str] = &["id", "no", "code", "uuid", "key", "zip", "phone"];
const DATE_WORDS: &[&str] = &["at", "date", "on"];
/// Last words of names too general to stand for the whole name.
const GENERAL: &[&str] = &["at", "on", "id", "date", "time", "no", "code", "type"];
const SECONDARY_DATES: &[&str] =
    &["birth", "update", "modif", "delete", "expire", "end", "생년", "생일", "수정", "변경", "삭제", "만료", "종료", "마감", "퇴사"];
/// Last words of columns that hold a part of the calendar.
const CALENDAR: &[&str] = &["year", "month", "quarter", "weekday"];

impl<'a> Catalog<'a> {
    /// Reads a schema.
    pub fn new(schema: &'a SourceSchema, dialect: DbType) -> Self {
        let mut catalog =
            Self { dialect, default_schema: &schema.default_schema, tables: Vec::new(), columns: Vec::new(), keys: HashMap::new() };
        let sources: Vec<&'a Table> = schema.tables().map(|(schema, name, table)| catalog.add_table(schema, name, table)).collect();
        for (id, source) in sources.iter().enumerate() {
            catalog.tables[id].label = catalog.find_label(id);
            catalog.tables[id].date = catalog.find_date(id);
            catalog.tables[id].links = catalog.find_links(id, source);
        }
        catalog.name_tables(&sources);
        catalog.name_columns();
        catalog.keep_best();
        catalog
    }

    /// What a phrase may mean: its closest meanings of each kind, tables first.
    pub fn meanings(&self, key: &str) -> Option<&[(u8, Meaning<'a>)]> {
        self.keys.get(key).map(Vec::as_slice)
    }

    /// The columns that were sampled to hold a value, whatever its case.
    pub fn holders(&self, value: &str) -> Vec<(ColumnId, &'a str)> {
        let held = |(id, column): (ColumnId, &Column<'a>)| {
            let source: &'a TableColumn = column.source;
            source.values.iter().filter(move |held| held.to_lowercase() == value).map(move |held| (id, held.as_str())).collect::<Vec<_>>()
        };
        self.columns.iter().enumerate().flat_map(held).collect()
    }

    /// `table.column`, as explanations name it.
    pub fn full_name(&self, column: ColumnId) -> String {
        let column = &self.columns[column];
        format!("{}.{}", self.tables[column.table].name, column.name)
    }

    /// The table's name in the singular.
    pub fn singular_name(&self, table: TableId) -> String {
        singular(&self.tables[table].name.to_lowercase())
    }

    fn add_table(&mut self, schema: &'a str, name: &'a str, source: &'a Table) -> &'a Table {
        let table = self.tables.len();
        let mut relation =
            Relation { schema, name, columns: Vec::new(), primary_key: Vec::new(), label: None, date: None, links: Vec::new() };
        for (name, source_column) in source.ordered_columns() {
            let foreign = source.foreign_keys.iter().any(|key| key.columns.iter().any(|column| column == name));
            let id = self.columns.len();
            relation.columns.push(id);
            if source_column.primary_key {
                relation.primary_key.push(id);
            }
            let column = self.column(table, name, source_column, foreign);
            self.columns.push(column);
        }
        self.tables.push(relation);
        source
    }

    fn column(&self, table: TableId, name: &'a str, source: &'a TableColumn, foreign: bool) -> Column<'a> {
        let kind = source.data_type.to_lowercase();
        let last = last_word(name);
        let last = last.as_str();
        let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
        let korean = starts_hangul(name);
        let coded = ID_WORDS.contains(&last) || (korean && names::is_identifier(name));
        // The names of a sheet's rows are its key, and are what people group by.
        let named = self.dialect == DbType::Sqlite && kind.contains("text") && !coded;
        let id_like = coded || ((source.primary_key || foreign) && !named);
        // SQLite stores dates as text; the name tells.
        let date = has(&["date", "timestamp"]) || (self.dialect == DbType::Sqlite && kind.contains("text") && DATE_WORDS.contains(&last));
        let number = !date && has(NUMERIC) && !has(&["interval", "point"]);
        let calendar = !date && (CALENDAR.contains(&last) || (korean && names::is_calendar(name)));
        let measure = number && !id_like && !calendar && last != "day";
        let text = !number && !date && has(&["char", "text", "enum", "clob", "name"]);
        Column { table, name, source, foreign, id_like, date, measure, text, calendar }
    }

    fn find_label(&self, table: TableId) -> Option<ColumnId> {
        let own_name = format!("{}_name", self.singular_name(table));
        let texts: Vec<ColumnId> =
            self.tables[table].columns.iter().copied().filter(|&id| self.columns[id].text && !self.columns[id].id_like).collect();
        let first = |fits: &dyn Fn(&str, bool) -> bool| {
            // A column with few values is a category, not a name.
            texts.iter().copied().find(|&id| fits(&self.columns[id].name.to_lowercase(), self.columns[id].source.values.is_empty()))
        };
        first(&|name, _| name == "name")
            .or_else(|| first(&|name, _| name == own_name))
            .or_else(|| first(&|name, _| name.ends_with("name")))
            .or_else(|| first(&|name, _| ["이름", "성명", "명칭", "명"].iter().any(|ending| name.ends_with(ending))))
            .or_else(|| first(&|name, open| open && matches!(name, "title" | "label")))
            .or_else(|| first(&|_, open| open))
    }

    fn find_date(&self, table: TableId) -> Option<ColumnId> {
        let name = |id: ColumnId| self.columns[id].name.to_lowercase();
        let dates: Vec<ColumnId> = self.tables[table].columns.iter().copied().filter(|&id| self.columns[id].date).collect();
        let main: Vec<ColumnId> = dates.iter().copied().filter(|&id| !SECONDARY_DATES.iter().any(|word| name(id).contains(word))).collect();
        let pool = if main.is_empty() { dates } else { main };
        pool.iter().copied().find(|&id| name(id).ends_with("_at") || name(id).contains("date")).or_else(|| pool.first().copied())
    }

    fn find_links(&self, table: TableId, source: &Table) -> Vec<Link> {
        let mut links = Vec::new();
        for key in source.foreign_keys.iter().filter(|key| key.columns.len() == 1 && key.ref_columns.len() == 1) {
            let named = |relation: &Relation<'_>| relation.schema == key.ref_schema && relation.name == key.ref_table;
            let Some(target) = self.tables.iter().position(named).filter(|&target| target != table) else { continue };
            let from = self.column_of(table, &key.columns[0]);
            let to = self.column_of(target, &key.ref_columns[0]);
            if let (Some(from), Some(to)) = (from, to) {
                links.push(Link { from, table: target, to });
            }
        }
        links
    }

    fn column_of(&self, table: TableId, name: &str) -> Option<ColumnId> {
        self.tables[table].columns.iter().copied().find(|&id| self.columns[id].name == name)
    }

    fn add(&mut self, key: &str, rank: u8, meaning: Meaning<'a>) {
        if !key.is_empty() {
            self.keys.entry(key.to_owned()).or_default().push((rank, meaning));
        }
    }

    /// Adds what something is called, what else people call it, and (further off) the last word of its name.
    fn expand(&mut self, forms: &[String], meaning: Meaning<'a>) {
        for form in forms {
            self.add(form, 0, meaning);
            for other in lexicon::same_concept(form) {
                self.add(other, 1, meaning);
            }
            if let Some((_, last)) = form.rsplit_once(' ')
                && !GENERAL.contains(&last)
            {
                self.add(last, 2, meaning);
                for other in lexicon::same_concept(last) {
                    self.add(other, 3, meaning);
                }
            }
        }
    }

    fn name_tables(&mut self, sources: &[&'a Table]) {
        for (id, source) in sources.iter().enumerate() {
            let forms = forms(self.tables[id].name, source.comment.as_deref());
            self.expand(&forms, Meaning::Table(id));
            self.name_rows(id, sources.len() == 1);
        }
        // 상품명, 고객이름: the label of a table by the table's Korean names.
        let mut labels = Vec::new();
        for (key, meanings) in &self.keys {
            for (rank, meaning) in meanings {
                if let Meaning::Table(table) = *meaning
                    && *rank <= 1
                    && starts_hangul(key)
                    && let Some(label) = self.tables[table].label
                {
                    labels.push((key.clone(), label));
                }
            }
        }
        labels.sort();
        for (key, label) in labels {
            self.add(&format!("{key}명"), 1, Meaning::Column(label));
            self.add(&format!("{key}이름"), 1, Meaning::Column(label));
        }
    }

    /// What the rows of a sheet are, whatever the sheet is called: 주문 by its key 주문번호, and simply rows where there is no other.
    fn name_rows(&mut self, table: TableId, is_only: bool) {
        if self.dialect != DbType::Sqlite {
            return;
        }
        let relation = &self.tables[table];
        let key = relation.primary_key.first().or(relation.columns.first()).map(|&id| &self.columns[id]).filter(|column| column.id_like);
        if let Some(stem) = key.and_then(|column| phrase_key(&korean::stem(column.name))) {
            self.add(&stem, 2, Meaning::Table(table));
            for other in lexicon::same_concept(&stem) {
                self.add(other, 3, Meaning::Table(table));
            }
        }
        if is_only {
            for rows in ["행", "줄", "레코드"] {
                self.add(rows, 3, Meaning::Table(table));
            }
        }
    }

    /// A Korean name is also known by its last part (주문금액: 금액) and without the word for a name (상품명: 상품).
    fn expand_korean(&mut self, form: &str, id: ColumnId) {
        for part in korean::parts(form) {
            self.add(part, 2, Meaning::Column(id));
            for other in lexicon::same_concept(part) {
                self.add(other, 3, Meaning::Column(id));
            }
        }
    }

    /// The only column that holds a part of the calendar, where no table has a date.
    pub fn calendar_column(&self, bucket: lexicon::Bucket) -> Option<ColumnId> {
        if self.tables.iter().any(|table| table.date.is_some()) {
            return None;
        }
        let fits = |column: &Column<'_>| column.calendar && korean::is_of(&column.name.to_lowercase(), bucket);
        let mut found = (0..self.columns.len()).filter(|&id| fits(&self.columns[id]));
        found.next().filter(|_| found.next().is_none())
    }

    fn name_columns(&mut self) {
        for id in 0..self.columns.len() {
            let column = &self.columns[id];
            let (name, source, date) = (column.name, column.source, column.date);
            if (column.foreign || source.primary_key) && column.id_like {
                // Only by its whole name: its comment is that of what it points to.
                if (name.contains('_') || starts_hangul(name))
                    && let Some(key) = phrase_key(name)
                {
                    self.add(&key, 0, Meaning::Column(id));
                }
                continue;
            }
            let mut forms = forms(name, source.comment.as_deref());
            if date && let Some(first) = forms.first() {
                let stems: Vec<String> =
                    [" at", " on", " date", " time"].iter().filter_map(|ending| first.strip_suffix(*ending)).map(str::to_owned).collect();
                forms.extend(stems);
            }
            self.expand(&forms, Meaning::Column(id));
            if starts_hangul(name)
                && let Some(form) = forms.first()
            {
                self.expand_korean(form, id);
            }
            self.name_values(id, source);
        }
    }

    fn name_values(&mut self, id: ColumnId, source: &'a TableColumn) {
        for value in &source.values {
            let Some(key) = phrase_key(value).filter(|key| key.chars().count() >= 2) else { continue };
            let mut names = vec![key.clone()];
            if !starts_hangul(&key) {
                names.push(tokenize(value).iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" "));
            }
            names.extend(lexicon::same_value(&key).map(str::to_owned));
            names.sort();
            names.dedup();
            for name in names {
                self.add(&name, 0, Meaning::Value(id, value));
            }
        }
    }

    /// Keeps the closest meanings of each kind.
    fn keep_best(&mut self) {
        for meanings in self.keys.values_mut() {
            let mut best = [u8::MAX; 3];
            for (rank, meaning) in meanings.iter() {
                let slot = &mut best[usize::from(meaning.kind())];
                *slot = (*slot).min(*rank);
            }
            meanings.retain(|(rank, meaning)| *rank == best[usize::from(meaning.kind())]);
            let mut kept: Vec<(u8, Meaning<'a>)> = Vec::with_capacity(meanings.len());
            for entry in meanings.drain(..) {
                if !kept.contains(&entry) {
                    kept.push(entry);
                }
            }
            kept.sort_by_key(|(_, meaning)| meaning.kind());
            *meanings = kept;
        }
    }
}

/// A name without what stands in parentheses behind it, mostly a unit.
fn bare(name: &str) -> &str {
    name.split(['(', '[', '（']).next().map(str::trim).filter(|bare| !bare.is_empty()).unwrap_or(name)
}

fn last_word(name: &str) -> String {
    words::split(bare(name)).pop().unwrap_or_default()
}

/// The phrases that a name and a short comment are.
fn forms(name: &str, comment: Option<&str>) -> Vec<String> {
    let mut forms: Vec<String> = Vec::new();
    // 금액(원) is 금액, and orderDate the order date.
    for written in [name.to_owned(), bare(name).to_owned(), words::split(bare(name)).join(" ")] {
        forms.extend(phrase_key(&written).filter(|key| !forms.contains(key)));
    }
    if bare(name).len() < name.len() && forms.len() > 1 {
        forms.remove(0);
    }
    // "주문 금액(원)" is about 주문 금액; a long comment is prose.
    let comment = comment.and_then(|comment| comment.split(['(', '[', ',', ';', ':', '/', '·']).next()).map(str::trim);
    if let Some(key) = comment.filter(|comment| comment.chars().count() <= 24).and_then(phrase_key)
        && !forms.contains(&key)
    {
        forms.push(key);
    }
    forms
}
