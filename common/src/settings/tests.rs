//! Precedence, defaults, and every error told at once without a secret.

use std::{collections::BTreeSet, path::PathBuf};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    keys::{Fallback, KEYS},
    *,
};
use crate::model::jobs::Lane;

const DATABASE: (&str, &str) = ("DATAGENIE_DATABASE__URL", "postgres://app:s3cret@db/dg");
const SEALING: (&str, &str) = ("DATAGENIE_SEALING__KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");

fn bare(environment: &[(&str, &str)]) -> Sources {
    let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sources { environment: pairs.collect(), ..Sources::default() }
}

/// The required settings and these.
fn with(environment: &[(&str, &str)]) -> Sources {
    let mut sources = bare(&[DATABASE, SEALING]);
    sources.environment.extend(bare(environment).environment);
    sources
}

fn in_file(mut sources: Sources, text: &str) -> Sources {
    sources.file = Some((PathBuf::from("datagenie.toml"), text.to_owned()));
    sources
}

fn stored(sources: Sources, rows: &[(&str, Value)]) -> Sources {
    sources.with_stored(rows.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn load(sources: &Sources) -> Settings {
    Settings::load(sources).unwrap_or_else(|error| panic!("{error}"))
}

fn problems(sources: &Sources) -> Vec<String> {
    let error = Settings::load(sources).expect_err("a problem");
    error.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn defaults_are_the_documents() {
    let settings = load(&with(&[]));
    assert_eq!(settings.llm.model, "gpt-4");
    assert!(settings.llm.temperature.abs() < f64::EPSILON);
    assert_eq!(settings.files.max_size_mb, 50);
    assert_eq!(settings.query.max_rows, 10_000);
    assert_eq!(settings.auth.session_timeout_hours, 24);
    assert_eq!(settings.cache.ttl_seconds, 3_600);
    assert_eq!(settings.jobs.lease_seconds, 10);
    assert_eq!(settings.limits.waiting_per_user, 250_000);
    assert_eq!(settings.limits.waiting, 1_000_000);
    assert_eq!(settings.worker.lanes, Lane::ALL);
    assert_eq!(settings.broker.url.expose(), "redis://127.0.0.1:6379");
    assert_eq!(settings.log.format, LogFormat::Json);
    assert!(settings.sources.sqlite_roots.is_empty());
    assert!(settings.webhooks.allow_cidrs.is_empty());
    assert_eq!(settings.worker.health_port, None);
    assert!(!settings.llm.configured());
}

#[test]
fn the_environment_beats_the_database_beats_the_file_beats_the_default() {
    let file = "[query]\nmax_rows = 1\n[llm]\nmodel = \"from-file\"\n";
    let rows = [("max_query_rows", json!(2)), ("openai_temperature", json!(0.5)), ("site_name", json!("not ours"))];
    let from_file = in_file(with(&[]), file);
    assert_eq!(load(&from_file).query.max_rows, 1);
    let from_rows = stored(from_file.clone(), &rows);
    let settings = load(&from_rows);
    assert_eq!((settings.query.max_rows, settings.llm.model.as_str()), (2, "from-file"));
    assert!((settings.llm.temperature - 0.5).abs() < f64::EPSILON);
    let mut from_environment = from_rows;
    from_environment.environment.insert("DATAGENIE_QUERY__MAX_ROWS".to_owned(), "3".to_owned());
    assert_eq!(load(&from_environment).query.max_rows, 3);
}

#[test]
fn every_stored_key_of_the_document_is_a_setting() {
    let keys: BTreeSet<_> = KEYS.iter().filter_map(|key| key.stored).collect();
    let document =
        ["openai_model", "openai_temperature", "max_file_size_mb", "max_query_rows", "session_timeout_hours", "cache_ttl_seconds"];
    assert!(document.iter().all(|key| keys.contains(key)), "{keys:?}");
    assert_eq!(keys.len(), keys::stored().count(), "a stored key is there twice");
}

#[test]
fn files_lie_in_a_folder_or_in_a_bucket() {
    let folder = load(&with(&[]));
    assert_eq!(folder.files.root.folder(), Some(std::path::Path::new(".datagenie/files")));
    let bucket = |more: &[(&str, &str)]| {
        let root = [("DATAGENIE_FILES__ROOT", "s3://books/of/ours"), ("DATAGENIE_FILES__S3_ENDPOINT", "http://127.0.0.1:9000")];
        with(&[&root, more].concat())
    };
    let key = [("DATAGENIE_FILES__S3_KEY_ID", "id"), ("DATAGENIE_FILES__S3_SECRET_KEY", "a-secret-key")];
    let settings = load(&bucket(&[&key[..], &[("DATAGENIE_FILES__S3_ALLOW_HTTP", "true")]].concat()));
    assert!(!format!("{settings:?}").contains("a-secret-key"));
    let FileRoot::Bucket(found) = settings.files.root else { panic!("a bucket") };
    assert_eq!((found.name.as_str(), found.prefix.as_str(), found.region.as_str()), ("books", "of/ours", "us-east-1"));
    assert_eq!(found.key.map(|key| key.id), Some("id".to_owned()));
    let wrong = problems(&bucket(&key[..1])).join("\n");
    assert!(wrong.contains("files.s3_endpoint (settings): is not https") && wrong.contains("files.s3_secret_key"), "{wrong}");
    let wrong = problems(&with(&[("DATAGENIE_FILES__ROOT", "s3://Books")])).join("\n");
    assert!(wrong.contains("names no bucket"), "{wrong}");
}

#[test]
fn every_problem_is_told_at_once() {
    let sources = bare(&[
        ("DATAGENIE_JOBS_LEASE_SECONDS", "5"),
        ("DATAGENIE_JOBS__LEASE_SECONDS", "1"),
        ("DATAGENIE_API__PORT", "http"),
        ("DATAGENIE_CONFIG", "ignored"),
        ("DATAGENIE_TEST_ANYTHING", "ignored"),
        ("PATH", "ignored"),
    ]);
    let sources = in_file(sources, "loose = 1\n[jbos]\nx = 1\n[jobs]\nsweep = 5\nmax_attempts = \"three\"\n");
    let sources = stored(sources, &[("max_query_rows", json!("many")), ("openai_model", Value::Null)]);
    let found = problems(&sources).join("\n");
    for part in [
        "DATAGENIE_JOBS_LEASE_SECONDS (environment): unknown variable; did you mean DATAGENIE_JOBS__LEASE_SECONDS?",
        "jobs.lease_seconds (environment DATAGENIE_JOBS__LEASE_SECONDS): \"1\" is out of bounds; expected a whole number from 2 to 3600",
        "api.port (environment DATAGENIE_API__PORT): \"http\" is not a whole number",
        "loose (file datagenie.toml): unknown key; every key stands in a section",
        "[jbos] (file datagenie.toml): unknown section; did you mean jobs?",
        "jobs.sweep (file datagenie.toml): unknown key; did you mean jobs.sweep_ms?",
        "jobs.max_attempts (file datagenie.toml): \"three\" is not a whole number; expected a whole number from 1 to 100",
        "query.max_rows (system_settings max_query_rows): \"many\" is not a whole number",
        "llm.model (system_settings openai_model): null is not right; expected text",
        "database.url (not set): is required; set DATAGENIE_DATABASE__URL",
        "sealing.key (not set): is required; set DATAGENIE_SEALING__KEY (or ENCRYPTION_KEY)",
    ] {
        assert!(found.contains(part), "no `{part}` in\n{found}");
    }
    assert_eq!(problems(&sources).len(), 11, "{found}");
}

#[test]
fn a_bad_value_is_told_even_where_a_better_source_overrides_it() {
    let sources = in_file(with(&[("DATAGENIE_QUERY__MAX_ROWS", "5")]), "[query]\nmax_rows = 0\n");
    assert_eq!(problems(&sources).len(), 1);
}

#[test]
fn secrets_are_never_shown() {
    let settings = format!("{:?}", load(&with(&[("OPENAI_API_KEY", "sk-verysecret")])));
    for secret in ["s3cret", "AQEB", "verysecret"] {
        assert!(!settings.contains(secret), "{secret}");
    }
    let wrong = bare(&[("DATAGENIE_DATABASE__URL", "postgres://app:s3cret@db:port/dg"), ("DATAGENIE_SEALING__KEY", "s3cret\u{7}")]);
    let wrong = in_file(wrong, "[redis]\nurl = \"http://:s3cret@x\"\n[llm]\napi_key = 5\n");
    let found = problems(&wrong);
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|problem| !problem.contains("s3cret")), "{found:?}");
}

#[test]
fn a_broken_file_is_told_with_its_line_and_without_its_text() {
    let found = problems(&in_file(bare(&[]), "[llm]\n\napi_key = s3cret\n"));
    assert_eq!(found.len(), 1, "what is missing is not told when the file cannot be read: {found:?}");
    assert!(found[0].contains("datagenie.toml, line 3"), "{found:?}");
    assert!(!found[0].contains("s3cret"), "{found:?}");
}

#[test]
fn other_names_are_taken() {
    let sources = bare(&[DATABASE, ("ENCRYPTION_KEY", "from-alias"), ("OPENAI_API_KEY", "sk")]);
    let settings = load(&sources);
    assert_eq!(settings.sealing.key.expose_secret(), "from-alias");
    assert!(settings.llm.configured());
    let both = load(&with(&[("ENCRYPTION_KEY", "from-alias")]));
    assert_eq!(both.sealing.key.expose_secret(), SEALING.1);
}

#[test]
fn a_local_model_needs_no_key() {
    let settings = load(&with(&[("DATAGENIE_LLM__BASE_URL", "http://127.0.0.1:8000/v1/")]));
    assert_eq!(settings.llm.base_url, "http://127.0.0.1:8000/v1");
    assert!(settings.llm.configured());
    assert!(!load(&with(&[("DATAGENIE_LLM__BASE_URL", "https://api.openai.com/v1/")])).llm.configured());
}

#[test]
fn an_empty_variable_counts_as_not_set_but_empties_a_list() {
    let file = "[sources]\nsqlite_roots = \"/srv/a:/srv/b\"\n[llm]\nmodel = \"local\"\n";
    let settings = load(&in_file(with(&[("DATAGENIE_LLM__MODEL", ""), ("DATAGENIE_LLM__API_KEY", " ")]), file));
    assert_eq!(settings.llm.model, "local");
    assert!(settings.llm.api_key.is_none());
    assert_eq!(settings.sources.sqlite_roots, [PathBuf::from("/srv/a"), PathBuf::from("/srv/b")]);
    assert!(load(&in_file(with(&[("DATAGENIE_SOURCES__SQLITE_ROOTS", "")]), file)).sources.sqlite_roots.is_empty());
}

#[test]
fn lists_are_checked() {
    let settings = load(&with(&[
        ("DATAGENIE_WEBHOOKS__ALLOW_CIDRS", "10.0.0.0/8, 127.0.0.1, fd00::/8"),
        ("DATAGENIE_WORKER__LANES", "bulk, interactive,bulk"),
    ]));
    assert_eq!(settings.webhooks.allow_cidrs.len(), 3);
    assert_eq!(settings.worker.lanes, [Lane::Bulk, Lane::Interactive]);
    for (name, value, part) in [
        ("DATAGENIE_WEBHOOKS__ALLOW_CIDRS", "10.0.0.0/33", "`10.0.0.0/33`"),
        ("DATAGENIE_WORKER__LANES", "fast", "`fast`"),
        ("DATAGENIE_SOURCES__SQLITE_ROOTS", "/srv:data", "`data`"),
        ("DATAGENIE_LOG__FORMAT", "xml", "json, text"),
        ("DATAGENIE_LOG__FILTER", "a=b=c", "log directives"),
        ("DATAGENIE_LLM__JSON_SCHEMA", "maybe", "true or false"),
        ("DATAGENIE_LLM__TEMPERATURE", "NaN", "a number from 0 to 2"),
        ("DATAGENIE_CLOCK__OFFSET_SECONDS", "-400000000", "out of bounds"),
    ] {
        let found = problems(&with(&[(name, value)]));
        assert!(found.len() == 1 && found[0].contains(part), "{name}: {found:?}");
    }
}

#[test]
fn the_default_file_holds_every_key_and_changes_nothing() {
    let uncommented: Vec<String> = render::default_file()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest
                    .split_once(" = ")
                    .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')) =>
            {
                rest.to_owned()
            }
            _ => line.to_owned(),
        })
        .collect();
    let text = uncommented.join("\n");
    let table: toml::Table = toml::from_str(&text).expect("TOML");
    for key in KEYS {
        let (section, name) = key.parts();
        assert!(table.get(section).and_then(|section| section.get(name)).is_some(), "{}", key.name);
    }
    let (changed, plain) = (load(&in_file(with(&[]), &text)), load(&with(&[])));
    assert_eq!(format!("{changed:?}"), format!("{plain:?}"));
}

#[test]
fn the_page_about_settings_is_up_to_date() {
    let page = include_str!("../../../docs/settings.md");
    let (_, tables) = page.split_once("<!-- datagenie-api settings-table -->").expect("the page says where the tables begin");
    let printed = render::markdown();
    let difference = tables.trim().lines().zip(printed.trim().lines()).find(|(page, printed)| page != printed);
    assert_eq!(difference, None, "print them with `datagenie-api settings-table` and put them below the mark of docs/settings.md");
    assert_eq!(tables.trim().lines().count(), printed.trim().lines().count());
}

#[test]
fn help_names_every_variable() {
    let help = render::help();
    for key in KEYS {
        assert!(help.contains(&key.environment()) && help.contains(key.doc), "{}", key.name);
    }
}

#[test]
fn the_table_is_sound() {
    let names: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(names.len(), KEYS.len(), "a name is there twice");
    for key in KEYS {
        let (section, name) = key.parts();
        assert!(!section.is_empty() && !name.contains('.'), "{}", key.name);
        if let Fallback::SameAs(other) = key.fallback {
            let position = |name| KEYS.iter().position(|key| key.name == name);
            assert!(position(other) < position(key.name), "{} must follow {other}", key.name);
        }
    }
}
