//! DataGenie on one machine: private servers, our own programs, the sample shop and the demo.
//!
//! The demo, the tests and the benchmarks start what they need through this crate. It talks to DataGenie only by its
//! programs' command lines, its environment and its HTTP contract, and depends on none of the other crates.

pub mod child;
pub mod data_folder;
pub mod databases;
pub mod demo;
pub mod error;
pub mod net;
pub mod notes;
mod private_file;
pub mod process;
pub mod run_file;
pub mod sample;
pub mod secrets;
pub mod servers;
pub mod signals;
pub mod spawn;
pub mod system;
pub mod with_servers;

pub use error::LocalError;
pub use servers::mariadb::{Mariadb, MariadbOptions};
pub use servers::postgres::{Postgres, PostgresOptions};
pub use servers::rabbitmq::{Rabbitmq, RabbitmqOptions};
pub use servers::redis::{Redis, RedisOptions};
pub use servers::s3::S3;
pub use system::System;
pub use system::options::{BrokerKind, ConfiguredServers, SystemOptions};
