//! The schema: up, down and up again on an empty PostgreSQL, what the design document asks for, and what triggers and functions do.

mod catalogue;
mod document;
mod masking;
mod upkeep;
mod versions;

use datagenie_common::store::migrations::{self, MigrationError};

use self::catalogue::dump;
use crate::bare::BareDatabase;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_down_and_up_again_give_the_same_schema() {
    let database = BareDatabase::empty().await;
    let nothing = dump(&database.pool).await;
    assert!(nothing.is_empty(), "the database is empty: {nothing:?}");
    migrations::up(&database.url).await.expect("up");
    let whole = dump(&database.pool).await;
    assert!(whole.len() > 300, "{} lines", whole.len());
    migrations::down(&database.url, 0).await.expect("down to nothing");
    assert_eq!(dump(&database.pool).await, nothing, "nothing of ours is left");
    migrations::up(&database.url).await.expect("up again");
    assert_eq!(dump(&database.pool).await, whole);
    migrations::up(&database.url).await.expect("up once more changes nothing");
    assert_eq!(dump(&database.pool).await, whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_migration_can_be_taken_back_and_made_again() {
    let database = BareDatabase::migrated().await;
    let whole = dump(&database.pool).await;
    for target in (0..migrations::newest()).rev() {
        migrations::down(&database.url, target).await.unwrap_or_else(|error| panic!("down to {target}: {error:?}"));
        let less = dump(&database.pool).await;
        assert_ne!(less, whole, "down to {target} changed nothing");
        let refused = migrations::check(&database.pool).await;
        assert!(matches!(refused, Err(MigrationError::Older { found, .. }) if found == target), "{refused:?}");
        migrations::up(&database.url).await.unwrap_or_else(|error| panic!("up from {target}: {error:?}"));
        assert_eq!(dump(&database.pool).await, whole, "up from {target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_may_migrate_at_once() {
    let database = BareDatabase::empty().await;
    let both = futures::future::join(migrations::up(&database.url), migrations::up(&database.url)).await;
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    migrations::check(&database.pool).await.expect("the schema is this program's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_newer_program_is_refused_and_left_alone() {
    let database = BareDatabase::migrated().await;
    let before = dump(&database.pool).await;
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'from the future', true, '\\x00', 0)")
        .execute(&database.pool)
        .await
        .expect("a newer migration");
    for refused in [migrations::check(&database.pool).await, migrations::up(&database.url).await] {
        let error = refused.expect_err("it is newer");
        assert!(matches!(error, MigrationError::Newer { found: 9999, known } if known == migrations::newest()), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("9999") && text.contains("newer than this program"), "{text}");
    }
    assert_eq!(dump(&database.pool).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_an_older_program_and_an_empty_one_are_refused_with_what_to_do() {
    let database = BareDatabase::migrated().await;
    migrations::down(&database.url, 3).await.expect("an older schema");
    let older = migrations::check(&database.pool).await.expect_err("it is older");
    assert!(matches!(older, MigrationError::Older { found: 3, .. }), "{older:?}");
    assert!(older.to_string().contains("run `datagenie-api migrate`"), "{older}");
    let empty = BareDatabase::empty().await;
    let error = migrations::check(&empty.pool).await.expect_err("it is empty");
    assert!(matches!(error, MigrationError::Older { found: 0, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_without_its_password() {
    let error = migrations::up("postgres://someone:a-secret-word@127.0.0.1:1/nothing").await.expect_err("nobody listens there");
    assert!(matches!(&error, MigrationError::Store(store) if store.is_outage()), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("a-secret-word"));
}
