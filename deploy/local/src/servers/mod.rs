//! Private servers on 127.0.0.1, each with a data folder of its own; never somebody's running ones.

pub mod mariadb;
pub mod place;
pub mod postgres;
pub mod rabbitmq;
pub mod redis;
pub mod s3;
pub mod user;
