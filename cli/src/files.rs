//! `datagenie files`, and finding or uploading the spreadsheet that a word means.

use std::path::Path;

use anyhow::{Context as _, bail};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    client::{Client, ClientError},
    console::Console,
    exit::Exit,
    listing::{self, field, whole},
    screen::Screen,
    watch,
};

/// The arguments of `files`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// How many at most, the newest first
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists your files; the same without a word.
    List,
    /// Deletes a file with all that came of it: its analyses, and what was asked of it.
    Delete {
        /// Its id
        id: Uuid,
    },
}

/// Lists or deletes.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let client = console.client()?;
    match &args.action {
        None | Some(Action::List) => {
            let files = client.list("v1/files", &[], args.limit).await.context("the files can't be listed")?;
            let fields = [
                field("name", "/name"),
                field("kind", "/kind"),
                field("bytes", "/size"),
                field("analysed", "/analysed"),
                field("uploaded", "/created_at"),
                whole("id", "/id"),
            ];
            listing::print(console, files, &fields, "no files: `datagenie analyze FILE` uploads one")
        }
        Some(Action::Delete { id }) => {
            client.delete(&format!("v1/files/{id}")).await?;
            console.say(&format!("deleted {id}"))?;
            Ok(Exit::Answered)
        }
    }
}

/// The id of the file that a word means: an uploaded one's own, or that of a file here, which is uploaded now.
///
/// # Errors
/// For a file that can't be read, and those of the client.
pub async fn id_of(client: &Client, named: &str, include_hidden: bool, talk: &mut Screen) -> anyhow::Result<Uuid> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    let path = Path::new(named);
    if !path.is_file() {
        bail!("{named} is no file here, and no id of an uploaded one (`datagenie files` lists those)");
    }
    std::fs::File::open(path).with_context(|| format!("{named} can't be read"))?;
    let label = format!("uploading {}", crate::text::printable(named));
    let uploaded = watch::during(talk, &label, Instant::now(), client.upload_file(path, include_hidden)).await?;
    let file = uploaded.with_context(|| format!("{named} was not uploaded"))?;
    let id = file["id"].as_str().and_then(|id| id.parse().ok());
    Ok(id.ok_or_else(|| ClientError::Unreadable { what: "file", source: "it has no id".into() })?)
}
