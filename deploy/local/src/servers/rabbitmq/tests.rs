//! One node from its start to its end; starting one takes seconds, so everything is looked at in one life.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::with_servers::TempFolder;

#[test]
fn the_configuration_listens_on_this_machine_only() {
    let text = launch::configuration(7001, "u", "p");
    let listeners: Vec<&str> = text.lines().filter(|line| line.starts_with("listeners")).collect();
    assert_eq!(listeners, ["listeners.tcp.local = 127.0.0.1:7001"]);
    assert!(text.contains("default_user = u\n") && text.contains("default_pass = p\n"));
}

#[tokio::test]
async fn a_rabbitmq_node_of_its_own_starts_and_leaves_nothing_behind() {
    let folder = TempFolder::new("rabbit").expect("a folder");
    let mut server = Box::pin(Rabbitmq::start(RabbitmqOptions::for_tests(folder.path().join("rabbitmq")))).await.expect("RabbitMQ starts");
    probe::greet(server.port()).await.expect("it answers");
    assert!(server.url().starts_with("amqp://datagenie:") && server.url().ends_with(&format!("@127.0.0.1:{}/%2f", server.port())));
    assert!(!server.has_ended());

    let data = PathBuf::from(server.folder.text());
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("rabbitmq.conf"))), (0o700, 0o600));
    assert!(data.join("mnesia").join(server.node_name()).is_dir(), "the data lie below the fixed name");
    assert_eq!(live_server(&data).expect("readable"), Some(server.pid()), "the process that we signal is the node");

    let (port, epmd) = (server.port(), server.epmd.pid());
    server.epmd.kill();
    server.epmd.exited_within(Duration::from_secs(5)).await.expect("it ends");
    assert!(server.has_ended(), "its epmd is missed");
    server.stop().await;
    assert!(probe::greet(port).await.is_err(), "nobody listens any more");
    assert_eq!(live_server(&data).expect("readable"), None);
    let line = fs::read(format!("/proc/{epmd}/cmdline")).unwrap_or_default();
    assert!(line.is_empty(), "its epmd has ended too");
}
