//! `datagenie`: questions to a DataGenie server from the command line, over its HTTP contract alone.

mod analyze;
mod ask;
mod batch;
mod client;
mod connections;
mod console;
mod exit;
mod files;
mod jobs;
mod listing;
mod out_file;
mod schedules;
mod screen;
mod session;
mod show;
mod sql_layout;
mod sse;
mod table;
mod tail;
mod text;
mod tour;
mod watch;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use tokio::signal;

use crate::{client::ClientError, console::Console, exit::Exit, session::Access, text::printable};

/// Ask questions about data in English or Korean, and get SQL, rows, a chart and a summary.
#[derive(Parser)]
#[command(name = "datagenie", version, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    access: Access,
    /// Print the server's JSON and nothing else: to standard output, for scripts
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Signs in and keeps the session, so that other commands need no key.
    #[command(after_help = exit::HELP)]
    Login(session::LoginArgs),
    /// Ends the session that `login` keeps.
    Logout,
    /// Changes your password; needs a login by password.
    Password(session::PasswordArgs),
    /// Tells who asks, and where.
    Whoami,
    /// Asks one question and shows its answer.
    #[command(after_help = exit::HELP)]
    Ask(ask::Args),
    /// Asks thousands of questions at once: run, status, results, cancel, list.
    #[command(after_help = exit::HELP)]
    Batch(batch::Args),
    /// Uploads a spreadsheet, has it analysed, and shows what was found.
    #[command(after_help = exit::HELP)]
    Analyze(analyze::Args),
    /// Lists and deletes uploaded spreadsheets.
    Files(files::Args),
    /// Lists the databases that questions can be asked of; shows, tests and syncs one.
    #[command(after_help = exit::HELP)]
    Connections(connections::Args),
    /// Questions that come by themselves: list, create, pause, resume, run, delete.
    #[command(after_help = exit::HELP)]
    Schedules(schedules::Args),
    /// Lists, cancels and retries jobs.
    Jobs(jobs::Args),
    /// Shows events as they happen, until Ctrl-C.
    #[command(after_help = exit::HELP)]
    Tail(tail::Args),
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
    let ended = runtime.block_on(run(cli));
    // A thread may still wait for the terminal.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) if is_closed_pipe(&error) => Exit::Answered.into(),
        Err(error) => {
            report(&error);
            Exit::of_error(&error).into()
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let mut console = Console::new(cli.access, cli.json);
    let ends_itself = match &cli.command {
        Command::Tail(_) | Command::Tour(_) => true,
        Command::Batch(args) => args.ends_itself(),
        _ => false,
    };
    if ends_itself {
        return work(&cli.command, &mut console).await;
    }
    // Ctrl-C drops the work, which takes half-written files away and puts the terminal in order, where it would kill the program otherwise.
    let done = tokio::select! {
        biased;
        // Heard before the work begins.
        _ = signal::ctrl_c() => None,
        done = work(&cli.command, &mut console) => Some(done),
    };
    let Some(done) = done else {
        console.screen.clear()?;
        console.talk.clear()?;
        return Ok(Exit::Interrupted);
    };
    done
}

async fn work(command: &Command, console: &mut Console) -> anyhow::Result<Exit> {
    match command {
        Command::Login(args) => session::login(args, console).await,
        Command::Logout => session::logout(console).await,
        Command::Password(args) => session::change_password(args, console).await,
        Command::Whoami => session::whoami(console).await,
        Command::Ask(args) => ask::run(args, console).await,
        Command::Batch(args) => batch::run(args, console).await,
        Command::Analyze(args) => analyze::run(args, console).await,
        Command::Files(args) => files::run(args, console).await,
        Command::Connections(args) => connections::run(args, console).await,
        Command::Schedules(args) => schedules::run(args, console).await,
        Command::Jobs(args) => jobs::run(args, console).await,
        Command::Tail(args) => tail::run(args, console).await,
        Command::Tour(args) => tour::run(args, &mut console.screen).await,
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
    if let Some(ClientError::Problem(problem)) = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>()) {
        for line in problem.lines() {
            let _ = writeln!(stderr, "  {}", printable(&line));
        }
    }
    if let Some(hint) = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>()).and_then(ClientError::hint) {
        let _ = writeln!(stderr, "  hint: {}", printable(&hint));
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
        for code in ["0    answered", "1    could not be answered", "2    bad usage", "3    ", "4    not permitted", "130  interrupted"] {
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
        assert_eq!(code(&["datagenie", "connections", "--json", "--url", "http://127.0.0.1:1"]), None);
        assert_eq!(code(&["datagenie", "--json", "connections", "test", "shop"]), None);
        assert_eq!(code(&["datagenie", "login", "--password-stdin"]), Some(2));
        assert_eq!(code(&["datagenie", "ask"]), Some(2));
        assert_eq!(code(&["datagenie", "ask", "--sql", "SELECT 1", "-c", "shop"]), None);
        assert_eq!(code(&["datagenie", "ask", "q", "-c", "shop", "--file", "a.xlsx"]), Some(2));
        assert_eq!(code(&["datagenie", "analyze", "a.xlsx", "--export", "xlsx"]), Some(2));
        assert_eq!(code(&["datagenie", "batch", "run", "-", "--out", "a.jsonl", "--on-invalid", "skip", "--budget-tokens", "9"]), None);
        assert_eq!(code(&["datagenie", "batch", "run", "questions.csv"]), Some(2));
    }

    #[test]
    fn a_closed_pipe_of_ours_is_no_error_but_any_other_failure_is() {
        let closed = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));
        let full = anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull));
        assert!(is_closed_pipe(&closed));
        assert!(!is_closed_pipe(&full));
    }
}
