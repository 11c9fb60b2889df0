//! What the design document asks for, listed by hand from it: its tables and columns, views, functions, constraints, indexes, defaults.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::bare::BareDatabase;

/// Tables and views with their columns and the types that they are to have.
const RELATIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "users",
        &[
            ("id", "uuid"),
            ("username", "character varying(50)"),
            ("email", "character varying(255)"),
            ("password_hash", "character varying(255)"),
            ("full_name", "character varying(100)"),
            ("role", "character varying(20)"),
            ("is_active", "boolean"),
            ("created_at", "timestamp with time zone"),
            ("updated_at", "timestamp with time zone"),
            ("last_login_at", "timestamp with time zone"),
        ],
    ),
    (
        "user_sessions",
        &[
            ("id", "uuid"),
            ("user_id", "uuid"),
            ("session_token", "character varying(255)"),
            ("ip_address", "inet"),
            ("user_agent", "text"),
            ("expires_at", "timestamp with time zone"),
            ("created_at", "timestamp with time zone"),
            ("last_activity_at", "timestamp with time zone"),
        ],
    ),
    (
        "database_connections",
        &[
            ("id", "uuid"),
            ("name", "character varying(100)"),
            ("display_name", "character varying(200)"),
            ("description", "text"),
            ("db_type", "character varying(20)"),
            ("connection_config", "jsonb"),
            ("is_active", "boolean"),
            ("is_readonly", "boolean"),
            ("max_connections", "integer"),
            ("schema_info", "jsonb"),
            ("last_schema_sync", "timestamp with time zone"),
            ("created_by", "uuid"),
            ("created_at", "timestamp with time zone"),
            ("updated_at", "timestamp with time zone"),
        ],
    ),
    (
        "connection_permissions",
        &[
            ("id", "uuid"),
            ("user_id", "uuid"),
            ("connection_id", "uuid"),
            ("can_query", "boolean"),
            ("allowed_schemas", "text[]"),
            ("allowed_tables", "text[]"),
            ("max_rows_per_query", "integer"),
            ("max_execution_time_seconds", "integer"),
            ("created_at", "timestamp with time zone"),
        ],
    ),
    (
        "query_history",
        &[
            ("id", "uuid"),
            ("user_id", "uuid"),
            ("connection_id", "uuid"),
            ("question", "text"),
            ("generated_sql", "text"),
            ("query_type", "character varying(20)"),
            ("status", "character varying(20)"),
            ("error_message", "text"),
            ("row_count", "integer"),
            ("execution_time_ms", "integer"),
            ("result_hash", "character varying(64)"),
            ("file_info", "jsonb"),
            ("created_at", "timestamp with time zone"),
        ],
    ),
    (
        "analysis_results",
        &[
            ("id", "uuid"),
            ("query_history_id", "uuid"),
            ("chart_type", "character varying(50)"),
            ("chart_config", "jsonb"),
            ("summary_text", "text"),
            ("insights", "jsonb"),
            ("result_files", "jsonb"),
            ("created_at", "timestamp with time zone"),
        ],
    ),
    (
        "system_settings",
        &[
            ("key", "character varying(100)"),
            ("value", "jsonb"),
            ("description", "text"),
            ("category", "character varying(50)"),
            ("is_sensitive", "boolean"),
            ("updated_by", "uuid"),
            ("updated_at", "timestamp with time zone"),
        ],
    ),
    (
        "audit_logs",
        &[
            ("id", "uuid"),
            ("user_id", "uuid"),
            ("action", "character varying(100)"),
            ("resource_type", "character varying(50)"),
            ("resource_id", "character varying(255)"),
            ("ip_address", "inet"),
            ("user_agent", "text"),
            ("request_id", "uuid"),
            ("details", "jsonb"),
            ("result", "character varying(20)"),
            ("created_at", "timestamp with time zone"),
        ],
    ),
    (
        // TEXT where the document has VARCHAR(100): real names and types are longer.
        "cached_schema_info",
        &[
            ("connection_id", "uuid"),
            ("schema_name", "text"),
            ("table_name", "text"),
            ("column_name", "text"),
            ("data_type", "text"),
            ("is_nullable", "boolean"),
            ("column_default", "text"),
            ("is_primary_key", "boolean"),
            ("cached_at", "timestamp with time zone"),
        ],
    ),
    (
        "query_performance_stats",
        &[
            ("hour", "timestamp with time zone"),
            ("connection_id", "uuid"),
            ("query_type", "character varying(20)"),
            ("total_queries", "bigint"),
            ("avg_execution_time", "numeric"),
            ("max_execution_time", "integer"),
            ("error_count", "bigint"),
            ("timeout_count", "bigint"),
        ],
    ),
    (
        "user_activity_stats",
        &[
            ("username", "character varying(50)"),
            ("role", "character varying(20)"),
            ("total_queries", "bigint"),
            ("last_query_at", "timestamp with time zone"),
            ("active_days", "bigint"),
        ],
    ),
];

/// Functions with their arguments.
const FUNCTIONS: &[&str] = &["cleanup_expired_sessions()", "cleanup_old_data(integer)", "mask_personal_data(character varying,text)"];

const CONSTRAINTS: &[&str] = &[
    "users_username_check",
    "users_email_check",
    "session_expires_check",
    "conn_config_check",
    "query_exec_time_check",
    "query_row_count_check",
    "settings_key_format",
    "audit_action_check",
];

/// Without those that a UNIQUE constraint or a primary key makes superfluous, and without the one on `query_history.status`.
const INDEXES: &[&str] = &[
    "idx_users_role",
    "idx_users_active",
    "idx_sessions_user_id",
    "idx_sessions_expires",
    "idx_db_connections_type",
    "idx_db_connections_active",
    "idx_conn_perms_connection",
    "idx_query_history_user",
    "idx_query_history_connection",
    "idx_query_history_type",
    "idx_query_history_created",
    "idx_query_history_hash",
    "idx_analysis_results_query",
    "idx_analysis_results_chart_type",
    "idx_settings_category",
    "idx_audit_logs_user",
    "idx_audit_logs_action",
    "idx_audit_logs_resource",
    "idx_audit_logs_created",
    "idx_audit_logs_result",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_view_and_column_of_the_document_exists() {
    let database = BareDatabase::migrated().await;
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped",
    )
    .fetch_all(&database.pool)
    .await
    .expect("the columns are read");
    let found: BTreeMap<(&str, &str), &str> =
        rows.iter().map(|(table, column, kind)| ((table.as_str(), column.as_str()), kind.as_str())).collect();
    let mut wrong = Vec::new();
    for &(table, columns) in RELATIONS {
        for &(column, kind) in columns {
            let is = found.get(&(table, column)).copied();
            if is != Some(kind) {
                wrong.push(format!("{table}.{column}: {is:?} instead of {kind}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_constraint_and_index_of_the_document_exists() {
    let database = BareDatabase::migrated().await;
    for function in FUNCTIONS {
        let found: bool = sqlx::query_scalar("SELECT to_regprocedure($1) IS NOT NULL")
            .bind(function)
            .fetch_one(&database.pool)
            .await
            .expect("it is looked up");
        assert!(found, "{function}");
    }
    let constraints: Vec<String> =
        sqlx::query_scalar("SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace")
            .fetch_all(&database.pool)
            .await
            .expect("the constraints are read");
    let constraints: BTreeSet<&str> = constraints.iter().map(String::as_str).collect();
    let missing: Vec<_> = CONSTRAINTS.iter().filter(|name| !constraints.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let indexes: Vec<String> = sqlx::query_scalar("SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public'")
        .fetch_all(&database.pool)
        .await
        .expect("the indexes are read");
    let indexes: BTreeSet<&str> = indexes.iter().map(String::as_str).collect();
    let missing: Vec<_> = INDEXES.iter().filter(|name| !indexes.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_indexes_are_the_same_and_every_table_says_what_it_is() {
    let database = BareDatabase::migrated().await;
    let doubled: Vec<String> = sqlx::query_scalar(
        "SELECT string_agg(i.indexrelid::regclass::text, ', ') FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         WHERE c.relnamespace = 'public'::regnamespace AND i.indpred IS NULL AND i.indexprs IS NULL
         GROUP BY i.indrelid, i.indkey::text HAVING count(*) > 1",
    )
    .fetch_all(&database.pool)
    .await
    .expect("the indexes are read");
    assert!(doubled.is_empty(), "{doubled:?}");
    let silent: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
           AND relname <> '_sqlx_migrations' AND obj_description(oid, 'pg_class') IS NULL
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')",
    )
    .fetch_all(&database.pool)
    .await
    .expect("the comments are read");
    assert!(silent.is_empty(), "without a comment: {silent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_settings_begin_with_the_documents_defaults() {
    let database = BareDatabase::migrated().await;
    let stored: BTreeMap<String, Value> =
        datagenie_common::store::system_settings::all(&database.pool).await.expect("the settings are read");
    let expected: BTreeMap<String, Value> = [
        ("openai_model", json!("gpt-4")),
        ("openai_temperature", json!(0.0)),
        ("max_file_size_mb", json!(50)),
        ("max_query_rows", json!(10000)),
        ("session_timeout_hours", json!(24)),
        ("cache_ttl_seconds", json!(3600)),
        // Keeping times: the document's where it has one.
        ("query_history_retention_days", json!(90)),
        ("result_retention_days", json!(90)),
        ("audit_log_retention_days", json!(180)),
        ("cached_schema_retention_days", json!(30)),
        ("event_retention_days", json!(30)),
        ("job_retention_days", json!(30)),
        ("dead_job_retention_days", json!(90)),
        ("batch_retention_days", json!(90)),
        ("delivery_retention_days", json!(30)),
        ("run_retention_days", json!(90)),
        ("schema_resync_hours", json!(24)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    assert_eq!(stored, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documents_words_are_the_only_ones() {
    let database = BareDatabase::migrated().await;
    let cases = [
        ("INSERT INTO users (username, email, password_hash) VALUES ('ab', 'a@example.com', 'x')", "users_username_check"),
        ("INSERT INTO users (username, email, password_hash) VALUES ('abc', 'no address', 'x')", "users_email_check"),
        ("INSERT INTO users (username, email, password_hash, role) VALUES ('abc', 'a@example.com', 'x', 'root')", "users_role_check"),
        ("INSERT INTO system_settings (key, value) VALUES ('1st', '1')", "settings_key_format"),
        (
            "INSERT INTO database_connections (name, display_name, db_type, connection_config) VALUES ('a', 'A', 'oracle', '{}')",
            "database_connections_db_type_check",
        ),
        (
            "INSERT INTO database_connections (name, display_name, db_type, connection_config) VALUES ('a', 'A', 'sqlite', '[]')",
            "conn_config_check",
        ),
        ("INSERT INTO audit_logs (action, resource_type) VALUES ('', 'user')", "audit_action_check"),
    ];
    for (statement, constraint) in cases {
        let error = sqlx::query(statement).execute(&database.pool).await.expect_err("it is refused");
        let name = error.as_database_error().and_then(|error| error.constraint()).map(str::to_owned);
        // A partition names the constraint of its parent alike.
        assert_eq!(name.as_deref(), Some(constraint), "{statement}: {error}");
    }
}
