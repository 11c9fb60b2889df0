//! `GET /v1/questions/{id}/events`: Server-Sent Events of one question, until its terminal event.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use datagenie_common::{
    events::{Event, Live, parse_sequence},
    ids::{JobId, QuestionId},
    store::events,
};
use tokio::sync::{broadcast, mpsc};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::{self, Caller},
    app::App,
    error::{ApiError, Result},
    extract::Id,
    live::wait::LOOK,
    questions::owned,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(question_events)
}

/// Events that may wait for a slow reader; progress beyond that is dropped, the terminal event never.
const BACKLOG: usize = 64;

/// Progress and end of a question, as Server-Sent Events.
///
/// Progress events have no `id` and may be lost; the terminal event's `id` is its sequence. The stream ends with it, and within a second
/// of the end of the caller's session or key. Asked for again, the stream goes on: the one event that can have been missed is the
/// terminal one, and it is sent if it is there. One who has had it (`Last-Event-ID`) gets 204, which tells a browser to stop.
#[utoipa::path(
    get, path = "/v1/questions/{id}/events", tag = "questions",
    params(("id" = uuid::Uuid, Path, description = "The question"), ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event received that had one")),
    responses((status = 200, description = "CloudEvents, one a message", content_type = "text/event-stream", body = String), (status = 204, description = "The caller has had the terminal event"))
)]
async fn question_events(State(app): State<App>, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let id = QuestionId(id);
    let last = last_event(&headers)?;
    let messages = app.hub.listen();
    let job = JobId(owned(&app, &caller, id).await?.job_id);
    if let Some(last) = last
        && let Some(end) = events::of_job(&app.pool, job).await?
        && end.sequence.as_deref().and_then(parse_sequence).is_some_and(|end| last >= end)
    {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let follow = Follow { app, caller, headers, id, job, sender, messages };
    datagenie_common::lifecycle::spawn("question.events", follow.run());
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

fn last_event(headers: &HeaderMap) -> Result<Option<(u64, i64)>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let point = value.to_str().ok().and_then(parse_sequence);
    point.map(Some).ok_or_else(|| ApiError::field("Last-Event-ID", "is not a sequence of ours; send the `id` of an event, or leave it out"))
}

type Item = std::result::Result<sse::Event, Infallible>;

struct Follow {
    app: App,
    caller: Caller,
    headers: HeaderMap,
    id: QuestionId,
    job: JobId,
    sender: mpsc::Sender<Item>,
    messages: broadcast::Receiver<Arc<Live>>,
}

impl Follow {
    async fn run(mut self) {
        let subject = self.id.to_string();
        loop {
            match events::of_job(&self.app.pool, self.job).await {
                Ok(Some(event)) => {
                    let _ = self.sender.send(Ok(message(&event))).await;
                    return;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(error = %error, "no look at the events"),
            }
            let look = tokio::time::Instant::now() + LOOK;
            loop {
                tokio::select! {
                    live = self.messages.recv() => match live {
                        Ok(live) if live.subject == subject => match &live.progress {
                            // A full queue: progress may be lost.
                            Some(event) => drop(self.sender.try_send(Ok(message(event)))),
                            None => break,
                        },
                        Ok(_) => {}
                        Err(broadcast::error::RecvError::Lagged(_)) => break,
                        Err(broadcast::error::RecvError::Closed) => tokio::time::sleep_until(look).await,
                    },
                    () = tokio::time::sleep_until(look) => break,
                    () = self.sender.closed() => return,
                    () = self.app.stopping.cancelled() => return,
                }
            }
            if !access::still_signed_in(&self.app, &self.headers, &self.caller).await {
                return;
            }
        }
    }
}

fn message(event: &Event) -> sse::Event {
    let message = sse::Event::default().event(&event.event_type).data(serde_json::to_string(event).unwrap_or_default());
    match &event.sequence {
        Some(sequence) => message.id(sequence),
        None => message,
    }
}
