//! The file storage: files that no row names go, and rows whose file is gone no longer claim to have it.

use std::{collections::HashSet, time::Duration};

use datagenie_common::{
    clock::Clock,
    files::{Found, ObjectPath},
    ids::{JobId, WorkbookId},
    store::upkeep::{self, Gone, Named},
};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{UpkeepError, tally::Tally};
use crate::start::Scheduler;

/// Files that one question to the database is about.
const STEP: usize = 500;
/// Files that are looked for at once.
const LOOKS: usize = 16;
/// Younger ones are left alone: what is being written is named when it is done.
const YOUNG: Duration = Duration::from_secs(86_400);
/// So many missing and none there, or a storage without any file of ours, are more likely a wrong folder than a loss.
const TOO_MANY: usize = 50;

/// One run.
///
/// # Errors
/// If the database or the storage fails.
pub async fn run(scheduler: &Scheduler, tally: &mut Tally) -> Result<(), UpkeepError> {
    let is_empty = orphans(scheduler, tally).await?;
    lost_answers(scheduler, tally, is_empty).await?;
    lost_readings(scheduler, tally).await
}

/// Deletes old files that no row names, and what writers left unfinished. Files that are none of ours are left alone. Says whether there
/// was none of ours at all.
async fn orphans(scheduler: &Scheduler, tally: &mut Tally) -> Result<bool, UpkeepError> {
    let mut walk = scheduler.files.walk();
    let mut some: Vec<Found> = Vec::with_capacity(STEP);
    let mut is_empty = true;
    while let Some(found) = walk.recv().await {
        let found = found?;
        let place = Place::of(&found.path);
        is_empty = is_empty && place.is_none();
        if age(scheduler, &found, place.as_ref()) >= YOUNG {
            some.push(found);
        }
        if some.len() >= STEP {
            remove_unnamed(scheduler, tally, &some).await?;
            some.clear();
            tally.rest().await?;
        }
    }
    remove_unnamed(scheduler, tally, &some).await?;
    Ok(is_empty)
}

/// A file's age by the clock of this process, which tests may shift. What lies in the folder of a workbook is no older than that: a copy
/// of an old content has the old one's time, and its row is written after it.
fn age(scheduler: &Scheduler, found: &Found, place: Option<&Place>) -> Duration {
    let shift = scheduler.settings.clock.offset_seconds;
    let shifted = u64::try_from(shift).unwrap_or_default();
    let age = found.age.saturating_add(Duration::from_secs(shifted));
    let begun = place.and_then(|place| match place.of {
        Of::Workbook(workbook) => workbook.0.get_timestamp(),
        Of::Job(_) => None,
    });
    begun.map_or(age, |begun| {
        let now = u64::try_from(Clock::new(shift).now().timestamp()).unwrap_or_default();
        age.min(Duration::from_secs(now.saturating_sub(begun.to_unix().0)))
    })
}

async fn remove_unnamed(scheduler: &Scheduler, tally: &mut Tally, some: &[Found]) -> Result<(), UpkeepError> {
    let places: Vec<(&Found, Place)> = some.iter().filter_map(|found| Some((found, Place::of(&found.path)?))).collect();
    if places.is_empty() {
        return Ok(());
    }
    let mut of = Named::default();
    for (_, place) in &places {
        match place.of {
            Of::Job(job) => of.jobs.push(job.0),
            Of::Workbook(workbook) => of.workbooks.push(workbook.0),
        }
    }
    let named: HashSet<String> = upkeep::named(&scheduler.pool, &of).await?.into_iter().collect();
    for (found, place) in places {
        let is_named = !place.unfinished && named.contains(&found.path);
        if !is_named && !named.contains(&place.of.under_way()) && scheduler.files.remove(&found.path).await? {
            tally.add(if place.unfinished { "unfinished_files" } else { "files_without_a_row" }, 1);
            tally.add("bytes", found.bytes);
        }
    }
    Ok(())
}

/// Whose a file is.
enum Of {
    Job(JobId),
    Workbook(WorkbookId),
}

impl Of {
    /// What the store says of one whose work is not over.
    fn under_way(&self) -> String {
        match self {
            Self::Job(job) => format!("results/{job}"),
            Self::Workbook(workbook) => format!("workbooks/{workbook}"),
        }
    }
}

struct Place {
    of: Of,
    /// A writer was ended in the middle.
    unfinished: bool,
}

impl Place {
    /// None: not a file of ours.
    fn of(path: &str) -> Option<Self> {
        let (whole, unfinished) = match path.rsplit_once('#') {
            Some((whole, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => (whole, true),
            _ => (path, false),
        };
        let of = match whole.parse().ok()? {
            ObjectPath::Rows { job, .. } | ObjectPath::ChartSvg { job, .. } | ObjectPath::ChartPng { job, .. } => Of::Job(job),
            ObjectPath::Content { workbook } | ObjectPath::Tables { workbook, .. } | ObjectPath::Analysis { workbook, .. } => {
                Of::Workbook(workbook)
            }
        };
        Some(Self { of, unfinished })
    }
}

/// Which of these paths have a file, in their order; a bucket takes some milliseconds for each.
async fn are_there(scheduler: &Scheduler, paths: Vec<String>) -> Result<Vec<bool>, UpkeepError> {
    let looks = paths.into_iter().map(|path| async move { scheduler.files.has(&path).await });
    Ok(stream::iter(looks).buffered(LOOKS).try_collect().await?)
}

/// Takes the claim from answers whose file is gone: one without its rows is no answer any more, a picture is drawn again.
async fn lost_answers(scheduler: &Scheduler, tally: &mut Tally, is_empty: bool) -> Result<(), UpkeepError> {
    let mut after = Uuid::nil();
    let (mut seen, mut missing) = (0, 0);
    loop {
        let answers = upkeep::answers_with_files(&scheduler.pool, after, i64::try_from(STEP).unwrap_or(i64::MAX)).await?;
        let Some(last) = answers.last().map(|answer| answer.id) else { return Ok(()) };
        let named: Vec<(Uuid, &String, &String)> =
            answers.iter().flat_map(|answer| answer.paths.iter().map(|(name, path)| (answer.id, name, path))).collect();
        let there = are_there(scheduler, named.iter().map(|(_, _, path)| (*path).clone()).collect()).await?;
        seen += there.len();
        let (mut rows, mut pictures) = (Vec::new(), Vec::new());
        for ((id, name, _), _) in named.iter().zip(there).filter(|(_, is_there)| !is_there) {
            missing += 1;
            match name.as_str() {
                "rows" => rows.push(JobId(*id)),
                _ => pictures.push((JobId(*id), (*name).clone())),
            }
        }
        if missing == seen && (is_empty || missing >= TOO_MANY) {
            return Err(UpkeepError::NotMounted(missing));
        }
        for job in upkeep::drop_answers(&scheduler.pool, &rows).await? {
            tracing::error!(job_id = %job, "the rows of an answer are gone from the file storage; its result is gone with them");
            tally.add("answers_without_their_file", 1);
        }
        tally.add("pictures_forgotten", upkeep::forget_pictures(&scheduler.pool, &pictures).await?);
        after = last;
        tally.rest().await?;
    }
}

/// Takes the claim from workbooks whose tables or analysis are gone: they are made again. One whose content is gone can only be uploaded
/// again, which its owner has to do: it is counted and logged, not removed.
async fn lost_readings(scheduler: &Scheduler, tally: &mut Tally) -> Result<(), UpkeepError> {
    let mut after = Uuid::nil();
    loop {
        let workbooks: Vec<Gone> = upkeep::readings_with_files(&scheduler.pool, after, i64::try_from(STEP).unwrap_or(i64::MAX)).await?;
        let Some(last) = workbooks.last().map(|workbook| workbook.id) else { return Ok(()) };
        let mut lost = Vec::new();
        for workbook in &workbooks {
            let mut made_is_gone = false;
            let there = are_there(scheduler, workbook.paths.iter().map(|(_, path)| path.clone()).collect()).await?;
            for ((name, _), is_there) in workbook.paths.iter().zip(there) {
                if is_there {
                    continue;
                }
                if name == "content" {
                    tracing::error!(workbook_id = %workbook.id, "the content of an upload is gone from the file storage");
                    tally.add("uploads_without_their_file", 1);
                } else {
                    made_is_gone = true;
                }
            }
            if made_is_gone {
                lost.push(WorkbookId(workbook.id));
            }
        }
        tally.add("readings_forgotten", upkeep::forget_readings(&scheduler.pool, &lost).await?);
        after = last;
        tally.rest().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_ours_are_known_by_their_paths_and_no_others() {
        let (job, lease) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let rows = format!("results/{job}/{lease}/rows.jsonl");
        assert!(Place::of(&rows).is_some_and(|place| !place.unfinished && place.of.under_way() == format!("results/{job}")));
        assert!(Place::of(&format!("{rows}#17")).is_some_and(|place| place.unfinished));
        assert!(Place::of(&format!("workbooks/{job}/content")).is_some_and(|place| matches!(place.of, Of::Workbook(id) if id.0 == job)));
        for stranger in ["lost+found/x", "results/x", &format!("{rows}.bak"), "notes.txt#1"] {
            assert!(Place::of(stranger).is_none(), "{stranger}");
        }
    }
}
