//! From what a source says to a checked value.

use std::path::{Path, PathBuf};

use ipnetwork::IpNetwork;
use tracing_subscriber::EnvFilter;

use super::{
    file_root::bucket_of,
    keys::{Key, Kind},
    urls::{SecretUrl, web_url},
};
use crate::model::jobs::Lane;

const SHOWN_CHARS: usize = 60;
/// The longest text; lists may be longer.
pub(super) const LONGEST_TEXT: usize = 4_096;

/// A value as a source holds it.
#[derive(Clone)]
pub(super) enum Raw {
    /// From the environment or a default: everything is text there.
    Written(String),
    Text(String),
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
    /// Something no setting takes, by its name.
    Other(&'static str),
}

/// A value that is right for its key.
#[derive(Clone)]
pub(super) enum Checked {
    Text(String),
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
    Url(SecretUrl),
    Folders(Vec<PathBuf>),
    Cidrs(Vec<IpNetwork>),
    Origins(Vec<String>),
    Lanes(Vec<Lane>),
}

impl From<&toml::Value> for Raw {
    fn from(value: &toml::Value) -> Self {
        match value {
            toml::Value::String(text) => Self::Text(text.clone()),
            toml::Value::Integer(number) => Self::Integer(*number),
            toml::Value::Float(number) => Self::Decimal(*number),
            toml::Value::Boolean(flag) => Self::Boolean(*flag),
            toml::Value::Datetime(_) => Self::Other("a time"),
            toml::Value::Array(_) => Self::Other("a list"),
            toml::Value::Table(_) => Self::Other("a table"),
        }
    }
}

impl From<&serde_json::Value> for Raw {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Integer(whole),
                None => number.as_f64().map_or(Self::Other("a number beyond all bounds"), Self::Decimal),
            },
            serde_json::Value::Bool(flag) => Self::Boolean(*flag),
            serde_json::Value::Null => Self::Other("null"),
            serde_json::Value::Array(_) => Self::Other("a list"),
            serde_json::Value::Object(_) => Self::Other("an object"),
        }
    }
}

/// Checks a value against its key.
///
/// # Errors
/// What was found and what is expected; a secret is not shown.
pub(super) fn check(key: &Key, raw: &Raw) -> Result<Checked, String> {
    let outcome = match (key.kind, raw) {
        (Kind::Integer(least, most), raw) => integer(raw).and_then(|number| within(number, least, most)).map(Checked::Integer),
        (Kind::Decimal(least, most), raw) => decimal(raw).and_then(|number| within(number, least, most)).map(Checked::Decimal),
        (Kind::Boolean, raw) => boolean(raw).map(Checked::Boolean),
        (_, Raw::Written(text) | Raw::Text(text)) => text_value(key.kind, text.trim()),
        _ => Err(None),
    };
    outcome.map_err(|wrong| {
        // A URL that should hold no password may hold one all the same.
        let may_hold_one = matches!((key.kind, raw), (Kind::WebUrl, Raw::Written(text) | Raw::Text(text)) if text.contains('@'));
        let found = if key.kind.is_secret() || may_hold_one { "the value".to_owned() } else { shown(raw) };
        let wrong = wrong.unwrap_or_else(|| "is not right".to_owned());
        format!("{found} {wrong}; expected {}", key.kind.expected())
    })
}

/// Checks a value that is to be stored: it is given back as it is stored (a text without spaces around it).
///
/// # Errors
/// What was found and what is expected; a secret is not shown.
pub fn acceptable(key: &Key, value: &serde_json::Value) -> Result<serde_json::Value, String> {
    Ok(match check(key, &Raw::from(value))? {
        Checked::Text(text) => text.into(),
        Checked::Integer(number) => number.into(),
        Checked::Boolean(flag) => flag.into(),
        // Lists are texts in every source.
        _ => value.clone(),
    })
}

/// Checks one value; the error says what is wrong, or nothing when only the form is.
fn text_value(kind: Kind, text: &str) -> Result<Checked, Option<String>> {
    if text.is_empty() && !kind.takes_empty() {
        return Err(Some("is empty".to_owned()));
    }
    if text.chars().any(char::is_control) {
        return Err(Some("holds a control character".to_owned()));
    }
    match kind {
        Kind::Text | Kind::Secret if text.chars().count() > LONGEST_TEXT => Err(Some("is too long".to_owned())),
        // Keys are sent in headers, which take no others: each call would fail, instead of the setting.
        Kind::Secret if !text.is_ascii() => Err(Some("holds characters that are not of ASCII".to_owned())),
        Kind::Text | Kind::Secret => Ok(Checked::Text(text.to_owned())),
        Kind::FileRoot => bucket_of(text).map(|_| Checked::Text(text.to_owned())).map_err(Some),
        Kind::Choice(words) if words.contains(&text) => Ok(Checked::Text(text.to_owned())),
        Kind::WebUrl => web_url(text).map(Checked::Text).map_err(Some),
        Kind::SecretUrl(schemes) => SecretUrl::parse(text, schemes).map(Checked::Url).map_err(Some),
        Kind::Folders => folders(text).map(Checked::Folders),
        Kind::Cidrs => cidrs(text).map(Checked::Cidrs),
        Kind::Origins => origins(text).map(Checked::Origins),
        Kind::Lanes => lanes(text).map(Checked::Lanes),
        Kind::LogFilter => match EnvFilter::try_new(text) {
            Ok(_) => Ok(Checked::Text(text.to_owned())),
            Err(error) => Err(Some(format!("is not understood ({error})"))),
        },
        Kind::Choice(_) | Kind::Integer(..) | Kind::Decimal(..) | Kind::Boolean => Err(None),
    }
}

fn integer(raw: &Raw) -> Result<i64, Option<String>> {
    match raw {
        Raw::Integer(number) => Ok(*number),
        Raw::Written(text) => text.trim().parse().map_err(|_| Some("is not a whole number".to_owned())),
        _ => Err(Some("is not a whole number".to_owned())),
    }
}

fn decimal(raw: &Raw) -> Result<f64, Option<String>> {
    let number = match raw {
        Raw::Integer(number) => Some(*number as f64),
        Raw::Decimal(number) => Some(*number),
        Raw::Written(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| Some("is not a number".to_owned()))
}

fn boolean(raw: &Raw) -> Result<bool, Option<String>> {
    match raw {
        Raw::Boolean(flag) => Ok(*flag),
        Raw::Written(text) => match text.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(None),
        },
        _ => Err(None),
    }
}

fn within<T: PartialOrd>(number: T, least: T, most: T) -> Result<T, Option<String>> {
    if (least..=most).contains(&number) { Ok(number) } else { Err(Some("is out of bounds".to_owned())) }
}

fn folders(text: &str) -> Result<Vec<PathBuf>, Option<String>> {
    let parts = text.split(':').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let path = Path::new(part);
            if path.is_absolute() { Ok(path.to_owned()) } else { Err(Some(format!("holds `{part}`, which is not an absolute path"))) }
        })
        .collect()
}

fn cidrs(text: &str) -> Result<Vec<IpNetwork>, Option<String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse::<IpNetwork>().map_err(|_| Some(format!("holds `{part}`, which is not an IP network")))).collect()
}

// As a browser sends them: scheme, host and perhaps a port, nothing behind them, in lower case.
fn origins(text: &str) -> Result<Vec<String>, Option<String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| match url::Url::parse(part) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == part => Ok(part.to_owned()),
            _ => Err(Some(format!("holds `{part}`, which is not a web origin"))),
        })
        .collect()
}

fn lanes(text: &str) -> Result<Vec<Lane>, Option<String>> {
    let mut lanes = Vec::new();
    for part in text.split(',').map(str::trim) {
        let lane: Lane = part.parse().map_err(|_| Some(format!("holds `{part}`, which is not a lane")))?;
        if !lanes.contains(&lane) {
            lanes.push(lane);
        }
    }
    Ok(lanes)
}

/// A value for a message, shortened; never called for a secret.
fn shown(raw: &Raw) -> String {
    match raw {
        Raw::Written(text) | Raw::Text(text) if text.chars().count() > SHOWN_CHARS => {
            format!("{:?}…", text.chars().take(SHOWN_CHARS).collect::<String>())
        }
        Raw::Written(text) | Raw::Text(text) => format!("{text:?}"),
        Raw::Integer(number) => number.to_string(),
        Raw::Decimal(number) => number.to_string(),
        Raw::Boolean(flag) => flag.to_string(),
        Raw::Other(what) => (*what).to_owned(),
    }
}
