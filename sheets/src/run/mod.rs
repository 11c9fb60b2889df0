//! The whole way of a workbook, as the worker's child process goes it: one file in, an analysis and a SQLite file out.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use datagenie_common::{
    analyses::Analysis,
    model::{language::Language, workbooks::Prepared},
};
use serde::{Deserialize, Serialize};

use crate::{analyse, database, error::ReadError, limits::Options, read, tables};

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The workbook.
    pub input: PathBuf,
    /// Where the SQLite file is made; it must not exist.
    pub database: PathBuf,
    /// The language of the sentences; none: the workbook's own.
    pub language: Option<Language>,
    /// What is wanted of the workbook.
    pub options: Options,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Figures, charts and sentences.
    pub analysis: Analysis,
    /// What the SQLite file holds.
    pub prepared: Prepared,
    /// The language of the sentences.
    pub language: Language,
}

/// Reads, understands, analyses and stores one workbook. `progress` is told of rows read so far, of all sheets together.
///
/// # Errors
/// [`ReadError`].
pub fn run(request: &Request, progress: &mut dyn FnMut(u64)) -> Result<Found, ReadError> {
    let workbook = read::read(&request.input, &request.options, progress)?;
    let tables = tables::find(workbook, &request.options)?;
    let language = request.language.unwrap_or_else(|| own_language(&tables));
    let analysis = analyse::analyse(&tables, language);
    let prepared = database::write(&tables, &analysis, &request.database)?;
    Ok(Found { analysis, prepared, language })
}

/// Korean if any sheet, title or column has a Korean name: a workbook of two languages is one of people who read Korean.
fn own_language(tables: &tables::Tables) -> Language {
    let mut names = tables.tables.iter().flat_map(|table| {
        let columns = table.columns.iter().map(|column| column.name.as_str());
        columns.chain([table.sheet.as_str()]).chain(table.title.as_deref())
    });
    if names.any(|name| Language::of(name) == Language::Korean) { Language::Korean } else { Language::English }
}
