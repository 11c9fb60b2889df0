//! Spans sent to a collector by OTLP over HTTP, when the settings name one. They are gathered and sent by a thread of their own: a collector
//! that is slow or away costs spans, never an answer.

use std::{collections::HashMap, sync::OnceLock, time::Duration};

use opentelemetry::{
    KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt as _, TraceState, TracerProvider as _},
};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use secrecy::ExposeSecret;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, registry::LookupSpan};

use super::TraceContext;
use crate::settings::Traces;

/// How long sending one lot may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end of a process waits for its last spans.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// What a collector of OTLP over HTTP listens on, below its address.
const PATH: &str = "/v1/traces";

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Why spans can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The exporter can't be made of the settings.
    #[error("traces.endpoint can't be sent to")]
    Exporter(#[source] ExporterBuildError),
    /// A header is not `name=value`.
    #[error("traces.headers: expected name=value, separated by commas, where a name is of letters, digits, - and _")]
    Headers,
}

/// What hands spans to the exporter; none if the settings name no collector.
///
/// # Errors
/// [`OtlpError`].
pub(super) fn layer<S>(
    settings: &Traces,
    service: &'static str,
    instance: &str,
) -> Result<Option<impl Layer<S> + Send + Sync + use<S>>, OtlpError>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let Some(endpoint) = &settings.endpoint else { return Ok(None) };
    // Every TLS of the process is ring's; a second call is of no account.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
        .with_headers(headers(settings)?)
        .with_timeout(PATIENCE)
        .build()
        .map_err(OtlpError::Exporter)?;
    let resource = Resource::builder()
        .with_service_name(format!("datagenie-{service}"))
        .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))))
        .with_resource(resource)
        .with_batch_exporter(exporter)
        .build();
    let tracer = PROVIDER.get_or_init(|| provider).tracer("datagenie");
    // Where in the source a span was made is nobody's business outside, and costs.
    Ok(Some(tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false)))
}

fn headers(settings: &Traces) -> Result<HashMap<String, String>, OtlpError> {
    let Some(text) = &settings.headers else { return Ok(HashMap::new()) };
    let pairs = text.expose_secret().split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or(OtlpError::Headers)?;
            let (name, value) = (name.trim(), value.trim());
            // The exporter leaves out what is no header, without a word.
            let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            let is_value = value.bytes().all(|b| (b' '..=b'~').contains(&b));
            if is_name && is_value { Ok((name.to_owned(), value.to_owned())) } else { Err(OtlpError::Headers) }
        })
        .collect()
}

/// Sends what is left, for the end of a process.
pub(super) fn flush() {
    if let Some(provider) = PROVIDER.get() {
        // Nobody is left who could do something about a failure, and the collector's operator has been told by a log line before.
        let _ = provider.shutdown_with_timeout(LAST_PATIENCE);
    }
}

/// Makes a span a step of this trace, for the collector.
pub(super) fn follow(span: &Span, parent: &TraceContext) {
    let parent = SpanContext::new(
        TraceId::from_bytes(parent.trace_id),
        SpanId::from_bytes(parent.span_id),
        TraceFlags::new(parent.flags),
        true,
        TraceState::default(),
    );
    // Without a collector there is nothing to set it on.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
}

/// Where a span is, if spans are sent.
pub(super) fn place(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let here = context.span().span_context().clone();
    here.is_valid().then(|| TraceContext {
        trace_id: here.trace_id().to_bytes(),
        span_id: here.span_id().to_bytes(),
        flags: here.trace_flags().to_u8(),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn headers_are_taken_apart_and_what_is_none_is_told_without_it() {
        let of = |text: &str| headers(&Traces { endpoint: None, headers: Some(SecretString::from(text)), sample_ratio: 1.0 });
        let found = of("x-key=a=b, authorization = Basic cGxhbnRlZA==,").expect("headers");
        assert_eq!((found["x-key"].as_str(), found["authorization"].as_str()), ("a=b", "Basic cGxhbnRlZA=="));
        for text in ["planted", "x key=planted", "=planted", "x-key=pl\u{1}anted"] {
            let error = of(text).expect_err("no header").to_string();
            assert!(error.contains("name=value") && !error.contains("planted"), "{error}");
        }
    }
}
