//! A model that says what it was told to: an OpenAI-compatible server, down to the bytes, so that it can also break off and hang.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::lifecycle;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// What the model does with a call.
#[derive(Clone, Debug)]
pub enum Answer {
    /// `{"sql": …}` as its content.
    Sql(&'static str),
    /// This object as its content.
    Json(Value),
    /// This text as its content.
    Text(&'static str),
    /// This HTTP status.
    Status(u16),
    /// This HTTP status, with a `Retry-After` in seconds.
    StatusAfter(u16, u64),
    /// The answer, this much later.
    Slow(Duration, Box<Answer>),
    /// Nothing, ever.
    Hang,
    /// A content that begins like JSON and breaks off.
    BrokenJson,
    /// A body that is no JSON at all.
    BrokenBody,
    /// The end of the connection.
    Close,
    /// Of any hundred calls so many are answered 500 and so many never; which ones is the same in every run.
    Mixed {
        /// Of a hundred.
        errors: usize,
        /// Of a hundred.
        hangs: usize,
        /// The others.
        well: Box<Answer>,
    },
}

impl Answer {
    /// What this is for the call of this number.
    fn of_call(self, number: usize) -> Self {
        let Self::Mixed { errors, hangs, well } = self else { return self };
        // 37 and 100 have no common divisor: any hundred calls in a row get all places from 0 to 99, in a scattered order.
        let place = number.wrapping_mul(37) % 100;
        if place < errors {
            Self::Status(500)
        } else if place < errors + hangs {
            Self::Hang
        } else {
            *well
        }
    }
}

/// The model. Clones are the same one; it ends with the test's runtime.
#[derive(Clone)]
pub struct ModelStub {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    queue: VecDeque<Answer>,
    last: Option<Answer>,
    calls: Vec<Value>,
    authorizations: Vec<String>,
    dropped: usize,
    at_once: usize,
    most_at_once: usize,
    is_down: bool,
    // Ends the connections of now.
    serving: CancellationToken,
}

impl ModelStub {
    /// A model at a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let stub = Self { address, script: Arc::default() };
        lifecycle::spawn("model_stub", stub.clone().accept(listener));
        stub
    }

    /// Its `llm.base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it answers next; the last answer told is repeated.
    pub fn say(&self, answer: Answer) {
        self.script().queue.push_back(answer);
    }

    /// The bodies of all calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Value> {
        self.script().calls.clone()
    }

    /// The `Authorization` headers of all calls so far.
    #[must_use]
    pub fn authorizations(&self) -> Vec<String> {
        self.script().authorizations.clone()
    }

    /// Calls whose caller went away before the answer.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.script().dropped
    }

    /// The most calls that were under way at the same time.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.script().most_at_once
    }

    /// From now on every connection ends as soon as it is made, and those of now end.
    pub fn down(&self) {
        let mut script = self.script();
        script.is_down = true;
        script.serving.cancel();
    }

    /// Serves again.
    pub fn up(&self) {
        let mut script = self.script();
        script.is_down = false;
        script.serving = CancellationToken::new();
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let (is_down, serving) = {
                let script = self.script();
                (script.is_down, script.serving.clone())
            };
            if is_down {
                continue;
            }
            let stub = self.clone();
            lifecycle::spawn("model_stub.call", async move {
                tokio::select! {
                    () = stub.serve(stream) => {}
                    () = serving.cancelled() => {}
                }
            });
        }
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut received = Vec::new();
        while let Some(call) = read_call(&mut stream, &mut received).await {
            let mut answer = self.take_call(call);
            let under_way = UnderWay::new(self);
            loop {
                let wait = match &answer {
                    Answer::Slow(wait, _) => Some(*wait),
                    Answer::Hang => None,
                    _ => break,
                };
                if caller_left(&mut stream, wait).await {
                    self.script().dropped += 1;
                    return;
                }
                if let Answer::Slow(_, then) = answer {
                    answer = *then;
                }
            }
            let Some(response) = render(&answer) else { return };
            // Before its caller can ask again.
            drop(under_way);
            if stream.write_all(response.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn take_call(&self, call: Call) -> Answer {
        let mut script = self.script();
        script.calls.push(call.body);
        script.authorizations.push(call.authorization);
        if let Some(answer) = script.queue.pop_front() {
            script.last = Some(answer);
        }
        // A model that was told nothing is a broken one.
        script.last.clone().unwrap_or(Answer::Status(500)).of_call(script.calls.len())
    }
}

/// A call from its arrival to its answer, or to the end of its caller.
struct UnderWay<'a>(&'a ModelStub);

impl<'a> UnderWay<'a> {
    fn new(stub: &'a ModelStub) -> Self {
        let mut script = stub.script();
        script.at_once += 1;
        script.most_at_once = script.most_at_once.max(script.at_once);
        drop(script);
        Self(stub)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.script().at_once -= 1;
    }
}

struct Call {
    body: Value,
    authorization: String,
}

async fn read_call(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Call> {
    let head_end = loop {
        if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, received).await?;
    };
    let head = String::from_utf8_lossy(&received[..head_end]).into_owned();
    let header = |name: &str| {
        let found = head.lines().filter_map(|line| line.split_once(':')).find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let length: usize = header("content-length").parse().unwrap_or_default();
    while received.len() < head_end + length {
        read_more(stream, received).await?;
    }
    let body = serde_json::from_slice(&received[head_end..head_end + length]).unwrap_or(Value::Null);
    received.drain(..head_end + length);
    Some(Call { body, authorization: header("authorization") })
}

async fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(received).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

/// Waits, for ever if no time is given; whether the caller went away meanwhile. He sends nothing before he is answered.
async fn caller_left(stream: &mut TcpStream, wait: Option<Duration>) -> bool {
    let mut byte = [0_u8; 1];
    let over = async {
        match wait {
            Some(wait) => sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = stream.read(&mut byte) => true,
        () = over => false,
    }
}

/// The bytes of a response; none: the connection just ends.
fn render(answer: &Answer) -> Option<String> {
    let refused = json!({ "error": { "message": "told to", "type": "stub" } }).to_string();
    Some(match answer {
        Answer::Sql(sql) => response(200, "", &completion(&json!({ "sql": sql }).to_string())),
        Answer::Json(value) => response(200, "", &completion(&value.to_string())),
        Answer::Text(text) => response(200, "", &completion(text)),
        Answer::BrokenJson => response(200, "", &completion("{\"sql\": \"SELECT count(*) FROM ord")),
        Answer::BrokenBody => response(200, "", "<html>this is no completion"),
        Answer::Status(status) => response(*status, "", &refused),
        Answer::StatusAfter(status, seconds) => response(*status, &format!("retry-after: {seconds}\r\n"), &refused),
        Answer::Close | Answer::Slow(..) | Answer::Hang | Answer::Mixed { .. } => return None,
    })
}

fn completion(content: &str) -> String {
    json!({
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": content }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120 },
    })
    .to_string()
}

fn response(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}
