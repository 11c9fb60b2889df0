//! The harness of the integration tests: the whole system in one process, its servers, a model that says what it is told, and a shop
//! to ask about.

mod app;
mod bells;
mod bucket;
mod builder;
mod client;
mod conservation;
mod gate;
mod model_stub;
mod mysql;
mod processes;
mod proxy;
mod redis;
mod running;
mod servers;
pub mod shop;
mod sink;
mod sources;
mod wait;

pub use self::{
    app::TestApp,
    bells::{Bells, Copied},
    bucket::TestBucket,
    builder::TestAppBuilder,
    client::{Client, Reply},
    conservation::{Addresses, Asked, Asker, Conservation, EventReader, Heard, Plan, Recovery, Standing, Victims},
    gate::Gate,
    model_stub::{Answer, ModelStub},
    mysql::{MysqlReader, mysql_ca, mysql_url},
    processes::{Process, Processes, bin_dir},
    proxy::Proxy,
    redis::TestRedis,
    running::Running,
    servers::{Database, Servers, amqp_url, own_rabbitmq, word},
    sink::{Received, Sink, Takes},
    sources::Reader,
    wait::{DEADLINE, until},
};

/// Makes ring the TLS of this process, as the programs do first of all; may be called again.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
