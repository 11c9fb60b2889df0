//! Workers, for admins.

pub mod list;
