//! Finding each setting in its sources, and everything that is wrong with them.

use std::collections::BTreeMap;

use super::{
    Settings, Sources,
    assemble::Assembly,
    keys::{Fallback, KEYS, Key, OTHER_VARIABLES, TEST_VARIABLES, find},
    origins::{Loaded, Origin},
    problems::{Problem, SettingsError, nearest},
    values::{Checked, Raw, check},
};

/// Reads and checks all settings.
pub(super) fn load(sources: &Sources) -> Result<Settings, SettingsError> {
    let mut loading = Loading {
        sources,
        file: BTreeMap::new(),
        file_is_whole: true,
        values: BTreeMap::new(),
        origins: BTreeMap::new(),
        problems: Vec::new(),
    };
    loading.find_unknown_variables();
    loading.read_file();
    for key in KEYS {
        loading.resolve(key);
    }
    if !loading.problems.is_empty() {
        return Err(SettingsError { problems: loading.problems });
    }
    let loaded = Loaded::new(sources, &loading.values, loading.origins);
    Assembly::new(loading.values).settings(loaded)
}

struct Loading<'a> {
    sources: &'a Sources,
    file: BTreeMap<&'static str, Raw>,
    /// False if the file could not be parsed: then nothing is reported as missing, for it may well be there.
    file_is_whole: bool,
    values: BTreeMap<&'static str, Checked>,
    origins: BTreeMap<&'static str, Origin>,
    problems: Vec<Problem>,
}

impl Loading<'_> {
    fn report(&mut self, key: &str, origin: &str, detail: String) {
        self.problems.push(Problem { key: key.to_owned(), origin: origin.to_owned(), detail });
    }

    fn find_unknown_variables(&mut self) {
        for name in self.sources.environment.keys() {
            let ignored = !name.starts_with("DATAGENIE_") || OTHER_VARIABLES.contains(&name.as_str()) || name.starts_with(TEST_VARIABLES);
            if ignored || KEYS.iter().any(|key| key.environment() == *name) {
                continue;
            }
            let near = nearest(name, KEYS.iter().map(Key::environment));
            self.problems.push(Problem { key: name.clone(), origin: "environment".to_owned(), detail: unknown("variable", near) });
        }
    }

    fn read_file(&mut self) {
        let Some((path, text)) = &self.sources.file else { return };
        let origin = format!("file {}", path.display());
        let table: toml::Table = match toml::from_str(text) {
            Ok(table) => table,
            Err(error) => {
                // Only the message: the error's `Display` quotes the line, which may hold a secret.
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                self.file_is_whole = false;
                self.report("configuration file", &format!("{origin}, line {line}"), error.message().to_owned());
                return;
            }
        };
        for (section, content) in &table {
            match content {
                toml::Value::Table(content) if is_section(section) => self.read_section(&origin, section, content),
                toml::Value::Table(_) => {
                    let near = nearest(section, KEYS.iter().map(|key| key.parts().0.to_owned()));
                    self.report(&format!("[{section}]"), &origin, unknown("section", near));
                }
                _ => {
                    let near = nearest(section, KEYS.iter().map(|key| key.parts().1.to_owned()));
                    self.report(section, &origin, format!("{}; every key stands in a section", unknown("key", near)));
                }
            }
        }
    }

    fn read_section(&mut self, origin: &str, section: &str, content: &toml::Table) {
        for (name, value) in content {
            let full = format!("{section}.{name}");
            match find(&full) {
                Some(key) => {
                    self.file.insert(key.name, Raw::from(value));
                }
                None => {
                    let near = nearest(&full, KEYS.iter().map(|key| key.name.to_owned()));
                    self.report(&full, origin, unknown("key", near));
                }
            }
        }
    }

    /// Checks what every source says of a key and keeps the word of the first one.
    fn resolve(&mut self, key: &'static Key) {
        let mut chosen = None;
        for (origin, raw) in self.said_of(key) {
            match check(key, &raw) {
                Ok(value) => {
                    chosen.get_or_insert((value, origin));
                }
                Err(detail) => self.report(key.name, &origin.told(key), detail),
            }
        }
        let chosen = chosen.or_else(|| self.fallback(key).map(|value| (value, Origin::Default)));
        if let Some((value, origin)) = chosen {
            self.values.insert(key.name, value);
            self.origins.insert(key.name, origin);
        }
    }

    /// What the sources say of a key, the strongest first. Empty text in the environment and the file says nothing.
    fn said_of(&self, key: &Key) -> Vec<(Origin, Raw)> {
        let mut said = Vec::new();
        let written = |name: &str| self.sources.environment.get(name).filter(|text| key.kind.takes_empty() || !text.trim().is_empty());
        let own = key.environment();
        if let Some(text) = written(&own) {
            said.push((Origin::Environment(own), Raw::Written(text.clone())));
        } else if let Some(alias) = key.alias
            && let Some(text) = written(alias)
        {
            said.push((Origin::Environment(alias.to_owned()), Raw::Written(text.clone())));
        }
        if let Some(stored) = key.stored
            && let Some(value) = self.sources.stored.get(stored)
        {
            said.push((Origin::Stored, Raw::from(value)));
        }
        if let Some(raw) = self.file.get(key.name)
            && let Some((path, _)) = &self.sources.file
            && (key.kind.takes_empty() || !matches!(raw, Raw::Text(text) if text.trim().is_empty()))
        {
            said.push((Origin::File(path.clone()), raw.clone()));
        }
        said
    }

    fn fallback(&mut self, key: &'static Key) -> Option<Checked> {
        match key.fallback {
            Fallback::Absent => None,
            Fallback::SameAs(other) => self.values.get(other).cloned(),
            Fallback::Value(text) => match check(key, &Raw::Written(text.to_owned())) {
                Ok(value) => Some(value),
                Err(detail) => {
                    self.report(key.name, "default", detail);
                    None
                }
            },
            Fallback::Required => {
                let wrong_elsewhere = self.problems.iter().any(|problem| problem.key == key.name);
                if self.file_is_whole && !wrong_elsewhere {
                    let (section, name) = key.parts();
                    let also = key.alias.map(|alias| format!(" (or {alias})")).unwrap_or_default();
                    let detail = format!(
                        "is required; set {}{also}, or `{name}` in section [{section}] of the configuration file; expected {}",
                        key.environment(),
                        key.kind.expected(),
                    );
                    self.report(key.name, "not set", detail);
                }
                None
            }
        }
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.parts().0 == name)
}

fn unknown(what: &str, near: Option<String>) -> String {
    match near {
        Some(near) => format!("unknown {what}; did you mean {near}?"),
        None => format!("unknown {what}"),
    }
}
