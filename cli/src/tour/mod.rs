//! `datagenie tour`: real questions to the sample shop, answered live, and compared with right answers if asked for.

mod check;
mod questions;
mod run;
mod verdict;

use std::path::PathBuf;

pub use self::run::run;

/// The arguments of `tour`.
#[derive(clap::Args)]
pub struct Args {
    /// The `run.json` of a running demo: where the server is, a key, and the sample's connections
    #[arg(long, value_name = "FILE")]
    run_json: PathBuf,
    /// The folder for the charts; made if it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Compare every answer with the right one, computed by SQL of the tour's own
    #[arg(long)]
    check: bool,
}
