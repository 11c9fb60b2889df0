//! Questions over an uploaded file: the workbook as a read-only database that its owner may read all of.

use std::{collections::BTreeMap, sync::Arc};

use datagenie_common::{
    files::{FilesError, ObjectPath},
    ids::{ConnectionId, FileId, UserId},
    model::{
        connections::{ConnectionState, DbType},
        jobs::JobError,
        policies::{Limits, Policy, PolicyVersion},
        schemas::{ForeignKey, SourceSchema, Table, TableColumn},
        workbooks::{Prepared, PreparedColumn, PreparedTable, SheetColumnType},
    },
    store::{
        connections,
        files::{Reading, Workbook},
    },
};

use super::{failures, target::Target};
use crate::{
    guard::Relation,
    run::Context,
    workbooks::{self, CopyError, Database, Ready},
};

/// The only schema of a SQLite file.
const SCHEMA: &str = "main";
/// The version of every policy on a file: its owner reads all of it, as long as it is there.
const VERSION: &str = "file";
/// Times that a reading is looked for, should another language's take its place meanwhile.
const ROUNDS: usize = 3;

/// What a question over a file has beside its target.
pub struct AskedFile {
    id: FileId,
    /// Each table's place on its sheet, by the table's name.
    places: BTreeMap<String, String>,
    /// Held until the question has its answer.
    _database: Arc<Database>,
}

/// Has the file's workbook read if it was not yet, and opens its tables.
pub async fn find(context: &Context, file: FileId) -> Result<Target, JobError> {
    for _ in 0..ROUNDS {
        let ready = workbooks::prepare(context, file, None).await?;
        match database(context, &ready.reading).await {
            Ok(database) => return Ok(target(context, file, &ready, database)),
            // Replaced since, or lost: the next look finds the other one, or has it read again.
            Err(CopyError::Storage(FilesError::NotFound(_))) => workbooks::forget(context, &ready).await?,
            Err(error) => return Err(workbooks::copying_failed(context, &error)),
        }
    }
    Err(workbooks::file_not_found())
}

async fn database(context: &Context, reading: &Reading) -> Result<Arc<Database>, CopyError> {
    let env = &context.env;
    let path: ObjectPath = reading.database_path.parse()?;
    let bytes = u64::try_from(reading.database_bytes).unwrap_or_default();
    let fetched = env.workbooks.databases.get(&env.files, path, bytes);
    let Some(fetched) = context.stop.run_until_cancelled(fetched).await else {
        return Err(CopyError::Local(std::io::ErrorKind::Interrupted.into()));
    };
    fetched
}

fn target(context: &Context, file: FileId, ready: &Ready, database: Arc<Database>) -> Target {
    let env = &context.env;
    let id = ConnectionId(ready.workbook.id.0);
    let databases = &env.workbooks.databases;
    Target {
        id,
        connection: Arc::new(connection(&ready.workbook, &ready.reading)),
        schema: Arc::new(catalogue(&ready.reading.prepared)),
        policy: policy(context.job.user_id, id, env.live_settings.get().query.limits()),
        source: env.sources.workbook(id, database.path(), databases.folder()),
        file: Some(AskedFile { id: file, places: places(&ready.reading.prepared), _database: database }),
    }
}

/// The workbook as if it were a connection: its versions are those of the reading, which is never changed, only replaced.
fn connection(workbook: &Workbook, reading: &Reading) -> connections::Target {
    // The path holds the lease that it was written under: what was remembered of another reading does not hold for this one.
    let version = reading.database_path.bytes().fold(0_i64, |sum, byte| sum.wrapping_mul(31).wrapping_add(i64::from(byte)));
    connections::Target {
        db_type: DbType::Sqlite,
        config: serde_json::Value::Null,
        config_version: version,
        schema_version: version,
        state: ConnectionState::Ready,
        error: None,
        is_active: true,
        max_connections: 1,
        max_plan_cost: None,
        extra_functions: Vec::new(),
        allow_writable_role: false,
        is_role_known: true,
        row_version: format!("{}/{}", workbook.sha256, reading.database_path),
    }
}

fn policy(user: UserId, id: ConnectionId, limits: Limits) -> Policy {
    Policy {
        user_id: user,
        connection_id: id,
        db_type: DbType::Sqlite,
        version: PolicyVersion(VERSION.to_owned()),
        can_query: true,
        schemas: None,
        tables: None,
        masks: Vec::new(),
        limits,
    }
}

/// The catalogue, as a sync would read it of the SQLite file, with the values that words of a question are linked to.
fn catalogue(prepared: &Prepared) -> SourceSchema {
    let tables = prepared.tables.iter().map(|table| (table.name.clone(), catalogued(table))).collect();
    SourceSchema { default_schema: SCHEMA.to_owned(), schemas: BTreeMap::from([(SCHEMA.to_owned(), tables)]), cached_at: None }
}

fn catalogued(table: &PreparedTable) -> Table {
    let columns = (1..).zip(&table.columns).map(|(position, column)| {
        let catalogued = TableColumn {
            position,
            data_type: declared(column.kind).to_owned(),
            nullable: !column.primary_key,
            primary_key: column.primary_key,
            values: column.values.clone(),
            ..TableColumn::default()
        };
        (column.name.clone(), catalogued)
    });
    Table {
        kind: "table".to_owned(),
        // Where the name had to be made fit for SQL, or the sheet has several tables.
        comment: (table.name != table.sheet).then(|| table.sheet.clone()),
        columns: columns.collect(),
        indexes: Vec::new(),
        foreign_keys: table.columns.iter().filter_map(foreign_key).collect(),
        row_estimate: Some(table.rows),
        profiled_at: None,
    }
}

fn foreign_key(column: &PreparedColumn) -> Option<ForeignKey> {
    let (table, key) = column.references.as_ref()?;
    Some(ForeignKey {
        columns: vec![column.name.clone()],
        ref_schema: SCHEMA.to_owned(),
        ref_table: table.clone(),
        ref_columns: vec![key.clone()],
    })
}

/// A column's type as the SQLite file declares it.
fn declared(kind: SheetColumnType) -> &'static str {
    match kind {
        SheetColumnType::Integer => "INTEGER",
        SheetColumnType::Number => "REAL",
        SheetColumnType::Text | SheetColumnType::Mixed | SheetColumnType::Empty => "TEXT",
        SheetColumnType::Date => "DATE",
        SheetColumnType::Timestamp => "DATETIME",
        SheetColumnType::Time => "TIME",
        SheetColumnType::Boolean => "BOOLEAN",
    }
}

/// A table's place as people name it: `주문!A1:L200001`.
pub fn place(table: &PreparedTable) -> String {
    format!("{}!{}", table.sheet, table.range)
}

fn places(prepared: &Prepared) -> BTreeMap<String, String> {
    prepared.tables.iter().map(|table| (table.name.clone(), place(table))).collect()
}

impl AskedFile {
    /// The place of a table that was read.
    pub fn place_of(&self, relation: &Relation) -> String {
        self.places.get(&relation.table).unwrap_or(&relation.table).clone()
    }

    /// Checks, right before something is read, that the file is still there and its owner's.
    pub async fn still_there(&self, context: &Context) -> Result<(), JobError> {
        let there = datagenie_common::store::files::is_there(&context.env.pool, context.job.user_id, self.id).await;
        if there.map_err(|error| failures::store(context, &error))? { Ok(()) } else { Err(workbooks::file_not_found()) }
    }
}

#[cfg(test)]
mod tests {
    use datagenie_common::model::policies::Limits;

    use super::*;
    use crate::guard::{self, GuardInput};

    fn column(name: &str, kind: SheetColumnType, primary_key: bool, references: Option<(&str, &str)>) -> PreparedColumn {
        let references = references.map(|(table, column)| (table.to_owned(), column.to_owned()));
        PreparedColumn { name: name.to_owned(), kind, primary_key, references, values: Vec::new() }
    }

    fn workbook() -> Prepared {
        let orders = vec![
            column("고객 번호", SheetColumnType::Integer, false, Some(("고객", "번호"))),
            column("금액 (원)", SheetColumnType::Number, false, None),
            column("날짜", SheetColumnType::Date, false, None),
        ];
        let mut customers = vec![column("번호", SheetColumnType::Integer, true, None), column("도시", SheetColumnType::Text, false, None)];
        customers[1].values = vec!["서울".to_owned(), "부산".to_owned()];
        let table = |name: &str, sheet: &str, range: &str, columns| PreparedTable {
            name: name.to_owned(),
            sheet: sheet.to_owned(),
            range: range.to_owned(),
            rows: 3,
            columns,
        };
        Prepared { tables: vec![table("주문", "주문", "A1:C4", orders), table("고객", "고객 목록", "B2:C5", customers)] }
    }

    #[test]
    fn a_workbook_is_a_catalogue_with_keys_values_and_the_names_of_its_sheets() {
        let schema = catalogue(&workbook());
        let (orders, customers) = (schema.table("main", "주문").expect("it is there"), schema.table("main", "고객").expect("it is there"));
        assert_eq!(orders.ordered_columns().iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["고객 번호", "금액 (원)", "날짜"]);
        assert_eq!(orders.foreign_keys[0].ref_table, "고객");
        assert_eq!((orders.comment.as_deref(), customers.comment.as_deref()), (None, Some("고객 목록")));
        assert!(customers.columns["번호"].primary_key);
        assert_eq!(customers.columns["도시"].values, ["서울", "부산"]);
        assert_eq!(orders.columns["날짜"].data_type, "DATE");
    }

    #[test]
    fn its_owner_may_read_all_of_it_and_the_guard_still_stands_before_it() {
        let schema = catalogue(&workbook());
        let policy = policy(UserId::new(), ConnectionId::new(), Limits { max_rows: 10, max_bytes: 1_000, max_seconds: 1 });
        let check = |sql: &str| guard::check(&GuardInput { sql, schema: &schema, policy: &policy, extra_functions: &[] });
        let joined = r#"SELECT 도시, sum("금액 (원)") FROM 주문 JOIN 고객 ON "고객 번호" = 번호 GROUP BY 도시"#;
        let guarded = check(joined).expect("it only reads");
        assert_eq!(guarded.relations.len(), 2);
        for refused in ["DELETE FROM 주문", "SELECT * FROM sqlite_schema", "ATTACH 'x' AS y", "SELECT load_extension('x')"] {
            assert!(check(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_table_is_named_by_its_place() {
        let places = places(&workbook());
        assert_eq!((places["주문"].as_str(), places["고객"].as_str()), ("주문!A1:C4", "고객 목록!B2:C5"));
    }
}
