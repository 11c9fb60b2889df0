//! Users, for admins.

pub mod create;
pub mod get;
pub mod list;
pub mod update;

use secrecy::{ExposeSecret, SecretString};

use crate::{
    access::Caller,
    error::{ApiError, Code, Result},
};

/// The shortest password.
const SHORTEST_PASSWORD: usize = 8;
/// The longest: hashing longer ones would let a caller choose the work.
const LONGEST_PASSWORD: usize = 256;

/// A key that is limited to some connections must not make itself a user who is not.
fn refuse_limited(caller: &Caller) -> Result<()> {
    if caller.is_limited() {
        return Err(ApiError::new(Code::PermissionDenied, "a key that is limited to connections may not change users"));
    }
    Ok(())
}

fn check_password(password: &SecretString) -> Result<()> {
    let length = password.expose_secret().chars().count();
    if (SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
        return Ok(());
    }
    Err(ApiError::field("password", format!("must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")))
}
