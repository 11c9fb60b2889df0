//! The harness of the integration tests: the whole system in one process, its servers, a model that says what it is told, and a shop
//! to ask about.

mod app;
mod builder;
mod client;
mod gate;
mod model_stub;
mod processes;
mod redis;
mod running;
mod servers;
pub mod shop;
mod sources;
mod wait;

pub use self::{
    app::TestApp,
    builder::TestAppBuilder,
    client::{Client, Reply},
    gate::Gate,
    model_stub::{Answer, ModelStub},
    processes::{Process, Processes},
    redis::TestRedis,
    running::Running,
    servers::{Database, Servers, word},
    sources::Reader,
    wait::{DEADLINE, until},
};

/// Makes ring the TLS of this process, as the programs do first of all; may be called again.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
