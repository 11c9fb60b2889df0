//! The night that everything burns down: a backup, the loss of all, and what comes back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use datagenie_tests::{Answer, TestApp};
use serde_json::json;
use sqlx::PgPool;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").join("deploy").join(name)
}

async fn run(name: &str, database: &str, args: &[&str]) -> Output {
    let (script, database) = (script(name), database.to_owned());
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    let running = tokio::task::spawn_blocking(move || {
        Command::new("bash").arg(script).args(args).env("DATAGENIE_DATABASE__URL", database).output().expect("bash runs")
    });
    running.await.expect("it ends")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every table of ours and a digest of its rows.
async fn tables(pool: &PgPool) -> BTreeMap<String, String> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition",
    )
    .fetch_all(pool)
    .await
    .expect("the tables are known");
    let mut found = BTreeMap::new();
    for name in names {
        let sql = format!("SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM {name} t");
        let digest: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.expect("a table is read");
        found.insert(name, digest);
    }
    found
}

/// Every file below a folder and what it holds.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder is read") {
        let path = entry.expect("an entry is read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("a file is read"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_back_from_a_backup() {
    let app = TestApp::builder().no_scheduler().with_setting("query.inline_bytes", "1024").start().await;
    let shop = app.shop_sqlite().await;
    app.stub.say(Answer::Sql("SELECT * FROM orders"));
    let id = app.admin.ask(json!({ "question": "All orders, please", "connection_id": shop })).await;
    assert_eq!(app.admin.wait(id).await["status"], "success");
    app.worker.stop().await;
    let root = app.folder().join("files");
    let (rows, stored) = (tables(&app.pool).await, files(&root));
    assert!(!stored.is_empty(), "the rows lie in a file");

    let backups = app.folder().join("backups");
    let (to, root_arg) = (backups.display().to_string(), root.display().to_string());
    let done = run("backup.sh", &app.database.url, &["--to", &to, "--files", &root_arg]).await;
    assert!(done.status.success(), "{}", said(&done));
    let dump = said(&done).lines().last().expect("it says where").to_owned();
    assert!(dump.starts_with(&to) && dump.ends_with(".dump"), "{dump}");
    let kinds: Vec<String> = files(&backups).keys().filter_map(|path| Some(path.extension()?.to_str()?.to_owned())).collect();
    assert!(["dump", "sql", "tar", "sha256"].iter().all(|kind| kinds.iter().any(|found| found == kind)), "{kinds:?}");

    // Nothing is lost by mistake.
    let refused = run("restore.sh", &app.database.url, &[&dump, "--files", &root_arg]).await;
    assert!(!refused.status.success() && said(&refused).contains("--force"), "{}", said(&refused));
    assert_eq!(tables(&app.pool).await, rows);

    // A database of its own that is empty, and a folder that is.
    let fresh = app.servers.database("restored").await;
    let elsewhere = app.folder().join("restored");
    let restored = run("restore.sh", &fresh.url, &[&dump, "--files", &elsewhere.display().to_string()]).await;
    assert!(restored.status.success(), "{}", said(&restored));
    let pool = sqlx::PgPool::connect(&fresh.url).await.expect("the database answers");
    assert_eq!(tables(&pool).await, rows);
    pool.close().await;
    let moved =
        files(&elsewhere).into_iter().map(|(path, bytes)| (root.join(path.strip_prefix(&elsewhere).expect("below")), bytes)).collect();
    assert_eq!(stored, moved);

    // And over what is left of the old one.
    sqlx::query("TRUNCATE users CASCADE").execute(&app.pool).await.expect("all is lost");
    fs::remove_dir_all(&root).expect("the files too");
    let forced = run("restore.sh", &app.database.url, &[&dump, "--files", &root_arg, "--force"]).await;
    assert!(forced.status.success(), "{}", said(&forced));
    assert_eq!((tables(&app.pool).await, files(&root)), (rows, stored));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_damaged_restores_nothing() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (backups, root) = (app.folder().join("backups"), app.folder().join("files").display().to_string());
    let to = backups.display().to_string();
    let done = run("backup.sh", &app.database.url, &["--to", &to, "--files", &root]).await;
    assert!(done.status.success(), "{}", said(&done));
    let dump = said(&done).lines().last().expect("it says where").to_owned();
    let mut bytes = fs::read(&dump).expect("the dump is read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&dump, bytes).expect("it is damaged");
    let fresh = app.servers.database("restored").await;
    let elsewhere = app.folder().join("restored").display().to_string();
    let refused = run("restore.sh", &fresh.url, &[&dump, "--files", &elsewhere]).await;
    assert!(!refused.status.success() && said(&refused).contains("damaged"), "{}", said(&refused));
    for (name, args) in [("backup.sh", vec!["--bogus"]), ("restore.sh", vec![]), ("restore.sh", vec!["nothing.dump"])] {
        assert!(!run(name, &app.database.url, &args).await.status.success(), "{name} {args:?}");
        assert!(said(&run(name, &app.database.url, &["--help"]).await).contains("DATAGENIE_DATABASE__URL"));
    }
}
