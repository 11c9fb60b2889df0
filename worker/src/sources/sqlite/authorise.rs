//! SQLite's own check of a user's statement, which holds where the guard should fail: while it is compiled SQLite asks for every column
//! that is read and every function that is called. Allowed are the relations that the guard found, what views among them are made of, and
//! the functions on the guard's list.
//!
//! A question of SQLite's names the innermost view that something happens in, but calls CTEs so too. What views read is therefore learned
//! before, by compiling each of them alone; and inside a name that the statement itself gives to a CTE no view is believed in.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use datagenie_common::model::connections::DbType;
use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

use super::{catalogue::SCHEMA, defined::defined_names};
use crate::{
    guard::is_listed,
    sources::{Statement, sql_text::quote_identifier},
};

/// Functions that reach out of the database, whatever any list says. Most are not even compiled in.
const FORBIDDEN_FUNCTIONS: [&str; 6] = ["load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "sqlite_log"];
/// Operators that SQLite calls as functions.
const OPERATORS: [&str; 4] = ["->", "->>", "match", "regexp"];

/// The relations of the file, and whether SQLite makes their rows itself (views, virtual tables).
const RELATIONS: &str = "SELECT name, rootpage IS NULL OR rootpage = 0 FROM sqlite_schema WHERE type IN ('table', 'view')";

/// A connection on which one statement can be compiled.
pub(super) struct Confined {
    connection: Connection,
    compiled: Arc<AtomicBool>,
}

impl Confined {
    /// Puts the authorizer for this statement before a connection.
    pub(super) fn new(connection: Connection, statement: &Statement) -> rusqlite::Result<Self> {
        let reach = Reach::of(&connection, statement)?;
        let compiled = Arc::new(AtomicBool::new(false));
        let is_compiled = Arc::clone(&compiled);
        let authorise = move |context: AuthContext<'_>| {
            // What is compiled later is what virtual tables (full-text indexes, say) ask of their own tables.
            verdict(only_reads(&context) && (is_compiled.load(Ordering::Relaxed) || reach.holds(&context)))
        };
        connection.authorizer(Some(authorise))?;
        Ok(Self { connection, compiled })
    }

    /// Compiles the statement.
    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<rusqlite::Statement<'_>> {
        let prepared = self.connection.prepare(sql)?;
        self.compiled.store(true, Ordering::Relaxed);
        Ok(prepared)
    }
}

fn verdict(allowed: bool) -> Authorization {
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

/// Whether something reads rows and does nothing else, whatever its rows are.
fn only_reads(context: &AuthContext<'_>) -> bool {
    match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, .. } => !is_forbidden_table(table_name),
        AuthAction::Function { function_name } => !FORBIDDEN_FUNCTIONS.iter().any(|name| name.eq_ignore_ascii_case(function_name)),
        // Full-text tables look whether the file has changed.
        AuthAction::Pragma { pragma_name, pragma_value: None } => pragma_name.eq_ignore_ascii_case("data_version"),
        _ => false,
    }
}

/// Tables that show the schema or the file's pages behind the policy's back.
fn is_forbidden_table(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("sqlite_") || name.starts_with("pragma_") || name == "dbstat"
}

/// How far a statement may reach. All names are in lower case.
struct Reach {
    /// What the guard found it to read.
    relations: HashSet<String>,
    /// Tables and views of the file.
    objects: HashSet<String>,
    /// What views among the relations read and call, by the view (or CTE of a view) that does.
    beneath: Beneath,
    /// Names that the statement gives to CTEs; none: it can't be told.
    defined: Option<HashSet<String>>,
    extra_functions: HashSet<String>,
}

#[derive(Default)]
struct Beneath {
    tables: HashSet<(String, String)>,
    functions: HashSet<(String, String)>,
}

impl Reach {
    fn of(connection: &Connection, statement: &Statement) -> rusqlite::Result<Self> {
        let relations = statement.relations().iter().filter(|relation| relation.schema.eq_ignore_ascii_case(SCHEMA));
        let relations: HashSet<String> = relations.map(|relation| relation.table.to_ascii_lowercase()).collect();
        let all = relations_of(connection)?;
        let made = all.iter().filter(|(name, made)| *made && relations.contains(&name.to_ascii_lowercase()));
        let beneath = beneath(connection, made.map(|(name, _)| name.as_str()))?;
        let objects = all.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let extra_functions = statement.extra_functions().iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self { relations, objects, beneath, defined: defined_names(statement.sql()), extra_functions })
    }

    fn holds(&self, context: &AuthContext<'_>) -> bool {
        // The view that it happens in, unless a CTE may be meant.
        let view = context.accessor.map(str::to_ascii_lowercase).filter(|name| self.defines(name) == Some(false));
        match context.action {
            AuthAction::Read { table_name, column_name } => {
                let of_the_file = context.database_name.is_none_or(|name| name == SCHEMA);
                of_the_file && self.may_read(table_name.to_ascii_lowercase(), column_name, view)
            }
            AuthAction::Function { function_name } => self.may_call(function_name.to_ascii_lowercase(), view),
            _ => true,
        }
    }

    fn may_read(&self, table: String, column: &str, view: Option<String>) -> bool {
        if self.relations.contains(&table) {
            return true;
        }
        // Without a column nothing is read of a table but how many rows it has. A view that SQLite has worked into the statement is asked
        // for so, outside of any view, and so are CTEs.
        let only_counted = column.is_empty();
        if !self.objects.contains(&table) {
            return only_counted || is_listed(DbType::Sqlite, &table, true) || self.is_beneath(table, view);
        }
        let counted = only_counted && (self.defines(&table) == Some(true) || self.beneath.tables.iter().any(|(_, read)| *read == table));
        counted || self.is_beneath(table, view)
    }

    fn defines(&self, name: &str) -> Option<bool> {
        self.defined.as_ref().map(|defined| defined.contains(name))
    }

    fn is_beneath(&self, table: String, view: Option<String>) -> bool {
        view.is_some_and(|view| self.beneath.tables.contains(&(view, table)))
    }

    fn may_call(&self, function: String, view: Option<String>) -> bool {
        is_listed(DbType::Sqlite, &function, false)
            || OPERATORS.contains(&function.as_str())
            || self.extra_functions.contains(&function)
            || view.is_some_and(|view| self.beneath.functions.contains(&(view, function)))
    }
}

fn relations_of(connection: &Connection) -> rusqlite::Result<Vec<(String, bool)>> {
    connection.prepare(RELATIONS)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// What these views and virtual tables read and call, learned by compiling each of them alone; nothing runs. It also connects virtual
/// tables, which look at tables of their own for that.
fn beneath<'a>(connection: &Connection, made: impl Iterator<Item = &'a str>) -> rusqlite::Result<Beneath> {
    let learned: Arc<Mutex<Beneath>> = Arc::default();
    let learning = Arc::clone(&learned);
    let learn = move |context: AuthContext<'_>| {
        if let Some(view) = context.accessor.map(str::to_ascii_lowercase) {
            let mut learned = learning.lock().unwrap_or_else(PoisonError::into_inner);
            match context.action {
                AuthAction::Read { table_name, .. } => learned.tables.insert((view, table_name.to_ascii_lowercase())),
                AuthAction::Function { function_name } => learned.functions.insert((view, function_name.to_ascii_lowercase())),
                _ => false,
            };
        }
        verdict(only_reads(&context))
    };
    connection.authorizer(Some(learn))?;
    for name in made {
        // One that SQLite can't resolve, or that does what it must not, is found out by the statement itself.
        let sql = format!("SELECT * FROM {}.{}", quote_identifier(SCHEMA), quote_identifier(name));
        if connection.prepare(&sql).is_err() {
            tracing::debug!("a view of the file cannot be compiled");
        }
    }
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    let mut learned = learned.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *learned))
}
