//! The upkeep's records, for admins.

pub mod list;
