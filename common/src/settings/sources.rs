//! Where settings come from.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    keys::KEYS,
    problems::{Problem, SettingsError},
};

const PREFIX: &str = "DATAGENIE_";
const CONFIG_VARIABLE: &str = "DATAGENIE_CONFIG";
const MAX_FILE_BYTES: u64 = 1_048_576;

/// The sources of one load. It has no `Debug`, for it holds secrets as plain text.
#[derive(Clone, Default)]
pub struct Sources {
    /// Environment variables by name; others than ours are ignored.
    pub environment: BTreeMap<String, String>,
    /// The configuration file: where it lies and its text (TOML).
    pub file: Option<(PathBuf, String)>,
    /// Rows of `system_settings` by key; keys that are no settings are ignored.
    pub stored: BTreeMap<String, serde_json::Value>,
}

impl Sources {
    /// The environment of this process and the file named by `config` (a command-line flag) or by `DATAGENIE_CONFIG`.
    ///
    /// # Errors
    /// Variables of ours that are not UTF-8 and a file that cannot be read.
    pub fn from_process(config: Option<&Path>) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let mut environment = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            if !is_ours(&name) {
                continue;
            }
            match value.into_string() {
                Ok(value) => {
                    environment.insert(name, value);
                }
                Err(_) => {
                    problems.push(Problem { key: name, origin: "environment".to_owned(), detail: "the value is not UTF-8".to_owned() })
                }
            }
        }
        let named = environment.get(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let path = config.map(Path::to_owned).or(named);
        let file = path.and_then(|path| match read(&path) {
            Ok(text) => Some((path, text)),
            Err(detail) => {
                problems.push(Problem { key: "configuration file".to_owned(), origin: path.display().to_string(), detail });
                None
            }
        });
        if problems.is_empty() { Ok(Self { environment, file, stored: BTreeMap::new() }) } else { Err(SettingsError { problems }) }
    }

    /// The same sources, with the rows of `system_settings`.
    #[must_use]
    pub fn with_stored(mut self, stored: BTreeMap<String, serde_json::Value>) -> Self {
        self.stored = stored;
        self
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) || KEYS.iter().any(|key| key.alias == Some(name))
}

fn read(path: &Path) -> Result<String, String> {
    let length = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if length > MAX_FILE_BYTES {
        return Err(format!("has {length} bytes; expected at most {MAX_FILE_BYTES}"));
    }
    fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}
