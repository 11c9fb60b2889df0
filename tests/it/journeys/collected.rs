//! Spans as a collector gets them: one trace over the processes, nothing secret in it, and no harm when the collector is away.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use datagenie_common::lifecycle;
use datagenie_tests::{Answer, Processes, TestApp, until};
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prost::Message;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const KEY: &str = "the collector's own key";

/// A collector: its address, and the spans that it has, by service.
#[derive(Clone, Default)]
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<(String, Span)>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let collector = Self { url, ..Self::default() };
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        lifecycle::spawn("collector", async move {
            let _ = axum::serve(listener, router).await;
        });
        collector
    }

    /// The spans of the test's trace by name, with their service.
    fn of_the_trace(&self) -> BTreeMap<String, (String, Span)> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = spans.iter().filter(|(_, span)| hex(&span.trace_id) == TRACE);
        ours.map(|(service, span)| (span.name.clone(), (service.clone(), span.clone()))).collect()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers.get("x-key").and_then(|value| value.to_str().ok()), Some(KEY));
    let request = ExportTraceServiceRequest::decode(body).expect("protobuf of OTLP");
    let mut spans = collector.spans.lock().unwrap_or_else(PoisonError::into_inner);
    for resource in request.resource_spans {
        let service = format!("{:?}", resource.resource);
        spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans).map(|span| (service.clone(), span)));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_one_trace_from_the_request_to_the_last_query_and_no_secret() {
    let collector = Collector::start().await;
    let app = TestApp::start().await;
    let connection = app.shop_pg().await;
    app.worker.stop().await;
    let processes = Processes::of(&app)
        .with_setting("traces.endpoint", &collector.url)
        .with_setting("traces.headers", &format!("x-key={KEY}"))
        // The caller's word on sampling goes before it.
        .with_setting("traces.sample_ratio", "0");
    let (api, url) = processes.api().await;
    let worker = processes.worker();
    app.stub.say(Answer::Sql("SELECT count(*) AS n FROM orders"));
    let admin = app.admin.at(&url);
    let ask = admin
        .request(Method::POST, "/v1/questions")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .json(&json!({ "question": "how many orders?", "connection_id": connection }));
    let id = admin.send(ask).await.expect(202).id();
    assert_eq!(app.admin.wait(id).await["status"], "success");
    // A process that ends sends what it has left.
    for process in [&api, &worker] {
        process.terminate();
        process.exit_code().await;
    }

    let spans = collector.of_the_trace();
    let parent_of = |name: &str| spans.get(name).map(|(_, span)| hex(&span.parent_span_id)).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let id_of = |name: &str| hex(&spans[name].1.span_id);
    let (request, job) = ("POST /v1/questions", "job.answer_question");
    assert_eq!(parent_of(request), CALLER);
    assert_eq!(parent_of(job), id_of(request), "the job follows the request");
    assert_eq!((parent_of("model.complete"), parent_of("source.query")), (id_of(job), id_of(job)));
    assert!(spans[request].0.contains("datagenie-api") && spans[job].0.contains("datagenie-worker"), "{spans:?}");
    let others = collector.spans.lock().expect("the lock is sound").iter().filter(|(_, span)| hex(&span.trace_id) != TRACE).count();
    assert_eq!(others, 0, "what begins here is not sampled");
    let all = format!("{spans:?}{}{}", api.log(), worker.log());
    for secret in [KEY, app.admin.token(), app.environment["DATAGENIE_SEALING__KEY"].as_str()] {
        assert!(!all.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let app = TestApp::builder().no_worker().start().await;
    let away = {
        // A port that somebody held a moment ago, and nobody does now.
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        format!("http://{}", listener.local_addr().expect("a listener has an address"))
    };
    let worker = Processes::of(&app).with_setting("traces.endpoint", &away).worker();
    app.stub.say(Answer::Text("Hello."));
    let id = app.admin.ask(json!({ "question": "hello?" })).await;
    assert_eq!(app.admin.wait(id).await["status"], "success");
    // One that takes the connection, and never answers: nobody waits for it either, at work or at the end.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = format!("http://{}", silent.local_addr().expect("a listener has an address"));
    let (api, url) = Processes::of(&app).with_setting("traces.endpoint", &address).api().await;
    let _ = app.admin.at(&url).get("/v1/me", None).await.expect(200);
    api.terminate();
    assert_eq!(api.exit_code().await, Some(0), "{}", api.log());
    until(|| async { worker.log().contains("pentelemetry").then_some(()) }, "the log says that spans are not taken").await;
    worker.terminate();
    assert_eq!(worker.exit_code().await, Some(0));
}
