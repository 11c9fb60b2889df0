//! The form of log lines.

use std::{
    error::Error,
    fmt::{self, Debug},
};

use chrono::SecondsFormat;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{Format, Writer},
    },
    registry::LookupSpan,
};

use crate::clock::Clock;

/// One JSON object a line.
pub(super) struct JsonLines {
    service: &'static str,
    instance: String,
}

impl JsonLines {
    pub(super) fn new(service: &'static str, instance: &str) -> Self {
        Self { service, instance: instance.to_owned() }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Map::new();
        let mut spans = String::new();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if !spans.is_empty() {
                spans.push(':');
            }
            spans.push_str(span.name());
            // The layer has written the span's fields as a JSON object when they were recorded.
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && let Ok(Value::Object(fields)) = serde_json::from_str(&fields.fields)
            {
                line.extend(fields);
            }
        }
        event.record(&mut Fields(&mut line));
        // Last, so that no field takes a fixed one's place.
        let time = Clock::default().now().to_rfc3339_opts(SecondsFormat::Micros, true);
        line.insert("time".to_owned(), Value::from(time));
        line.insert("level".to_owned(), Value::from(event.metadata().level().as_str()));
        line.insert("service".to_owned(), Value::from(self.service));
        line.insert("instance".to_owned(), Value::from(self.instance.as_str()));
        line.insert("target".to_owned(), Value::from(event.metadata().target()));
        line.insert("span".to_owned(), Value::from(spans));
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The fields of an event, as members of the line.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    /// With its causes: the top one alone says what failed, and not why.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.put(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// Lines for eyes, with the service in front: several programs share a terminal.
pub(super) struct TextLines {
    service: &'static str,
    format: Format,
}

impl TextLines {
    pub(super) fn new(service: &'static str) -> Self {
        Self { service, format: Format::default() }
    }
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "{} ", self.service)?;
        self.format.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("nothing was written")]
    struct Top(#[source] std::io::Error);

    /// Takes the fields of every event as they would stand in a line.
    #[derive(Clone, Default)]
    struct Kept(std::sync::Arc<std::sync::Mutex<Map<String, Value>>>);

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            event.record(&mut Fields(&mut self.0.lock().expect("nobody panicked")));
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::registry().with(kept.clone());
        tracing::subscriber::with_default(subscriber, || {
            let error = Top(std::io::Error::other("the disk is full"));
            tracing::error!(error = &error as &dyn Error, "it failed");
        });
        assert_eq!(kept.0.lock().expect("nobody panicked")["error"], "nothing was written: the disk is full");
    }
}
