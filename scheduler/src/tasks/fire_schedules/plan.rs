//! Which times are fired, and which are skipped: by the catch-up policy, and because an earlier run still goes.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
};

use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::ScheduleId,
    model::timing::Timing,
    schedules::{CatchUp, due as decide},
    store::{
        Result,
        schedules::{self, Made, Next, Read, Schedule},
    },
};
use sqlx::PgConnection;
use uuid::Uuid;

/// A time, and of which schedule.
pub struct Run {
    /// What is written of it: `fired` until something refuses it.
    pub made: Made,
    /// Its schedule.
    pub schedule: Schedule,
}

/// What one transaction does.
#[derive(Default)]
pub struct Planned {
    /// Times that are ours, in any state.
    pub runs: Vec<Run>,
    /// The next times of the schedules that were due.
    pub next: Vec<Next>,
    /// Schedules that can't be read.
    pub rest: Vec<ScheduleId>,
    /// How many schedules it is about.
    pub schedules: i64,
}

/// A time that is not fired because something is wrong.
pub fn refused(id: Uuid, schedule: ScheduleId, fire_time: DateTime<Utc>, reason: &str) -> Made {
    let reason = Some(reason.to_owned());
    Made { id, schedule, fire_time, state: "refused", reason, job_id: None, question_id: None, batch_id: None, upkeep_run_id: None }
}

fn fired(id: Uuid, schedule: ScheduleId, fire_time: DateTime<Utc>) -> Made {
    Made { id, schedule, fire_time, state: "fired", reason: None, job_id: None, question_id: None, batch_id: None, upkeep_run_id: None }
}

/// Takes up to so many runs that were asked for, and times of so many schedules that are due.
///
/// # Errors
/// If the database fails.
pub async fn make(conn: &mut PgConnection, now: DateTime<Utc>, asked: i64, due: i64) -> Result<Planned> {
    let mut planned = Planned::default();
    by_hand(conn, asked, &mut planned).await?;
    let by_hand: HashSet<ScheduleId> = planned.runs.iter().map(|run| run.schedule.id).collect();
    let mut times = Vec::new();
    for read in schedules::due(conn, due).await? {
        planned.schedules += 1;
        if let Some(schedule) = readable(read, &mut planned) {
            times.extend(of_schedule(schedule, now, &mut planned));
        }
    }
    let made: Vec<Made> = times.iter().map(|run: &Run| run.made.clone()).collect();
    let ours: HashSet<Uuid> = schedules::claim(conn, &made).await?.into_iter().collect();
    times.retain(|run| ours.contains(&run.made.id));
    let ids: Vec<ScheduleId> = times.iter().map(|run| run.schedule.id).collect();
    let running: HashSet<ScheduleId> = schedules::running(conn, &ids).await?.into_iter().collect();
    for run in &mut times {
        let goes = running.contains(&run.schedule.id) || by_hand.contains(&run.schedule.id);
        skip_if(run, goes);
    }
    planned.runs.extend(times);
    Ok(planned)
}

async fn by_hand(conn: &mut PgConnection, most: i64, planned: &mut Planned) -> Result<()> {
    let asked = schedules::asked(conn, most).await?;
    let ids: Vec<ScheduleId> = asked.iter().map(|(.., schedule)| *schedule).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut running: HashSet<ScheduleId> = schedules::running(conn, &ids).await?.into_iter().collect();
    let mut known = HashMap::new();
    for read in schedules::by_ids(conn, &ids).await? {
        if let Some(schedule) = readable(read, planned) {
            known.insert(schedule.id, schedule);
        }
    }
    for (id, fire_time, schedule) in asked {
        planned.schedules += 1;
        let Some(schedule) = known.get(&schedule) else {
            schedules::outcomes(conn, &[refused(id, schedule, fire_time, "the schedule can't be read; it is paused")]).await?;
            continue;
        };
        let mut run = Run { made: fired(id, schedule.id, fire_time), schedule: schedule.clone() };
        let goes = !running.insert(schedule.id);
        skip_if(&mut run, goes);
        planned.runs.push(run);
    }
    Ok(())
}

fn skip_if(run: &mut Run, goes: bool) {
    if goes && !run.schedule.allow_overlap && run.made.state == "fired" {
        run.made.state = "skipped";
        run.made.reason = Some("an earlier run still goes (allow_overlap is false)".to_owned());
    }
}

/// The schedule; none: it can't be read, and is put to rest.
fn readable(read: Read, planned: &mut Planned) -> Option<Schedule> {
    match read {
        Ok(schedule) => Some(schedule),
        Err((id, error)) => {
            tracing::error!(error = &error as &dyn Error, schedule_id = %id, "a schedule can't be read and is paused");
            planned.rest.push(id);
            None
        }
    }
}

/// The times of a schedule that is due: to be fired, and the first that is missed.
fn of_schedule(schedule: Schedule, now: DateTime<Utc>, planned: &mut Planned) -> Vec<Run> {
    let Some(next_run_at) = schedule.next_run_at else { return Vec::new() };
    let timing = match Timing::parse(&schedule.cron, &schedule.time_zone) {
        Ok(timing) => timing,
        Err(error) => {
            // It could be read when it was made: another program's version, or another database of time zones.
            planned.rest.push(schedule.id);
            let made = refused(Uuid::now_v7(), schedule.id, next_run_at, &format!("{error}; it is paused"));
            return vec![Run { made, schedule }];
        }
    };
    let most = match schedule.catch_up {
        CatchUp::All => usize::try_from(schedule.catch_up_max).unwrap_or(1),
        CatchUp::Skip | CatchUp::Once => 1,
    };
    let due = decide(&timing, schedule.catch_up, most, next_run_at, now);
    let mut runs = Vec::new();
    if let Some(time) = due.missed {
        let reason =
            "missed: nothing ran at its time, or the clock was set; it and those after it that catch_up leaves out are not made up for";
        let made = Made { state: "skipped", ..refused(Uuid::now_v7(), schedule.id, time, reason) };
        runs.push(Run { made, schedule: schedule.clone() });
    }
    let last = due.newest.unwrap_or(next_run_at);
    planned.next.push(Next { id: schedule.id, at: due.next, last });
    runs.extend(due.fire.into_iter().map(|time| Run { made: fired(Uuid::now_v7(), schedule.id, time), schedule: schedule.clone() }));
    runs
}
