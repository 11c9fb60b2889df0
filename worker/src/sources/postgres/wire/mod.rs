//! A connection to a PostgreSQL server: what is said on it and what comes back, in the protocol's own terms.
//!
//! It is our own because a row must be refused before it is in memory, and because a statement must cost one round trip: everything
//! about it goes out in one write ([`Batch`]), and the answers are read one after the other.

mod batch;
mod binding;
mod cancel;
mod error;
mod frames;
mod rows;
mod startup;
mod target;
mod tls;

use bytes::BytesMut;
use futures::FutureExt as _;
use postgres_protocol::message::{
    backend::{DataRowBody, Message, RowDescriptionBody},
    frontend,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(super) use self::{
    batch::{Batch, DECLARE, EXPLAIN},
    error::{ServerError, WireError},
    rows::OwnRow,
    target::Target,
};
use self::{
    cancel::Canceller,
    frames::{Event, Frames, SMALL, USUAL},
    startup::Circumstances,
    target::{Reached, Stream},
};
use crate::sources::idle::KeptConnection;

/// Outside of a transaction, with nothing to come.
const AT_REST: u8 = b'I';

/// A part of an answer that somebody waits for.
pub(super) enum Answer {
    /// The columns of the rows that follow.
    Columns(RowDescriptionBody),
    /// A row.
    Row(DataRowBody),
    /// As many rows came as were asked for; there may be more.
    Suspended,
    /// It failed. What is left of this answer has nothing to tell.
    Failed(ServerError),
    /// The end of the answer.
    Ready,
}

/// An open connection.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    frames: Frames,
    is_secured: bool,
    /// The process and the secret that a server wants to hear from whoever cancels a statement.
    key: Option<(i32, i32)>,
    /// Answers that are still to come.
    pending: u32,
    /// What the server said of the transaction at the end of the last one.
    status: u8,
}

impl Wire {
    /// Connects and signs in. Takes as long as the server does.
    pub(super) async fn connect(target: &Target) -> Result<Self, WireError> {
        let reached = target.reach().await?;
        Self::begin(reached, target).await
    }

    async fn begin(reached: Reached, target: &Target) -> Result<Self, WireError> {
        let Reached { stream, is_secured, is_local, binding } = reached;
        let frames = Frames::new(SMALL);
        let mut wire = Self { stream, frames, is_secured, key: None, pending: 0, status: 0 };
        startup::sign_in(&mut wire, target, Circumstances { is_private: is_secured || is_local, binding }).await?;
        Ok(wire)
    }

    /// Sends a batch. Its answers are read by the functions that follow, in order.
    pub(super) async fn send(&mut self, batch: &Batch) -> Result<(), WireError> {
        self.allow(USUAL);
        self.pending += batch.answers;
        self.write(&batch.bytes).await
    }

    /// Lets the messages of the answers that are to come have so many bytes each.
    pub(super) fn allow(&mut self, most: usize) {
        self.frames.give_rows(most);
    }

    /// The next part of an answer. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Answer, WireError> {
        loop {
            let answer = match self.event().await? {
                Event::Failed(error) => Answer::Failed(error),
                Event::Message(Message::RowDescription(columns)) => Answer::Columns(columns),
                Event::Message(Message::DataRow(row)) => Answer::Row(row),
                Event::Message(Message::PortalSuspended) => Answer::Suspended,
                Event::Message(Message::ReadyForQuery(ready)) => {
                    self.status = ready.status();
                    self.pending = self.pending.saturating_sub(1);
                    Answer::Ready
                }
                Event::Message(
                    Message::ParseComplete
                    | Message::BindComplete
                    | Message::CloseComplete
                    | Message::CommandComplete(_)
                    | Message::EmptyQueryResponse
                    | Message::NoData
                    | Message::ParameterDescription(_),
                ) => continue,
                Event::Message(_) => return Err(WireError::Protocol),
            };
            return Ok(answer);
        }
    }

    /// Reads one answer to its end and gives each of its rows.
    pub(super) async fn each<F>(&mut self, mut take: F) -> Result<(), WireError>
    where
        F: FnMut(OwnRow) -> Result<(), WireError>,
    {
        loop {
            match self.next().await? {
                Answer::Row(row) => take(OwnRow::new(&row)?)?,
                Answer::Columns(_) | Answer::Suspended => {}
                Answer::Failed(error) => return Err(WireError::Server(error)),
                Answer::Ready => return Ok(()),
            }
        }
    }

    /// Reads one answer: its rows.
    pub(super) async fn rows(&mut self) -> Result<Vec<OwnRow>, WireError> {
        let mut rows = Vec::new();
        self.each(|row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Reads one answer, of which only its success matters.
    pub(super) async fn done(&mut self) -> Result<(), WireError> {
        self.each(|_row| Ok(())).await
    }

    /// Reads all answers that are still to come and drops them, unless they are more than so many bytes.
    pub(super) async fn drain(&mut self, most: usize) -> Result<(), WireError> {
        self.frames.skip_rows();
        let mut left = most;
        while self.pending > 0 {
            match self.frames.event()? {
                Some(Event::Message(Message::ReadyForQuery(ready))) => {
                    self.status = ready.status();
                    self.pending -= 1;
                }
                Some(_) => {}
                None => left = left.checked_sub(self.fill().await?).ok_or(WireError::TooLarge)?,
            }
        }
        Ok(())
    }

    /// Makes sure that no transaction is open and no answer is to come.
    pub(super) async fn settle(&mut self, most: usize, rollback: &Batch) -> Result<(), WireError> {
        self.drain(most).await?;
        if self.status != AT_REST {
            self.send(rollback).await?;
            self.drain(most).await?;
        }
        self.frames.relax();
        if self.status == AT_REST && self.frames.is_empty() { Ok(()) } else { Err(WireError::Protocol) }
    }

    /// Whether all answers have come.
    pub(super) fn is_answered(&self) -> bool {
        self.pending == 0
    }

    /// Whether nothing came on a connection that rests: a server that ends a session says so, or hangs up.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.frames.is_empty() && self.stream.read(&mut [0]).now_or_never().is_none()
    }

    /// What cancels the statements of this connection.
    pub(super) fn canceller(&self) -> Option<Canceller> {
        self.key.map(|(process, secret)| Canceller { process, secret, is_secured: self.is_secured })
    }

    async fn event(&mut self) -> Result<Event, WireError> {
        loop {
            if let Some(event) = self.frames.event()? {
                return Ok(event);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<usize, WireError> {
        match self.stream.read_buf(self.frames.room()).await? {
            0 => Err(WireError::Closed),
            read => Ok(read),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }
}

impl KeptConnection for Wire {
    async fn close(mut self) {
        let mut farewell = BytesMut::new();
        frontend::terminate(&mut farewell);
        // Nothing is left to lose with this connection: a failed farewell changes nothing.
        let _ = self.write(&farewell).await;
        let _ = self.stream.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
