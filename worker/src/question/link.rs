//! Linking: which part of a catalogue a question is about, small enough for a prompt.

pub(crate) mod words;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, OnceLock},
};

use datagenie_common::model::{
    connections::DbType,
    schemas::{SourceSchema, Table, TableColumn},
};

use self::words::{Asked, Weights, terms};
use crate::llm::prompt::{SHOWN_VALUES, schema_text, table_text};

/// Tables with more columns than this are cut to the columns that matter once the whole catalogue does not fit.
const WIDE_COLUMNS: usize = 40;
/// Columns kept of a wide table that the question says nothing about.
const UNASKED_COLUMNS: usize = 10;
/// How many foreign keys may lie between two tables that are joined.
const MAX_HOPS: usize = 4;
/// After so many tables in a row that no longer fit, the budget counts as full.
const MAX_MISFITS: usize = 50;
/// What being read by the question before counts for; a good match of a table's name is about 10 to 40.
const PREVIOUS_SCORE: f64 = 40.0;

/// The part of a catalogue that goes into the prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Linked {
    /// The linked tables; foreign keys only between them.
    pub schema: Arc<SourceSchema>,
    /// The same as a model reads it.
    pub text: Arc<str>,
    /// Whether it has every visible table and column (sampled values may be missing).
    pub whole: bool,
}

impl Linked {
    fn new(schema: SourceSchema, dialect: DbType, whole: bool) -> Self {
        let text = schema_text(&schema, dialect).into();
        Self { schema: Arc::new(schema), text, whole }
    }
}

/// What an asker may see of a catalogue.
#[derive(Debug)]
pub struct Visible {
    /// Its tables and columns.
    pub schema: Arc<SourceSchema>,
    dialect: DbType,
    /// As a model reads it, once somebody asked; none: it is longer than a prompt may be.
    text: OnceLock<Option<Arc<str>>>,
}

impl Visible {
    /// Of a database of this dialect.
    #[must_use]
    pub fn new(schema: Arc<SourceSchema>, dialect: DbType) -> Self {
        Self { schema, dialect, text: OnceLock::new() }
    }

    /// The whole of it as a model reads it, if that is within the budget, which is the same for all calls.
    fn text(&self, budget_chars: usize) -> Option<Arc<str>> {
        self.text.get_or_init(|| fits(&self.schema, budget_chars).then(|| schema_text(&self.schema, self.dialect).into())).clone()
    }
}

/// Chooses the tables and columns that `question` is about. `previous_tables` are those of the question it follows (`table` or
/// `schema.table`); `budget_chars` bounds the prompt text of the schema, which one table may exceed when the budget is tiny.
/// Deterministic; empty only if `visible` is.
#[must_use]
pub fn link(question: &str, visible: &Visible, previous_tables: &[String], budget_chars: usize) -> Linked {
    let (asked, dialect) = (Asked::of(question), visible.dialect);
    // Most catalogues are the same for every question: they fit, and show what it names.
    let hides_asked = |column: &TableColumn| hides_asked(&column.values, &asked);
    if !visible.schema.tables().any(|(_, _, table)| table.columns.values().any(hides_asked))
        && let Some(text) = visible.text(budget_chars)
    {
        return Linked { schema: Arc::clone(&visible.schema), text, whole: true };
    }
    let mut schema = visible.schema.as_ref().clone();
    for_each_column_values(&mut schema, |values| show_asked_first(values, &asked));
    if fits(&schema, budget_chars) {
        return Linked::new(schema, dialect, true);
    }
    // A table more is worth more than what samples of the others showed.
    for_each_column(&mut schema, |column| column.profile = None);
    for_each_column_values(&mut schema, |values| values.retain(|value| asked.names_value(value)));
    if fits(&schema, budget_chars) {
        return Linked::new(schema, dialect, true);
    }
    let mut bare = schema.clone();
    for_each_column_values(&mut bare, Vec::clear);
    if fits(&bare, budget_chars) {
        return Linked::new(bare, dialect, true);
    }
    let catalogue = Catalogue::of(&schema, &asked, previous_tables);
    let chosen = catalogue.choose(budget_chars);
    Linked::new(catalogue.cut_to(&chosen), dialect, false)
}

fn for_each_column(schema: &mut SourceSchema, change: impl Fn(&mut TableColumn)) {
    schema.schemas.values_mut().flat_map(BTreeMap::values_mut).flat_map(|table| table.columns.values_mut()).for_each(change);
}

fn for_each_column_values(schema: &mut SourceSchema, change: impl Fn(&mut Vec<String>)) {
    for_each_column(schema, |column| change(&mut column.values));
}

// The prompt shows only the first few values; one that the question names must be among them.
fn hides_asked(values: &[String], asked: &Asked) -> bool {
    values.iter().skip(SHOWN_VALUES).any(|value| asked.names_value(value))
}

fn show_asked_first(values: &mut [String], asked: &Asked) {
    if hides_asked(values, asked) {
        values.sort_by_key(|value| !asked.names_value(value));
    }
}

// PostgreSQL's quoting is the longest of the dialects, so what fits there fits everywhere.
fn size(schema: &SourceSchema, schema_name: &str, name: &str, table: &Table) -> usize {
    table_text(schema, schema_name, name, table, DbType::Postgresql).chars().count() + 1
}

fn fits(schema: &SourceSchema, budget: usize) -> bool {
    let mut left = budget;
    schema.tables().all(|(schema_name, name, table)| match left.checked_sub(size(schema, schema_name, name, table)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    })
}

/// A table as a candidate.
struct Node<'a> {
    schema_name: &'a str,
    name: &'a str,
    table: &'a Table,
    /// How well it fits the question.
    score: f64,
    /// How well each column does; only those above zero.
    columns: BTreeMap<&'a str, f64>,
    /// Columns that foreign keys of other tables point to.
    referred: BTreeSet<&'a str>,
    /// Tables one foreign key away, in either direction.
    neighbours: BTreeSet<usize>,
}

struct Catalogue<'a> {
    schema: &'a SourceSchema,
    nodes: Vec<Node<'a>>,
}

impl<'a> Catalogue<'a> {
    fn of(schema: &'a SourceSchema, asked: &Asked, previous_tables: &[String]) -> Self {
        let weights = weights(schema);
        let nodes = schema
            .tables()
            .map(|(schema_name, name, table)| {
                let columns = column_scores(table, asked, &weights);
                let mut score = table_score(name, table, &columns, asked, &weights);
                if was_read(schema_name, name, previous_tables) {
                    score += PREVIOUS_SCORE;
                }
                Node { schema_name, name, table, score, columns, referred: BTreeSet::new(), neighbours: BTreeSet::new() }
            })
            .collect();
        let mut catalogue = Self { schema, nodes };
        catalogue.connect();
        catalogue
    }

    fn connect(&mut self) {
        let exact: BTreeMap<(&str, &str), usize> =
            self.nodes.iter().enumerate().map(|(at, node)| ((node.schema_name, node.name), at)).collect();
        // SQLite and MySQL write a reference in whatever case its author did.
        let folded: BTreeMap<(String, String), usize> =
            exact.iter().map(|((schema, name), at)| ((schema.to_lowercase(), name.to_lowercase()), *at)).collect();
        for at in 0..self.nodes.len() {
            let table = self.nodes[at].table;
            for key in &table.foreign_keys {
                let found = exact
                    .get(&(key.ref_schema.as_str(), key.ref_table.as_str()))
                    .or_else(|| folded.get(&(key.ref_schema.to_lowercase(), key.ref_table.to_lowercase())));
                let Some(&to) = found else { continue };
                self.nodes[to].referred.extend(key.ref_columns.iter().map(String::as_str));
                if to != at {
                    self.nodes[at].neighbours.insert(to);
                    self.nodes[to].neighbours.insert(at);
                }
            }
        }
    }

    // A table beside a good one is worth more than one that has nothing to do with the question.
    fn ranked(&self) -> Vec<usize> {
        let rank = |node: &Node<'_>| {
            let beside = node.neighbours.iter().map(|&at| self.nodes[at].score).fold(0.0, f64::max);
            node.score + beside * 0.1
        };
        let mut order: Vec<(f64, usize)> = self.nodes.iter().enumerate().map(|(at, node)| (rank(node), at)).collect();
        order.sort_by(|(a, at_a), (b, at_b)| b.total_cmp(a).then(at_a.cmp(at_b)));
        order.into_iter().map(|(_, at)| at).collect()
    }

    fn choose(&self, budget: usize) -> BTreeMap<usize, Table> {
        let mut chosen: BTreeMap<usize, Table> = BTreeMap::new();
        let mut left = budget;
        let mut misfits = 0;
        for at in self.ranked() {
            if misfits >= MAX_MISFITS {
                break;
            }
            if chosen.contains_key(&at) {
                continue;
            }
            if chosen.is_empty() {
                let table = self.squeezed(at, budget);
                left = left.saturating_sub(self.size(at, &table));
                chosen.insert(at, table);
                continue;
            }
            let path = if self.nodes[at].score > 0.0 { self.path_to(at, &chosen) } else { Vec::new() };
            let with_path = path.into_iter().chain([at]).collect::<Vec<_>>();
            let taken = self.take(&with_path, &mut chosen, &mut left) || self.take(&[at], &mut chosen, &mut left);
            misfits = if taken { 0 } else { misfits + 1 };
        }
        chosen
    }

    /// Takes all of these tables or, if they do not fit together, none.
    fn take(&self, wanted: &[usize], chosen: &mut BTreeMap<usize, Table>, left: &mut usize) -> bool {
        let tables: Vec<(usize, Table)> = wanted.iter().map(|&at| (at, self.narrowed(at))).collect();
        let needed: usize = tables.iter().map(|(at, table)| self.size(*at, table)).sum();
        if needed > *left {
            return false;
        }
        *left -= needed;
        chosen.extend(tables);
        true
    }

    /// The tables between `from` and the nearest chosen one, over foreign keys; empty if there are none or too many.
    fn path_to(&self, from: usize, chosen: &BTreeMap<usize, Table>) -> Vec<usize> {
        let mut came_from: BTreeMap<usize, usize> = BTreeMap::from([(from, from)]);
        let mut queue = VecDeque::from([(from, 0)]);
        while let Some((at, hops)) = queue.pop_front() {
            if chosen.contains_key(&at) {
                let mut path = Vec::new();
                let mut step = came_from[&at];
                while step != from {
                    path.push(step);
                    step = came_from[&step];
                }
                return path;
            }
            if hops < MAX_HOPS {
                for &next in &self.nodes[at].neighbours {
                    if let std::collections::btree_map::Entry::Vacant(entry) = came_from.entry(next) {
                        entry.insert(at);
                        queue.push_back((next, hops + 1));
                    }
                }
            }
        }
        Vec::new()
    }

    fn size(&self, at: usize, table: &Table) -> usize {
        size(self.schema, self.nodes[at].schema_name, self.nodes[at].name, table)
    }

    /// Columns by what they are worth: primary key, what was asked for, other keys, the rest in their own order.
    fn preferred(&self, at: usize) -> Vec<&'a str> {
        let node = &self.nodes[at];
        let foreign: BTreeSet<&str> = node.table.foreign_keys.iter().flat_map(|key| &key.columns).map(String::as_str).collect();
        let mut columns = node.table.ordered_columns();
        columns.sort_by(|(a, column_a), (b, column_b)| {
            let asked = |name: &str| node.columns.get(name).copied().unwrap_or(0.0);
            let class = |name: &str, primary: bool| match (primary, asked(name) > 0.0) {
                (true, _) => 0,
                (_, true) => 1,
                _ if foreign.contains(name) || node.referred.contains(name) => 2,
                _ => 3,
            };
            class(a, column_a.primary_key).cmp(&class(b, column_b.primary_key)).then(asked(b).total_cmp(&asked(a)))
        });
        columns.into_iter().map(|(name, _)| name).collect()
    }

    /// The table, or of a wide one the keys and the columns that match.
    fn narrowed(&self, at: usize) -> Table {
        let node = &self.nodes[at];
        if node.table.columns.len() <= WIDE_COLUMNS {
            return node.table.clone();
        }
        let keys = node.table.foreign_keys.iter().flat_map(|key| &key.columns).map(String::as_str);
        let mut wanted: BTreeSet<&str> = keys.chain(node.referred.iter().copied()).chain(node.columns.keys().copied()).collect();
        wanted.extend(node.table.columns.iter().filter(|(_, column)| column.primary_key).map(|(name, _)| name.as_str()));
        wanted.retain(|name| node.table.columns.contains_key(*name));
        let count = if node.columns.is_empty() { wanted.len() + UNASKED_COLUMNS } else { wanted.len() };
        self.first_columns(at, count.clamp(1, WIDE_COLUMNS))
    }

    fn first_columns(&self, at: usize, count: usize) -> Table {
        let kept: BTreeSet<&str> = self.preferred(at).into_iter().take(count).collect();
        let mut table = self.nodes[at].table.clone();
        table.columns.retain(|name, _| kept.contains(name.as_str()));
        table
    }

    /// The table with as many columns as the budget holds, at least one.
    fn squeezed(&self, at: usize, budget: usize) -> Table {
        let mut table = self.narrowed(at);
        while self.size(at, &table) > budget && table.columns.len() > 1 {
            let fewer = table.columns.len() * 3 / 4;
            table = self.first_columns(at, fewer.max(1));
        }
        table
    }

    fn cut_to(&self, chosen: &BTreeMap<usize, Table>) -> SourceSchema {
        let names: BTreeSet<(String, String)> = chosen.keys().map(|&at| lower(self.nodes[at].schema_name, self.nodes[at].name)).collect();
        let mut cut =
            SourceSchema { default_schema: self.schema.default_schema.clone(), schemas: BTreeMap::new(), cached_at: self.schema.cached_at };
        for (&at, table) in chosen {
            let mut table = table.clone();
            let columns = &table.columns;
            table.foreign_keys.retain(|key| {
                names.contains(&lower(&key.ref_schema, &key.ref_table)) && key.columns.iter().all(|name| columns.contains_key(name))
            });
            cut.schemas.entry(self.nodes[at].schema_name.to_owned()).or_default().insert(self.nodes[at].name.to_owned(), table);
        }
        cut
    }
}

fn lower(schema: &str, name: &str) -> (String, String) {
    (schema.to_lowercase(), name.to_lowercase())
}

fn was_read(schema_name: &str, name: &str, previous_tables: &[String]) -> bool {
    let qualified = format!("{schema_name}.{name}");
    previous_tables.iter().any(|read| read.eq_ignore_ascii_case(name) || read.eq_ignore_ascii_case(&qualified))
}

fn comment_terms(comment: Option<&String>) -> Vec<String> {
    comment.map(|text| terms(text)).unwrap_or_default()
}

fn weights(schema: &SourceSchema) -> Weights {
    let mut weights = Weights::default();
    for (_, name, table) in schema.tables() {
        let mut all: BTreeSet<String> = terms(name).into_iter().chain(comment_terms(table.comment.as_ref())).collect();
        for (column_name, column) in &table.columns {
            all.extend(terms(column_name));
            all.extend(comment_terms(column.comment.as_ref()));
        }
        weights.add(all);
    }
    weights
}

fn column_scores<'a>(table: &'a Table, asked: &Asked, weights: &Weights) -> BTreeMap<&'a str, f64> {
    let score = |name: &str, column: &TableColumn| {
        let words = weights.score(asked, &terms(name)) + weights.score(asked, &comment_terms(column.comment.as_ref()));
        let named = column.values.iter().any(|value| asked.names_value(value));
        words * 2.0 + if named { 5.0 } else { 0.0 }
    };
    table.columns.iter().map(|(name, column)| (name.as_str(), score(name, column))).filter(|(_, score)| *score > 0.0).collect()
}

fn table_score(name: &str, table: &Table, columns: &BTreeMap<&str, f64>, asked: &Asked, weights: &Weights) -> f64 {
    let names = weights.score(asked, &terms(name)) * 4.0 + weights.score(asked, &comment_terms(table.comment.as_ref())) * 3.0;
    // Only the best columns count: a table must not win by having very many.
    let mut best: Vec<f64> = columns.values().copied().collect();
    best.sort_by(|a, b| b.total_cmp(a));
    names + best.iter().take(5).sum::<f64>()
}
