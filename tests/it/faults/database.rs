//! The system database stopped at once in the middle of everything, and started again.

use std::time::Duration;

use datagenie_common::{
    crypto::passwords,
    store::{self, migrations, users},
};
use datagenie_local::{Postgres, PostgresOptions, with_servers::TempFolder};
use datagenie_tests::{Addresses, Answer, Asker, Client, Conservation, EventReader, Plan, until};
use rustix::process::Signal;
use secrecy::SecretString;

use super::rig::{On, Rig, SETTLED};

on_both_brokers!(a_database_that_is_stopped_at_once_loses_nothing_that_was_accepted);

/// As `pg_ctl stop -m immediate` and a start: every session is cut, and the log is replayed.
async fn restart(server: &mut Postgres) {
    server.signal(Signal::QUIT);
    while !server.has_ended() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    *server = Box::pin(Postgres::start(server.options())).await.expect("PostgreSQL starts again");
}

async fn a_database_that_is_stopped_at_once_loses_nothing_that_was_accepted(on: On) {
    let rig = Rig::start(on).await;
    // A server of its own, whose commits wait for the disk: the one that all tests share does not keep what it says it keeps.
    let folder = TempFolder::new("durable").expect("a temporary folder");
    let options = PostgresOptions { durable: true, ..PostgresOptions::for_tests(folder.path().join("postgres")) };
    let mut server = Box::pin(Postgres::start(options)).await.expect("a private PostgreSQL starts");
    server.create_database("datagenie").await.expect("a database");
    let url = server.url("datagenie");
    migrations::up(&url).await.expect("the migrations run");
    let pool = store::connect(&url, 4, "datagenie-tests").expect("the database has a URL");
    let hash = passwords::hash(&SecretString::from(rig.app.password())).expect("a password is hashed");
    let mut connection = pool.acquire().await.expect("the database answers");
    users::put_admin(&mut connection, "admin", "admin@example.com", &hash, false).await.expect("the administrator is made");
    drop(connection);

    rig.app.stub.say(Answer::Slow(Duration::from_millis(100), Box::new(Answer::Text("an answer"))));
    let processes = rig.processes.clone().with_setting("database.url", &url);
    let (_api, api) = processes.api().await;
    let _programs = [processes.worker(), processes.worker(), processes.scheduler(), processes.scheduler()];
    let client = Client::anonymous(&api).login("admin", rig.app.password()).await;
    let addresses = Addresses::new([api]);
    let reader = EventReader::start(&client, &addresses);
    let asker = Asker::start(Plan { client, connection: None, ..rig.plan(&addresses) });
    for round in 1..=2 {
        until(|| async { (asker.accepted() >= 20 * round).then_some(()) }, "questions flow").await;
        restart(&mut server).await;
    }
    let flowed = asker.accepted();
    until(|| async { (asker.accepted() >= flowed + 20).then_some(()) }, "questions flow again").await;
    let asked = asker.stop().await;
    let account = Box::pin(Conservation::of(&pool, asked, reader, SETTLED)).await.expect("the tables are read");
    account.assert_all_answered();
    pool.close().await;
    server.stop().await;
}
