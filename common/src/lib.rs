//! What two or more of DataGenie's programs share. Modules stand in rank order: each uses only those above it.

pub mod ids;
pub mod model;
pub mod wording;

pub mod clock;
pub mod crypto;
pub mod jobs;
pub mod objects;

pub mod batches;
pub mod schedules;

pub mod events;
pub mod lifecycle;
pub mod settings;
pub mod telemetry;

pub mod batcher;
pub mod store;

pub mod broker;
pub mod cache;
pub mod charts;
pub mod files;
pub mod ops;

pub mod live_settings;

pub mod boot;

pub mod analyses;
pub mod exports;

pub mod dispatch;
pub mod live;

pub mod settling;
