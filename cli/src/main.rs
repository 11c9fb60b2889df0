//! `datagenie`: questions to a DataGenie server from the command line, over its HTTP contract alone.

mod ask;
mod client;
mod connections;
mod exit;
mod screen;
mod show;
mod sql_layout;
mod sse;
mod table;
mod text;
mod tour;
mod watch;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    client::{ClientError, Server},
    exit::Exit,
    screen::Screen,
    text::printable,
};

/// Ask questions about data in English or Korean, and get SQL, rows, a chart and a summary.
#[derive(Parser)]
#[command(name = "datagenie", version, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Asks one question and shows its answer.
    #[command(after_help = exit::HELP)]
    Ask(ask::Args),
    /// Lists the databases that questions can be asked of.
    #[command(after_help = exit::HELP)]
    Connections(Server),
    /// Asks the sample shop a round of real questions, live; `demo.sh` starts it.
    #[command(after_help = exit::HELP)]
    Tour(tour::Args),
}

fn main() -> ExitCode {
    // First of all: reqwest is built without a TLS provider of its own and fails without one. It can only be set once, and is.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report(&anyhow::Error::new(error).context("the async runtime can't start"));
            return Exit::Unavailable.into();
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(exit) => exit.into(),
        Err(error) if is_closed_pipe(&error) => Exit::Answered.into(),
        Err(error) => {
            report(&error);
            Exit::of_error(&error).into()
        }
    }
}

async fn run(command: Command) -> anyhow::Result<Exit> {
    let mut screen = Screen::stdout();
    match command {
        Command::Ask(args) => ask::run(&args, &mut screen).await,
        Command::Connections(server) => connections::run(&server, &mut screen).await,
        Command::Tour(args) => tour::run(&args, &mut screen).await,
    }
}

/// Tells what went wrong, why, and what to do, on stderr. Nothing can be done if that is closed too.
fn report(error: &anyhow::Error) {
    let mut stderr = io::stderr().lock();
    // What was being done when nobody answered, or the key was refused, is no part of the trouble.
    let first = error.chain().position(|cause| cause.downcast_ref::<ClientError>().is_some_and(speaks_for_itself)).unwrap_or(0);
    let mut causes = error.chain().skip(first);
    let _ = writeln!(stderr, "error: {}", printable(&causes.next().map(|cause| cause.to_string()).unwrap_or_default()));
    for cause in causes {
        let _ = writeln!(stderr, "  because: {}", printable(&cause.to_string()));
    }
    if let Some(hint) = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>()).and_then(ClientError::hint) {
        let _ = writeln!(stderr, "  hint: {}", printable(hint));
    }
}

fn speaks_for_itself(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Problem(problem) => matches!(problem.status, 401 | 403),
        ClientError::Unreadable { .. } | ClientError::Misuse(_) => false,
    }
}

/// Whether the reader of our output has seen enough (`datagenie ask … | head`), which is no error of ours.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
        && !error.chain().any(|cause| cause.is::<ClientError>())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_documents_its_exit_codes() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        let help = command.render_help().to_string();
        for code in ["0  answered", "1  could not be answered", "2  bad usage", "3  ", "4  not permitted"] {
            assert!(help.contains(code), "`{code}` is missing from:\n{help}");
        }
    }

    #[test]
    fn arguments_are_checked_before_anything_is_sent() {
        let code = |line: &[&str]| Cli::try_parse_from(line).err().map(|e| e.exit_code());
        assert_eq!(code(&["datagenie", "ask", "how many?", "--url", "http://127.0.0.1:1"]), None);
        assert_eq!(code(&["datagenie", "ask"]), Some(2));
        assert_eq!(code(&["datagenie", "ask", "q", "--url", "ftp://somewhere"]), Some(2));
        assert_eq!(code(&["datagenie", "ask", "q", "--chart", "chart.jpeg"]), Some(2));
        assert_eq!(code(&["datagenie", "ask", "q", "--chart", "chart.PNG"]), None);
        assert_eq!(code(&["datagenie", "ask", "q", "-c", "shop", "--verbose"]), None);
        assert_eq!(code(&["datagenie", "tour", "--out", "charts"]), Some(2));
    }

    #[test]
    fn a_closed_pipe_of_ours_is_no_error_but_any_other_failure_is() {
        let closed = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));
        let full = anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull));
        assert!(is_closed_pipe(&closed));
        assert!(!is_closed_pipe(&full));
    }
}
