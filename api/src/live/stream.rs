//! `GET /v1/questions/{id}/events`: Server-Sent Events of one question, until its terminal event.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::sse::{self, KeepAlive, Sse},
};
use datagenie_common::{
    events::{Event, Live},
    ids::{JobId, QuestionId},
    store::{events, questions},
};
use futures::Stream;
use tokio::sync::{broadcast, mpsc};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Id,
    live::wait::LOOK,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(question_events)
}

/// Events that may wait for a slow reader; progress beyond that is dropped, the terminal event never.
const BACKLOG: usize = 64;

/// Progress and end of a question, as Server-Sent Events.
///
/// Progress events have no `id` and may be lost; the terminal event's `id` is its sequence. The stream ends with it. Sent again with
/// `Last-Event-ID`, the stream goes on: the one event that can have been missed is the terminal one, and it is sent if it is there.
#[utoipa::path(
    get, path = "/v1/questions/{id}/events", tag = "questions",
    params(("id" = uuid::Uuid, Path, description = "The question"), ("Last-Event-ID" = Option<String>, Header, description = "The last event received")),
    responses((status = 200, description = "CloudEvents, one a message", content_type = "text/event-stream", body = String))
)]
async fn question_events(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
) -> Result<Sse<impl Stream<Item = std::result::Result<sse::Event, Infallible>>>> {
    let id = QuestionId(id);
    let messages = app.hub.listen();
    let question = questions::find(&app.pool, Some(caller.user_id), id).await?.ok_or_else(|| ApiError::not_found("question"))?;
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let follow = Follow { app, id, job: JobId(question.job_id), sender, messages };
    datagenie_common::lifecycle::spawn("question.events", follow.run());
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

type Item = std::result::Result<sse::Event, Infallible>;

struct Follow {
    app: App,
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
