//! The rules of ARCHITECTURE.md that a compiler does not check: who may depend on whom, where SQL and HTTP live, and that the documents
//! name only what exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::MetadataCommand;

/// Folders that are made, not written.
const MADE: &[&str] = &[".git", "target", ".datagenie"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

/// Every file and folder of the project, as a path below its root.
fn paths() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the project can be read") {
            let path = entry.expect("an entry can be read").path();
            if MADE.iter().any(|made| path.ends_with(made)) {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            }
            found.push(path);
        }
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    let below = |path: PathBuf| path.strip_prefix(root()).expect("it lies below the root").to_str().expect("names are UTF-8").to_owned();
    found.into_iter().map(below).collect()
}

/// Every Rust source with its text.
fn sources() -> BTreeMap<String, String> {
    let rust = paths().into_iter().filter(|path| path.ends_with(".rs"));
    rust.map(|path| (path.clone(), fs::read_to_string(root().join(&path)).expect("a source can be read"))).collect()
}

/// The text without comments, so that prose may name what code must not use. Strings with `//` in them lose their end, which harms
/// nothing here.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The sources whose code holds one of the words, outside of the places where it may.
fn trespassers(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let holds = |text: &str| words.iter().any(|word| code(text).contains(word));
    let is_allowed = |path: &str| allowed.iter().any(|place| path.starts_with(place));
    sources().into_iter().filter(|(path, text)| !is_allowed(path) && holds(text)).map(|(path, _)| path).collect()
}

/// The dependencies of every crate of the workspace, by its folder.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("cargo describes the workspace");
    let mut found = BTreeMap::new();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder").as_std_path();
        let folder = folder.strip_prefix(root()).expect("it lies in the workspace").display().to_string();
        found.insert(folder, package.dependencies.iter().map(|dependency| dependency.name.clone()).collect());
    }
    found
}

#[test]
fn programs_depend_on_libraries_and_never_on_each_other() {
    let ours = [
        "datagenie",
        "datagenie-api",
        "datagenie-common",
        "datagenie-local",
        "datagenie-scheduler",
        "datagenie-sheets",
        "datagenie-tests",
        "datagenie-worker",
    ];
    let expected: [(&str, &[&str]); 8] = [
        ("api", &["datagenie-common"]),
        ("cli", &[]),
        ("common", &[]),
        ("deploy/local", &[]),
        ("scheduler", &["datagenie-common"]),
        ("sheets", &["datagenie-common"]),
        ("tests", &["datagenie-api", "datagenie-common", "datagenie-local", "datagenie-scheduler", "datagenie-worker"]),
        ("worker", &["datagenie-common", "datagenie-sheets"]),
    ];
    let found: BTreeMap<String, Vec<String>> = dependencies()
        .into_iter()
        .map(|(folder, all)| (folder, all.into_iter().filter(|name| ours.contains(&name.as_str())).collect()))
        .collect();
    let expected = expected.map(|(folder, all)| (folder.to_owned(), all.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()));
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn each_crate_that_reaches_outside_is_known_only_where_it_belongs() {
    // The crate, and the folders of those that may depend on it.
    let rules: [(&str, &[&str]); 11] = [
        // SQL of others is parsed, and customers' databases are opened, by workers alone; the launcher makes the sample shop's file.
        ("sqlparser", &["worker", "tests"]),
        ("rusqlite", &["worker", "sheets", "deploy/local", "tests"]),
        // Workbooks are read in a process of their own, never in the api.
        ("calamine", &["sheets", "common", "tests"]),
        ("mysql_async", &["worker", "deploy/local", "tests"]),
        ("postgres-protocol", &["worker"]),
        // Models are called by workers alone; the others are clients of our own api, and `common` names it for the TLS of its storage.
        ("async-openai", &["worker"]),
        ("reqwest", &["worker", "cli", "common", "deploy/local", "tests"]),
        ("axum", &["api", "common", "tests"]),
        ("apalis", &["common", "worker"]),
        ("plotters", &["common"]),
        ("sqlx", &["api", "common", "deploy/local", "scheduler", "tests", "worker"]),
    ];
    let found = dependencies();
    for (name, allowed) in rules {
        let users: Vec<&str> = found.iter().filter(|(_, all)| all.contains(name)).map(|(folder, _)| folder.as_str()).collect();
        let strangers: Vec<&&str> = users.iter().filter(|user| !allowed.contains(user)).collect();
        assert!(strangers.is_empty(), "{strangers:?} must not depend on {name}");
    }
    assert_eq!(trespassers(&["reqwest::", "use reqwest"], &["worker/", "cli/", "deploy/local/", "tests/"]), [""; 0]);
}

#[test]
fn http_is_served_only_by_the_api_and_the_health_endpoints() {
    assert_eq!(trespassers(&["axum::", "use axum"], &["api/", "common/src/ops.rs", "tests/"]), [""; 0]);
}

#[test]
fn sql_on_the_system_database_is_only_in_the_store() {
    let words =
        ["sqlx::query", "sqlx::raw_sql", "query!(", "query_as!(", "query_scalar!(", "query_as::<", "query_scalar::<", "QueryBuilder"];
    let allowed = [
        "common/src/store/",
        // Customers' databases.
        "worker/src/sources/",
        // The sample shop, and databases for the demo.
        "deploy/local/",
        "tests/",
        // The lead is a lock on a session of its own, not a row.
        "scheduler/src/leader.rs",
    ];
    assert_eq!(trespassers(&words, &allowed), [""; 0]);
    // Checked at compile time, all but two: sqlx's own table may not exist yet.
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("common/src/store/")) {
        let code = code(text);
        let unchecked: usize = ["query(", "query_as(", "query_scalar(", "query_as::<", "query_scalar::<", "raw_sql("]
            .iter()
            .map(|function| code.matches(&format!("sqlx::{function}")).count())
            .sum();
        assert_eq!(unchecked, if path == "common/src/store/migrations.rs" { 2 } else { 0 }, "unchecked queries in {path}");
    }
}

#[test]
fn a_module_of_common_uses_only_modules_declared_above_it() {
    let sources = sources();
    let declared: Vec<&str> = sources["common/src/lib.rs"]
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ").or_else(|| line.trim().strip_prefix("mod ")))
        .filter_map(|rest| rest.strip_suffix(';'))
        .collect();
    assert!(declared.len() > 10, "{declared:?}");
    let rank = |module: &str| declared.iter().position(|&name| name == module);
    let mut wrong = BTreeSet::new();
    for (path, text) in &sources {
        let Some(inner) = path.strip_prefix("common/src/") else { continue };
        let module = inner.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let Some(own) = rank(module) else {
            assert_eq!(module, "lib", "{path} is declared nowhere");
            continue;
        };
        for used in uses_of_crate(&code(text)) {
            if rank(&used).is_some_and(|used| used > own) {
                wrong.insert(format!("{module} uses {used}, which is declared below it ({path})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The first names after every `crate::`, those of `crate::{a::…, b::{…}}` included.
fn uses_of_crate(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut item) = (1_usize, String::new());
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    found.insert(word(std::mem::take(&mut item).trim()));
                }
                _ if depth == 1 => item.push(c),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        found.insert(word(item.trim()));
    }
    found.remove("");
    found
}

#[test]
fn the_uses_of_a_crate_are_found_in_every_form() {
    let code = "use crate::{\n    ids::{A, B},\n    jobs::JobKind, store::{self, x::{y}},\n};\nuse crate::model::C; fn f() { crate::events::g(); }";
    assert_eq!(uses_of_crate(code).into_iter().collect::<Vec<_>>(), ["events", "ids", "jobs", "model", "store"]);
}

#[test]
fn every_source_says_what_it_is_for_and_leaves_nothing_undone() {
    // Written so that this file does not hold them itself.
    let undone = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("/wo", "rk/")];
    let sources = sources();
    assert!(sources.len() > 100, "{} sources", sources.len());
    for (path, text) in &sources {
        assert!(text.starts_with("//!"), "{path} does not open with what it is for (//!)");
        for word in undone {
            assert!(!text.contains(word), "{path} holds {word}");
        }
    }
}

/// Every page for people, as a path below the root. Records of decisions stay as they were decided.
fn pages(paths: &[String]) -> Vec<&String> {
    let is_page = |path: &&String| path.ends_with(".md") && !path.starts_with("docs/adr/");
    let of_people = |path: &&String| {
        ["README.md", "ARCHITECTURE.md"].contains(&path.as_str()) || path.starts_with("docs/") || path.starts_with("deploy/")
    };
    paths.iter().filter(is_page).filter(of_people).collect()
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let paths = paths();
    let pages = pages(&paths);
    assert!(pages.len() > 10, "{pages:?}");
    for document in pages {
        let text = fs::read_to_string(root().join(document)).expect("the document exists");
        let named = named_paths(&text);
        assert!(!named.is_empty() || !["README.md", "ARCHITECTURE.md"].contains(&document.as_str()), "{document} names no path at all");
        let gone: Vec<&String> = named.iter().filter(|named| !exists(&paths, named)).collect();
        assert!(gone.is_empty(), "{document} names what does not exist: {gone:#?}");
    }
}

#[test]
fn every_relative_link_of_the_documents_leads_somewhere() {
    let paths = paths();
    let mut found = 0;
    for document in paths.iter().filter(|path| path.ends_with(".md")) {
        let text = fs::read_to_string(root().join(document)).expect("the document exists");
        let folder = Path::new(document).parent().expect("a document lies in a folder");
        for link in links(&text) {
            found += 1;
            assert!(root().join(folder).join(&link).exists(), "{document} links to {link}, which does not exist");
        }
    }
    assert!(found > 30, "{found} links");
}

/// The targets of links that are no URLs and no place on the same page, without the place on theirs.
fn links(markdown: &str) -> Vec<String> {
    let targets = markdown.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let relative = targets.filter(|target| !target.contains("://") && !target.starts_with(['#', '<']) && !target.starts_with("mailto:"));
    relative.filter_map(|target| target.split('#').next()).filter(|target| !target.is_empty()).map(str::to_owned).collect()
}

#[test]
fn links_are_told_from_what_is_none() {
    let markdown = "[a](docs/a.md), [b](../b.md#part), [c](https://example.com/x), [d](#here), `f(x)[0](1)` [e](e.md \"title\")";
    assert_eq!(links(markdown), ["docs/a.md", "../b.md", "1", "e.md"]);
}

/// Whether a file or folder of the project has this name, from the root or from some folder on (`store/questions.rs`).
fn exists(paths: &[String], named: &str) -> bool {
    let named = named.trim_start_matches("./").trim_end_matches('/');
    let tail = format!("/{named}");
    paths.iter().any(|path| path == named || path.ends_with(&tail))
}

/// The words in backticks that look like paths of the project.
fn named_paths(markdown: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if in_block {
            continue;
        }
        // Every second piece between backticks is code.
        for code in line.split('`').skip(1).step_by(2) {
            found.extend(
                code.split_whitespace().map(|word| word.trim_end_matches([',', ';'])).filter(|word| is_path(word)).map(str::to_owned),
            );
        }
    }
    found
}

fn is_path(word: &str) -> bool {
    let looks = word.contains('/') || [".rs", ".sh", ".md", ".toml"].iter().any(|ending| word.ends_with(ending));
    // Placeholders, URLs, settings, patterns and expressions.
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'))
        && word.chars().any(|c| c.is_ascii_alphabetic());
    // Routes and places of the machine begin with a slash; `DIR/run.json` is a placeholder too.
    let first = word.split('/').next().unwrap_or_default();
    let placeholder = first.is_empty() || first.chars().all(|c| c.is_ascii_uppercase());
    let media = ["application", "text", "image", "multipart"].contains(&first);
    looks && plain && !placeholder && !media && !MADE.contains(&first)
}

#[test]
fn paths_are_told_from_what_only_looks_like_one() {
    let markdown = "`store/ledger.rs` and `./deploy/demo.sh --once` in `common/src/`; not `/v1/questions`, `results/{job}/`, `http://x/y`,
`text/csv`, `DIR/run.json`, `target/debug`, `a | b`\n```\nnot/this.rs\n```\n`README.md`, `x.rs`";
    let named: Vec<String> = named_paths(markdown).into_iter().collect();
    assert_eq!(named, ["./deploy/demo.sh", "README.md", "common/src/", "store/ledger.rs", "x.rs"]);
    let paths = ["deploy/demo.sh", "common/src/store/ledger.rs", "common/src", "README.md", "max.rs"].map(str::to_owned);
    assert!(["./deploy/demo.sh", "README.md", "common/src/", "store/ledger.rs"].iter().all(|named| exists(&paths, named)));
    assert!(!exists(&paths, "x.rs"));
}

#[test]
fn every_recorded_metric_is_described() {
    let described: BTreeSet<&str> = datagenie_common::telemetry::metrics::METRICS.iter().map(|metric| metric.name).collect();
    let recorded: BTreeSet<String> = sources()
        .into_iter()
        .filter(|(path, _)| !path.starts_with("tests/"))
        .flat_map(|(_, text)| {
            let calls: Vec<String> = ["counter!(\"", "gauge!(\"", "histogram!(\""]
                .iter()
                .flat_map(|call| text.split(call).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect::<Vec<_>>())
                .filter(|name| name.starts_with("datagenie_"))
                .collect();
            calls
        })
        .collect();
    assert!(recorded.len() > 10, "the search finds them: {recorded:?}");
    let unknown: Vec<&String> = recorded.iter().filter(|name| !described.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "without a description in METRICS: {unknown:?}");
}
