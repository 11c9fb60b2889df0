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
    events::{Event, Point, parse_sequence},
    ids::{JobId, QuestionId},
    store::{StoreError, events},
};
use futures::stream;
use tokio::time::{Instant, error::Elapsed, timeout};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Id,
    live::{
        hub::{PATIENCE, Subscription, until},
        inbox::{Signal, Told},
        registry::Awaited,
        signed_in::SignedIn,
    },
    questions::reading::readable,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(question_events)
}

/// Progress and end of a question of the caller, or of one that is shared with him, as Server-Sent Events.
///
/// Progress events have no `id` and may be lost; the terminal event's `id` is its sequence. The stream ends with it, and within a second
/// of the end of the caller's session or key, or of the sharing. Asked for again, the stream goes on: the one event that can have been missed is the
/// terminal one, and it is sent if it is there. One who has had it (`Last-Event-ID`) gets 204, which tells a browser to stop.
#[utoipa::path(
    get, path = "/v1/questions/{id}/events", tag = "questions",
    params(("id" = uuid::Uuid, Path, description = "The question"), ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event received that had one")),
    responses((status = 200, description = "CloudEvents, one a message", content_type = "text/event-stream", body = String), (status = 204, description = "The caller has had the terminal event"))
)]
async fn question_events(State(app): State<App>, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let id = QuestionId(id);
    let last = last_event(&headers)?;
    let question = readable(&app, &caller, id).await?;
    let job = JobId(question.job_id);
    // Watching begins before the first look, so that nothing falls between.
    let subscription = app.hub.watch(&id.to_string(), Some(Awaited::Job(job)), true);
    if let Some(last) = last
        && let Some(end) = events::of_job(&app.pool, job).await?
        && end.sequence.as_deref().and_then(parse_sequence).is_some_and(|end| last >= end)
    {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let signed_in = app.hub.signed_in(&caller);
    let shared = (question.user_id != caller.user_id.0).then(|| app.hub.shared_with(id, &caller));
    drop(question);
    // What holds the request's headers is given up here: they keep a buffer of the connection alive.
    let follow = Follow { app, signed_in, shared, subscription, job, look: Some(Instant::now()), over: false };
    let stream = stream::unfold(follow, Follow::next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

fn last_event(headers: &HeaderMap) -> Result<Option<Point>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let point = value.to_str().ok().and_then(parse_sequence);
    point.map(Some).ok_or_else(|| ApiError::field("Last-Event-ID", "is not a sequence of ours; send the `id` of an event, or leave it out"))
}

type Item = std::result::Result<sse::Event, Infallible>;

/// Runs only when the reader takes: progress that it does not take in time is dropped, the terminal event never. One that takes nothing
/// is disconnected by [`crate::slow_clients`].
struct Follow {
    app: App,
    signed_in: Arc<SignedIn>,
    /// Of one it is shared with: he reads it for as long as it is.
    shared: Option<Arc<SignedIn>>,
    subscription: Subscription,
    job: JobId,
    /// When to look for the terminal event.
    look: Option<Instant>,
    /// Whether it was sent.
    over: bool,
}

impl Follow {
    async fn next(mut self) -> Option<(Item, Self)> {
        if self.over {
            return None;
        }
        loop {
            if self.look.is_some_and(|look| look <= Instant::now()) {
                // Boxed, since it is large and mostly not under way.
                let end = Box::pin(events::of_job(&self.app.pool, self.job));
                let found = tokio::select! {
                    biased;
                    () = self.ended() => return None,
                    () = self.app.stopping.cancelled() => return None,
                    found = timeout(PATIENCE, end) => found,
                };
                if let Some(end) = self.found(found) {
                    self.over = true;
                    return Some((Ok(message(&end)), self));
                }
            }
            tokio::select! {
                // First whether there may be more at all.
                biased;
                () = self.ended() => return None,
                () = self.app.stopping.cancelled() => return None,
                signal = self.subscription.next() => match signal {
                    Signal::Told(told) => return Some((Ok(progress(&told)), self)),
                    Signal::Look => self.look = Some(Instant::now()),
                    Signal::Lost(_) | Signal::Joined(_) => {}
                },
                () = until(self.look) => {}
            }
        }
    }

    /// Waits until the reader may read it no more.
    async fn ended(&self) {
        match &self.shared {
            Some(shared) => tokio::select! {
                () = self.signed_in.ended() => {}
                () = shared.ended() => {}
            },
            None => self.signed_in.ended().await,
        }
    }

    /// The terminal event, if it was found; when to look again, if the database did not say.
    fn found(&mut self, found: std::result::Result<std::result::Result<Option<Event>, StoreError>, Elapsed>) -> Option<Event> {
        if let Ok(Ok(end)) = found {
            self.look = None;
            let shared = self.shared.is_some();
            return end.map(|end| if shared { outline(end) } else { end });
        }
        // The one look for all who wait has warned of it.
        tracing::debug!("no look at a question's end");
        self.look = Some(self.subscription.next_look());
        None
    }
}

/// The end as one is told it with whom the question is shared: why it failed, and what it was asked of, depend on his own permissions.
fn outline(mut end: Event) -> Event {
    if let Some(data) = end.data.as_object_mut() {
        data.remove("error");
        data.remove("connection_id");
    }
    end
}

fn progress(told: &Told) -> sse::Event {
    sse::Event::default().event(&told.event_type).data(told.text.as_str())
}

fn message(event: &Event) -> sse::Event {
    let message = sse::Event::default().event(&event.event_type).data(serde_json::to_string(event).unwrap_or_default());
    match &event.sequence {
        Some(sequence) => message.id(sequence),
        None => message,
    }
}
