//! `datagenie ask`: one question and its answer.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};

use crate::{
    client::{Ask, ChartFormat, Client, ClientError, Question, Server},
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
    #[arg(short, long, value_name = "NAME_OR_ID")]
    connection: Option<String>,
    /// Print the answer as the server's JSON and nothing else
    #[arg(long)]
    json: bool,
    /// Save the answer's chart as a picture
    #[arg(long, value_name = "FILE.png|.svg", value_parser = parse_chart_file)]
    chart: Option<ChartFile>,
    /// Print the stages that the question went through
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    server: Server,
}

/// A picture to write, and its format, which the name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ChartFile {
    path: PathBuf,
    format: ChartFormat,
}

impl ChartFile {
    /// Refuses a folder that is not there before a question is asked for it.
    fn has_folder(&self) -> anyhow::Result<()> {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                bail!("the chart can't be written to {}: there is no folder {}", self.path.display(), folder.display())
            }
            _ => Ok(()),
        }
    }
}

/// Asks, shows the answer, and saves the chart if one was asked for.
///
/// # Errors
/// Those of the client, of the screen and of the chart's file. A question that ends without an answer is none: the exit code tells.
pub async fn run(args: &Args, screen: &mut Screen) -> anyhow::Result<Exit> {
    args.chart.as_ref().map_or(Ok(()), ChartFile::has_folder)?;
    let client = Client::new(&args.server)?;
    let connection_id = match &args.connection {
        Some(named) => match connections::find(&client, named).await {
            Err(error @ ClientError::Misuse(_)) => return Err(error).context("the connection can't be found"),
            found => Some(found?),
        },
        None => None,
    };
    if args.verbose {
        screen.list_stages();
    }
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
    fn a_chart_needs_a_folder_that_exists() {
        let refused = |path: &str| ChartFile { path: PathBuf::from(path), format: ChartFormat::Png }.has_folder().is_err();
        assert!(refused("no-such-folder/chart.png"));
        assert!(!refused("chart.png") && !refused("./chart.png"));
    }

    #[test]
    fn the_name_of_the_chart_tells_its_format() {
        assert_eq!(parse_chart_file("차트.SVG").map(|file| file.format), Ok(ChartFormat::Svg));
        assert_eq!(parse_chart_file("a/b.png").map(|file| file.path), Ok(PathBuf::from("a/b.png")));
        assert!(parse_chart_file("png").is_err() && parse_chart_file("a.pdf").is_err());
    }
}
