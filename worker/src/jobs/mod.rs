//! What runs a job: one file a kind, each a payload and `run(context)`.

pub mod answer_question;
pub mod probe_connection;
pub mod sync_schema;
