//! What a run must know to go on after it was interrupted: a small file beside the results, gone when they are there.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::out_file;

/// A run that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct State {
    /// Where its server is.
    pub url: String,
    /// The file of questions, as it was named.
    pub input: String,
    /// What was in it.
    pub digest: String,
    /// What was sent with it.
    pub options: BTreeMap<String, String>,
    /// The idempotency key: the server makes one batch of it, however often it is sent.
    pub key: String,
    /// The batch; none: it is not known whether the server has it.
    #[serde(default)]
    pub batch_id: Option<Uuid>,
}

/// Where the state of the run with these results is.
pub fn place(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".batch");
    name.into()
}

/// The run that was interrupted, if there is one.
///
/// # Errors
/// For a file that can't be read or is something else.
pub fn load(out: &Path) -> anyhow::Result<Option<State>> {
    let place = place(out);
    let text = match fs::read_to_string(&place) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} can't be read", place.display())),
    };
    let state = serde_json::from_str(&text);
    state.map(Some).with_context(|| format!("{} is no state of a batch run; move it out of the way", place.display()))
}

impl State {
    /// Keeps it.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn save(&self, out: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self).context("the state can't be written as JSON")?;
        out_file::write(&place(out), &text, out_file::PRIVATE)
    }

    /// Refuses to go on with a run that asked something else.
    ///
    /// # Errors
    /// With what differs, and what to do.
    pub fn matches(&self, other: &Self, out: &Path) -> anyhow::Result<()> {
        let differs = if self.url != other.url {
            format!("its server is {}", self.url)
        } else if self.input != other.input {
            format!("its questions are those of {}", self.input)
        } else if self.options != other.options {
            let options: Vec<String> = self.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("its options are: {}", if options.is_empty() { "none".to_owned() } else { options.join(", ") })
        } else if !other.digest.is_empty() && self.digest != other.digest {
            format!("{} held other questions when it began", self.input)
        } else {
            return Ok(());
        };
        let id = self.batch_id.map(|id| format!(" (stop its batch with `datagenie batch cancel {id}`)")).unwrap_or_default();
        bail!(
            "{} tells of another run that was not finished: {differs}. Finish it by its own command, choose another --out, or delete that file to begin anew{id}",
            place(out).display()
        )
    }
}

/// Forgets a run that is finished, or that the server never took in.
///
/// # Errors
/// If the file stays.
pub fn forget(out: &Path) -> anyhow::Result<()> {
    let place = place(out);
    match fs::remove_file(&place) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(|| format!("{} can't be deleted", place.display())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            url: "http://127.0.0.1:8080/".to_owned(),
            input: "questions.csv".to_owned(),
            digest: "ab".to_owned(),
            options: BTreeMap::new(),
            key: "key".to_owned(),
            batch_id: None,
        }
    }

    #[test]
    fn a_run_is_found_again_until_it_is_forgotten() {
        let folder = std::env::temp_dir().join(format!("datagenie-state-{}", Uuid::new_v4()));
        fs::create_dir(&folder).expect("a temporary folder");
        let out = folder.join("답.jsonl");
        assert_eq!(load(&out).expect("nothing is no error"), None);
        let begun = State { batch_id: Some(Uuid::new_v4()), ..state() };
        begun.save(&out).expect("it is kept");
        assert!(folder.join("답.jsonl.batch").exists());
        assert_eq!(load(&out).expect("it is read"), Some(begun));
        fs::write(place(&out), "else").expect("it is written");
        assert!(load(&out).is_err());
        forget(&out).expect("it goes");
        forget(&out).expect("it is gone already");
        fs::remove_dir_all(&folder).expect("the temporary folder goes");
    }

    #[test]
    fn only_the_same_command_goes_on() {
        let id = Uuid::new_v4();
        let begun = State { batch_id: Some(id), ..state() };
        let told = |other: &State| begun.matches(other, Path::new("out.csv")).err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(told(&state()), "");
        assert_eq!(told(&State { digest: String::new(), ..state() }), "", "what can't be read any more is not compared");
        assert!(told(&State { digest: "cd".to_owned(), ..state() }).contains("held other questions"));
        assert!(told(&State { input: "-".to_owned(), ..state() }).contains("those of questions.csv"));
        assert!(told(&State { url: "http://else/".to_owned(), ..state() }).contains("its server is http://127.0.0.1:8080/"));
        let options = BTreeMap::from([("on_invalid".to_owned(), "skip".to_owned())]);
        let other = told(&State { options, ..state() });
        assert!(other.contains("its options are: none") && other.contains("out.csv.batch") && other.contains(&id.to_string()), "{other}");
    }
}
