//! A request's body that is read no further ahead than who takes it is.
//!
//! The parser of forms reads on for as long as there is something to read, and keeps all of it until it has found the end of a part's
//! headers. So it gets one piece at a time, and an error where pieces come to nothing.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::Bytes;
use futures::Stream;

/// Bytes that may be read without anything coming of them, but for the piece that passes it.
const MOST_AHEAD: usize = 256 * 1024;

/// More was read ahead than may be.
#[derive(Debug)]
pub(super) struct TooFarAhead;

impl std::fmt::Display for TooFarAhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the headers of a part, or what comes before the first one, are longer than {} KiB", MOST_AHEAD / 1024)
    }
}

impl std::error::Error for TooFarAhead {}

/// How much was read that nothing has come of.
#[derive(Clone, Debug, Default)]
pub(super) struct Lead(Arc<AtomicUsize>);

impl Lead {
    /// Something has come of what was read.
    pub fn caught_up(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The paced body.
pub(super) struct Paced<S> {
    body: S,
    lead: Lead,
    /// A piece was given, so that the next look gets nothing yet.
    gave: bool,
}

impl<S> Paced<S> {
    /// Paces this body.
    pub fn new(body: S, lead: Lead) -> Self {
        Self { body, lead, gave: false }
    }
}

impl<S, E> Stream for Paced<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<axum::BoxError>,
{
    type Item = Result<Bytes, axum::BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.gave) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.lead.0.load(Ordering::Relaxed) > MOST_AHEAD {
            return Poll::Ready(Some(Err(TooFarAhead.into())));
        }
        match ready!(Pin::new(&mut self.body).poll_next(context)) {
            Some(Ok(bytes)) => {
                self.lead.0.fetch_add(bytes.len(), Ordering::Relaxed);
                self.gave = true;
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
            None => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{
        body::Body,
        extract::{FromRequest, Multipart, Request},
    };
    use futures::stream;

    use super::*;

    const PIECE: usize = 64 * 1024;
    /// Less than axum's own limit, which holds outside of the router.
    const PIECES: usize = 24;

    /// A form whose body is always ready: so many pieces behind this head. Every piece that is read is counted.
    async fn form(head: &'static str, pieces: usize, read: Arc<AtomicUsize>, lead: Lead) -> Multipart {
        let body = std::iter::once(Bytes::from_static(head.as_bytes()))
            .chain(std::iter::repeat_n(Bytes::from(vec![b'a'; PIECE]), pieces))
            .chain(std::iter::once(Bytes::from_static(b"\r\n--b--\r\n")))
            .inspect(move |_| {
                read.fetch_add(1, Ordering::Relaxed);
            });
        let body = Body::from_stream(Paced::new(stream::iter(body.map(Ok::<_, Infallible>)), lead));
        let request = Request::builder().header("content-type", "multipart/form-data; boundary=b").body(body).expect("a request");
        Multipart::from_request(request, &()).await.expect("a form")
    }

    #[tokio::test]
    async fn no_more_than_a_piece_is_read_ahead() {
        let (read, lead) = (Arc::new(AtomicUsize::new(0)), Lead::default());
        let head = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
        let mut form = form(head, PIECES, read.clone(), lead.clone()).await;
        let mut field = form.next_field().await.expect("it is read").expect("a field");
        let mut taken = 0;
        while let Some(bytes) = field.chunk().await.expect("it is read") {
            lead.caught_up();
            taken += bytes.len();
            let ahead = read.load(Ordering::Relaxed) * PIECE - taken;
            assert!(ahead <= 3 * PIECE, "{ahead} bytes ahead after {taken}");
        }
        assert_eq!(taken, PIECES * PIECE);
    }

    #[tokio::test]
    async fn headers_without_end_are_given_up() {
        let (read, lead) = (Arc::new(AtomicUsize::new(0)), Lead::default());
        for head in ["--b\r\nContent-Disposition: ", "what comes before"] {
            read.store(0, Ordering::Relaxed);
            lead.caught_up();
            let mut form = form(head, PIECES, read.clone(), lead.clone()).await;
            assert!(form.next_field().await.is_err());
            assert!(read.load(Ordering::Relaxed) <= 8, "{} pieces were read", read.load(Ordering::Relaxed));
        }
    }
}
