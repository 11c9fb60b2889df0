//! Where each setting comes from, and its value as people are shown it.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use serde_json::Value;

use super::{
    keys::{Fallback, Key, Kind},
    sources::Sources,
    values::{Checked, Raw, check},
};
use crate::word_enum;

word_enum! {
    /// A kind of source, the strongest first.
    pub enum SourceKind {
        /// An environment variable.
        Environment = "environment",
        /// A row of `system_settings`.
        SystemSettings = "system_settings",
        /// The configuration file.
        File = "file",
        /// None.
        Default = "default",
    }
}

/// Which source's word holds for a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This environment variable.
    Environment(String),
    /// A row of `system_settings`.
    Stored,
    /// This configuration file.
    File(PathBuf),
    /// Nothing says anything: the default, or absent.
    Default,
}

impl Origin {
    /// Of which kind it is.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Environment(_) => SourceKind::Environment,
            Self::Stored => SourceKind::SystemSettings,
            Self::File(_) => SourceKind::File,
            Self::Default => SourceKind::Default,
        }
    }

    /// How problems name it.
    pub(super) fn told(&self, key: &Key) -> String {
        match self {
            Self::Environment(variable) => format!("environment {variable}"),
            Self::Stored => format!("system_settings {}", key.stored.unwrap_or_default()),
            Self::File(path) => format!("file {}", path.display()),
            Self::Default => "default".to_owned(),
        }
    }
}

/// What settings were loaded from, to load them again when what is stored has changed. Its `Debug` shows nothing: it holds secrets.
#[derive(Clone)]
pub struct Loaded {
    sources: Arc<Sources>,
    origins: Arc<BTreeMap<&'static str, Origin>>,
    shown: Arc<BTreeMap<&'static str, Value>>,
}

impl Loaded {
    pub(super) fn new(sources: &Sources, values: &BTreeMap<&'static str, Checked>, origins: BTreeMap<&'static str, Origin>) -> Self {
        let shown = values.iter().filter_map(|(&name, value)| Some((name, shown(super::keys::find(name)?, value)?))).collect();
        // What is stored is read anew each time, and may hold secrets that were opened.
        let sources = Sources { environment: sources.environment.clone(), file: sources.file.clone(), stored: BTreeMap::new() };
        Self { sources: Arc::new(sources), origins: Arc::new(origins), shown: Arc::new(shown) }
    }

    /// What they were loaded from: environment and file.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Where a setting comes from. One that is not set at all: by default.
    #[must_use]
    pub fn origin(&self, key: &Key) -> Origin {
        self.origins.get(key.name).cloned().unwrap_or(Origin::Default)
    }

    /// Its value as JSON; none: it is not set, or it is never shown.
    #[must_use]
    pub fn shown(&self, key: &Key) -> Option<Value> {
        self.shown.get(key.name).cloned()
    }

    /// Whether it has any value, shown or not.
    #[must_use]
    pub fn is_set(&self, key: &Key) -> bool {
        self.origins.contains_key(key.name)
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loaded")
    }
}

/// What holds of a setting that nothing sets, as JSON; none: it is absent then, or never shown.
#[must_use]
pub fn default_of(key: &Key) -> Option<Value> {
    let Fallback::Value(text) = key.fallback else { return None };
    shown(key, &check(key, &Raw::Written(text.to_owned())).ok()?)
}

/// A value as JSON; none: it is a secret, or a list, which no stored setting is.
pub(super) fn shown(key: &Key, value: &Checked) -> Option<Value> {
    match (key.kind, value) {
        (Kind::Secret | Kind::SecretUrl(_), _) => None,
        (_, Checked::Text(text)) => Some(text.as_str().into()),
        (_, Checked::Integer(number)) => Some((*number).into()),
        (_, Checked::Decimal(number)) => serde_json::Number::from_f64(*number).map(Value::Number),
        (_, Checked::Boolean(flag)) => Some((*flag).into()),
        _ => None,
    }
}
