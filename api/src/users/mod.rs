//! Users, for admins.

pub mod create;
pub mod get;
pub mod limits;
pub mod list;
pub mod sessions;
pub mod update;

use crate::{
    access::Caller,
    error::{ApiError, Code, Result},
};

/// A key that is limited to some connections must not make itself a user who is not.
fn refuse_limited(caller: &Caller) -> Result<()> {
    if caller.is_limited() {
        return Err(ApiError::new(Code::PermissionDenied, "a key that is limited to connections may not change users"));
    }
    Ok(())
}
