//! Users, for admins.

pub mod create;
pub mod get;
pub mod list;
pub mod update;

use secrecy::{ExposeSecret, SecretString};

use crate::error::{ApiError, Result};

/// The shortest password.
const SHORTEST_PASSWORD: usize = 8;
/// The longest: hashing longer ones would let a caller choose the work.
const LONGEST_PASSWORD: usize = 256;

fn check_password(password: &SecretString) -> Result<()> {
    let length = password.expose_secret().chars().count();
    if (SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
        return Ok(());
    }
    Err(ApiError::field("password", format!("must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")))
}
