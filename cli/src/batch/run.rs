//! `datagenie batch run`: from a file of questions to a file of results, over every interruption.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::{
    signal::{
        self,
        unix::{SignalKind, signal},
    },
    task::spawn_blocking,
    time::{Instant, sleep},
};
use url::Url;
use uuid::Uuid;

use super::{
    input::{self, Input},
    is_over,
    progress::{self, Progress},
    results::{self, Form},
    state::{self, State},
};
use crate::{
    client::{Client, ClientError},
    connections,
    console::Console,
    exit::Exit,
    out_file::has_folder,
    screen::Screen,
    watch::{self, Watched},
};

/// How long the server may be away while one waits.
const OUTAGE: Duration = Duration::from_secs(300);

/// More about the files, for `--help`.
pub const HELP: &str = "\
Questions: a JSON object a line,
  {\"custom_id\": \"a\", \"question\": \"도시별 고객 수는?\"}
  {\"custom_id\": \"b\", \"sql\": \"SELECT count(*) FROM orders\", \"connection_id\": \"0198…\"}
or CSV (UTF-8) whose first line names the columns `question` or `sql`, and perhaps `custom_id` and `connection_id`. A question
without a custom_id gets the number of its line: line-7. - is standard input.

Results: .jsonl, .csv or .xlsx, in the order of the questions, written when the batch has ended.

Interrupted by Ctrl-C, a crash or an outage, the batch goes on at the server, and the same command picks it up: what it needs
for that is kept beside the results in FILE.batch until they are there. `datagenie batch cancel ID` stops the batch.

Exit code 0: every question was answered; 1: some were not (the results tell why); 3: the server is away; 130: Ctrl-C.";

/// The arguments of `batch run`.
#[derive(clap::Args)]
pub struct Args {
    /// The file of questions, JSON lines or CSV; - is standard input
    file: String,
    /// Where the results go: FILE.jsonl, FILE.csv or FILE.xlsx
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// In which form; else by the ending of the file's name
    #[arg(long)]
    format: Option<Form>,
    /// Begin CSV with a byte order mark, by which Excel knows UTF-8
    #[arg(long)]
    bom: bool,
    /// Of which database are the questions that name none, by name or id
    #[arg(short, long, value_name = "NAME_OR_ID")]
    connection: Option<String>,
    /// What becomes of the batch if a line can't be asked: reject (the default; nothing is asked), or skip (that line is an error)
    #[arg(long, value_parser = ["reject", "skip"])]
    on_invalid: Option<String>,
    /// Stop after so many tokens, read and written
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    budget_tokens: Option<u64>,
    /// Stop after such a cost, in the currency of the server's prices
    #[arg(long, value_name = "X")]
    budget_cost: Option<f64>,
    /// Have the server call this URL at the end
    #[arg(long, value_name = "URL")]
    callback_url: Option<Url>,
}

/// Asks, waits, and writes the results.
///
/// # Errors
/// For files that can't be used, another run's state, and those of the client.
pub async fn run(client: &Client, args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    has_folder(&args.out)?;
    if is_same(&args.file, &args.out) {
        bail!("--out names the file of the questions, which the results would replace: name another");
    }
    let wanted = results::query(args.format.map_or_else(|| Form::of(&args.out), Ok)?, args.bom)?;
    let done = tokio::select! {
        biased;
        // Heard before anything begins.
        () = interrupted() => None,
        done = work(client, args, &wanted, console) => Some(done),
    };
    match done {
        Some(Ok(exit)) => Ok(exit),
        Some(Err(error)) => {
            if leaves_it_standing(&error) {
                console.say(&standing(state::load(&args.out)?.as_ref()))?;
            }
            Err(error)
        }
        None => {
            console.talk.clear()?;
            console.say(&format!("interrupted; {}", standing(state::load(&args.out)?.as_ref())))?;
            Ok(Exit::Interrupted)
        }
    }
}

async fn work(client: &Client, args: &Args, wanted: &results::Query, console: &mut Console) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let options = options(client, args).await?;
    let begun = state::load(&args.out)?;
    let (id, first) = match begun.as_ref().and_then(|begun| begun.batch_id) {
        Some(id) => (id, resumed(client, args, options, begun.as_ref(), id, console).await?),
        None => submitted(client, args, options, begun, console).await?,
    };
    let ended = watched(client, id, first, &mut console.talk).await?;
    fetched(client, id, wanted, &args.out).await?;
    state::forget(&args.out)?;
    finish(&ended, started.elapsed(), &args.out, console)
}

/// Waits for the end of a batch, and shows how far it is.
///
/// # Errors
/// Those of the client; an outage only after five minutes of it.
pub async fn watched(client: &Client, id: Uuid, first: Value, talk: &mut Screen) -> anyhow::Result<Value> {
    let path = format!("v1/batches/{id}");
    let mut progress = Progress::default();
    let watched = Watched { client, path: &path, hold: 1, outage: OUTAGE };
    let ended = watched.until(first, is_over, |batch, elapsed| progress.show(talk, batch, elapsed)).await;
    talk.clear()?;
    ended
}

/// Writes the results, from the beginning again where the server goes away in the middle.
async fn fetched(client: &Client, id: Uuid, wanted: &results::Query, out: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        match results::save(client, id, wanted, out).await {
            Err(error) if is_outage(&error) && started.elapsed() < OUTAGE => sleep(Duration::from_secs(1)).await,
            done => return done,
        }
    }
}

fn is_outage(error: &anyhow::Error) -> bool {
    error.chain().find_map(|cause| cause.downcast_ref::<ClientError>()).is_some_and(ClientError::is_outage)
}

/// Whether the results would be written over the questions.
fn is_same(file: &str, out: &Path) -> bool {
    let place = |path: &Path| path.canonicalize().ok();
    file != "-" && place(out).is_some_and(|out| place(Path::new(file)) == Some(out))
}

/// What goes with the questions.
async fn options(client: &Client, args: &Args) -> anyhow::Result<BTreeMap<String, String>> {
    let connection = match &args.connection {
        Some(named) => Some(connections::named(client, named).await?.to_string()),
        None => None,
    };
    let all = [
        ("connection_id", connection),
        ("on_invalid", args.on_invalid.clone()),
        ("budget_tokens", args.budget_tokens.map(|tokens| tokens.to_string())),
        ("budget_cost", args.budget_cost.map(|cost| cost.to_string())),
        ("callback_url", args.callback_url.as_ref().map(Url::to_string)),
    ];
    Ok(all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

/// Picks up a batch that the server has.
async fn resumed(
    client: &Client,
    args: &Args,
    options: BTreeMap<String, String>,
    begun: Option<&State>,
    id: Uuid,
    console: &mut Console,
) -> anyhow::Result<Value> {
    if let Some(begun) = begun {
        // Standard input is not read again, and a file may be gone: its batch is there.
        let is_there = args.file != "-" && Path::new(&args.file).is_file();
        let digest = if is_there { read(&args.file).await?.digest.clone() } else { String::new() };
        let now = State { url: client.url().to_string(), input: args.file.clone(), digest, options, ..begun.clone() };
        begun.matches(&now, &args.out)?;
    }
    let batch = client.get(&format!("v1/batches/{id}"), &[], None).await;
    let gone = || format!("the batch {id} of {} can't be picked up; delete that file to begin anew", state::place(&args.out).display());
    let batch = match batch {
        Err(error @ ClientError::Problem(_)) if !error.is_outage() => Err(error).with_context(gone)?,
        batch => batch?,
    };
    console.say(&format!("picking up batch {id}: {}", progress::told(&batch)))?;
    Ok(batch)
}

/// Sends the questions. The state is kept before, so that whatever happens the same batch is found again.
async fn submitted(
    client: &Client,
    args: &Args,
    options: BTreeMap<String, String>,
    begun: Option<State>,
    console: &mut Console,
) -> anyhow::Result<(Uuid, Value)> {
    let input = read(&args.file).await?;
    if !input.unused.is_empty() {
        console.say(&format!("columns that are not used: {}", input.unused.join(", ")))?;
    }
    let mut state = State {
        url: client.url().to_string(),
        input: args.file.clone(),
        digest: input.digest.clone(),
        options,
        key: Uuid::new_v4().to_string(),
        batch_id: None,
    };
    let is_again = begun.is_some();
    match begun {
        Some(begun) => {
            begun.matches(&state, &args.out)?;
            state = begun;
        }
        None => state.save(&args.out)?,
    }
    let query: Vec<(&str, String)> = state.options.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let label = format!("sending {} questions", input.questions);
    let sending = client.submit_batch(&input.file, &query, &state.key);
    let batch = match watch::during(&mut console.talk, &label, Instant::now(), sending).await? {
        Ok(batch) => batch,
        Err(error) if is_final(&error, is_again) => {
            // The server has nothing of it.
            state::forget(&args.out)?;
            return Err(error).context("the batch was not taken in");
        }
        Err(error) => return Err(error.into()),
    };
    let id = batch["id"].as_str().and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| ClientError::Unreadable { what: "batch", source: "it has no id".into() })?;
    state.batch_id = Some(id);
    state.save(&args.out)?;
    console.say(&format!("batch {id}: {} questions", progress::count(&batch, "total")))?;
    Ok((id, batch))
}

async fn read(file: &str) -> anyhow::Result<Input> {
    let file = file.to_owned();
    // On a thread of its own, so that Ctrl-C is heard while standard input is silent.
    spawn_blocking(move || input::read(&file)).await.context("the questions can't be read")?
}

/// Whether the server has refused for good, so that nothing was made. If it was sent before, who may not ask now may have asked then.
fn is_final(error: &ClientError, is_again: bool) -> bool {
    match error {
        ClientError::Problem(problem) if is_again && matches!(problem.status, 401 | 403) => false,
        ClientError::Problem(problem) => !error.is_outage() && !matches!(problem.status, 408 | 409),
        ClientError::Misuse(_) => true,
        ClientError::Unreachable { .. } | ClientError::Unreadable { .. } => false,
    }
}

fn finish(batch: &Value, elapsed: Duration, out: &Path, console: &mut Console) -> anyhow::Result<Exit> {
    if console.json {
        console.print_json(batch)?;
    }
    let why = match batch["status"].as_str() {
        Some("cancelled") => "; it was cancelled",
        Some("budget_spent") => "; its budget is spent",
        _ => "",
    };
    console.say(&format!("{}{why} ({:.1} s); results in {}", progress::told(batch), elapsed.as_secs_f64(), out.display()))?;
    Ok(exit_of(batch))
}

/// Whether every question of a batch that has ended was answered.
pub fn exit_of(batch: &Value) -> Exit {
    let (_, total) = progress::done_of(batch);
    Exit::of_done(batch["status"] == "completed" && progress::count(batch, "success") == total)
}

/// Ctrl-C, or the end of the session that this runs in.
async fn interrupted() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        let _ = signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

/// Whether a run that ends so can go on: nobody refused it, or who asks has to sign in again.
fn leaves_it_standing(error: &anyhow::Error) -> bool {
    match error.chain().find_map(|cause| cause.downcast_ref::<ClientError>()) {
        Some(ClientError::Problem(problem)) if matches!(problem.status, 401 | 409) => true,
        Some(ClientError::Unreadable { .. }) => true,
        Some(error) => error.is_outage(),
        None => false,
    }
}

/// Where a run stands that is broken off, and how to go on.
fn standing(state: Option<&State>) -> String {
    match state.map(|state| state.batch_id) {
        Some(Some(id)) => {
            format!("the batch goes on at the server. The same command picks it up; `datagenie batch cancel {id}` stops it")
        }
        Some(None) => "whether the batch was taken in is not known; the same command finds out, and asks nothing twice".to_owned(),
        None => "nothing was sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Problem;

    #[test]
    fn only_a_refusal_ends_a_run_for_good() {
        let problem = |status| ClientError::Problem(Box::new(Problem::from_answer(status, None, b"")));
        assert!([400, 401, 403, 404, 413, 415, 422].into_iter().all(|status| is_final(&problem(status), false)));
        assert!([408, 409, 429, 500, 502, 503, 504].into_iter().all(|status| !is_final(&problem(status), false)));
        assert!(is_final(&problem(422), true) && !is_final(&problem(401), true) && !is_final(&problem(403), true));
    }

    #[test]
    fn who_breaks_off_is_told_how_to_go_on() {
        let id = Uuid::new_v4();
        let state = |batch_id| State {
            url: String::new(),
            input: String::new(),
            digest: String::new(),
            options: BTreeMap::new(),
            key: String::new(),
            batch_id,
        };
        assert!(standing(Some(&state(Some(id)))).contains(&format!("batch cancel {id}")));
        assert!(standing(Some(&state(None))).contains("asks nothing twice"));
        assert_eq!(standing(None), "nothing was sent");
    }

    #[test]
    fn a_refusal_leaves_nothing_to_go_on_with_and_an_outage_does() {
        let problem = |status| anyhow::Error::new(ClientError::Problem(Box::new(Problem::from_answer(status, None, b""))));
        assert!([401, 429, 503].into_iter().all(|status| leaves_it_standing(&problem(status).context("asking"))));
        assert!(![404, 422].into_iter().any(|status| leaves_it_standing(&problem(status))));
        assert!(!leaves_it_standing(&anyhow::anyhow!("another run")));
    }

    #[test]
    fn questions_are_not_written_over() {
        let folder = std::env::temp_dir().join(format!("datagenie-same-{}", Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("a temporary folder");
        let file = folder.join("q.csv");
        std::fs::write(&file, "question\n").expect("a file");
        let name = file.display().to_string();
        assert!(is_same(&name, &file) && is_same(&name, &folder.join(".").join("q.csv")));
        assert!(!is_same(&name, &folder.join("a.csv")) && !is_same("-", &file));
        std::fs::remove_dir_all(&folder).expect("the temporary folder goes");
    }

    #[test]
    fn a_batch_is_over_by_its_status() {
        let over = |status: Value| is_over(&json!({ "status": status }));
        assert!(over(json!("completed")) && over(json!("cancelled")) && over(json!("budget_spent")));
        assert!(!over(json!("running")) && !over(json!("cancelling")) && !over(json!(null)));
    }
}
