//! `datagenie tail`: events as they happen, each durable one once, whatever is cut meanwhile.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    signal,
    time::{Instant, sleep},
};

use crate::{
    client::{Client, ClientError, EventSocket, Message},
    console::Console,
    exit::Exit,
    screen::Style,
    text::{pad, printable},
};

/// How long the server may be away.
const OUTAGE: Duration = Duration::from_secs(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The arguments of `tail`.
#[derive(clap::Args)]
pub struct Args {
    /// Begin after this sequence (as shown with --json, and at the end); else now
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<String>,
    /// Only these types: `question.succeeded`, or `question` for all that begin so; several with commas
    #[arg(long, value_delimiter = ',', value_name = "TYPE,…")]
    types: Vec<String>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// Follows the events until Ctrl-C, or until there were as many as wanted.
struct Tail<'a> {
    client: Client,
    args: &'a Args,
    /// The last durable event that was seen.
    after: Option<String>,
    shown: u64,
}

/// Shows events.
///
/// # Errors
/// Those of the client: one who may not see events any more, or a server that is away for five minutes.
pub async fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let mut tail = Tail { client: console.client()?, args, after: args.after.clone(), shown: 0 };
    let exit = tokio::select! {
        biased;
        _ = signal::ctrl_c() => Exit::Interrupted,
        followed = tail.follow(console) => {
            followed?;
            Exit::Answered
        }
    };
    if let Some(after) = &tail.after {
        console.say(&format!("the last event was {after}: `datagenie tail --after {after}` goes on after it"))?;
    }
    Ok(exit)
}

impl Tail<'_> {
    async fn follow(&mut self, console: &mut Console) -> anyhow::Result<()> {
        let (mut heard, mut pause) = (Instant::now(), Duration::from_millis(300));
        let mut is_first = true;
        loop {
            let cut = match self.client.events(self.after.as_deref()).await {
                Ok(mut socket) => {
                    if is_first {
                        console.say(&format!("listening at {}; Ctrl-C ends it", self.client.url()))?;
                    } else if self.after.is_none() {
                        console.say("listening again; what happened meanwhile is not shown, as no event came before")?;
                    } else {
                        console.say("listening again")?;
                    }
                    is_first = false;
                    let opened = Instant::now();
                    let Some(cut) = self.read(&mut socket, console).await? else { return Ok(()) };
                    heard = Instant::now();
                    if opened.elapsed() > LONGEST_PAUSE {
                        pause = Duration::from_millis(300);
                    }
                    cut
                }
                Err(error) if !is_first && is_passing(&error) && heard.elapsed() < OUTAGE => error.to_string(),
                Err(error) => return Err(error.into()),
            };
            console.say(&format!("cut off ({cut}); trying again"))?;
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reads until the socket is cut, and says why; none: there were as many events as wanted.
    async fn read(&mut self, socket: &mut EventSocket, console: &mut Console) -> anyhow::Result<Option<String>> {
        loop {
            if self.args.count.is_some_and(|count| self.shown >= count) {
                return Ok(None);
            }
            let text = match socket.message().await {
                Message::Text(text) => text,
                Message::Cut(why) => return Ok(Some(why)),
            };
            let Ok(event) = serde_json::from_str::<Value>(&text) else { continue };
            if event["type"] == "events_lost" {
                console.say(&format!("too slow: {} events were dropped; the durable ones among them follow", event["count"]))?;
                continue;
            }
            if is_wanted(&self.args.types, event["type"].as_str().unwrap_or_default()) {
                show(&event, console)?;
                self.shown += 1;
            }
            // Only what was shown is behind us.
            if let Some(sequence) = event["sequence"].as_str() {
                self.after = Some(sequence.to_owned());
            }
        }
    }
}

/// Whether the server may be there again in a moment.
fn is_passing(error: &ClientError) -> bool {
    error.is_outage() || matches!(error, ClientError::Unreadable { .. })
}

fn is_wanted(types: &[String], kind: &str) -> bool {
    let begins = |wanted: &str| {
        let wanted = wanted.trim().trim_end_matches(".*");
        kind == wanted || kind.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
    };
    types.is_empty() || types.iter().any(|wanted| begins(wanted))
}

fn show(event: &Value, console: &mut Console) -> anyhow::Result<()> {
    if console.json {
        console.print_json_line(event)?;
        return Ok(());
    }
    let text = |name: &str| printable(event[name].as_str().unwrap_or_default());
    let time = text("time");
    let time = time.get(11..19).map_or_else(|| time.clone(), str::to_owned);
    let kind = text("type");
    let style = match kind.rsplit('.').next() {
        Some("succeeded" | "completed") => Style::Green,
        Some("failed" | "disabled") => Style::Red,
        Some("progress" | "queued" | "started") => Style::Dim,
        _ => Style::Bold,
    };
    let kind = console.screen.paint(style, &pad(&kind, 22, false));
    let line = format!("{time}  {kind}  {}  {}", text("subject"), printable(&detail(&event["data"])));
    console.screen.line(line.trim_end())?;
    Ok(())
}

/// What of an event's data is worth a line.
fn detail(data: &Value) -> String {
    let word = |name: &str| data[name].as_str().map(str::to_owned);
    if let Some(message) = data.pointer("/error/message").and_then(Value::as_str) {
        let code = data.pointer("/error/code").and_then(Value::as_str).unwrap_or("error");
        return format!("{code}: {message}");
    }
    let counts = data["counts"].as_object().map(|counts| {
        let parts: Vec<String> = counts.iter().filter(|(_, count)| **count != 0).map(|(name, count)| format!("{count} {name}")).collect();
        parts.join(", ")
    });
    word("stage").or_else(|| word("name")).or(counts).or_else(|| word("reason")).or_else(|| word("status")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_wanted_by_name_and_by_kind() {
        let wanted = |types: &[&str], kind: &str| is_wanted(&types.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(), kind);
        assert!(
            wanted(&[], "question.failed")
                && wanted(&["question"], "question.failed")
                && wanted(&["batch.*", "question.failed"], "question.failed")
        );
        assert!(!wanted(&["question.succeeded"], "question.failed") && !wanted(&["quest"], "question.failed"));
    }

    #[test]
    fn the_detail_of_an_event_is_what_matters_in_it() {
        assert_eq!(detail(&json!({"status": "error", "error": {"code": "timeout", "message": "too late"}})), "timeout: too late");
        assert_eq!(detail(&json!({"stage": "drafting", "attempt": 1})), "drafting");
        assert_eq!(detail(&json!({"name": "weekly", "status": "x"})), "weekly");
        assert_eq!(detail(&json!({"counts": {"error": 1, "running": 0, "success": 9}})), "1 error, 9 success");
        assert_eq!(detail(&json!(null)), "");
    }
}
