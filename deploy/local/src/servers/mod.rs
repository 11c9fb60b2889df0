//! Private servers on 127.0.0.1, each with a data folder of its own; never somebody's running ones.

pub mod postgres;
pub mod redis;
pub mod user;
