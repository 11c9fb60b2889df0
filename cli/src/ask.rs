//! `datagenie ask`: one question and its answer.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use uuid::Uuid;

use crate::{
    client::{Ask, ChartFormat, Client, Question},
    connections,
    console::Console,
    exit::Exit,
    files,
    out_file::has_folder,
    show, watch,
};

/// The arguments of `ask`.
#[derive(clap::Args)]
pub struct Args {
    /// The question, in English or Korean
    #[arg(required_unless_present = "sql")]
    question: Option<String>,
    /// Of which database, by name or id (`datagenie connections` lists them); without it and without a file the question is a general one
    #[arg(short, long, value_name = "NAME_OR_ID", conflicts_with = "file")]
    connection: Option<String>,
    /// Of which spreadsheet: a file here, which is uploaded, or the id of an uploaded one
    #[arg(short, long, value_name = "FILE_OR_ID")]
    file: Option<String>,
    /// Run this statement through the same guard instead of drafting one
    #[arg(long, value_name = "STATEMENT")]
    sql: Option<String>,
    /// The id of the earlier question that this one refers to
    #[arg(long, value_name = "ID")]
    follows: Option<Uuid>,
    /// Compute the answer anew, even if it is known
    #[arg(long)]
    no_cache: bool,
    /// Save the answer's chart as a picture
    #[arg(long, value_name = "FILE.png|.svg", value_parser = parse_chart_file)]
    chart: Option<ChartFile>,
    /// Print the stages that the question went through
    #[arg(long)]
    verbose: bool,
}

/// A picture to write, and its format, which the name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ChartFile {
    path: PathBuf,
    format: ChartFormat,
}

/// Asks, shows the answer, and saves the chart if one was asked for.
///
/// # Errors
/// Those of the client, of the screen and of the chart's file. A question that ends without an answer is none: the exit code tells.
pub async fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    if let Some(chart) = &args.chart {
        has_folder(&chart.path)?;
    }
    let client = console.client()?;
    let connection_id = match &args.connection {
        Some(named) => Some(connections::named(&client, named).await?),
        None => None,
    };
    if args.verbose {
        console.screen.list_stages();
    }
    if console.json {
        console.screen.hide_progress();
    }
    let file_id = match &args.file {
        Some(named) => Some(files::id_of(&client, named, false, &mut console.talk).await?),
        None => None,
    };
    let ask = Ask {
        question: args.question.as_deref(),
        sql: args.sql.as_deref(),
        connection_id,
        file_id,
        follows: args.follows,
        cache: args.no_cache.then_some("skip"),
    };
    let (question, wall) = watch::answer(&client, &ask, &mut console.screen).await.context("the question was not answered")?;
    if console.json {
        console.print_json(&question.body)?;
    } else {
        show::answer(&mut console.screen, &question, wall)?;
    }
    if let Some(file) = &args.chart {
        let saved = save_chart(&client, &question, file).await?;
        match (console.json, saved) {
            (true, _) => {}
            (false, true) => console.screen.line(&format!("  chart: {}", file.path.display()))?,
            (false, false) => console.screen.line("  no chart: this answer has none that can be drawn")?,
        }
    }
    Ok(Exit::of_question(&question))
}

/// Whether there was a chart to save.
async fn save_chart(client: &Client, question: &Question, file: &ChartFile) -> anyhow::Result<bool> {
    let Some(picture) = client.chart(question, file.format).await.context("the chart can't be fetched")? else { return Ok(false) };
    fs::write(&file.path, picture).with_context(|| format!("the chart can't be written to {}", file.path.display()))?;
    Ok(true)
}

fn parse_chart_file(text: &str) -> Result<ChartFile, String> {
    let path = PathBuf::from(text);
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    let format = match extension.as_deref() {
        Some("png") => ChartFormat::Png,
        Some("svg") => ChartFormat::Svg,
        _ => return Err("its name ends in .png or .svg".to_owned()),
    };
    Ok(ChartFile { path, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_chart_tells_its_format() {
        assert_eq!(parse_chart_file("차트.SVG").map(|file| file.format), Ok(ChartFormat::Svg));
        assert_eq!(parse_chart_file("a/b.png").map(|file| file.path), Ok(PathBuf::from("a/b.png")));
        assert!(parse_chart_file("png").is_err() && parse_chart_file("a.pdf").is_err());
    }
}
