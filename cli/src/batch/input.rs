//! The questions of a batch, from a file or from standard input, as the JSON lines that are sent.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::csv::{self, Record};

/// Longer than any question and statement that a server takes.
const MAX_LINE: usize = 1024 * 1024;
/// The columns of a CSV file that mean something.
const COLUMNS: [&str; 5] = ["custom_id", "question", "sql", "connection_id", "file_id"];

/// The lines to send.
pub struct Input {
    /// A temporary file without a name: it goes with its last handle, however the program ends.
    pub file: Arc<File>,
    /// How many questions.
    pub questions: u64,
    /// What tells this input from another.
    pub digest: String,
    /// Columns of a CSV file that are not used.
    pub unused: Vec<String>,
}

/// Writes and hashes what is sent.
struct Lines {
    out: BufWriter<File>,
    hash: Sha256,
}

impl Lines {
    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        for part in [line, b"\n"] {
            self.hash.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }
}

/// Reads the questions of a file (`-`: of standard input): JSON lines, or CSV with a column `question`.
///
/// # Errors
/// For what can't be read, and for what is neither.
pub fn read(source: &str) -> anyhow::Result<Input> {
    if source == "-" {
        return read_from(BufReader::new(io::stdin().lock()), false).context("standard input can't be used");
    }
    let path = Path::new(source);
    let file = File::open(path).with_context(|| format!("{source} can't be read"))?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        bail!("{source} is a folder: name a file of questions");
    }
    let is_csv = path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    read_from(BufReader::new(file), is_csv).with_context(|| format!("{source} can't be used"))
}

fn read_from(mut from: impl BufRead, is_csv: bool) -> anyhow::Result<Input> {
    let path = std::env::temp_dir().join(format!("datagenie-batch-{}.jsonl", Uuid::new_v4()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("{} can't be written", path.display()))?;
    fs::remove_file(&path).with_context(|| format!("{} can't be deleted", path.display()))?;
    let out = BufWriter::new(file.try_clone().context("the temporary file can't be written")?);
    let mut input = Input { file: Arc::new(file), questions: 0, digest: String::new(), unused: Vec::new() };
    let mut lines = Lines { out, hash: Sha256::new() };
    match first_byte(&mut from)? {
        Some(b'[') if !is_csv => bail!("it is a JSON array; write an object a line, as `jq -c '.[]'` does"),
        None | Some(b'{') if !is_csv => of_json_lines(from, &mut lines, &mut input)?,
        _ => of_csv(from, &mut lines, &mut input)?,
    }
    lines.out.flush().context("the temporary file can't be written")?;
    if input.questions == 0 {
        bail!("there are no questions in it");
    }
    input.digest = lines.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(input)
}

/// The first byte that is no white space, of what can be looked at without reading it.
fn first_byte(from: &mut impl BufRead) -> io::Result<Option<u8>> {
    let head = from.fill_buf()?;
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    Ok(head.iter().copied().find(|byte| !byte.is_ascii_whitespace()))
}

/// Each line goes as it is, so that the server's line numbers are the file's. One without a `custom_id` gets one.
fn of_json_lines(mut from: impl BufRead, lines: &mut Lines, input: &mut Input) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = from.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.len() > MAX_LINE {
            bail!("line {number} is longer than {MAX_LINE} bytes");
        }
        let text = line.strip_prefix(b"\xEF\xBB\xBF").filter(|_| number == 1).unwrap_or(&line).trim_ascii();
        if !text.is_empty() {
            input.questions += 1;
        }
        lines.put(&with_custom_id(text, number))?;
    }
    Ok(())
}

fn with_custom_id(line: &[u8], number: u64) -> Vec<u8> {
    // What is no object is left to the server, which tells what is wrong with it, or skips it.
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(line) else { return line.to_vec() };
    if members.contains_key("custom_id") {
        return line.to_vec();
    }
    let mut with = format!("{{\"custom_id\":\"line-{number}\"{}", if members.is_empty() { "" } else { "," }).into_bytes();
    with.extend_from_slice(&line[1..]);
    with
}

fn of_csv(from: impl BufRead, lines: &mut Lines, input: &mut Input) -> anyhow::Result<()> {
    let mut reader = csv::Reader::new(from)?;
    let header = reader.next_record()?.context("there are no questions in it")?.fields;
    let names: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
    let place = |wanted: &str| names.iter().position(|name| name == wanted);
    let places = COLUMNS.map(place);
    if places[1].is_none() && places[2].is_none() {
        bail!(
            "its first line must name the columns, and one of them must be `question` (or `sql`); it names: {}. Or send JSON lines: {{\"question\": \"…\"}}",
            header.join(", ")
        );
    }
    input.unused = header.iter().zip(&names).filter(|(_, name)| !COLUMNS.contains(&name.as_str())).map(|(name, _)| name.clone()).collect();
    while let Some(Record { line, fields }) = reader.next_record()? {
        let mut members = Map::new();
        for (name, place) in COLUMNS.iter().zip(places) {
            let text = place.and_then(|at| fields.get(at)).map(|text| text.trim()).filter(|text| !text.is_empty());
            if let Some(text) = text {
                members.insert((*name).to_owned(), json!(text));
            }
        }
        members.entry("custom_id").or_insert_with(|| json!(format!("line-{line}")));
        input.questions += 1;
        lines.put(Value::Object(members).to_string().as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use super::*;

    fn lines_of(bytes: &[u8], is_csv: bool) -> anyhow::Result<(Vec<String>, u64, Vec<String>)> {
        let input = read_from(bytes, is_csv)?;
        let mut text = String::new();
        let mut file = &*input.file;
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("it is there");
        Ok((text.lines().map(str::to_owned).collect(), input.questions, input.unused.clone()))
    }

    #[test]
    fn json_lines_go_as_they_are_and_get_a_custom_id_where_they_have_none() {
        let text = "\u{feff}{\"question\": \"도시별 고객 수는?\"}\n\n{\"custom_id\":\"b\", \"sql\":\"SELECT 1\"}\r\nnot JSON\n{}";
        let (lines, questions, _) = lines_of(text.as_bytes(), false).expect("they are lines");
        assert_eq!(
            lines,
            [
                "{\"custom_id\":\"line-1\",\"question\": \"도시별 고객 수는?\"}",
                "",
                "{\"custom_id\":\"b\", \"sql\":\"SELECT 1\"}",
                "not JSON",
                "{\"custom_id\":\"line-5\"}",
            ]
        );
        assert_eq!(questions, 4);
    }

    #[test]
    fn records_become_lines_and_other_columns_are_told() {
        let text = "Region,Question,custom_id\n서울,\"how many, in all?\",a\n부산,몇 개?,\n";
        let (lines, questions, unused) = lines_of(text.as_bytes(), false).expect("they are records");
        let parsed: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(
            parsed,
            [json!({"custom_id": "a", "question": "how many, in all?"}), json!({"custom_id": "line-3", "question": "몇 개?"})]
        );
        assert_eq!((questions, unused), (2, vec!["Region".to_owned()]));
    }

    #[test]
    fn what_holds_no_questions_is_refused_with_what_to_do() {
        let told = |text: &str, is_csv| lines_of(text.as_bytes(), is_csv).err().map(|e| format!("{e:#}")).unwrap_or_default();
        assert!(told("name,city\na,b\n", true).contains("must be `question`"));
        assert!(told("how many?\n", false).contains("it names: how many?"));
        assert!(told("\u{feff} [{\"question\": \"how many?\"}]", false).contains("an object a line"));
        assert!(told("", false).contains("no questions") && told("question\n", true).contains("no questions"));
        assert!(told(&format!("{{{}", "x".repeat(MAX_LINE)), false).contains("line 1 is longer"));
    }

    #[test]
    fn the_same_questions_have_the_same_digest() {
        let one = read_from(b"{\"question\":\"a\"}".as_slice(), false).expect("a line");
        let two = read_from(b"{\"question\":\"a\"}\n".as_slice(), false).expect("a line");
        let other = read_from(b"{\"question\":\"b\"}".as_slice(), false).expect("a line");
        assert!(one.digest == two.digest && one.digest != other.digest);
    }
}
