//! What each group of operations is about.

use serde_json::{Value, json};

const TAGS: &[(&str, &str)] = &[
    ("session", "Signing in and out, and API keys. A token is sent as `Authorization: Bearer`; a browser may use the session cookie."),
    ("users", "Who may sign in, and as what. For administrators."),
    ("connections", "Databases that questions are asked of, who may query what of them, and which columns are masked."),
    ("questions", "Ask in words or by a statement; read the answer, all of its rows, and its chart."),
    ("files", "Spreadsheets: uploaded, analysed, asked like a database. Each is its owner's alone."),
    ("batches", "Many questions at once, with a budget and results as they come."),
    ("jobs", "All work under way and done, in one shape: look, stop, try again."),
    ("schedules", "Questions, syncs and upkeep that come by themselves, by cron and time zone."),
    ("events", "What happens, as it happens, over a WebSocket; `docs/asyncapi.json` describes the messages."),
    ("webhooks", "Endpoints that are told what happens, signed by Standard Webhooks, and what was delivered to them."),
    ("operation", "Queues, workers, dead jobs, upkeep, statistics, health. For administrators, but for the health endpoints."),
    ("settings", "What the service runs with, changed while it runs. For administrators."),
    ("audit", "Who did what, when and from where. For administrators."),
];

/// The document's `tags`: those that its operations use.
pub fn of(used: &[&str]) -> Value {
    TAGS.iter().filter(|(name, _)| used.contains(name)).map(|(name, text)| json!({ "name": name, "description": text })).collect()
}
