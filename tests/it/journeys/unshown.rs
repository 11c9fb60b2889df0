//! The `Debug` of what holds a secret shows none: one careless `{:?}` in a log line must do no harm.

use std::{collections::BTreeMap, fs, path::Path};

use datagenie_common::{
    crypto::{Keyring, SigningSecret, sealing, tokens},
    ids::SessionId,
    model::connections::ConnectionConfig,
    settings::{Settings, Sources, keys::KEYS},
};
use secrecy::ExposeSecret;
use serde_json::json;

const PLANTED: &str = "planted-in-a-debug-form";

#[test]
fn settings_show_no_secret() {
    let key = sealing::generate_key();
    let mut environment = BTreeMap::new();
    for setting in KEYS.iter().filter(|key| key.kind.is_secret()) {
        let value = match setting.name {
            "sealing.key" => key.clone(),
            "database.url" => format!("postgres://u:{PLANTED}@db/d?options={PLANTED}"),
            url if url.ends_with(".url") => format!("redis://:{PLANTED}@127.0.0.1:1"),
            _ => PLANTED.to_owned(),
        };
        environment.insert(setting.environment(), value);
    }
    let file = Some(("datagenie.toml".into(), format!("[llm]\napi_key = \"{PLANTED}\"\n")));
    let stored = BTreeMap::from([("openai_api_key".to_owned(), json!(PLANTED))]);
    let settings = Settings::load(&Sources { environment, file, stored }).unwrap_or_else(|error| panic!("{error}"));
    for shown in [format!("{settings:?}"), format!("{settings:#?}"), format!("{:?}", settings.loaded)] {
        assert!(!shown.contains(PLANTED) && !shown.contains(&key), "{shown}");
    }
    assert!(settings.database.url.expose().contains(PLANTED), "it is there all the same");
}

#[test]
fn what_a_setting_that_is_wrong_says_shows_no_secret() {
    for (setting, value) in
        [("sealing.key", ""), ("database.url", "postgres://u:planted-in-a-debug-form#@db/d"), ("redis.url", "planted-in-a-debug-form")]
    {
        let variable = KEYS.iter().find(|key| key.name == setting).expect("there is one").environment();
        let environment = BTreeMap::from([(variable, value.to_owned())]);
        let file = Some(("datagenie.toml".into(), format!("[llm]\napi_key = [\"{PLANTED}\"]\nbase_url = \"http://u:{PLANTED}@x\"\n")));
        let stored = BTreeMap::from([("openai_api_key".to_owned(), json!({ "v": PLANTED }))]);
        let error = Settings::load(&Sources { environment, file, stored }).expect_err("it is wrong");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(PLANTED), "{shown}");
    }
}

#[test]
fn configurations_keys_and_tokens_show_no_secret() {
    let config = json!({ "host": "h", "port": 5432, "database": "d", "username": "u", "password": PLANTED });
    let config: ConnectionConfig = serde_json::from_value(config).expect("a configuration");
    let key = format!("main:{}", sealing::generate_key());
    let keyring = Keyring::from_setting(&key).expect("a key");
    let secret = SigningSecret::mint();
    let (session, api_key) = (tokens::mint_session(SessionId::new()), tokens::mint_api_key());
    let presented = tokens::parse(session.token.expose_secret());
    let shown = format!("{config:?} {keyring:?} {secret:?} {session:?} {api_key:?} {presented:?}");
    let secrets = [
        PLANTED.to_owned(),
        key.trim_start_matches("main:").to_owned(),
        secret.text().expose_secret().trim_start_matches("whsec_").to_owned(),
        session.token.expose_secret().to_owned(),
        api_key.key.expose_secret().to_owned(),
    ];
    for secret in secrets {
        assert!(!shown.contains(&secret), "{shown}");
    }
}

/// Every field of a type with a derived `Debug` whose name is a secret's and whose type is plain text, in the programs' sources.
fn plain_secrets(text: &str) -> Vec<String> {
    const NAMES: [&str; 6] = ["password", "secret", "token", "api_key", "authorization", "cookie"];
    let (mut found, mut is_shown, mut inside) = (Vec::new(), false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[derive(") {
            is_shown = line.contains("Debug");
        } else if line.contains("struct ") || line.contains("enum ") {
            inside = is_shown && line.ends_with('{');
            is_shown = false;
        } else if line == "}" {
            inside = false;
        } else if inside
            && !line.starts_with("//")
            && let Some((name, kind)) = line.trim_start_matches("pub ").split_once(": ")
        {
            let is_secret = NAMES.iter().any(|secret| name.ends_with(secret));
            let is_plain =
                ["String", "Option<String>", "Vec<u8>", "&'a str", "Cow<'a, str>", "Box<str>"].contains(&kind.trim_end_matches(','));
            if is_secret && is_plain {
                found.push(line.to_owned());
            }
        }
    }
    found
}

#[test]
fn plain_secrets_are_told_from_what_is_none() {
    let text = "#[derive(Clone, Debug)]\npub struct A {\n    pub password: String,\n    pub password_hash: String,\n}\n#[derive(Clone)]\nstruct B {\n    token: String,\n}\n#[derive(Debug)]\nstruct C {\n    token: SecretString,\n    // token: String,\n    old_token: Option<String>,\n}\n";
    assert_eq!(plain_secrets(text), ["pub password: String,", "old_token: Option<String>,"]);
}

#[test]
fn no_type_with_a_debug_form_holds_a_secret_as_plain_text() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder of the project is read") {
            let path = entry.expect("an entry is read").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is read");
                found.extend(plain_secrets(&text).into_iter().map(|line| format!("{}: {line}", path.display())));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace");
    let mut found = Vec::new();
    for program in ["api", "cli", "common", "deploy/local", "scheduler", "worker"] {
        walk(&root.join(program).join("src"), &mut found);
    }
    assert!(found.is_empty(), "use SecretString, or write the Debug by hand: {found:#?}");
}
