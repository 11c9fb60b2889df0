//! The worker: takes jobs from the doorbell, claims them in the ledger, runs them, and commits what came of them.
//! Only this program knows models, the SQL parser and customers' databases.

pub mod breaker;
pub mod capacity;
pub mod env;
pub mod guard;
pub mod jobs;
pub mod leases;
pub mod ledger;
pub mod llm;
pub mod presence;
pub mod profile;
pub mod question;
pub mod registry;
pub mod run;
pub mod sources;
pub mod start;
pub mod webhooks;
pub mod workbooks;
