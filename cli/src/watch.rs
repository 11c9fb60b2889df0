//! Waiting while the screen shows what is being done.

use std::{io, pin::pin, time::Duration};

use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep},
};

use crate::{
    client::{Ask, Client, ClientError, Question},
    screen::Screen,
    show::STAGES,
    text::printable,
};

/// Submits the question, shows its stages, and returns it once it has ended, with the time from submission to then.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn answer(client: &Client, ask: &Ask<'_>, screen: &mut Screen) -> anyhow::Result<(Question, Duration)> {
    let started = Instant::now();
    let (stages, mut heard) = mpsc::channel(32);
    let mut work = pin!(async {
        let question = client.submit(ask).await?;
        client.wait(question, &stages).await
    });
    let mut clock = interval(Duration::from_millis(100));
    let mut told = vec!["sending".to_owned()];
    let ended = loop {
        tokio::select! {
            biased;
            Some(next) = heard.recv() => show_next(screen, &mut told, &next, started)?,
            ended = &mut work => break ended,
            _ = clock.tick() => screen.tick(last(&told), started.elapsed())?,
        }
    };
    let elapsed = started.elapsed();
    // What was told just before the end is shown too.
    while let Ok(next) = heard.try_recv() {
        show_next(screen, &mut told, &next, started)?;
    }
    screen.clear()?;
    let question = ended?;
    screen.stages(&stages_of(&question, &told))?;
    Ok((question, elapsed))
}

/// The stages that the question went through: those told while it ran, and those that its times name, as a fast one ends before all
/// could be told.
fn stages_of(question: &Question, told: &[String]) -> Vec<&'static str> {
    let known = |stage: &str| told.iter().any(|told| told == stage) || question.timings_ms.contains_key(stage);
    STAGES.into_iter().filter(|stage| known(stage)).collect()
}

fn last(told: &[String]) -> &str {
    told.last().map_or("", String::as_str)
}

/// Submits the question and returns it once it has ended, showing nothing.
///
/// # Errors
/// Those of the client.
pub async fn quietly(client: &Client, ask: &Ask<'_>) -> anyhow::Result<Question> {
    // Nobody listens, so every stage is dropped.
    let (stages, _) = mpsc::channel(1);
    let question = client.submit(ask).await?;
    Ok(client.wait(question, &stages).await?)
}

/// Ticks while something is done.
///
/// # Errors
/// Those of the screen.
pub async fn during<T>(screen: &mut Screen, label: &str, started: Instant, work: impl Future<Output = T>) -> io::Result<T> {
    let mut work = pin!(work);
    let mut clock = interval(Duration::from_millis(100));
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            _ = clock.tick() => screen.tick(label, started.elapsed())?,
        }
    };
    screen.clear()?;
    Ok(done)
}

/// Something at the server that changes until it is over.
pub struct Watched<'a> {
    /// Who looks.
    pub client: &'a Client,
    /// Where it is.
    pub path: &'a str,
    /// How long a look is held back until it is over, in seconds: progress is seen so often.
    pub hold: u64,
    /// How long the server may be away meanwhile.
    pub outage: Duration,
}

impl Watched<'_> {
    /// Looks until it is over, and draws what was seen last ten times a second.
    ///
    /// # Errors
    /// Those of a look; an outage only after its time. Those of `draw`.
    pub async fn until(
        &self,
        first: Value,
        is_over: impl Fn(&Value) -> bool,
        mut draw: impl FnMut(&Value, Duration) -> io::Result<()>,
    ) -> anyhow::Result<Value> {
        let (started, mut heard, mut seen) = (Instant::now(), Instant::now(), first);
        let mut clock = interval(Duration::from_millis(100));
        while !is_over(&seen) {
            let mut looking = pin!(self.look());
            let looked = loop {
                tokio::select! {
                    biased;
                    looked = &mut looking => break looked,
                    _ = clock.tick() => draw(&seen, started.elapsed())?,
                }
            };
            match looked {
                Ok(found) => (heard, seen) = (Instant::now(), found),
                Err(error) if error.is_outage() && heard.elapsed() < self.outage => sleep(Duration::from_secs(1)).await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(seen)
    }

    async fn look(&self) -> Result<Value, ClientError> {
        let looked = self.client.get(self.path, &[], Some(self.hold)).await;
        // A server that does not hold requests must not be hammered.
        sleep(Duration::from_millis(100)).await;
        looked
    }
}

/// How long a server may be away while one waits for a job.
const OUTAGE: Duration = Duration::from_secs(60);

/// Waits for the end of a job, and shows its stages.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn job(client: &Client, first: Value, talk: &mut Screen) -> anyhow::Result<Value> {
    let path = format!("v1/jobs/{}", first["id"].as_str().unwrap_or_default());
    let watched = Watched { client, path: &path, hold: 2, outage: OUTAGE };
    let ended = watched.until(first, |job| job["finished_at"].is_string(), |job, elapsed| talk.tick(&doing(job), elapsed)).await;
    talk.clear()?;
    ended
}

/// What a job, or an analysis, is doing.
pub fn doing(job: &Value) -> String {
    let stage = job["stage"].as_str().or_else(|| job["state"].as_str()).unwrap_or("waiting");
    let progress = &job["progress"];
    let unit = progress["unit"].as_str().unwrap_or_default();
    let told = match (progress["done"].as_u64(), progress["total"].as_u64()) {
        (Some(done), Some(total)) if total > 0 => format!("{stage} {done}/{total} {unit}"),
        (Some(done), _) => format!("{stage} {done} {unit}"),
        _ => stage.to_owned(),
    };
    printable(told.trim_end())
}

fn show_next(screen: &mut Screen, told: &mut Vec<String>, next: &str, started: Instant) -> io::Result<()> {
    let next = printable(next);
    if next == last(told) {
        return Ok(());
    }
    screen.tick(&next, started.elapsed())?;
    // A place in the queue gives way to the next one, so that a long wait does not gather places.
    if told.last().is_some_and(|last| !STAGES.contains(&last.as_str())) {
        told.pop();
    }
    told.push(next);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_of_a_question_are_those_told_and_those_timed_in_their_order() {
        let body = serde_json::json!({
            "id": "0193a1f0-0000-7000-8000-000000000000", "status": "success", "timings_ms": {"executing": 12, "linking": 0, "total": 13},
        });
        let question = Question::from_value(body).expect("a question");
        let told = ["drafting", "waiting, number 3 in the queue"].map(str::to_owned);
        assert_eq!(stages_of(&question, &told), ["linking", "drafting", "executing"]);
    }
}
