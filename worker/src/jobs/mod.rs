//! What runs a job: one file a kind, each a payload and `run(context)`.

pub mod analyse_file;
pub mod answer_question;
pub mod deliver_webhook;
pub mod probe_connection;
pub mod sync_schema;
