//! The metrics of all programs: one table of names, units and labels, and the recorder behind `/metrics`.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// HTTP requests answered.
pub const HTTP_REQUESTS: &str = "datagenie_http_requests_total";
/// Seconds to the answer.
pub const HTTP_REQUEST_SECONDS: &str = "datagenie_http_request_seconds";
/// Connections of clients that were turned away.
pub const CONNECTIONS_REFUSED: &str = "datagenie_connections_refused_total";
/// Attempts at jobs that ended.
pub const JOBS: &str = "datagenie_jobs_total";
/// Seconds an attempt ran.
pub const JOB_SECONDS: &str = "datagenie_job_seconds";
/// Seconds from the time a job was due to its claim.
pub const JOB_WAIT_SECONDS: &str = "datagenie_job_wait_seconds";
/// Jobs that wait.
pub const QUEUE_DEPTH: &str = "datagenie_queue_depth";
/// Age of the oldest job that waits.
pub const QUEUE_OLDEST_SECONDS: &str = "datagenie_queue_oldest_seconds";
/// Jobs whose time has not come.
pub const QUEUE_DELAYED: &str = "datagenie_queue_delayed";
/// Jobs that workers hold.
pub const QUEUE_RUNNING: &str = "datagenie_queue_running";
/// Jobs whose attempts are spent.
pub const JOBS_DEAD: &str = "datagenie_jobs_dead";
/// Workers that take jobs.
pub const WORKERS_UP: &str = "datagenie_workers_up";
/// Rings for which there was nothing to claim.
pub const CLAIMS_LOST: &str = "datagenie_claims_lost_total";
/// Writes refused because the lease had passed on.
pub const LEASES_LOST: &str = "datagenie_leases_lost_total";
/// Calls of the model.
pub const MODEL_CALLS: &str = "datagenie_model_calls_total";
/// Seconds of a call of the model.
pub const MODEL_SECONDS: &str = "datagenie_model_seconds";
/// Tokens sent to and received from the model.
pub const MODEL_TOKENS: &str = "datagenie_model_tokens_total";
/// Seconds that a use of a limited resource waited for its turn.
pub const CAPACITY_WAIT_SECONDS: &str = "datagenie_capacity_wait_seconds";
/// Breakers that are open.
pub const BREAKERS_OPEN: &str = "datagenie_breakers_open";
/// Times that a breaker opened.
pub const BREAKER_OPENINGS: &str = "datagenie_breaker_openings_total";
/// Queries on customers' databases.
pub const SOURCE_QUERIES: &str = "datagenie_source_queries_total";
/// Seconds of such a query.
pub const SOURCE_SECONDS: &str = "datagenie_source_seconds";
/// Processes that have read a workbook, or failed to.
pub const WORKBOOK_READS: &str = "datagenie_workbook_reads_total";
/// Seconds of such a process.
pub const WORKBOOK_READ_SECONDS: &str = "datagenie_workbook_read_seconds";
/// Look-ups and writes of the caches.
pub const CACHE: &str = "datagenie_cache_total";
/// Announcements of jobs to the broker.
pub const RINGS: &str = "datagenie_rings_total";
/// Submissions that shared a commit.
pub const INTAKE_SLICE: &str = "datagenie_intake_slice";
/// Whether this scheduler leads.
pub const SCHEDULER_LEADING: &str = "datagenie_scheduler_leading";
/// Commits of several ends that were refused, so that each went by itself.
pub const FINISH_BATCHES_REFUSED: &str = "datagenie_finish_batches_refused_total";
/// Time of one attempt at a delivery.
pub const WEBHOOK_SECONDS: &str = "datagenie_webhook_seconds";
/// Readings that were refused because the audit log could not be written.
pub const AUDIT_REFUSED: &str = "datagenie_audit_refused_total";
/// Audit lines that no table takes.
pub const AUDIT_UNSTORABLE: &str = "datagenie_audit_unstorable_total";
/// Rounds of the scheduler's tasks.
pub const SCHEDULER_TASKS: &str = "datagenie_scheduler_tasks_total";

/// What a metric measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Is spread over buckets with these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub form: Form,
    /// In what it is measured.
    pub unit: Unit,
    /// The labels it is recorded with; each has few values.
    pub labels: &'static [&'static str],
    /// What it says, in a few words.
    pub help: &'static str,
}

/// Seconds of what should take milliseconds.
const SHORT: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
/// Seconds of what may take minutes.
const LONG: &[f64] = &[0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Every metric.
pub const METRICS: &[Metric] = &[
    counter(HTTP_REQUESTS, &["route", "method", "status"], "HTTP requests answered"),
    seconds(HTTP_REQUEST_SECONDS, SHORT, &["route"], "Time to the answer of an HTTP request"),
    counter(CONNECTIONS_REFUSED, &[], "Connections of clients that were turned away, since there were as many as there may be"),
    counter(JOBS, &["kind", "outcome"], "Attempts at jobs that ended"),
    seconds(JOB_SECONDS, LONG, &["kind"], "How long an attempt at a job ran"),
    seconds(WEBHOOK_SECONDS, LONG, &[], "How long an attempt to deliver a webhook or callback took"),
    seconds(JOB_WAIT_SECONDS, LONG, &["lane"], "How long a due job waited for its claim"),
    gauge(QUEUE_DEPTH, Unit::Count, &["lane"], "Jobs that wait or are queued"),
    gauge(QUEUE_OLDEST_SECONDS, Unit::Seconds, &["lane"], "Age of the oldest due job that waits"),
    gauge(QUEUE_DELAYED, Unit::Count, &["lane"], "Jobs whose time has not come"),
    gauge(QUEUE_RUNNING, Unit::Count, &["lane"], "Jobs that a worker holds"),
    gauge(JOBS_DEAD, Unit::Count, &[], "Failed jobs that can be replayed"),
    gauge(WORKERS_UP, Unit::Count, &[], "Workers that take jobs"),
    counter(CLAIMS_LOST, &["lane"], "Rings for which nothing was left to claim"),
    counter(LEASES_LOST, &[], "Writes refused because the job's lease had passed on"),
    counter(MODEL_CALLS, &["outcome"], "Calls of the language model"),
    seconds(MODEL_SECONDS, LONG, &[], "How long a call of the language model took"),
    counter(MODEL_TOKENS, &["direction"], "Tokens sent to and received from the language model"),
    seconds(CAPACITY_WAIT_SECONDS, SHORT, &["kind"], "How long a session of a database or a call of a model waited for its turn"),
    gauge(BREAKERS_OPEN, Unit::Count, &["kind"], "Models and databases that this process leaves alone because they fail"),
    counter(BREAKER_OPENINGS, &["kind"], "Times that a failing model or database was left alone"),
    counter(SOURCE_QUERIES, &["db_type", "outcome"], "Queries on customers' databases"),
    seconds(SOURCE_SECONDS, SHORT, &["db_type"], "How long a query on a customer's database took"),
    counter(WORKBOOK_READS, &["outcome"], "Processes that have read a workbook, or failed to"),
    seconds(WORKBOOK_READ_SECONDS, LONG, &[], "How long a process took to read a workbook"),
    counter(CACHE, &["cache", "outcome"], "Look-ups and writes of the caches"),
    counter(RINGS, &["outcome"], "Announcements of jobs to the broker"),
    Metric {
        name: INTAKE_SLICE,
        form: Form::Histogram(&[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 256.0]),
        unit: Unit::Count,
        labels: &[],
        help: "Submissions that shared a commit",
    },
    gauge(SCHEDULER_LEADING, Unit::Count, &[], "1 while this scheduler leads"),
    counter(FINISH_BATCHES_REFUSED, &[], "Commits of several ends that were refused, so that each went by itself"),
    counter(AUDIT_REFUSED, &[], "Readings that were refused because the audit log could not be written"),
    counter(AUDIT_UNSTORABLE, &[], "Audit lines that could not be stored and are only in the log of the program"),
    counter(SCHEDULER_TASKS, &["task", "outcome"], "Rounds of the scheduler's tasks"),
];

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, form: Form::Counter, unit: Unit::Count, labels, help }
}

const fn gauge(name: &'static str, unit: Unit, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, form: Form::Gauge, unit, labels, help }
}

const fn seconds(name: &'static str, buckets: &'static [f64], labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, form: Form::Histogram(buckets), unit: Unit::Seconds, labels, help }
}

/// How often samples are put into their buckets; between scrapes they would pile up.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Why metrics are not recorded.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The recorder was not made, or another one is there.
    #[error("the recorder of metrics was not installed")]
    Recorder(#[source] BuildError),
    /// The thread that keeps the recorder small did not start.
    #[error("the upkeep of metrics did not start")]
    Upkeep(#[source] io::Error),
}

/// Installs the recorder of this process and describes every metric. Called again it gives the same recorder.
///
/// # Errors
/// [`MetricsError`].
pub fn install() -> Result<PrometheusHandle, MetricsError> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = installed.as_ref() {
        return Ok(handle.clone());
    }
    let handle = builder().and_then(PrometheusBuilder::install_recorder).map_err(MetricsError::Recorder)?;
    describe();
    *installed = Some(handle.clone());
    let kept = handle.clone();
    thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(move || {
            loop {
                thread::sleep(UPKEEP_EVERY);
                kept.run_upkeep();
            }
        })
        .map_err(MetricsError::Upkeep)?;
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    METRICS.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.form {
        Form::Histogram(buckets) => builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets),
        Form::Counter | Form::Gauge => Ok(builder),
    })
}

fn describe() {
    for metric in METRICS {
        match metric.form {
            Form::Counter => describe_counter!(metric.name, metric.unit, metric.help),
            Form::Gauge => describe_gauge!(metric.name, metric.unit, metric.help),
            Form::Histogram(_) => describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_recorded_is_rendered_with_help_and_buckets() {
        let recorder = builder().expect("buckets").build_recorder();
        let handle = recorder.handle();
        ::metrics::with_local_recorder(&recorder, || {
            describe();
            ::metrics::counter!(JOBS, "kind" => "answer_question", "outcome" => "succeeded").increment(2);
            ::metrics::histogram!(JOB_SECONDS, "kind" => "answer_question").record(0.3);
            ::metrics::gauge!(QUEUE_DEPTH, "lane" => "bulk").set(7.0);
        });
        let text = handle.render();
        for line in [
            "# HELP datagenie_jobs_total Attempts at jobs that ended",
            "# TYPE datagenie_job_seconds histogram",
            "datagenie_jobs_total{kind=\"answer_question\",outcome=\"succeeded\"} 2",
            "datagenie_job_seconds_bucket{kind=\"answer_question\",le=\"0.2\"} 0",
            "datagenie_job_seconds_bucket{kind=\"answer_question\",le=\"0.5\"} 1",
            "datagenie_queue_depth{lane=\"bulk\"} 7",
        ] {
            assert!(text.contains(line), "no `{line}` in\n{text}");
        }
    }

    #[test]
    fn the_table_is_sound() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            let name = metric.name;
            assert!(name.starts_with("datagenie_"), "{name}");
            assert_eq!(metric.form == Form::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(metric.unit == Unit::Seconds, name.ends_with("_seconds"), "{name}");
            if let Form::Histogram(buckets) = metric.form {
                assert!(buckets.is_sorted_by(|left, right| left < right), "{name}");
            }
        }
    }

    #[test]
    fn installing_twice_gives_the_same_recorder() {
        install().expect("installs");
        ::metrics::counter!(RINGS, "outcome" => "ok").increment(1);
        assert!(install().expect("is there").render().contains("datagenie_rings_total{outcome=\"ok\"}"));
    }
}
