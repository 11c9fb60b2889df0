//! What a name can mean at a place of the statement: the sources of each enclosing FROM, output aliases, CTEs.

use datagenie_common::model::{connections::DbType, policies::MaskKind};
use sqlparser::ast::Ident;

/// A column of a source or of a query's output.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// How it is compared.
    pub key: String,
    /// Its name as the server has it.
    pub shown: String,
    /// Its mask: the values are a masked column's own.
    pub mask: Option<MaskKind>,
    /// Whether `shown` is known for sure; the names of unnamed expressions are the server's business.
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
    /// The schema it may be qualified with besides: that of a relation without an alias.
    pub schema: Option<String>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Whether it is a table of the database (SQLite's have a `rowid`).
    pub stored: bool,
    /// Whether it is a query of the statement, so that a whole row of it holds these columns and no others.
    pub queried: bool,
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

fn any_mask<'c>(columns: impl Iterator<Item = &'c Column>) -> Option<Option<MaskKind>> {
    let mut found = None;
    for column in columns {
        let mask = found.get_or_insert(None);
        if mask.is_none() {
            *mask = column.mask;
        }
    }
    found
}

/// What an unqualified name means. Where several columns have the name (the server decides, or complains), a mask of any counts.
pub(super) fn unqualified(levels: &[Level], key: &str) -> Meaning {
    for level in levels.iter().rev() {
        let columns = level.sources.iter().flat_map(|source| &source.columns);
        let aliases = level.aliases.iter().filter(|_| level.aliases_on);
        if let Some(mask) = any_mask(columns.chain(aliases).filter(|column| column.key == key)) {
            return Meaning::Column(mask);
        }
    }
    Meaning::Unknown
}

/// What `alias.name` or `schema.table.name` means.
///
/// MySQL may compare aliases by case or not; so there the masks of every enclosing level count.
pub(super) fn qualified(db: DbType, levels: &[Level], schema: Option<&str>, alias: &str, key: &str) -> Meaning {
    let mut meaning = Meaning::Unknown;
    for level in levels.iter().rev() {
        let of_alias = |source: &&Source| {
            source.alias.as_deref() == Some(alias) && schema.is_none_or(|schema| source.schema.as_deref() == Some(schema))
        };
        if !level.sources.iter().any(|source| of_alias(&source)) {
            continue;
        }
        let columns = level.sources.iter().filter(of_alias).flat_map(|source| &source.columns);
        match (any_mask(columns.filter(|column| column.key == key)), meaning) {
            (Some(mask), Meaning::Column(None)) => meaning = Meaning::Column(mask),
            (Some(_), Meaning::Column(Some(_))) => {}
            (Some(mask), _) => meaning = Meaning::Column(mask),
            (None, Meaning::Unknown) => meaning = Meaning::NoSuchColumn,
            (None, _) => {}
        }
        if db == DbType::Postgresql || (db == DbType::Sqlite && matches!(meaning, Meaning::Column(_))) {
            break;
        }
    }
    meaning
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
