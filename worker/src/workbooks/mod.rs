//! Uploaded workbooks: read once each by a process of its own, kept in storage as an analysis and a SQLite file, asked like a database.

pub mod child;
mod confine;
mod copy;
mod databases;
mod messages;
mod reader;
mod scratch;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use datagenie_common::{
    files::{FilesError, ObjectPath, ObjectPrefix},
    ids::{FileId, WorkbookId},
    model::{
        jobs::JobError,
        language::Language,
        questions::{Failure, FailureCode, Stage},
    },
    settings::FileStore,
    store::files::{self, Published, Reading, Workbook},
};
use datagenie_sheets::{limits::Options, run::Request};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedMutexGuard, Semaphore};

pub use self::{
    confine::can_shut_in,
    copy::CopyError,
    databases::{Database, Databases},
};
use self::{
    copy::{download, upload},
    messages::Order,
    reader::{Reader, ReaderError},
    scratch::Scratch,
};
use crate::{question::failures, run::Context};

/// Times that a reading is begun anew because somebody else's was published meanwhile.
const ROUNDS: usize = 3;
/// Between two looks at what another process reads.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Analyses in memory at once: each may have some tens of MiB.
const ANALYSES: usize = 2;

/// What a worker process has for workbooks.
pub struct Workbooks {
    reader: Reader,
    /// SQLite files that were asked lately.
    pub databases: Databases,
    /// Who reads a workbook in this process; others of the same one wait for what he brings.
    turns: Mutex<HashMap<WorkbookId, Weak<tokio::sync::Mutex<()>>>>,
    analyses: Semaphore,
    // After the databases, whose files lie in it.
    scratch: Scratch,
}

impl Workbooks {
    /// Of this process, which reads workbooks with its own program or another one of the same kind.
    ///
    /// # Errors
    /// If there is no folder for temporary files.
    pub fn new(settings: &FileStore, program: Option<PathBuf>) -> io::Result<Self> {
        if !can_shut_in() {
            tracing::warn!("this kernel has no Landlock: a workbook that takes its reader over could open files of this user");
        }
        let scratch = Scratch::open()?;
        let cache = scratch.path().join("databases");
        std::fs::create_dir(&cache)?;
        // The program as it was when this process started, whatever lies in its place by now.
        let program = program.unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
        Ok(Self {
            reader: Reader::new(program, settings.reader_memory_mb, settings.reader_seconds, settings.readers),
            databases: Databases::new(cache),
            turns: Mutex::default(),
            analyses: Semaphore::new(ANALYSES),
            scratch,
        })
    }

    async fn turn(&self, workbook: WorkbookId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(&workbook).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::default();
                turns.insert(workbook, Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}

/// A workbook that has been read.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Which.
    pub workbook: Workbook,
    /// What was made of it.
    pub reading: Reading,
    /// Whether it had been read before.
    pub reused: bool,
}

/// The workbook of a file of the job's owner: as it was read before, else read now. `language`: its sentences must be in this one.
///
/// # Errors
/// `file_not_found`, what is wrong with the workbook, and what may work later.
pub async fn prepare(context: &Context, file: FileId, language: Option<Language>) -> Result<Ready, JobError> {
    for _ in 0..ROUNDS {
        let (known, _turn) = match to_be_read(context, file, language).await? {
            Look::Read(ready) => return Ok(*ready),
            Look::Ours(known, turn) => (known, turn),
        };
        let reading = read(context, &known, language).await?;
        if publish(context, &known, &reading).await? {
            return Ok(Ready { workbook: *known, reading, reused: false });
        }
    }
    let failure = Failure::new(FailureCode::Internal, "the workbook is being read by others all the time").retryable();
    Err(JobError::Retry { failure, after: Duration::from_secs(1) })
}

/// What a look at a workbook finds.
enum Look {
    Read(Box<Ready>),
    /// It is for this attempt to read it.
    Ours(Box<Workbook>, OwnedMutexGuard<()>),
}

/// Waits until the workbook is read, or nobody else reads it. In this process one waits for all.
async fn to_be_read(context: &Context, file: FileId, language: Option<Language>) -> Result<Look, JobError> {
    let ready = |workbook: Workbook| match fitting(&workbook, language) {
        Some(reading) => Ok(Look::Read(Box::new(Ready { workbook, reading, reused: true }))),
        None => Err(workbook),
    };
    let known = match ready(find(context, file).await?) {
        Ok(look) => return Ok(look),
        Err(known) => known,
    };
    let turn = context.stop.run_until_cancelled(context.env.workbooks.turn(known.id)).await.ok_or_else(stopped)?;
    loop {
        let known = match ready(find(context, file).await?) {
            Ok(look) => return Ok(look),
            Err(known) => known,
        };
        let lease = context.job.lease;
        let claimed = files::claim(&context.env.pool, known.id, lease.job_id, lease.lease_id).await;
        if claimed.map_err(|error| failures::store(context, &error))? {
            return Ok(Look::Ours(Box::new(known), turn));
        }
        context.stop.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN)).await.ok_or_else(stopped)?;
    }
}

async fn find(context: &Context, file: FileId) -> Result<Workbook, JobError> {
    let found = files::of_file(&context.env.pool, context.job.user_id, file).await;
    found.map_err(|error| failures::store(context, &error))?.ok_or_else(file_not_found)
}

fn fitting(workbook: &Workbook, language: Option<Language>) -> Option<Reading> {
    workbook.reading.clone().filter(|reading| language.is_none_or(|language| reading.language == language))
}

/// The failure of a job about a file that is gone.
pub fn file_not_found() -> JobError {
    JobError::Fail(Failure::new(FailureCode::FileNotFound, "the file was deleted").hint("upload it again"))
}

fn stopped() -> JobError {
    JobError::Retry { failure: Failure::new(FailureCode::Internal, "the attempt was stopped").retryable(), after: Duration::ZERO }
}

/// Reads a workbook and stores what was made of it, which nobody sees before it is published.
async fn read(context: &Context, workbook: &Workbook, language: Option<Language>) -> Result<Reading, JobError> {
    let (env, lease) = (&context.env, context.job.lease.lease_id);
    context.stage(Stage::Reading);
    // A place before the copy: of those who wait none fills the disk.
    let place = env.workbooks.reader.place(&context.stop).await.map_err(|error| reading_failed(context, &error))?;
    let folder = env.workbooks.scratch.folder().map_err(|error| copying_failed(context, &error.into()))?;
    let input = folder.path().join("input");
    let content: ObjectPath = workbook.content_path.parse().map_err(|error: FilesError| copying_failed(context, &error.into()))?;
    let size = u64::try_from(workbook.size).unwrap_or_default();
    download(&env.files, content, size, &input).await.map_err(|error| match error {
        CopyError::Storage(FilesError::NotFound(_)) => file_not_found(),
        error => copying_failed(context, &error),
    })?;
    let options = Options { include_hidden: workbook.include_hidden, name: Some(workbook.name.clone()), ..Options::default() };
    let request = Request { input, database: folder.path().join("tables.sqlite"), language, options };
    let order = Order { request, analysis: folder.path().join("analysis.json") };
    let found = env.workbooks.reader.read(folder.path(), &order, &context.stop, &mut |rows| context.rows(rows)).await;
    drop(place);
    let found = found.map_err(|error| reading_failed(context, &error))?;
    let (database, analysis) = (ObjectPath::Tables { workbook: workbook.id, lease }, ObjectPath::Analysis { workbook: workbook.id, lease });
    let stored = async {
        let database_bytes = upload(&env.files, &order.request.database, database).await?;
        let analysis_bytes = upload(&env.files, &order.analysis, analysis).await?;
        Ok((database_bytes, analysis_bytes))
    };
    let (database_bytes, analysis_bytes) = stored.await.map_err(|error| copying_failed(context, &error))?;
    Ok(Reading {
        prepared: found.prepared,
        database_path: database.to_string(),
        database_bytes: i64::try_from(database_bytes).unwrap_or(i64::MAX),
        analysis_path: analysis.to_string(),
        analysis_bytes: i64::try_from(analysis_bytes).unwrap_or(i64::MAX),
        language: found.language,
    })
}

/// Makes a reading the workbook's; false: somebody else's is, and this one is deleted.
async fn publish(context: &Context, workbook: &Workbook, reading: &Reading) -> Result<bool, JobError> {
    let env = &context.env;
    let instead_of = workbook.reading.as_ref().map(|reading| reading.database_path.as_str());
    let published = files::publish(&env.pool, workbook.id, instead_of, reading).await;
    match published.map_err(|error| failures::store(context, &error))? {
        Published::Ours { replaced } => {
            for path in replaced {
                delete(context, &path).await;
            }
            Ok(true)
        }
        Published::TooLate => {
            if let Err(error) = env.files.delete_prefix(ObjectPrefix::Reading(workbook.id, context.job.lease.lease_id)).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a reading that came too late is left to the sweep");
            }
            Ok(false)
        }
    }
}

// What is not deleted now, the sweep of files that nobody names deletes.
async fn delete(context: &Context, path: &str) {
    let deleted = match path.parse() {
        Ok(path) => context.env.files.delete(path).await,
        Err(error) => Err(error),
    };
    if let Err(error) = deleted {
        tracing::warn!(error = &error as &dyn std::error::Error, "a replaced reading is left to the sweep");
    }
}

fn reading_failed(context: &Context, error: &ReaderError) -> JobError {
    let failure = match error {
        ReaderError::Refused(failure) => return JobError::Fail(failure.clone().at(Stage::Reading)),
        ReaderError::Stopped => return stopped(),
        ReaderError::Io(error) => return failures::local_files(context, error).at(Stage::Reading),
        ReaderError::Killed => Failure::new(
            FailureCode::WorkbookTooLarge,
            "the process that read the workbook was killed, most likely because the machine ran out of memory",
        )
        .hint("try again later, or split the workbook"),
        ReaderError::Failed(_) => {
            tracing::error!(error = error as &dyn std::error::Error, "a workbook can't be read here");
            Failure::new(FailureCode::Internal, "the service could not read the workbook")
        }
    };
    JobError::Retry { failure: failure.at(Stage::Reading).retryable(), after: Duration::from_secs(1) }
}

/// The failure of a job whose files could not be copied from or to storage.
pub fn copying_failed(context: &Context, error: &CopyError) -> JobError {
    let failed = match error {
        CopyError::Storage(error) => failures::storage(context, error),
        CopyError::Local(error) => failures::local_files(context, error),
        CopyError::Length { .. } => {
            tracing::error!(error = error as &dyn std::error::Error, "a stored file is not what was stored");
            let failure = Failure::new(FailureCode::Internal, "the service's file storage has lost a part of the workbook");
            JobError::Retry { failure: failure.retryable(), after: Duration::from_secs(1) }
        }
    };
    failed.at(Stage::Reading)
}

/// Forgets a reading whose files are gone from storage, unless another one took its place.
///
/// # Errors
/// What may work later.
pub async fn forget(context: &Context, ready: &Ready) -> Result<(), JobError> {
    let path = ready.reading.database_path.as_str();
    let forgotten = files::forget(&context.env.pool, ready.workbook.id, path).await;
    if forgotten.map_err(|error| failures::store(context, &error))? {
        tracing::warn!(path, "what was made of a workbook is gone from storage; it is read again");
    }
    Ok(())
}

/// A part of a reading's analysis. All of it fits into memory, because no reader writes more, but not those of all jobs at once.
///
/// # Errors
/// What may work later, and `internal` where it is none.
pub async fn analysis<T: DeserializeOwned + Send + 'static>(context: &Context, ready: &Ready) -> Result<T, JobError> {
    let place = context.stop.run_until_cancelled(context.env.workbooks.analyses.acquire()).await;
    let _place = place.and_then(Result::ok).ok_or_else(stopped)?;
    let path: ObjectPath = ready.reading.analysis_path.parse().map_err(|error: FilesError| copying_failed(context, &error.into()))?;
    let bytes = match context.env.files.get_bytes(path).await {
        Ok(bytes) => bytes,
        Err(FilesError::NotFound(_)) => {
            forget(context, ready).await?;
            let failure = Failure::new(FailureCode::Internal, "the analysis was lost; the workbook is read again").retryable();
            return Err(JobError::Later { failure, at: context.env.clock.now() });
        }
        Err(error) => return Err(copying_failed(context, &error.into())),
    };
    // Some milliseconds for every MiB; others go on meanwhile.
    let said = tokio::task::spawn_blocking(move || serde_json::from_slice::<T>(&bytes)).await;
    said.ok().and_then(Result::ok).ok_or_else(|| {
        tracing::error!(%path, "a stored analysis can't be read");
        JobError::Fail(Failure::new(FailureCode::Internal, "the analysis can't be read by this version of the worker"))
    })
}
