//! Log lines, traces and metrics of a process.

mod gathered;
mod lines;
pub mod metrics;
mod otlp;
mod panics;
pub mod trace;

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{ParseError, filter_fn},
    fmt::{MakeWriter, format::JsonFields},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

use self::lines::{JsonLines, TextLines};
pub use self::{otlp::OtlpError, trace::TraceContext};
use crate::settings::{Log, LogFormat, Traces};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` is not understood.
    #[error("the log filter is not understood")]
    Filter(#[source] ParseError),
    /// The thread that writes the lines did not start.
    #[error("the writer of log lines did not start")]
    Writer(#[source] io::Error),
    /// Spans can't be sent as the settings say.
    #[error(transparent)]
    Traces(#[from] OtlpError),
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice(#[source] TryInitError),
}

/// Sends log lines to standard error, in the form and with the filter of the settings, and panics as log lines too; spans, if the settings
/// name a collector, there.
///
/// A JSON line has the fixed fields `time`, `level`, `service`, `instance`, `target`, `message` and `span` (the names of the spans it is in,
/// outermost first); the fields of the event and of its spans (`trace_id`, `job_id` …) stand beside them.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(settings: &Log, traces: &Traces, service: &'static str, instance: &str) -> Result<(), TelemetryError> {
    let registry = filtered(&settings.filter).map_err(TelemetryError::Filter)?.with(otlp::layer(traces, service, instance)?);
    match settings.format {
        LogFormat::Json => {
            let lines = gathered::to_stderr().map_err(TelemetryError::Writer)?;
            registry.with(json_layer(service, instance, gathered::Gathered(lines))).try_init()
        }
        LogFormat::Text => {
            let layer = tracing_subscriber::fmt::layer()
                .with_ansi(io::stderr().is_terminal())
                .event_format(TextLines::new(service))
                .with_writer(io::stderr);
            registry.with(layer).try_init()
        }
    }
    .map_err(TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, panic = panics::words(panic), "panicked");
        // A task's panic is caught, and its thread goes on, be it the main one: it must not stand still for the log, whose lines are written
        // soon, or at the end of `main` at the latest. One of the program itself ends the process without coming there.
        if std::thread::current().name() == Some("main") && tokio::task::try_id().is_none() {
            flush();
        }
    }));
    Ok(())
}

/// Waits until the lines that this process has logged so far are written, and its spans sent, two seconds each at most. For the end of a
/// process: the last thing in `main`, whatever came of it.
pub fn flush() {
    otlp::flush();
    gathered::flush();
}

/// What the operator's filter lets through, but for [`is_harmless`].
fn filtered(filter: &str) -> Result<impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync + use<>, ParseError> {
    Ok(tracing_subscriber::registry().with(EnvFilter::try_new(filter)?).with(filter_fn(is_harmless)))
}

/// At its lower levels the AMQP client logs the frames that it sends, and the first one holds the password: no filter gets them.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let of_amqp = ["lapin", "amq_protocol"].iter().any(|name| metadata.target().starts_with(name));
    !of_amqp || *metadata.level() <= Level::INFO
}

fn json_layer<S, W>(service: &'static str, instance: &str, writer: W) -> impl Layer<S> + use<S, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(JsonLines::new(service, instance)).with_writer(writer)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(work: impl FnOnce()) -> Vec<Value> {
        logged_by(tracing_subscriber::registry(), work)
    }

    fn logged_by<S>(registry: S, work: impl FnOnce()) -> Vec<Value>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = json_layer("worker", "worker-1", move || writer.clone());
        tracing::subscriber::with_default(registry.with(layer), work);
        let bytes = buffer.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    #[test]
    fn every_line_has_the_fixed_fields() {
        let lines = logged(|| tracing::warn!(rows = 3, ok = true, "한글 \"quoted\"\nline"));
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["service"], "worker");
        assert_eq!(line["instance"], "worker-1");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "한글 \"quoted\"\nline");
        assert_eq!(line["rows"], 3);
        assert_eq!(line["ok"], true);
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')));
        assert!(line["target"].as_str().is_some_and(|target| target.contains("telemetry")));
    }

    #[test]
    fn fields_of_spans_stand_in_the_line_and_inner_ones_win() {
        let lines = logged(|| {
            let outer = tracing::info_span!("job", job_id = 1, trace_id = tracing::field::Empty);
            TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").expect("valid").record(&outer);
            let _outer = outer.enter();
            let _inner = tracing::info_span!("query", job_id = 2).entered();
            tracing::info!(level = "fake", "done");
        });
        let line = &lines[0];
        assert_eq!(line["job_id"], 2);
        assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(line["span"], "job:query");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn no_filter_gets_what_the_amqp_client_sends() {
        let log = || {
            tracing::trace!(target: "lapin::channel", "a frame");
            tracing::debug!(target: "amq_protocol::frame::parsing", "a frame");
            tracing::info!(target: "lapin", "connected");
            tracing::warn!(target: "lapin::channel", "closed");
            tracing::trace!(target: "datagenie_common::broker", "ours");
        };
        let messages = |filter: &str| -> Vec<String> {
            let lines = logged_by(filtered(filter).expect("a filter"), log);
            lines.iter().map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(messages("trace,lapin::channel=trace,amq_protocol::frame=trace"), ["connected", "closed", "ours"]);
        assert_eq!(messages("warn"), ["closed"], "it raises nothing that the operator left out");
        assert_eq!(messages("off,lapin::channel=trace"), ["closed"]);
    }
}
