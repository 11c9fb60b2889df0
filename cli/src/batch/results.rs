//! `datagenie batch results`, and what `batch run` writes at its end.

use std::{
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use uuid::Uuid;

use crate::{
    client::Client,
    console::Console,
    exit::Exit,
    out_file::{self, OutFile, has_folder},
    text::printable,
};

/// The arguments of `batch results`.
#[derive(clap::Args)]
pub struct Args {
    /// The batch's id
    id: Uuid,
    /// Where to; else to standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// In which form; else by the ending of the file's name, else JSON lines
    #[arg(long)]
    format: Option<Form>,
    /// Begin CSV with a byte order mark, by which Excel knows UTF-8
    #[arg(long)]
    bom: bool,
}

/// The form of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A JSON object a line, in the order of the questions.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// A workbook.
    Xlsx,
}

impl Form {
    /// The form that the name of a file tells.
    ///
    /// # Errors
    /// For a name that tells none.
    pub fn of(out: &Path) -> anyhow::Result<Self> {
        match out.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            Some("csv") => Ok(Self::Csv),
            Some("xlsx") => Ok(Self::Xlsx),
            _ => bail!("the name of {} does not tell its form: let it end in .jsonl, .csv or .xlsx, or say --format", out.display()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }
}

/// Fetches the results, those so far while the batch runs.
///
/// # Errors
/// Those of the client and of the file.
pub async fn run(client: &Client, args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let Some(out) = &args.out else {
        let form = args.format.unwrap_or(Form::Jsonl);
        print(client, &query(form, args.bom)?, args.id).await?;
        return Ok(Exit::Answered);
    };
    has_folder(out)?;
    let form = args.format.map_or_else(|| Form::of(out), Ok)?;
    save(client, args.id, &query(form, args.bom)?, out).await?;
    console.say(&format!("results in {}", out.display()))?;
    Ok(Exit::Answered)
}

/// What is asked for: the form, and whether CSV begins with a byte order mark.
pub struct Query {
    form: Form,
    bom: bool,
}

/// Puts a query together.
///
/// # Errors
/// For a byte order mark where there can be none.
pub fn query(form: Form, bom: bool) -> anyhow::Result<Query> {
    if bom && form != Form::Csv {
        bail!("--bom goes with CSV alone");
    }
    Ok(Query { form, bom })
}

/// Writes the results of a batch to a file, whole or not at all.
///
/// # Errors
/// Those of the client and of the file.
pub async fn save(client: &Client, id: Uuid, query: &Query, out: &Path) -> anyhow::Result<()> {
    let mut file = OutFile::begin(out, out_file::SHARED)?;
    fetch(client, query, id, &mut file).await?;
    file.finish()
}

async fn print(client: &Client, query: &Query, id: Uuid) -> anyhow::Result<()> {
    let mut stdout = io::stdout();
    if !stdout.is_terminal() {
        return fetch(client, query, id, &mut stdout).await;
    }
    if query.form == Form::Xlsx {
        bail!("a workbook is nothing for a terminal: name a file with --out");
    }
    let mut disarmed = Disarmed { out: stdout, line: Vec::new() };
    fetch(client, query, id, &mut disarmed).await
}

async fn fetch(client: &Client, query: &Query, id: Uuid, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut asked = vec![("format", query.form.name().to_owned())];
    if query.bom {
        asked.push(("bom", "true".to_owned()));
    }
    client.download(&format!("v1/batches/{id}/results"), &asked, out).await.context("the results can't be fetched")
}

/// Lines for a terminal, which obeys nothing of them.
struct Disarmed<W: Write> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Disarmed<W> {
    fn put(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        writeln!(self.out, "{}", printable(String::from_utf8_lossy(&line).trim_end_matches('\r')))
    }
}

impl<W: Write> Write for Disarmed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte == b'\n' {
                self.put()?;
            } else {
                self.line.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.put()?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_form() {
        let of = |name: &str| Form::of(Path::new(name)).ok();
        assert_eq!([of("a.jsonl"), of("답.CSV"), of("b/c.xlsx")], [Some(Form::Jsonl), Some(Form::Csv), Some(Form::Xlsx)]);
        assert!(of("a.txt").is_none() && of("jsonl").is_none());
        assert!(query(Form::Csv, true).is_ok() && query(Form::Xlsx, true).is_err());
    }

    #[test]
    fn results_drive_no_terminal() {
        let mut disarmed = Disarmed { out: Vec::new(), line: Vec::new() };
        let bytes = "a,\u{1b}[2J서\r\nend".as_bytes();
        let (one, two) = bytes.split_at(8);
        disarmed.write_all(one).and_then(|()| disarmed.write_all(two)).and_then(|()| disarmed.flush()).expect("it is written");
        assert_eq!(String::from_utf8_lossy(&disarmed.out), "a,\u{FFFD}[2J서\nend\n");
    }
}
