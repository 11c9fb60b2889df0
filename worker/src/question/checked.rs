//! Statements that passed the guard lately: the same one, of the same user, on the same catalogue under the same policy, passes again.
//! The guard is pure, so its answer to the same input is the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use datagenie_common::model::{
    jobs::JobError,
    questions::{Failure, Stage},
};
use sha2::{Digest, Sha256};

use super::target::Target;
use crate::guard::{self, GuardInput, Guarded};

/// Statements remembered by a process.
const KEPT: usize = 2_048;
/// Longer ones are not remembered: with this the memory holds some tens of MiB at the very most.
const LONGEST: usize = 8 * 1024;

/// What the guard let pass. Bounded.
#[derive(Default)]
pub struct Checked {
    known: Mutex<HashMap<[u8; 32], Arc<Guarded>>>,
}

impl Checked {
    /// The statement as the guard lets it run.
    ///
    /// # Errors
    /// The guard's refusal.
    pub fn guard(&self, target: &Target, sql: &str) -> Result<Guarded, JobError> {
        let key = key(target, sql);
        if let Some(guarded) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(guarded.as_ref().clone());
        }
        let input = GuardInput { sql, schema: &target.schema, policy: &target.policy, extra_functions: &target.connection.extra_functions };
        let guarded = guard::check(&input).map_err(|refusal| JobError::Fail(Failure::from(refusal).at(Stage::Checking)))?;
        if sql.len() <= LONGEST {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KEPT {
                known.clear();
            }
            known.insert(key, Arc::new(guarded.clone()));
        }
        Ok(guarded)
    }
}

/// Everything that the guard's answer depends on. The row's version stands for the functions that an administrator added.
fn key(target: &Target, sql: &str) -> [u8; 32] {
    let connection = &target.connection;
    let parts: [&[u8]; 6] = [
        target.id.0.as_bytes(),
        target.policy.user_id.0.as_bytes(),
        target.policy.version.0.as_bytes(),
        &connection.schema_version.to_be_bytes(),
        connection.row_version.as_bytes(),
        sql.as_bytes(),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
