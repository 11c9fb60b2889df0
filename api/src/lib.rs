//! The HTTP api: takes work in, shows what came of it. It knows PostgreSQL, the broker and Redis, and never a customer's database
//! or a model.

pub mod access;
pub mod admission;
pub mod api_keys;
pub mod app;
pub mod auth;
pub mod bells;
pub mod connections;
pub mod dead_jobs;
pub mod error;
pub mod extract;
pub mod files;
pub mod frame;
pub mod idempotency;
pub mod intake;
pub mod jobs;
pub mod live;
pub mod openapi;
pub mod operation;
pub mod questions;
pub mod queues;
pub mod router;
pub mod schedules;
pub mod slow_clients;
pub mod start;
pub mod stats;
pub mod upkeep;
pub mod users;
pub mod webhooks;
pub mod workers;
