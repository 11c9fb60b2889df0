//! What the leader does. Every task is safe to run twice, at the same time too.

pub mod fire_schedules;
pub mod forget_workers;
pub mod look_again;
pub mod measure;
pub mod sweep;
pub mod upkeep;
