//! A door before a server: open, it passes everything on; shut, whoever comes finds that the connection ends at once.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use datagenie_common::lifecycle;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// A TCP proxy on 127.0.0.1 that can be shut.
pub struct Gate {
    address: SocketAddr,
    state: Arc<State>,
    over: CancellationToken,
}

struct State {
    shut: AtomicBool,
    // Ends the connections that pass through.
    passing: Mutex<CancellationToken>,
}

impl Gate {
    /// An open gate before this address.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn before(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(State { shut: AtomicBool::new(false), passing: Mutex::new(CancellationToken::new()) });
        let over = CancellationToken::new();
        let target = (host.to_owned(), port);
        lifecycle::spawn("gate", accept(listener, target, state.clone(), over.clone()));
        Self { address, state, over }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks what passes through, and lets nobody in.
    pub fn shut(&self) {
        self.state.shut.store(true, Ordering::SeqCst);
        self.state.passing().cancel();
    }

    /// Lets everybody in again.
    pub fn open(&self) {
        *self.state.passing.lock().unwrap_or_else(PoisonError::into_inner) = CancellationToken::new();
        self.state.shut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn passing(&self) -> CancellationToken {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.over.cancel();
        self.shut();
    }
}

async fn accept(listener: TcpListener, target: (String, u16), state: Arc<State>, over: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = over.cancelled() => return,
        };
        let passing = state.passing();
        let Ok((mut inside, _)) = accepted else { continue };
        if state.shut.load(Ordering::SeqCst) {
            continue;
        }
        let target = target.clone();
        lifecycle::spawn("gate.pass", async move {
            let Ok(mut outside) = TcpStream::connect((target.0.as_str(), target.1)).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut inside, &mut outside) => {}
                () = passing.cancelled() => {}
            }
        });
    }
}
