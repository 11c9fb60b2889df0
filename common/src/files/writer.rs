//! An object that is written piece by piece.

use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};

use super::{FilesError, ObjectPath};
use crate::lifecycle;

/// Parts on their way at once, beside the one that is being filled.
const PARTS_IN_FLIGHT: usize = 2;

/// An object that is being written. It appears when [`finish`](Self::finish) returns; dropped before, it never does.
#[derive(Debug)]
pub struct FileWriter {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    part_bytes: usize,
    state: State,
    bytes: u64,
}

#[derive(Debug)]
enum State {
    /// Less than a part: may be all there is.
    Gathering(Vec<u8>),
    Sending(Box<WriteMultipart>),
    Ended,
}

impl FileWriter {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: ObjectPath, part_bytes: usize) -> Self {
        Self { store, path, part_bytes, state: State::Gathering(Vec::new()), bytes: 0 }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`FilesError::Storage`]; the object is lost then.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<(), FilesError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let State::Gathering(gathered) = &mut self.state {
            gathered.extend_from_slice(&bytes);
            if gathered.len() >= self.part_bytes {
                let gathered = std::mem::take(gathered);
                let upload = self.store.put_multipart(&self.path.stored()).await.map_err(FilesError::Storage)?;
                let mut sending = WriteMultipart::new_with_chunk_size(upload, self.part_bytes);
                sending.put(gathered.into());
                self.state = State::Sending(Box::new(sending));
            }
        } else if let State::Sending(sending) = &mut self.state {
            sending.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(FilesError::Storage)?;
            sending.put(bytes.into());
        }
        self.bytes = self.bytes.saturating_add(length);
        Ok(())
    }

    /// Bytes appended so far: the offset of what comes next.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.bytes
    }

    /// Completes the object and says how many bytes it has.
    ///
    /// # Errors
    /// [`FilesError::Storage`]; what was sent is removed then.
    pub async fn finish(mut self) -> Result<u64, FilesError> {
        let finished = match std::mem::replace(&mut self.state, State::Ended) {
            State::Gathering(gathered) => self.store.put(&self.path.stored(), gathered.into()).await,
            State::Sending(sending) => sending.finish().await,
            State::Ended => return Ok(self.bytes),
        };
        finished.map_err(FilesError::Storage)?;
        Ok(self.bytes)
    }

    /// Gives the object up and removes what was written.
    ///
    /// # Errors
    /// [`FilesError::Storage`].
    pub async fn abort(mut self) -> Result<(), FilesError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Sending(sending) => sending.abort().await.map_err(FilesError::Storage),
            State::Gathering(_) | State::Ended => Ok(()),
        }
    }
}

impl Drop for FileWriter {
    // Whoever goes away in the middle leaves parts behind, which a bucket would keep, and be paid for, for ever.
    fn drop(&mut self) {
        let State::Sending(sending) = std::mem::replace(&mut self.state, State::Ended) else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let path = self.path;
        lifecycle::spawn("files.abort", async move {
            if let Err(error) = sending.abort().await {
                tracing::warn!(%path, error = &error as &dyn std::error::Error, "parts of an object that was given up are left behind");
            }
        });
    }
}
