//! What a setting is: its form, its default, its secrecy, and how it is named in each source.

use serde_json::Value;

use super::values::LONGEST_TEXT;
use crate::word_enum;

word_enum! {
    /// What kind of JSON value a setting has.
    pub enum ValueType {
        /// Any text; lists are texts too.
        Text = "text",
        /// Text that is never shown.
        Secret = "secret",
        /// A whole number.
        Integer = "integer",
        /// Any number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
    }
}

/// What a setting's value must look like.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text that is not empty.
    Text,
    /// Text that is never shown.
    Secret,
    /// A whole number within bounds, both included.
    Integer(i64, i64),
    /// A number within bounds, both included.
    Decimal(f64, f64),
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An http or https URL without a user name or password.
    WebUrl,
    /// A URL of one of these schemes that may hold a password.
    SecretUrl(&'static [&'static str]),
    /// The path of a folder, or `s3://BUCKET/PREFIX`.
    FileRoot,
    /// Absolute paths of folders, separated by colons; may be empty.
    Folders,
    /// IP networks in CIDR form, separated by commas; may be empty.
    Cidrs,
    /// Web origins like `https://app.example.com`, separated by commas; may be empty.
    Origins,
    /// Names of lanes, separated by commas.
    Lanes,
    /// Directives of `tracing_subscriber::EnvFilter`.
    LogFilter,
}

impl Kind {
    /// Whether an empty text is a value of its own. For all other kinds an empty environment variable counts as not set.
    #[must_use]
    pub fn takes_empty(self) -> bool {
        matches!(self, Self::Folders | Self::Cidrs | Self::Origins)
    }

    /// Whether the value may hold a secret, so that no message shows it.
    #[must_use]
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretUrl(_))
    }

    /// What kind of JSON value it is.
    #[must_use]
    pub fn value_type(self) -> ValueType {
        match self {
            Self::Secret | Self::SecretUrl(_) => ValueType::Secret,
            Self::Integer(..) => ValueType::Integer,
            Self::Decimal(..) => ValueType::Number,
            Self::Boolean => ValueType::Boolean,
            _ => ValueType::Text,
        }
    }

    /// The least and the greatest value of a number.
    #[must_use]
    pub fn bounds(self) -> Option<(Value, Value)> {
        match self {
            Self::Integer(least, most) => Some((least.into(), most.into())),
            Self::Decimal(least, most) => Some((least.into(), most.into())),
            _ => None,
        }
    }

    /// What is expected, to follow the word "expected".
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Text | Self::Secret => format!("text of at most {LONGEST_TEXT} characters"),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Decimal(least, most) => format!("a number from {least} to {most}"),
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::WebUrl => "an http or https URL".to_owned(),
            Self::SecretUrl(schemes) => format!("a URL that starts with {}://", schemes.join("://, ")),
            Self::FileRoot => "the path of a folder, or s3://BUCKET or s3://BUCKET/PREFIX".to_owned(),
            Self::Folders => "absolute paths of folders, separated by colons".to_owned(),
            Self::Cidrs => "IP networks like 10.0.0.0/8, separated by commas".to_owned(),
            Self::Origins => "web origins like https://app.example.com, separated by commas".to_owned(),
            Self::Lanes => "lanes (interactive, bulk, maintenance, webhook), separated by commas".to_owned(),
            Self::LogFilter => "log directives like `info` or `info,sqlx=warn`".to_owned(),
        }
    }
}

/// What holds when no source sets the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It is an error.
    Required,
    /// The setting is absent.
    Absent,
    /// This value, as written in the environment.
    Value(&'static str),
    /// The value of another key.
    SameAs(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `section.key`, as in the file.
    pub name: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// What holds when nothing is set.
    pub fallback: Fallback,
    /// Its key in the table `system_settings`, if it may be set there.
    pub stored: Option<&'static str>,
    /// Another environment variable that is taken when its own is not set.
    pub alias: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

impl Key {
    /// Its environment variable: `jobs.lease_seconds` is `DATAGENIE_JOBS__LEASE_SECONDS`.
    #[must_use]
    pub fn environment(&self) -> String {
        format!("DATAGENIE_{}", self.name.to_ascii_uppercase().replace('.', "__"))
    }

    /// Its section and its name within it.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// The group that it belongs to in `system_settings`, by its section.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self.parts().0 {
            // As the document has it.
            "files" => "file",
            section => section,
        }
    }

    /// Lets it be changed while the service runs: it is then a key of `system_settings` and of `/v1/settings`. Whoever uses it must ask
    /// `LiveSettings::get` for it each time, instead of keeping what held at the start.
    pub(super) const fn stored(mut self, key: &'static str) -> Self {
        self.stored = Some(key);
        self
    }

    /// Takes another environment variable when its own is not set.
    pub(super) const fn alias(mut self, variable: &'static str) -> Self {
        self.alias = Some(variable);
        self
    }
}
