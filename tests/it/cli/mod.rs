//! `datagenie`, the program itself, against a running system: what it prints, keeps, survives, and which exit codes it has.

mod analyzing;
mod asking;
mod batches;
mod schedules;
mod sessions;
mod tailing;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use datagenie_tests::{Client, DEADLINE, TestApp, bin_dir};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::timeout,
};

/// A user at his shell: he has a home, and an environment with nothing else in it.
struct Cli {
    home: PathBuf,
    environment: Vec<(String, String)>,
}

/// What a run of the program left.
#[derive(Debug)]
struct Ran {
    /// Its exit code.
    code: i32,
    /// Standard output.
    out: String,
    /// Standard error.
    err: String,
}

impl Cli {
    /// Somebody who is not signed in, at the app's api.
    fn stranger(app: &TestApp) -> Self {
        Self { home: app.folder().join("home"), environment: Vec::new() }.with("DATAGENIE_URL", &app.url)
    }

    /// Somebody whose key is in his environment.
    fn of(app: &TestApp, client: &Client) -> Self {
        Self::stranger(app).with("DATAGENIE_API_KEY", client.token())
    }

    /// The same with one more variable, or another value of it.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file at home.
    fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Writes a file at home.
    fn write(&self, name: &str, content: &str) -> PathBuf {
        std::fs::create_dir_all(&self.home).expect("a home");
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file is written");
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.any(program());
        command.args(args);
        command
    }

    /// Starts the program in a terminal of its own, with what it draws there as standard output.
    fn in_terminal(&self, args: &[&str]) -> Child {
        let line = format!("exec {} {}", program().display(), args.join(" "));
        let mut command = self.any(PathBuf::from("script"));
        command.args(["-qefc", &line, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::piped());
        command.spawn().expect("script (of util-linux) makes a terminal")
    }

    fn any(&self, program: PathBuf) -> Command {
        std::fs::create_dir_all(&self.home).expect("a home");
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &self.home).envs(self.environment.iter().cloned()).current_dir(&self.home);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Starts the program.
    fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().expect("the program starts")
    }

    /// Runs it to its end.
    async fn run(&self, args: &[&str]) -> Ran {
        ended(self.start(args)).await
    }

    /// The same with something on standard input.
    async fn fed(&self, args: &[&str], input: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("it has a standard input");
        stdin.write_all(input.as_bytes()).await.expect("it reads");
        drop(stdin);
        ended(child).await
    }
}

fn program() -> PathBuf {
    let program = bin_dir().join("datagenie");
    assert!(program.is_file(), "{} is not built: cargo build --workspace", program.display());
    program
}

/// Ctrl-C.
fn interrupt(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("it runs");
    kill_process(pid, Signal::INT).expect("it is there");
}

/// What a started program leaves.
async fn ended(child: Child) -> Ran {
    let output = timeout(DEADLINE * 2, child.wait_with_output()).await.expect("the program ends").expect("it is heard to the end");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it writes text");
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

impl Ran {
    /// The same, if it ended with this code.
    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Standard output, which is JSON and nothing else.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A file's text.
fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the file is there")
}
