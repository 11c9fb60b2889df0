//! What a name can mean at a place of the statement: the sources of each enclosing FROM, output aliases, CTEs.

use datagenie_common::model::{connections::DbType, policies::MaskKind};
use sqlparser::ast::{Ident, WindowSpec};

/// A column of a source or of a query's output.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// How it is compared.
    pub key: String,
    /// Its name as the server has it.
    pub shown: String,
    /// Its mask: the values are a masked column's own.
    pub mask: Option<MaskKind>,
    /// Whether it is called so for sure; the names of unnamed expressions are the server's business.
    pub certain: bool,
    /// Can be named, and is not part of `*`.
    pub hidden: bool,
}

impl Column {
    pub fn named(db: DbType, ident: &Ident, mask: Option<MaskKind>) -> Self {
        Self { key: super::names::key(db, ident), shown: super::names::shown(db, ident), mask, certain: true, hidden: false }
    }

    /// A column of a fixed name without a mask.
    pub fn fixed(name: &str) -> Self {
        Self { key: name.to_owned(), shown: name.to_owned(), mask: None, certain: true, hidden: false }
    }
}

/// One relation, subquery or function of a FROM.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The name before the dot, folded.
    pub alias: Option<String>,
    /// The same as an identifier to write.
    pub qualifier: Option<Ident>,
    /// The schema it may be qualified with besides: that of a relation, in PostgreSQL only if it has no alias.
    pub schema: Option<String>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Whether it is a table of the database (SQLite's have a `rowid`).
    pub stored: bool,
    /// Whether it is a query of the statement, so that a whole row of it holds these columns and no others.
    pub queried: bool,
}

impl Source {
    // Whether a qualifier may mean it. The schema of a query of the statement is nobody's business but PostgreSQL's.
    fn is_named(&self, db: DbType, schema: Option<&str>, alias: &str) -> bool {
        let of_schema = |schema: &str| match &self.schema {
            Some(own) => own.as_str() == schema,
            None => db != DbType::Postgresql,
        };
        self.alias.as_deref() == Some(alias) && schema.is_none_or(of_schema)
    }
}

/// A column of `*`.
#[derive(Clone, Debug)]
pub(super) struct Star {
    /// Which source it is of; none: merged by USING or NATURAL.
    pub source: Option<usize>,
    /// The column.
    pub column: Column,
}

/// What one SELECT brings into scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Level {
    /// The sources of its FROM so far.
    pub sources: Vec<Source>,
    /// What `*` means.
    pub star: Vec<Star>,
    /// Its output columns, once they are known.
    pub aliases: Vec<Column>,
    /// Whether they may be named in the clause that is being read.
    pub aliases_on: bool,
    /// Whether the expressions of SELECT are being read, whose windows wait for all their aliases (MySQL).
    pub naming: bool,
    /// The windows that wait.
    pub windows: Vec<WindowSpec>,
}

/// What a column reference turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A column, masked or not.
    Column(Option<MaskKind>),
    /// A source of that name is in scope and has no such column.
    NoSuchColumn,
    /// Nothing.
    Unknown,
}

impl Meaning {
    // Takes in the columns of the name that were found; a mask of any counts. Tells whether one of them is called so for sure.
    fn meet<'c>(&mut self, columns: impl Iterator<Item = &'c Column>) -> bool {
        let mut certain = false;
        for column in columns {
            certain |= column.certain;
            if !matches!(self, Self::Column(Some(_))) {
                *self = Self::Column(column.mask);
            }
        }
        certain
    }
}

/// What an unqualified name means. Where several columns have the name (the server decides, or complains), a mask of any counts. So do
/// masks further out if the column found may be called otherwise, or if the order of the search is not known (`wide`).
pub(super) fn unqualified(levels: &[Level], key: &str, wide: bool) -> Meaning {
    let mut meaning = Meaning::Unknown;
    for level in levels.iter().rev() {
        let columns = level.sources.iter().flat_map(|source| &source.columns);
        let aliases = level.aliases.iter().filter(|_| level.aliases_on);
        if meaning.meet(columns.chain(aliases).filter(|column| column.key == key)) && !wide {
            return meaning;
        }
    }
    if meaning == Meaning::Column(None) {
        // If there is no such column after all, a table of that name is meant, with all of its columns.
        let rows = levels.iter().flat_map(|level| &level.sources).filter(|source| source.alias.as_deref() == Some(key));
        meaning.meet(rows.flat_map(|source| &source.columns).filter(|column| column.mask.is_some()));
    }
    meaning
}

/// What `alias.name` or `schema.table.name` means.
///
/// MySQL may compare aliases by case or not, and SQLite passes over some where a schema is named; so there the masks of every
/// enclosing level count.
pub(super) fn qualified(db: DbType, levels: &[Level], schema: Option<&str>, alias: &str, key: &str, wide: bool) -> Meaning {
    let wide = wide || db == DbType::Mysql || (db == DbType::Sqlite && schema.is_some());
    let mut meaning = Meaning::Unknown;
    for level in levels.iter().rev() {
        let named = |source: &&Source| source.is_named(db, schema, alias);
        if !level.sources.iter().any(|source| named(&source)) {
            continue;
        }
        let columns = level.sources.iter().filter(named).flat_map(|source| &source.columns);
        let certain = meaning.meet(columns.filter(|column| column.key == key));
        if meaning == Meaning::Unknown {
            meaning = Meaning::NoSuchColumn;
        }
        if !wide && (certain || db == DbType::Postgresql) {
            break;
        }
    }
    meaning
}

/// Whether a name that every stored table has besides its columns (SQLite's `rowid`) is met before a column of that name.
pub(super) fn stored_first(levels: &[Level], alias: Option<&str>, key: &str) -> bool {
    for level in levels.iter().rev() {
        let named = |source: &&Source| alias.is_none_or(|alias| source.alias.as_deref() == Some(alias));
        let mut columns = level.sources.iter().filter(named).flat_map(|source| &source.columns);
        let mut aliases = level.aliases.iter().filter(|_| level.aliases_on && alias.is_none());
        if columns.any(|column| column.key == key) || aliases.any(|column| column.key == key) {
            return false;
        }
        if level.sources.iter().filter(named).any(|source| source.stored) {
            return true;
        }
    }
    false
}

/// Where a CTE stands.
#[derive(Clone, Debug)]
pub(super) enum CteState {
    /// Named further down in the same WITH.
    Upcoming,
    /// Its body is being read, and its first arm is not known yet.
    Open,
    /// It has these columns.
    Ready(Vec<Column>),
}

/// A CTE in scope.
#[derive(Clone, Debug)]
pub(super) struct Cte {
    /// Its name, folded.
    pub key: String,
    /// Its name, as written.
    pub exact: String,
    /// Its column list, if one is given.
    pub renamed: Vec<Ident>,
    /// Where it stands.
    pub state: CteState,
}
