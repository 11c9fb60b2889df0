//! Functions in FROM: those that make rows, and the columns each of them has.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, JsonTableColumn, JsonTableColumnErrorHandling, ObjectName, Spanned, TableAlias,
    TableAliasColumnDef, TableFactor, ValueWithSpan,
};

use super::{
    bounds, functions, names,
    refusal::{Checked, Refusal},
    scope::{Column, Star},
    types,
    walk::Walker,
};

impl Walker<'_> {
    /// Checks a function in FROM.
    pub(super) fn table_function(&mut self, factor: &TableFactor) -> Checked<Vec<Star>> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: Some(args),
                with_ordinality,
                with_hints,
                version: None,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if args.settings.is_none() && with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                self.rows_of(name, &args.args, *with_ordinality, alias.as_ref())
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => {
                self.rows_of(name, args, *with_ordinality, alias.as_ref())
            }
            TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_offset_alias: None, with_ordinality } => {
                self.within("FROM", |walker| walker.all_inside(array_exprs))?;
                // Of an array of rows it makes their columns.
                let columns = vec![Column { certain: false, ..Column::fixed("unnest") }; array_exprs.len()];
                self.function_source(columns, "unnest", *with_ordinality, alias.as_ref())
            }
            TableFactor::JsonTable { json_expr, json_path, columns, alias } if self.db == DbType::Mysql => {
                self.inside(json_expr)?;
                self.value(json_path)?;
                let mut found = Vec::new();
                self.json_columns(columns, &mut found)?;
                self.add(found, None, alias.as_ref(), None)
            }
            _ => Err(Refusal::refused(format!("`{factor}` is not allowed in FROM."))
                .hint("Use tables, subqueries and joins.")
                .at(factor.span())),
        }
    }

    fn rows_of(&mut self, name: &ObjectName, args: &[FunctionArg], ordinality: bool, alias: Option<&TableAlias>) -> Checked<Vec<Star>> {
        let key = self.function_name(name, functions::Kind::Table)?;
        let mut exprs: Vec<Option<&Expr>> = Vec::with_capacity(args.len());
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
                return Err(Refusal::refused(format!("This way of passing an argument to `{key}` is not allowed.")).at(name.span()));
            };
            exprs.push(Some(expr));
        }
        bounds::check(self.db, &key, &exprs).map_err(|refusal| refusal.at(name.span()))?;
        // SQLite's are read later.
        if self.db != DbType::Sqlite {
            self.within("FROM", |walker| walker.all_inside(exprs.into_iter().flatten()))?;
        }
        let columns = match key.as_str() {
            "json_to_record" | "jsonb_to_record" | "json_to_recordset" | "jsonb_to_recordset" => {
                return self.record_source(&key, ordinality, alias);
            }
            "json_each" | "json_tree" | "jsonb_each" | "jsonb_tree" if self.db == DbType::Sqlite => {
                let mut columns = fixed(&["key", "value", "type", "atom", "id", "parent", "fullkey", "path"]);
                columns.extend(fixed(&["json", "root"]).into_iter().map(|column| Column { hidden: true, ..column }));
                columns
            }
            "json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text" => fixed(&["key", "value"]),
            "json_array_elements" | "jsonb_array_elements" | "json_array_elements_text" | "jsonb_array_elements_text" => fixed(&["value"]),
            "generate_series" if self.db == DbType::Sqlite => fixed(&["value"]),
            // Nobody knows what a function that an admin added returns.
            other => vec![Column { certain: functions::allowed(self.db, other, functions::Kind::Table), ..Column::fixed(other) }],
        };
        self.function_source(columns, &key, ordinality, alias)
    }

    // A function without a declared row type: its single column may be named by the alias.
    fn function_source(&mut self, mut columns: Vec<Column>, key: &str, ordinality: bool, alias: Option<&TableAlias>) -> Checked<Vec<Star>> {
        let list = alias.is_some_and(|alias| !alias.columns.is_empty());
        let mut other_names = Vec::new();
        if let (DbType::Postgresql, [only], Some(alias), false) = (self.db, columns.as_mut_slice(), alias, list) {
            let named = Column::named(self.db, &alias.name, None);
            if only.key == key {
                *only = Column { certain: only.certain, ..named };
            } else {
                // The whole row, unless anything is a column of that name.
                other_names.push(Column { hidden: true, certain: false, ..named });
            }
        }
        if ordinality {
            columns.push(Column::fixed("ordinality"));
        }
        columns.append(&mut other_names);
        let own = names::quoted(self.db, key);
        self.add(columns, Some(&own), alias, None)
    }

    // A function whose columns are declared in the alias: `AS t(a int, b text)`.
    fn record_source(&mut self, key: &str, ordinality: bool, alias: Option<&TableAlias>) -> Checked<Vec<Star>> {
        let declared = alias.filter(|alias| !alias.columns.is_empty() && alias.at.is_none() && !ordinality);
        let Some(alias) = declared else {
            return Err(Refusal::invalid(format!("`{key}` needs the columns it makes.")).hint("Write AS t(a integer, b text)."));
        };
        let mut columns = Vec::with_capacity(alias.columns.len());
        for TableAliasColumnDef { name, data_type } in &alias.columns {
            let Some(data_type) = data_type else {
                return Err(Refusal::invalid(format!("The column `{name}` needs a type.")).at(name.span));
            };
            types::check(self.db, data_type).map_err(|refusal| refusal.at(name.span))?;
            columns.push(Column::named(self.db, name, None));
        }
        self.add(columns, Some(&alias.name), None, None)
    }

    fn json_columns(&self, columns: &[JsonTableColumn], found: &mut Vec<Column>) -> Checked<()> {
        for column in columns {
            match column {
                JsonTableColumn::Named(column) => {
                    types::check(self.db, &column.r#type).map_err(|refusal| refusal.at(column.name.span))?;
                    self.value(&column.path)?;
                    for handling in [&column.on_empty, &column.on_error].into_iter().flatten() {
                        if let JsonTableColumnErrorHandling::Default(value) = handling {
                            self.value(value)?;
                        }
                    }
                    found.push(self.json_column(&column.name));
                }
                JsonTableColumn::ForOrdinality(name) => found.push(self.json_column(name)),
                JsonTableColumn::Nested(nested) => {
                    let path: &ValueWithSpan = &nested.path;
                    self.value(path)?;
                    self.json_columns(&nested.columns, found)?;
                }
            }
        }
        Ok(())
    }

    fn json_column(&self, name: &Ident) -> Column {
        Column::named(self.db, name, None)
    }
}

fn fixed(names: &[&str]) -> Vec<Column> {
    names.iter().copied().map(Column::fixed).collect()
}
