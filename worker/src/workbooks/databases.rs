//! The SQLite files of workbooks that this process has asked lately: fetched from storage once, shared by all who ask, the ones that were
//! not asked for longest given up first.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use datagenie_common::files::{Files, FilesError, ObjectPath};
use tokio::sync::OnceCell;

use super::copy::{CopyError, download};

/// Bytes of all files together, but for those that are being asked.
const MOST_BYTES: u64 = 2 * 1024 * 1_048_576;
/// Files.
const MOST_FILES: usize = 256;

/// A workbook's SQLite file on this machine, there as long as somebody holds it.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    fetched: OnceCell<()>,
}

impl Database {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // One that was never fetched is not there.
        let _ = fs::remove_file(&self.path);
    }
}

struct Held {
    database: Arc<Database>,
    bytes: u64,
    /// Larger: asked later.
    asked: u64,
}

/// The files, by their path in storage.
pub struct Databases {
    folder: PathBuf,
    held: Mutex<HashMap<String, Held>>,
    turn: AtomicU64,
    most_bytes: u64,
    most_files: usize,
}

impl Databases {
    /// Files in this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self::bounded(folder, MOST_BYTES, MOST_FILES)
    }

    fn bounded(folder: PathBuf, most_bytes: u64, most_files: usize) -> Self {
        Self { folder, held: Mutex::default(), turn: AtomicU64::new(0), most_bytes, most_files }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of this path in storage, of so many bytes. Who asks at the same time waits for one fetch.
    ///
    /// # Errors
    /// [`CopyError`].
    pub async fn get(&self, files: &Files, path: ObjectPath, bytes: u64) -> Result<Arc<Database>, CopyError> {
        let name = path.to_string();
        let database = self.entry(&name, bytes);
        // Where the one who fetches gives up, the next one begins anew.
        let fetched = database.fetched.get_or_try_init(|| async { download(files, path, bytes, &database.path).await }).await;
        match fetched {
            Ok(()) => Ok(database),
            Err(error) => {
                if matches!(error, CopyError::Storage(FilesError::NotFound(_))) {
                    self.lock().remove(&name);
                }
                Err(error)
            }
        }
    }

    fn entry(&self, name: &str, bytes: u64) -> Arc<Database> {
        let asked = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut held = self.lock();
        if let Some(known) = held.get_mut(name) {
            known.asked = asked;
            return known.database.clone();
        }
        make_room(&mut held, self.most_bytes.saturating_sub(bytes), self.most_files.saturating_sub(1));
        // Never the name of one that was given up and is still being asked.
        let path = self.folder.join(format!("tables-{}.sqlite", uuid::Uuid::new_v4().simple()));
        let database = Arc::new(Database { path, fetched: OnceCell::new() });
        held.insert(name.to_owned(), Held { database: database.clone(), bytes, asked });
        database
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives files up, the longest not asked first, until so much is left at most.
fn make_room(held: &mut HashMap<String, Held>, most_bytes: u64, most_files: usize) {
    let mut bytes: u64 = held.values().map(|held| held.bytes).sum();
    while held.len() > most_files || bytes > most_bytes {
        let Some(oldest) = held.iter().min_by_key(|(_, held)| held.asked).map(|(name, _)| name.clone()) else { return };
        bytes -= held.remove(&oldest).map_or(0, |gone| gone.bytes);
    }
}

#[cfg(test)]
mod tests {
    use datagenie_common::ids::{LeaseId, WorkbookId};
    use uuid::Uuid;

    use super::*;

    struct Place {
        root: PathBuf,
        files: Files,
    }

    impl Place {
        fn new() -> Self {
            let root = std::env::temp_dir().join(format!("datagenie-databases-{}", Uuid::new_v4().simple()));
            fs::create_dir_all(root.join("local")).expect("the temporary folder can be written");
            let files = Files::in_folder(&root.join("storage")).expect("the storage opens");
            Self { root, files }
        }

        async fn stored(&self, content: &str) -> ObjectPath {
            let path = ObjectPath::Tables { workbook: WorkbookId::new(), lease: LeaseId::new() };
            self.files.put_bytes(path, content.as_bytes().to_vec()).await.expect("it is stored");
            path
        }

        fn local(&self) -> usize {
            fs::read_dir(self.root.join("local")).expect("the folder is there").count()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.root);
        }
    }

    #[tokio::test]
    async fn a_file_is_fetched_once_and_shared() {
        let place = Place::new();
        let databases = Databases::new(place.root.join("local"));
        let path = place.stored("tables").await;
        let (first, second) = tokio::join!(databases.get(&place.files, path, 6), databases.get(&place.files, path, 6));
        let (first, second) = (first.expect("it is there"), second.expect("it is there"));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(fs::read_to_string(first.path()).expect("it is a file"), "tables");
        place.files.delete(path).await.expect("it is deleted");
        databases.get(&place.files, path, 6).await.expect("nobody asks the storage again");
    }

    #[tokio::test]
    async fn the_longest_not_asked_go_first_and_not_before_they_are_left() {
        let place = Place::new();
        let databases = Databases::bounded(place.root.join("local"), 10, 2);
        let (a, b, c) = (place.stored("aaaa").await, place.stored("bbbb").await, place.stored("cccc").await);
        let asked = databases.get(&place.files, a, 4).await.expect("it is there");
        databases.get(&place.files, b, 4).await.expect("it is there");
        databases.get(&place.files, a, 4).await.expect("it is there");
        databases.get(&place.files, c, 4).await.expect("it is there");
        assert_eq!(place.local(), 2, "b is gone");
        databases.get(&place.files, b, 4).await.expect("it is fetched again");
        assert_eq!(fs::read_to_string(asked.path()).expect("somebody asks it still"), "aaaa");
        drop(asked);
        assert_eq!(place.local(), 2, "a is gone with whoever asked it");
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_told_each_time() {
        let place = Place::new();
        let databases = Databases::new(place.root.join("local"));
        let path = ObjectPath::Tables { workbook: WorkbookId::new(), lease: LeaseId::new() };
        for _ in 0..2 {
            let failed = databases.get(&place.files, path, 1).await;
            assert!(matches!(failed, Err(CopyError::Storage(FilesError::NotFound(_)))));
        }
        assert_eq!(place.local(), 0);
    }
}
