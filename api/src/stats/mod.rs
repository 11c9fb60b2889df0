//! The two views of the design document, for admins.

pub mod queries;
pub mod users;
