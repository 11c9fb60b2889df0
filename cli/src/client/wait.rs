//! Waiting for a question's end: by its event stream, and by polling where there is none.

use std::{pin::pin, time::Duration};

use futures::StreamExt as _;
use reqwest::{Method, header};
use serde_json::Value;
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::{Client, ClientError, Question};
use crate::sse::{Event, Parser};

/// A stream that opens later than this is not waited for.
const OPENING: Duration = Duration::from_secs(10);
/// After such a silence the question itself is looked at: progress may be lost, and a proxy may hold events back.
const SILENCE: Duration = Duration::from_secs(3);
/// How many streams are tried before polling.
const STREAMS: usize = 3;
/// How long a poll is held, in seconds.
const HOLD: u64 = 10;
/// How long a server may be away while one waits.
const OUTAGE: Duration = Duration::from_secs(60);

/// What an event says about the question it is of.
#[derive(Debug, PartialEq, Eq)]
enum Notice {
    /// It is being worked on.
    Stage(String),
    /// It has ended.
    Ended,
    /// Nothing that matters here.
    Nothing,
}

impl Client {
    /// Waits until the question has ended and returns it. What is being done meanwhile goes to `stages`, as far as it takes it.
    ///
    /// # Errors
    /// Those of a call; an outage only after a minute of it.
    pub async fn wait(&self, question: Question, stages: &Sender<String>) -> Result<Question, ClientError> {
        if question.has_ended() {
            return Ok(question);
        }
        tell(stages, question.doing());
        let mut last_id = None;
        for _ in 0..STREAMS {
            // Whatever is wrong with the stream, polling brings the answer or says what is wrong.
            match self.wait_on_stream(question.id, &mut last_id, stages).await {
                Ok(Some(ended)) => return Ok(ended),
                Ok(None) => {}
                Err(_) => break,
            }
        }
        self.wait_by_polling(question.id, stages).await
    }

    /// The ended question, or none if the stream was cut before.
    async fn wait_on_stream(
        &self,
        id: Uuid,
        last_id: &mut Option<String>,
        stages: &Sender<String>,
    ) -> Result<Option<Question>, ClientError> {
        let url = self.endpoint(&format!("v1/questions/{id}/events"), &[])?;
        let resume = last_id.clone();
        let opened = self.send(|| {
            let request = self.stream_request(Method::GET, url.clone()).header(header::ACCEPT, "text/event-stream");
            match &resume {
                Some(id) => request.header("Last-Event-ID", id),
                None => request,
            }
        });
        let Ok(opened) = timeout(OPENING, opened).await else { return Ok(None) };
        let mut chunks = pin!(opened?.bytes_stream());
        let mut parser = Parser::default();
        // It may have ended before the stream was open.
        if let Some(ended) = self.look(id, stages).await? {
            return Ok(Some(ended));
        }
        loop {
            let events = match timeout(SILENCE, chunks.next()).await {
                Ok(Some(Ok(bytes))) => match parser.push(&bytes) {
                    Ok(events) => events,
                    Err(_) => return Ok(None),
                },
                Ok(Some(Err(_)) | None) => return Ok(None),
                Err(_) => match self.look(id, stages).await? {
                    Some(ended) => return Ok(Some(ended)),
                    None => continue,
                },
            };
            for event in events {
                let notice = notice(&event);
                if event.id.is_some() {
                    *last_id = event.id;
                }
                match notice {
                    Notice::Stage(stage) => tell(stages, stage),
                    Notice::Ended => {
                        let question = self.question(id, Some(HOLD)).await?;
                        return Ok(Some(question).filter(Question::has_ended));
                    }
                    Notice::Nothing => {}
                }
            }
        }
    }

    /// The question if it has ended; else tells what is being done.
    async fn look(&self, id: Uuid, stages: &Sender<String>) -> Result<Option<Question>, ClientError> {
        let question = self.question(id, None).await?;
        if question.has_ended() {
            return Ok(Some(question));
        }
        tell(stages, question.doing());
        Ok(None)
    }

    async fn wait_by_polling(&self, id: Uuid, stages: &Sender<String>) -> Result<Question, ClientError> {
        let mut heard = Instant::now();
        loop {
            match self.question(id, Some(HOLD)).await {
                Ok(question) if question.has_ended() => return Ok(question),
                Ok(question) => {
                    heard = Instant::now();
                    tell(stages, question.doing());
                    // A server that does not hold requests must not be hammered.
                    sleep(Duration::from_millis(200)).await;
                }
                Err(error) if error.is_outage() && heard.elapsed() < OUTAGE => sleep(Duration::from_secs(1)).await,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Progress is for the eye: where nobody reads it, it is dropped.
fn tell(stages: &Sender<String>, stage: String) {
    let _ = stages.try_send(stage);
}

/// Reads the CloudEvents envelope; its `type` is the stream's `event` field too.
fn notice(event: &Event) -> Notice {
    let body: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let kind = body.get("type").and_then(Value::as_str).or(event.name.as_deref()).unwrap_or_default();
    match kind {
        "question.succeeded" | "question.failed" | "question.cancelled" => Notice::Ended,
        _ => {
            let stage = body.pointer("/data/stage").or_else(|| body.get("stage")).and_then(Value::as_str);
            match (stage, kind) {
                (Some(stage), _) => Notice::Stage(stage.to_owned()),
                (None, "question.started") => Notice::Stage("started".to_owned()),
                (None, "question.queued") => Notice::Stage("waiting".to_owned()),
                _ => Notice::Nothing,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(name: Option<&str>, data: &str) -> Notice {
        notice(&Event { id: None, name: name.map(str::to_owned), data: data.to_owned() })
    }

    #[test]
    fn envelopes_tell_stages_and_ends() {
        let progress = r#"{"specversion":"1.0","type":"question.progress","data":{"stage":"drafting"}}"#;
        assert_eq!(heard(None, progress), Notice::Stage("drafting".to_owned()));
        for end in ["succeeded", "failed", "cancelled"] {
            assert_eq!(heard(None, &format!(r#"{{"type":"question.{end}","sequence":"1","data":{{}}}}"#)), Notice::Ended);
        }
        assert_eq!(heard(Some("question.failed"), "not JSON"), Notice::Ended);
        assert_eq!(heard(None, r#"{"type":"question.queued"}"#), Notice::Stage("waiting".to_owned()));
    }

    #[test]
    fn other_events_are_no_news() {
        assert_eq!(heard(None, "not JSON"), Notice::Nothing);
        assert_eq!(heard(None, r#"{"type":"batch.completed","data":{}}"#), Notice::Nothing);
        assert_eq!(heard(None, "[1]"), Notice::Nothing);
    }
}
