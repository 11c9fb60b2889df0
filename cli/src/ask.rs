//! `datagenie ask`: one question and its answer.

use std::{fs, path::PathBuf};

use anyhow::Context as _;

use crate::{
    client::{Ask, ChartFormat, Client, Question, Server},
    connections,
    exit::Exit,
    screen::Screen,
    show, watch,
};

/// The arguments of `ask`.
#[derive(clap::Args)]
pub struct Args {
    /// The question, in English or Korean
    question: String,
    /// Of which database, by name or id (`datagenie connections` lists them); without it the question is a general one
    #[arg(long, value_name = "NAME_OR_ID")]
    connection: Option<String>,
    /// Print the answer as the server's JSON and nothing else
    #[arg(long)]
    json: bool,
    /// Save the answer's chart as a picture
    #[arg(long, value_name = "FILE.png|.svg", value_parser = parse_chart_file)]
    chart: Option<ChartFile>,
    #[command(flatten)]
    server: Server,
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
pub async fn run(args: &Args, screen: &mut Screen) -> anyhow::Result<Exit> {
    let client = Client::new(&args.server)?;
    let connection_id = match &args.connection {
        Some(named) => Some(connections::find(&client, named).await.context("the connection can't be found")?),
        None => None,
    };
    if args.json {
        screen.hide_progress();
    }
    let ask = Ask { question: Some(&args.question), connection_id, ..Ask::default() };
    let (question, wall) = watch::answer(&client, &ask, screen).await.context("the question was not answered")?;
    if args.json {
        screen.line(&serde_json::to_string_pretty(&question.body).context("the answer can't be written as JSON")?)?;
    } else {
        show::answer(screen, &question, wall)?;
    }
    if let Some(file) = &args.chart {
        let saved = save_chart(&client, &question, file).await?;
        match (args.json, saved) {
            (true, _) => {}
            (false, true) => screen.line(&format!("  chart: {}", file.path.display()))?,
            (false, false) => screen.line("  no chart: this answer has none that can be drawn")?,
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
