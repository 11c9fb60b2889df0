//! Properties of whatever the guard accepts, on thousands of random statements: it is accepted again as rendered and means the same, and
//! a walk that shares nothing with the guard's finds only allowed relations and functions, and masked columns only where they may be.

use std::{collections::HashSet, ops::ControlFlow};

use datagenie_common::model::connections::DbType;
use sqlparser::{
    ast::{
        Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, JoinConstraint, Query, Select, SelectItem,
        SetExpr, Statement, TableFactor, TableWithJoins, Visit, Visitor,
    },
    parser::{Parser, ParserOptions},
};

use super::{
    GuardInput, Guarded, check, dialects, functions, joins,
    statements::{Dice, Writer, mutated},
    tests::{ALL, corpus, home, policy, shop},
};

const WRITTEN: usize = 500;
const MUTATED: usize = 300;
const ALLOWED: [&str; 5] = ["customers", "products", "orders", "order_items", "주문"];
const MASKED: [&str; 2] = ["email", "phone"];

// What a walk over the rendered statement found.
#[derive(Default)]
struct Seen {
    // Names of masked columns, and of columns that only pass one on.
    masked: HashSet<String>,
    // How often they are named as columns, and how often where they may be.
    named: usize,
    may_be: usize,
    relations: Vec<String>,
    calls: Vec<String>,
    calls_in_from: Vec<String>,
    ctes: HashSet<String>,
    // Each alias of SELECT with the column it passes on, each other alias with nothing.
    aliases: Vec<(String, Option<String>)>,
}

fn folded(ident: &Ident) -> String {
    ident.value.to_lowercase()
}

// The column that an expression is, perhaps by way of a subquery.
fn column(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::Nested(inner) => column(inner),
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.as_slice() {
                [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => column(expr),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

// The column that an expression is itself.
fn plain(expr: &Expr) -> Option<&Ident> {
    column(expr).filter(|_| !matches!(expr, Expr::Subquery(_)))
}

impl Seen {
    fn is_masked(&self, ident: Option<&Ident>) -> usize {
        usize::from(ident.is_some_and(|ident| self.masked.contains(&folded(ident))))
    }

    // Masked columns that a SELECT only selects.
    fn selected(&self, select: &Select) -> usize {
        let items = select.projection.iter().map(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => self.is_masked(plain(expr)),
            _ => 0,
        });
        if matches!(select.distinct, Some(Distinct::Distinct)) { 0 } else { items.sum() }
    }

    fn arms(&self, body: &SetExpr) -> usize {
        match body {
            SetExpr::Select(select) => self.selected(select),
            SetExpr::SetOperation { left, right, .. } => self.arms(left) + self.arms(right),
            _ => 0,
        }
    }

    fn using(&mut self, item: &TableWithJoins) {
        for join in &item.joins {
            if let Some(JoinConstraint::Using(columns)) = joins::constraint(join) {
                self.named += columns.iter().map(|column| self.is_masked(column.0.last().and_then(|part| part.as_ident()))).sum::<usize>();
            }
        }
    }

    fn call(&mut self, function: &Function) {
        let name = function.name.to_string().to_lowercase().replace(['"', '`'], "");
        let name = name.trim_start_matches("pg_catalog.").to_owned();
        if let (FunctionArguments::List(list), "count") = (&function.args, name.as_str()) {
            for arg in &list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
                    self.may_be += self.is_masked(plain(expr));
                }
            }
        }
        self.calls.push(name);
    }
}

impl Visitor for Seen {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.ctes.insert(folded(&cte.alias.name));
            self.aliases.push((folded(&cte.alias.name), None));
            self.aliases.extend(cte.alias.columns.iter().map(|column| (folded(&column.name), None)));
        }
        ControlFlow::Continue(())
    }

    // Arms of a set operation must not have masked columns: what was counted for them is taken back.
    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if matches!(query.body.as_ref(), SetExpr::SetOperation { .. }) {
            self.may_be -= self.arms(&query.body);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.may_be += self.selected(select);
        select.from.iter().for_each(|item| self.using(item));
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                self.aliases.push((folded(alias), column(expr).map(folded)));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let alias = match factor {
            TableFactor::Table { name, args, alias, .. } => {
                let found = if args.is_some() { &mut self.calls_in_from } else { &mut self.relations };
                found.push(name.to_string().to_lowercase().replace(['"', '`', '[', ']'], ""));
                alias
            }
            TableFactor::Function { name, alias, .. } => {
                self.calls_in_from.push(name.to_string().to_lowercase().replace('"', ""));
                alias
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.using(table_with_joins);
                alias
            }
            TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } | TableFactor::JsonTable { alias, .. } => alias,
            other => panic!("an unusual part of FROM: {other}"),
        };
        if let Some(alias) = alias {
            self.aliases.push((folded(&alias.name), None));
            self.aliases.extend(alias.columns.iter().map(|column| (folded(&column.name), None)));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.named += self.is_masked(Some(ident)),
            Expr::CompoundIdentifier(parts) => self.named += self.is_masked(parts.last()),
            Expr::Function(function) => self.call(function),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => self.may_be += self.is_masked(plain(inner)),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    // Nor may values that something is compared with.
    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::InSubquery { subquery, .. } = expr
            && let SetExpr::Select(select) = subquery.body.as_ref()
        {
            self.may_be -= self.selected(select);
        }
        ControlFlow::Continue(())
    }
}

fn walked(query: &Query, masked: HashSet<String>) -> Seen {
    let mut seen = Seen { masked, ..Seen::default() };
    assert!(query.visit(&mut seen).is_continue());
    seen
}

fn parsed(db: DbType, sql: &str) -> Box<Query> {
    let parser = Parser::new(dialects::of(db)).with_options(ParserOptions::new().with_unescape(false)).with_recursion_limit(200);
    let mut statements = parser
        .try_with_sql(sql)
        .and_then(|mut parser| parser.parse_statements())
        .unwrap_or_else(|error| panic!("{db}: what was rendered does not parse: {sql}: {error}"));
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => query,
        other => panic!("{db}: not one query: {sql}: {other:?}"),
    }
}

fn relations_and_functions_are_allowed(db: DbType, seen: &Seen, sql: &str) {
    for relation in &seen.relations {
        let table = relation.strip_prefix(&format!("{}.", home(db))).unwrap_or(relation);
        let known = ALLOWED.contains(&table) || seen.ctes.contains(table) || (db == DbType::Mysql && table == "dual");
        assert!(known, "{db}: `{relation}` is read: {sql}");
    }
    for call in &seen.calls {
        let known = functions::allowed(db, call, functions::Kind::Scalar) || (db == DbType::Postgresql && call == "all");
        assert!(known, "{db}: `{call}` is called: {sql}");
    }
    for call in &seen.calls_in_from {
        let call = call.trim_start_matches("pg_catalog.");
        assert!(functions::allowed(db, call, functions::Kind::Table), "{db}: `{call}` is called in FROM: {sql}");
    }
}

// `unique`: no alias is given twice, so the columns that only pass a masked one on are known by name.
fn masked_columns_are_where_they_may_be(db: DbType, query: &Query, unique: bool, sql: &str) {
    let mut masked: HashSet<String> = MASKED.map(str::to_owned).into();
    let seen = walked(query, masked.clone());
    if seen.aliases.iter().any(|(alias, _)| masked.contains(alias)) {
        return;
    }
    if unique {
        for _ in 0..seen.aliases.len() {
            let passed: Vec<String> = seen
                .aliases
                .iter()
                .filter(|(alias, of)| of.as_ref().is_some_and(|of| masked.contains(of)) && !masked.contains(alias))
                .map(|(alias, _)| alias.clone())
                .collect();
            if passed.is_empty() {
                break;
            }
            masked.extend(passed);
        }
    }
    let seen = walked(query, masked);
    assert!(seen.named <= seen.may_be, "{db}: a masked column is used, {} > {}: {sql}", seen.named, seen.may_be);
}

// Checks a statement with and without masks; what is accepted must have the properties. Tells how often it was accepted.
fn try_out(db: DbType, sql: &str, unique: bool) -> usize {
    let schema = shop(db);
    [true, false]
        .into_iter()
        .filter(|&masks| {
            let policy = policy(db, masks);
            let run = |sql: &str| check(&GuardInput { sql, schema: &schema, policy: &policy, extra_functions: &[] });
            let Ok(first) = run(sql) else { return false };
            let again: Guarded = run(&first.sql).unwrap_or_else(|refusal| panic!("{db}: {sql}: as {}: {refusal:?}", first.sql));
            assert_eq!(again, first, "{db}: {sql}");
            let query = parsed(db, &first.sql);
            assert_eq!(query.to_string(), first.sql, "{db}: {sql}");
            relations_and_functions_are_allowed(db, &walked(&query, HashSet::new()), &first.sql);
            if masks {
                masked_columns_are_where_they_may_be(db, &query, unique, &first.sql);
            }
            true
        })
        .count()
}

#[test]
fn whatever_is_accepted_of_random_statements_keeps_the_rules() {
    for db in ALL {
        let mut dice = Dice::new(0x5EED + db as u64);
        let accepted: usize = (0..WRITTEN)
            .map(|_| {
                let sql = Writer::new(db, &mut dice).statement();
                try_out(db, &sql, true)
            })
            .sum();
        // Both must happen often, or nothing was shown.
        assert!(accepted > WRITTEN * 2 / 8 && accepted < WRITTEN * 2 * 7 / 8, "{db}: {accepted} of {}", WRITTEN * 2);
    }
}

#[test]
fn whatever_is_accepted_of_changed_statements_keeps_the_rules() {
    let files = [
        [include_str!("corpus/legit-postgresql.jsonl"), include_str!("corpus/attacks-postgresql.jsonl")],
        [include_str!("corpus/legit-mysql.jsonl"), include_str!("corpus/attacks-mysql.jsonl")],
        [include_str!("corpus/legit-sqlite.jsonl"), include_str!("corpus/attacks-sqlite.jsonl")],
    ];
    for (db, files) in ALL.into_iter().zip(files) {
        let lines: Vec<String> = files.into_iter().flat_map(corpus).map(|(sql, _)| sql).collect();
        let mut dice = Dice::new(0xC0FFEE);
        let accepted: usize = (0..MUTATED)
            .map(|_| {
                let line = &lines[dice.below(lines.len())];
                let sql = mutated(&mut dice, line);
                try_out(db, &sql, false)
            })
            .sum();
        assert!(accepted > MUTATED * 2 / 20 && accepted < MUTATED * 2 * 19 / 20, "{db}: {accepted} of {}", MUTATED * 2);
    }
}
