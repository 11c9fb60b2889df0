//! The command lines and the configuration of a private RabbitMQ.

use super::folder::{Folder, STORED};
use super::installation::Installation;
use crate::spawn::Launch;

/// The TCP ports of one start, all on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    /// For clients.
    pub(super) amqp: u16,
    /// The directory of nodes: one of its own, so that a leftover of another node is never asked.
    pub(super) epmd: u16,
    /// For other nodes, of which there are none; Erlang listens all the same.
    pub(super) distribution: u16,
}

/// `rabbitmq.conf`: this machine only, little memory, and no stop of publishers because a disk is small.
pub(super) fn configuration(port: u16, user: &str, password: &str) -> String {
    format!(
        "listeners.tcp.local = 127.0.0.1:{port}\n\
         default_user = {user}\n\
         default_pass = {password}\n\
         default_vhost = /\n\
         vm_memory_high_watermark.absolute = 512MiB\n\
         disk_free_limit.absolute = 16MiB\n\
         raft.wal_max_size_bytes = 33554432\n\
         log.console.level = info\n"
    )
}

/// What starts the directory of nodes, in the foreground.
pub(super) fn epmd(installation: &Installation, folder: &Folder, ports: Ports) -> Launch {
    let port = ports.epmd.to_string();
    let mut launch = Launch::new("epmd", &installation.epmd, &["-port", &port, "-address", "127.0.0.1"]);
    in_folder(&mut launch, folder, Vec::new());
    launch
}

/// What starts the node. Nothing of the system's own RabbitMQ is read or written, and no plugin is loaded.
pub(super) fn node(installation: &Installation, folder: &Folder, ports: Ports) -> Launch {
    let mut launch = Launch::new("RabbitMQ", &installation.server, &[]);
    let at = |name: &str| format!("{}/{name}", folder.text());
    let settings = [
        ("RABBITMQ_NODENAME", folder.node_name().to_owned()),
        ("RABBITMQ_DIST_PORT", ports.distribution.to_string()),
        ("ERL_EPMD_PORT", ports.epmd.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        // A file that is not there: the system's one is left alone.
        ("RABBITMQ_CONF_ENV_FILE", at("rabbitmq-env.conf")),
        ("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf")),
        ("RABBITMQ_CONFIG_FILES", at("conf.d")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", at("advanced.config")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins")),
        ("RABBITMQ_PLUGINS_EXPAND_DIR", at("plugins")),
        ("RABBITMQ_GENERATED_CONFIG_DIR", at("generated")),
        ("RABBITMQ_SCHEMA_DIR", at("schema")),
        ("RABBITMQ_MNESIA_BASE", at(STORED)),
        ("RABBITMQ_PID_FILE", at("pid")),
        ("RABBITMQ_LOG_BASE", folder.text().to_owned()),
        // To standard output, and so to the one log file.
        ("RABBITMQ_LOGS", "-".to_owned()),
        // The script then becomes the node instead of waiting for it: the process that is signalled is the node itself.
        ("RABBITMQ_ALLOW_INPUT", "1".to_owned()),
        ("RABBITMQ_SERVER_START_ARGS", "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
        // Beside the programs and PostgreSQL it may have two cores, not bound to any, and none that it only waits on: Erlang's threads spin
        // for a while before they sleep.
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 +stbt u +sbwt none +sbwtdcpu none +sbwtdio none".to_owned()),
        // A dump would hold the password.
        ("ERL_CRASH_DUMP_SECONDS", "0".to_owned()),
    ];
    in_folder(&mut launch, folder, settings.map(|(key, value)| (key.to_owned(), value)).to_vec());
    launch
}

/// Both run as the same user in the data folder, with none of our environment, and end at once with this process: the
/// queues are safe without an orderly end, and a node that lingers would keep the next one off its data.
fn in_folder(launch: &mut Launch, folder: &Folder, mut env: Vec<(String, String)>) {
    const USUAL: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    let path = std::env::var("PATH").ok().filter(|path| !path.is_empty());
    env.push(("PATH".to_owned(), path.map_or_else(|| USUAL.to_owned(), |path| format!("{path}:{USUAL}"))));
    // The cookie lies in the home folder.
    env.push(("HOME".to_owned(), folder.text().to_owned()));
    env.push(("LANG".to_owned(), "C.UTF-8".to_owned()));
    launch.env = Some(env);
    launch.cwd = Some(folder.text().into());
    launch.user = folder.user().cloned();
    launch.death_signal = "KILL";
}
