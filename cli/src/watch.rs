//! Asking a question while the screen shows what is being done about it.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, interval},
};

use crate::{
    client::{Ask, Client, Question},
    screen::Screen,
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
    let mut stage = "sending".to_owned();
    let ended = loop {
        tokio::select! {
            biased;
            Some(next) = heard.recv() => show_next(screen, &mut stage, &next, started)?,
            ended = &mut work => break ended,
            _ = clock.tick() => screen.tick(&stage, started.elapsed())?,
        }
    };
    let elapsed = started.elapsed();
    // What was told just before the end is shown too.
    while let Ok(next) = heard.try_recv() {
        show_next(screen, &mut stage, &next, started)?;
    }
    screen.clear()?;
    Ok((ended?, elapsed))
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

fn show_next(screen: &mut Screen, stage: &mut String, next: &str, started: Instant) -> std::io::Result<()> {
    let next = printable(next);
    if next == *stage {
        return Ok(());
    }
    *stage = next;
    screen.stage(stage, started.elapsed())
}
