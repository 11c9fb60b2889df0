//! Asking a question while the screen shows what is being done about it.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, interval},
};

use crate::{
    client::{Ask, Client, Question},
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

fn show_next(screen: &mut Screen, told: &mut Vec<String>, next: &str, started: Instant) -> std::io::Result<()> {
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
