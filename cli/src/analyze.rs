//! `datagenie analyze`: a spreadsheet, and what is in it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Client, Order},
    console::Console,
    exit::Exit,
    files,
    listing::{self, field},
    out_file::{self, OutFile, has_folder},
    screen::{Screen, Style},
    text::{grouped, printable},
    watch::{Watched, doing},
};

/// How long the server may be away while one waits.
const OUTAGE: Duration = Duration::from_secs(60);

/// The arguments of `analyze`.
#[derive(clap::Args)]
pub struct Args {
    /// The spreadsheet (xlsx, xlsm, xlsb, xls, ods, csv, tsv), or the id of an uploaded one
    file: String,
    /// The language of the sentences, ko or en; else the spreadsheet's own
    #[arg(long, value_parser = ["ko", "en"])]
    language: Option<String>,
    /// Read hidden sheets too
    #[arg(long)]
    include_hidden: bool,
    /// Save what was found
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// In which form; else by the ending of its name
    #[arg(long, requires = "out")]
    export: Option<Form>,
    /// Begin CSV with a byte order mark, by which Excel knows UTF-8
    #[arg(long, requires = "out")]
    bom: bool,
}

/// The form of a saved analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A workbook with figures and pictures.
    Xlsx,
    /// The figures of every column, a line a column.
    Csv,
    /// As the server tells it.
    Json,
}

/// Uploads, waits for the analysis, shows it, and saves it if that was asked for.
///
/// # Errors
/// Those of the client, the files and the screen. An analysis that fails is none: the exit code tells.
pub async fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let saved = match &args.out {
        Some(out) => {
            has_folder(out)?;
            let form = form(out, args.export)?;
            if args.bom && form != Form::Csv {
                bail!("--bom goes with CSV alone");
            }
            Some((out.as_path(), form))
        }
        None => None,
    };
    let client = console.client()?;
    let id = files::id_of(&client, &args.file, args.include_hidden, &mut console.talk).await?;
    let path = format!("v1/files/{id}/analysis");
    let analysis = analysed(&client, &path, args, &mut console.talk).await.context("the file was not analysed")?;
    let is_good = analysis["status"] == "success";
    if console.json {
        console.print_json(&analysis)?;
    } else {
        show(&mut console.screen, &analysis)?;
        console.say(&format!("file {id}: ask it with `datagenie ask --file {id} \"…\"`"))?;
    }
    if let Some((out, form)) = saved.filter(|_| is_good) {
        save(&client, &path, &analysis, (out, form, args.bom)).await?;
        console.say(&format!("saved: {}", out.display()))?;
    }
    Ok(Exit::of_done(is_good))
}

async fn analysed(client: &Client, path: &str, args: &Args, talk: &mut Screen) -> anyhow::Result<Value> {
    let mut body = json!({});
    if let Some(language) = &args.language {
        body["language"] = json!(language);
    }
    if args.include_hidden {
        body["include_hidden"] = json!(true);
    }
    let key = Uuid::new_v4().to_string();
    client.post(path, Order { body: Some(&body), key: Some(&key), hold: None }).await?;
    let first = client.get(path, &[], Some(2)).await?;
    let watched = Watched { client, path, hold: 2, outage: OUTAGE };
    let is_over = |analysis: &Value| analysis["status"] != "pending";
    let ended = watched.until(first, is_over, |analysis, elapsed| talk.tick(&doing(analysis), elapsed)).await;
    talk.clear()?;
    ended
}

async fn save(client: &Client, path: &str, analysis: &Value, (out, form, bom): (&Path, Form, bool)) -> anyhow::Result<()> {
    let format = match form {
        Form::Json => {
            let text = serde_json::to_vec_pretty(analysis).context("the analysis can't be written as JSON")?;
            return out_file::write(out, &text, out_file::SHARED);
        }
        Form::Csv => "csv",
        Form::Xlsx => "xlsx",
    };
    let mut file = OutFile::begin(out, out_file::SHARED)?;
    let mut query = vec![("format", format.to_owned())];
    query.extend(bom.then(|| ("bom", "true".to_owned())));
    client.download(path, &query, &mut file).await.context("the analysis can't be saved")?;
    file.finish()
}

fn form(out: &Path, given: Option<Form>) -> anyhow::Result<Form> {
    if let Some(form) = given {
        return Ok(form);
    }
    match out.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
        Some("xlsx") => Ok(Form::Xlsx),
        Some("csv") => Ok(Form::Csv),
        Some("json") => Ok(Form::Json),
        _ => bail!("the name of {} does not tell its form: let it end in .xlsx, .csv or .json, or say --export", out.display()),
    }
}

fn show(screen: &mut Screen, analysis: &Value) -> anyhow::Result<()> {
    if analysis["status"] != "success" {
        let told = screen.paint(Style::Red, &printable(&listing::outcome(analysis)));
        screen.line(&format!("not analysed: {told}"))?;
        if let Some(hint) = analysis["error"]["hint"].as_str() {
            screen.line(&format!("  hint: {}", printable(hint)))?;
        }
        return Ok(());
    }
    for table in items(analysis, "tables") {
        show_table(screen, table)?;
    }
    for (heading, list) in [("skipped", items(analysis, "skipped")), ("note", items(analysis, "notes"))] {
        for item in list {
            let text = item["text"].as_str().or_else(|| item.as_str()).unwrap_or_default();
            let sheet = item["sheet"].as_str().map(|sheet| format!("{sheet}: ")).unwrap_or_default();
            screen.line(&format!("{heading}: {}", printable(&format!("{sheet}{text}"))))?;
        }
    }
    for line in analysis["summary"].as_str().unwrap_or_default().lines() {
        let painted = screen.paint(Style::Bold, &printable(line));
        screen.line(&painted)?;
    }
    for insight in items(analysis, "insights") {
        screen.line(&format!("• {}", printable(insight["text"].as_str().unwrap_or_default())))?;
    }
    Ok(())
}

fn show_table(screen: &mut Screen, table: &Value) -> anyhow::Result<()> {
    let text = |name: &str| printable(table[name].as_str().unwrap_or_default());
    let title = screen.paint(Style::Bold, &text("name"));
    let rows = grouped(&table["rows"].as_u64().unwrap_or_default().to_string());
    screen.line(&format!("{title}  {}!{}, {rows} rows", text("sheet"), text("range")))?;
    let fields = [
        field("column", "/name"),
        field("type", "/type"),
        field("empty", "/nulls"),
        field("different", "/distinct"),
        field("least", "/min"),
        field("greatest", "/max"),
        field("mean", "/mean"),
        field("most often", "/top_values/0/value"),
    ];
    let columns = items(table, "columns").to_vec();
    listing::show(screen, &columns, &fields, "(no columns)")?;
    for assumption in items(table, "assumptions") {
        let told = screen.paint(Style::Dim, &format!("assumed: {}", printable(assumption["text"].as_str().unwrap_or_default())));
        screen.line(&told)?;
    }
    screen.line("")?;
    Ok(())
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_form_unless_it_is_said() {
        assert_eq!(form(Path::new("결과.XLSX"), None).ok(), Some(Form::Xlsx));
        assert_eq!(form(Path::new("a.txt"), Some(Form::Csv)).ok(), Some(Form::Csv));
        assert!(form(Path::new("a.txt"), None).is_err() && form(Path::new("csv"), None).is_err());
    }
}
