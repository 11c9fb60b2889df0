//! The functions that may be called, by dialect: none that reads or writes anything but its arguments, waits, locks, tells settings,
//! draws from a sequence, or runs text as SQL. User-defined functions are added by an admin, per connection.

mod mysql;
mod postgresql;
mod sqlite;

use std::{collections::HashSet, sync::LazyLock};

use datagenie_common::model::connections::DbType;

use super::names;

/// Where a function stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In an expression.
    Scalar,
    /// In FROM.
    Table,
}

type Lists = (LazyLock<HashSet<&'static str>>, LazyLock<HashSet<&'static str>>);

static POSTGRESQL: Lists = (LazyLock::new(|| set(postgresql::SCALAR)), LazyLock::new(|| set(postgresql::TABLE)));
static MYSQL: Lists = (LazyLock::new(|| set(mysql::SCALAR)), LazyLock::new(HashSet::new));
static SQLITE: Lists = (LazyLock::new(|| set(sqlite::SCALAR)), LazyLock::new(|| set(sqlite::TABLE)));

fn set(lists: &[&[&'static str]]) -> HashSet<&'static str> {
    lists.iter().copied().flatten().copied().collect()
}

fn lists(db: DbType) -> &'static Lists {
    match db {
        DbType::Postgresql => &POSTGRESQL,
        DbType::Mysql => &MYSQL,
        DbType::Sqlite => &SQLITE,
    }
}

/// Whether a function may be called. The name is folded as the dialect does.
pub(super) fn allowed(db: DbType, name: &str, kind: Kind) -> bool {
    let (scalar, table) = lists(db);
    match kind {
        Kind::Scalar => scalar.contains(name),
        Kind::Table => table.contains(name),
    }
}

/// Whether a function is on the list of those that may be called in an expression, or else in FROM: for the locks behind the guard.
pub(crate) fn is_listed(db: DbType, name: &str, in_from: bool) -> bool {
    allowed(db, name, if in_from { Kind::Table } else { Kind::Scalar })
}

/// The functions of the standard that are written without parentheses.
pub(super) fn without_parentheses(name: &str) -> bool {
    ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// The nearest function that may be called.
pub(super) fn nearest(db: DbType, name: &str) -> Option<&'static str> {
    let (scalar, _) = lists(db);
    let mut known: Vec<&'static str> = scalar.iter().copied().collect();
    known.sort_unstable();
    names::nearest(name, known.into_iter())
}

/// Whether the first argument of a function is a word of its own, such as the unit of `TIMESTAMPDIFF(MONTH, a, b)`.
pub(super) fn takes_word(db: DbType, name: &str, word: &str) -> bool {
    let words: &[&str] = match (db, name) {
        (DbType::Mysql, "timestampdiff" | "timestampadd") => {
            let unit = word.get(..8).filter(|prefix| prefix.eq_ignore_ascii_case("sql_tsi_")).map_or(word, |_| &word[8..]);
            return ["microsecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"]
                .iter()
                .any(|known| unit.eq_ignore_ascii_case(known));
        }
        (DbType::Mysql, "get_format") => &["date", "time", "datetime", "timestamp"],
        _ => &[],
    };
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}
