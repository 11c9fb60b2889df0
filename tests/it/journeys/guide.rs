//! The examples of `docs/guide.md`, run as they stand there, in their order: what they print is what the page says.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use datagenie_tests::TestApp;

/// A fenced block: its language and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    language: String,
    text: String,
    line: usize,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let (mut found, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for (n, line) in markdown.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some(Block { language: language.to_owned(), text: String::new(), line: n + 1 }),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// What runs, with what it is to print: a `text` block right after it. `…` there stands for anything within a line.
fn steps(blocks: &[Block]) -> Vec<(&Block, Option<&str>)> {
    let runs = |block: &Block| matches!(block.language.as_str(), "sh" | "python");
    let next = |n: usize| blocks.get(n + 1).filter(|block| block.language == "text").map(|block| block.text.as_str());
    blocks.iter().enumerate().filter(|(_, block)| runs(block)).map(|(n, block)| (block, next(n))).collect()
}

fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// One shell for all `sh` blocks would tell no block from another: each is a script of its own, and hands its variables and functions on.
fn shell(folder: &Path, text: &str, environment: &[(&str, String)]) -> Output {
    let (state, script) = (folder.join("state"), folder.join("step.sh"));
    let begin = if state.exists() { ". ./state >/dev/null 2>&1\n" } else { "" };
    let text =
        format!("{begin}set -euo pipefail\n{text}\n{{ declare -p auth TOKEN KEY ID FILE 2>/dev/null || true; declare -f; }} >./state\n");
    fs::write(&script, text).expect("a script is written");
    run(Command::new("bash").arg(&script), folder, environment)
}

fn run(command: &mut Command, folder: &Path, environment: &[(&str, String)]) -> Output {
    command.current_dir(folder).envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
    command.output().unwrap_or_else(|error| panic!("the guide's examples need bash, curl and python3: {error}"))
}

fn key(folder: &Path) -> String {
    let state = fs::read_to_string(folder.join("state")).unwrap_or_default();
    let line = state.lines().find_map(|line| line.strip_prefix("declare -x KEY="));
    line.unwrap_or_default().trim_matches('"').to_owned()
}

fn all(folder: &Path, environment: &[(&'static str, String)]) {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").join("docs/guide.md");
    let blocks = blocks(&fs::read_to_string(guide).expect("the guide is there"));
    let steps = steps(&blocks);
    assert!(steps.len() >= 15, "{} examples", steps.len());
    for (block, expected) in steps {
        let ran = if block.language == "sh" {
            shell(folder, &block.text, environment)
        } else {
            let script = folder.join("step.py");
            fs::write(&script, &block.text).expect("a script is written");
            let mut environment = environment.to_vec();
            environment.push(("KEY", key(folder)));
            run(Command::new("python3").arg(&script), folder, &environment)
        };
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let told = format!("docs/guide.md, line {}:\n{}\nsaid:\n{said}{}", block.line, block.text, String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{}: {told}", ran.status);
        if let Some(expected) = expected {
            let (lines, patterns): (Vec<&str>, Vec<&str>) = (said.lines().collect(), expected.lines().collect());
            let is_said = lines.len() == patterns.len() && patterns.iter().zip(&lines).all(|(pattern, line)| fits(pattern, line));
            assert!(is_said, "{told}\nexpected:\n{expected}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_guide_run_and_print_what_it_says() {
    let app = TestApp::builder().offline().start().await;
    let shop = app.shop_sqlite().await;
    let alice = app.client("alice").await;
    app.grant(shop, &alice).await;
    let folder = app.folder().join("guide");
    fs::create_dir(&folder).expect("a folder is made");
    let environment = vec![
        ("URL", app.url.clone()),
        ("USER_NAME", "alice".to_owned()),
        ("PASSWORD", app.password().to_owned()),
        ("SHOP", shop.to_string()),
    ];
    tokio::task::spawn_blocking(move || all(&folder, &environment)).await.expect("all of them run");
}

#[test]
fn blocks_are_taken_apart_and_lines_compared() {
    let found = blocks("a\n```sh\necho 1\n```\n\n```text\n1\n```\n```bash\nno\n```\n");
    assert_eq!(found.iter().map(|block| block.language.as_str()).collect::<Vec<_>>(), ["sh", "text", "bash"]);
    let steps = steps(&found);
    assert_eq!((steps.len(), steps[0].0.text.as_str(), steps[0].1), (1, "echo 1\n", Some("1\n")));
    for (pattern, line, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a…", "abc", true),
        ("…c", "abc", true),
        ("a…b…c", "a1b2c", true),
        ("a…x…c", "a1b2c", false),
    ] {
        assert_eq!(fits(pattern, line), expected, "{pattern} {line}");
    }
}
