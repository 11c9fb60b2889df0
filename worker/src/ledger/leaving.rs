//! Jobs whose ends are being written: their places in the windows are as good as free.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use datagenie_common::ids::JobId;

/// Those of this process, one a slot (two where a slot is just left). Clones share them. What other processes are writing takes its place
/// until it is written.
#[derive(Clone, Default)]
pub struct Leaving(Arc<Mutex<HashSet<JobId>>>);

impl Leaving {
    /// The job is one of them until this is dropped.
    #[must_use]
    pub fn note(&self, job: JobId) -> Leaves<'_> {
        self.lock().insert(job);
        Leaves { leaving: self, job }
    }

    /// All of them.
    pub fn all(&self) -> Vec<JobId> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<JobId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them.
pub struct Leaves<'a> {
    leaving: &'a Leaving,
    job: JobId,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.leaving.lock().remove(&self.job);
    }
}
