//! What moves by itself: `updated_at`, and the versions of policies, configurations and schemas.

use datagenie_common::{
    ids::{ConnectionId, UserId},
    store::permissions,
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::bare::BareDatabase;

struct Permitted {
    database: BareDatabase,
    user: Uuid,
    connection: Uuid,
}

impl Permitted {
    async fn new() -> Self {
        let database = BareDatabase::migrated().await;
        let user = sqlx::query_scalar(
            "INSERT INTO users (username, email, password_hash) VALUES ('asker', 'asker@example.com', 'x') RETURNING id",
        )
        .fetch_one(&database.pool)
        .await
        .expect("a user");
        let connection = sqlx::query_scalar(
            "INSERT INTO database_connections (name, display_name, db_type, connection_config) VALUES ('shop', 'Shop', 'postgresql', '{}') RETURNING id",
        )
        .fetch_one(&database.pool)
        .await
        .expect("a connection");
        Self { database, user, connection }
    }

    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    async fn version(&self) -> String {
        let version = permissions::version(self.pool(), UserId(self.user), ConnectionId(self.connection)).await;
        version.expect("it is read").expect("both exist").0
    }

    /// Runs a statement whose `$1` is the user and `$2` the connection.
    async fn run(&self, statement: &'static str) {
        let done = sqlx::query(statement).bind(self.user).bind(self.connection).execute(self.pool()).await;
        let done = done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert!(done.rows_affected() > 0, "{statement} changed nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policys_version_moves_with_every_change_and_never_comes_back() {
    let it = Permitted::new().await;
    let changes = [
        "INSERT INTO connection_permissions (user_id, connection_id) VALUES ($1, $2)",
        "UPDATE connection_permissions SET can_query = false WHERE user_id = $1 AND connection_id = $2",
        "UPDATE connection_permissions SET can_query = true WHERE user_id = $1 AND connection_id = $2",
        "UPDATE connection_permissions SET allowed_tables = '{orders}' WHERE user_id = $1 AND connection_id = $2",
        "UPDATE connection_permissions SET max_rows_per_query = 1 WHERE user_id = $1 AND connection_id = $2",
        "DELETE FROM connection_permissions WHERE user_id = $1 AND connection_id = $2",
        "INSERT INTO connection_permissions (user_id, connection_id) VALUES ($1, $2)",
        "UPDATE users SET role = 'viewer' WHERE id = $1 AND $2::uuid IS NOT NULL",
        "UPDATE users SET role = 'user' WHERE id = $1 AND $2::uuid IS NOT NULL",
        "UPDATE users SET is_active = false WHERE id = $1 AND $2::uuid IS NOT NULL",
        "UPDATE users SET is_active = true WHERE id = $1 AND $2::uuid IS NOT NULL",
        "INSERT INTO column_masks (connection_id, schema_name, table_name, column_name, kind) SELECT $2, 'public', 'customers', 'email', 'email' WHERE $1::uuid IS NOT NULL",
        "UPDATE column_masks SET kind = 'name' WHERE connection_id = $2 AND $1::uuid IS NOT NULL",
        "DELETE FROM column_masks WHERE connection_id = $2 AND $1::uuid IS NOT NULL",
        "UPDATE database_connections SET is_active = false WHERE id = $2 AND $1::uuid IS NOT NULL",
        "UPDATE database_connections SET is_active = true WHERE id = $2 AND $1::uuid IS NOT NULL",
    ];
    let mut seen = vec![it.version().await];
    for change in changes {
        it.run(change).await;
        let version = it.version().await;
        assert!(!seen.contains(&version), "{change} left or brought back {version}");
        seen.push(version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_part_of_a_policy_leaves_its_version() {
    let it = Permitted::new().await;
    it.run("INSERT INTO connection_permissions (user_id, connection_id) VALUES ($1, $2)").await;
    let before = it.version().await;
    it.run("UPDATE users SET last_login_at = dg_now(), full_name = 'Asker' WHERE id = $1 AND $2::uuid IS NOT NULL").await;
    it.run("UPDATE database_connections SET display_name = 'The shop', schema_info = '{}', state = 'ready' WHERE id = $2 AND $1::uuid IS NOT NULL").await;
    // Another user's permission on the same connection.
    it.run(
        "WITH other AS (INSERT INTO users (username, email, password_hash) VALUES ('other', 'other@example.com', 'x') RETURNING id)
         INSERT INTO connection_permissions (user_id, connection_id) SELECT other.id, $2 FROM other WHERE $1::uuid IS NOT NULL",
    )
    .await;
    assert_eq!(it.version().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_connections_leave_with_their_permissions() {
    let it = Permitted::new().await;
    it.run("INSERT INTO connection_permissions (user_id, connection_id) VALUES ($1, $2)").await;
    it.run("DELETE FROM database_connections WHERE id = $2 AND $1::uuid IS NOT NULL").await;
    it.run("DELETE FROM users WHERE id = $1 AND $2::uuid IS NOT NULL").await;
    let left: i64 = sqlx::query_scalar("SELECT (SELECT count(*) FROM connection_permissions) + (SELECT count(*) FROM permission_versions)")
        .fetch_one(it.pool())
        .await
        .expect("they are counted");
    assert_eq!(left, 0);
    let version = permissions::version(it.pool(), UserId(it.user), ConnectionId(it.connection)).await.expect("it is read");
    assert_eq!(version, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connections_versions_move_with_what_they_are_versions_of() {
    let it = Permitted::new().await;
    let versions = || async {
        let row: (i64, i64) = sqlx::query_as("SELECT config_version, schema_version FROM database_connections WHERE id = $1")
            .bind(it.connection)
            .fetch_one(it.pool())
            .await
            .expect("they are read");
        row
    };
    assert_eq!(versions().await, (1, 0));
    it.run(r#"UPDATE database_connections SET connection_config = '{"v": 1}' WHERE id = $2 AND $1::uuid IS NOT NULL"#).await;
    assert_eq!(versions().await, (2, 0));
    it.run(r#"UPDATE database_connections SET schema_info = '{"tables": []}' WHERE id = $2 AND $1::uuid IS NOT NULL"#).await;
    assert_eq!(versions().await, (2, 1));
    it.run(r#"UPDATE database_connections SET schema_info = '{"tables": []}', connection_config = '{"v": 1}' WHERE id = $2 AND $1::uuid IS NOT NULL"#).await;
    assert_eq!(versions().await, (2, 1), "the same is no change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updated_at_is_updated() {
    let it = Permitted::new().await;
    let cases = [
        (
            "SELECT updated_at > created_at FROM users",
            "UPDATE users SET full_name = 'A' WHERE $1::uuid IS NOT NULL AND $2::uuid IS NOT NULL",
        ),
        (
            "SELECT updated_at > created_at FROM database_connections",
            "UPDATE database_connections SET description = 'A' WHERE $1::uuid IS NOT NULL AND $2::uuid IS NOT NULL",
        ),
    ];
    for (moved, change) in cases {
        let before: bool = sqlx::query_scalar(moved).fetch_one(it.pool()).await.expect("it is read");
        it.run(change).await;
        let after: bool = sqlx::query_scalar(moved).fetch_one(it.pool()).await.expect("it is read");
        assert_eq!((before, after), (false, true), "{change}");
    }
    let moved: bool = sqlx::query_scalar(
        "WITH changed AS (UPDATE system_settings SET value = '60' WHERE key = 'cache_ttl_seconds' RETURNING updated_at)
         SELECT changed.updated_at > old.updated_at FROM changed, system_settings old WHERE old.key = 'cache_ttl_seconds'",
    )
    .fetch_one(it.pool())
    .await
    .expect("a setting is changed");
    assert!(moved);
}
