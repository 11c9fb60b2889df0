//! The scheduler: keeps time for the others. Any number may run; one of them leads, and its tasks are safe to run twice.

pub mod leader;
pub mod schedule;
pub mod start;
pub mod tasks;
