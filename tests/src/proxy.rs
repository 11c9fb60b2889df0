//! A TCP proxy that does what networks do: it breaks connections, turns them away, holds them up, or breaks them just when the
//! answer was on its way.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use datagenie_common::lifecycle;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const CHUNK: usize = 16 * 1024;
/// How long a server may take over what it got before an answer was cut off.
const FINISH: Duration = Duration::from_secs(5);

/// A proxy on 127.0.0.1 before one address. Dropping it ends all its connections.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    over: CancellationToken,
}

struct State {
    upstream: SocketAddr,
    refusing: AtomicBool,
    // Whether bytes are held back.
    stalled: watch::Sender<bool>,
    // Ends the connections that are open now.
    passing: Mutex<CancellationToken>,
    trap: Mutex<Option<Trap>>,
    cuts: AtomicUsize,
}

/// What a client must send for its connection to be cut, and how many more times.
struct Trap {
    pattern: Vec<u8>,
    times: usize,
}

/// Why nothing more comes from a client.
enum End {
    Closed,
    Trapped,
}

impl Proxy {
    /// A proxy that passes everything on to this address.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(State {
            upstream,
            refusing: AtomicBool::new(false),
            stalled: watch::Sender::new(false),
            passing: Mutex::new(CancellationToken::new()),
            trap: Mutex::new(None),
            cuts: AtomicUsize::new(0),
        });
        let over = CancellationToken::new();
        lifecycle::spawn("proxy", accept(listener, state.clone(), over.clone()));
        Self { address, state, over }
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks all open connections; new ones pass.
    pub fn cut(&self) {
        // A connection that is accepted from here on has the new token.
        std::mem::take(&mut *lock(&self.state.passing)).cancel();
    }

    /// Breaks all open connections and closes each new one at once.
    pub fn refuse(&self) {
        self.state.refusing.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Lets new connections pass again after a [`refuse`](Self::refuse).
    pub fn allow(&self) {
        self.state.refusing.store(false, Ordering::SeqCst);
    }

    /// Holds back all bytes both ways: connections stay open and nothing arrives.
    pub fn stall(&self) {
        self.state.stalled.send_replace(true);
    }

    /// Delivers what was held back, and all that follows.
    pub fn resume(&self) {
        self.state.stalled.send_replace(false);
    }

    /// From now on breaks each connection whose client sends `pattern`, `times` times in all: the server gets it and does what it
    /// says, the client gets no byte of an answer, so it can't know. With b"COMMIT" that is a commit of unknown outcome. A new
    /// pattern replaces the one before; no times is none.
    ///
    /// # Panics
    /// If the pattern is empty.
    pub fn cut_answer_to(&self, pattern: Vec<u8>, times: usize) {
        assert!(!pattern.is_empty(), "a pattern has at least one byte");
        *lock(&self.state.trap) = (times > 0).then_some(Trap { pattern, times });
    }

    /// How many connections were broken by a pattern. A client that sees its connection broken is counted already.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.cancel();
        self.refuse();
    }
}

impl State {
    /// Whether the trap closes on this chunk. A pattern may lie across chunks: `seen` is what could be its beginning.
    fn springs(&self, seen: &mut Vec<u8>, chunk: &[u8]) -> bool {
        let mut trap = lock(&self.trap);
        let Some(set) = trap.as_mut() else {
            seen.clear();
            return false;
        };
        seen.extend_from_slice(chunk);
        let length = set.pattern.len();
        if !seen.windows(length).any(|window| window == set.pattern) {
            seen.drain(..seen.len().saturating_sub(length - 1));
            return false;
        }
        set.times -= 1;
        if set.times == 0 {
            *trap = None;
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<State>, over: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = over.cancelled() => return,
        };
        // Taken before the look at `refusing`: whoever refuses sets that first and then breaks what holds the token.
        let passing = lock(&state.passing).clone();
        let Ok((client, _)) = accepted else { continue };
        if state.refusing.load(Ordering::SeqCst) {
            continue;
        }
        let state = state.clone();
        lifecycle::spawn("proxy.pass", async move {
            tokio::select! {
                () = pass(client, &state) => {}
                () = passing.cancelled() => {}
            }
        });
    }
}

async fn pass(client: TcpStream, state: &State) {
    let Ok(server) = TcpStream::connect(state.upstream).await else { return };
    // What it adds to the time is not to be what is measured.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let silent = AtomicBool::new(false);
    let mut answers = pin!(pass_answers(from_server, &mut to_client, state, &silent));
    let end = tokio::select! {
        end = pass_requests(from_client, &mut to_server, state, &silent) => end,
        () = &mut answers => End::Closed,
    };
    if matches!(end, End::Trapped) {
        // The server reads all that was sent, does it and then sees the end. Closing at once could make it lose the request.
        let _ = to_server.shutdown().await;
        let _ = timeout(FINISH, answers).await;
        // The client's connection ends with this function, so it is counted by then.
        state.cuts.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pass_requests(mut from: OwnedReadHalf, to: &mut OwnedWriteHalf, state: &State, silent: &AtomicBool) -> End {
    let mut stalled = state.stalled.subscribe();
    let mut buffer = vec![0; CHUNK];
    let mut seen = Vec::new();
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return End::Closed,
            Ok(length) => length,
        };
        let trapped = state.springs(&mut seen, &buffer[..length]);
        if trapped {
            // Before the server can have it, and so before it can answer.
            silent.store(true, Ordering::SeqCst);
        }
        drop(stalled.wait_for(|stalled| !stalled).await);
        if to.write_all(&buffer[..length]).await.is_err() {
            return End::Closed;
        }
        if trapped {
            return End::Trapped;
        }
    }
}

async fn pass_answers(mut from: OwnedReadHalf, to: &mut OwnedWriteHalf, state: &State, silent: &AtomicBool) {
    let mut stalled = state.stalled.subscribe();
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        drop(stalled.wait_for(|stalled| !stalled).await);
        if !silent.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
