//! Says what is in the tables: figures, relations, charts and sentences, all computed from the values.

mod charts;
mod columns;
mod groups;
mod histogram;
mod insights;
mod numbers;
mod relations;
mod roles;
mod steps;
mod summary;
pub(crate) mod tally;
mod values;

#[cfg(test)]
pub(crate) mod build;
#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    panic,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use datagenie_common::{
    analyses::{AnalysedColumn, AnalysedTable, Analysis, Assumption},
    model::language::Language,
};

use self::{insights::count, relations::Found, roles::Roles};
use crate::{
    tables::{Table, Tables},
    words::Said,
};

/// Below so many values a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 100_000;

/// Analyses all tables, in the language in which the sentences are wanted.
#[must_use]
pub fn analyse(tables: &Tables, language: Language) -> Analysis {
    let analysed: Vec<AnalysedTable> =
        tables.tables.iter().zip(figures(tables)).map(|(table, columns)| described(table, columns, language)).collect();
    let found = relations::find(tables, &analysed, language);
    let roles = |(index, (seen, table))| Roles::of(index, seen, table, &found, language);
    let roles = analysed.iter().zip(&tables.tables).enumerate().map(roles).collect();
    let view = View { tables, analysed: &analysed, found: &found, roles, language };
    let (charts, summary, insights) = (charts::draw(&view), summary::summary(&view), insights::find(&view));
    let mut notes: Vec<String> = tables.notes.iter().map(|note| note.of(language).to_owned()).collect();
    let skipped = tables.skipped.iter().map(|skipped| skipped.told(language)).collect();
    notes.extend(found.note);
    Analysis { tables: analysed, relations: found.relations, charts, summary, insights, skipped, notes }
}

/// What charts and sentences are made of.
struct View<'a> {
    tables: &'a Tables,
    analysed: &'a [AnalysedTable],
    found: &'a Found,
    /// Of each table.
    roles: Vec<Roles>,
    language: Language,
}

impl View<'_> {
    /// The tables with the most rows, the longest first.
    fn longest(&self, most: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.analysed.len()).collect();
        order.sort_by_key(|table| Reverse(self.analysed.get(*table).map_or(0, |table| table.rows)));
        order.truncate(most);
        order
    }

    /// How large a table is, in a sentence.
    fn size(&self, rows: u64, columns: usize) -> String {
        let (one_row, one_column) = (rows == 1, columns == 1);
        let (rows, columns) = (count(rows), count(columns as u64));
        match self.language {
            Language::Korean => format!("표에 {rows}개 행과 {columns}개 열이 있습니다."),
            Language::English => {
                let (row, column) = (if one_row { "row" } else { "rows" }, if one_column { "column" } else { "columns" });
                format!("The table has {rows} {row} and {columns} {column}.")
            }
        }
    }
}

fn described(table: &Table, columns: Vec<AnalysedColumn>, language: Language) -> AnalysedTable {
    let told =
        |said: &Said| Assumption { kind: said.kind.to_owned(), text: said.words.of(language).to_owned(), range: Some(said.range.clone()) };
    AnalysedTable {
        name: table.name.clone(),
        sheet: table.sheet.clone(),
        range: table.range.to_string(),
        header_rows: table.header_rows,
        title: table.title.clone(),
        rows: table.rows.len() as u64,
        total_rows: table.total_rows.iter().map(|row| row.saturating_add(1)).collect(),
        assumptions: table.assumptions.iter().map(told).collect(),
        columns,
    }
}

/// The figures of all columns, by table; of large workbooks by two threads, each with a column at a time.
fn figures(tables: &Tables) -> Vec<Vec<AnalysedColumn>> {
    let all: Vec<_> = tables.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((table, column)) = all.get(at) else { return found };
            found.push((at, columns::analysed(table, column, &tables.texts)));
        }
    };
    let values: usize = all.iter().map(|(table, _)| table.rows.len()).sum();
    let mut found = if values < WORTH_A_THREAD { work() } else { by_two(&work) };
    found.sort_by_key(|(at, _)| *at);
    let mut found = found.into_iter().map(|(_, column)| column);
    tables.tables.iter().map(|table| found.by_ref().take(table.columns.len()).collect()).collect()
}

// Where a second thread is not to be had, the first does all.
fn by_two<T: Send>(work: &(impl Fn() -> Vec<T> + Sync)) -> Vec<T> {
    thread::scope(|scope| {
        let second = thread::Builder::new().spawn_scoped(scope, work);
        let mut found = work();
        match second.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(more)) => found.extend(more),
            Ok(Err(panic)) => panic::resume_unwind(panic),
            Err(_) => {}
        }
        found
    })
}
