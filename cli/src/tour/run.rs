//! Asks the tour's questions one after the other, shows the answers, keeps the charts, and counts the right ones.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;

use super::{
    Args,
    questions::{Asked, OPENING, SHOP, SHOP_SQLITE, STEPS, Step},
    verdict::{Judge, LONGEST, Outcome, Verdict},
};
use crate::{
    client::{Ask, ChartFormat, Client, ClientError, Key, Question, Server, parse_url},
    exit::Exit,
    screen::{Screen, Style},
    show, table,
    text::{printable, width},
    watch,
};

const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// What the tour reads of `run.json`. Has no `Debug`: it holds the key.
#[derive(Deserialize)]
struct RunFile {
    url: String,
    api_key: String,
    connections: BTreeMap<String, Uuid>,
}

struct Tour<'a> {
    client: Client,
    screen: &'a mut Screen,
    out: PathBuf,
    check: bool,
    connections: BTreeMap<String, Uuid>,
    /// Connection → `postgresql` or `sqlite`.
    db_types: BTreeMap<Uuid, String>,
    /// Whether the offline planner answers; none where the opening question brought no answer.
    offline: Option<bool>,
    checked: usize,
    right: usize,
}

/// Takes the tour. With `--check` the exit code says whether every answer was right.
///
/// # Errors
/// A `run.json` or folder that can't be used, a server that is not there, a screen that is gone. A question that fails is
/// shown and the tour goes on.
pub async fn run(args: &Args, screen: &mut Screen) -> anyhow::Result<Exit> {
    let run_file = read_run_file(&args.run_json)?;
    fs::create_dir_all(&args.out).with_context(|| format!("the folder {} can't be made", args.out.display()))?;
    let url = parse_url(&run_file.url).map_err(|e| anyhow!("`url` of {} is no URL: {e}", args.run_json.display()))?;
    let client = Client::new(&Server { url, key: Key::Given(run_file.api_key) })?;
    let listed = client.connections().await.context("the server's connections can't be listed")?;
    let mut tour = Tour {
        client,
        screen,
        out: args.out.clone(),
        check: args.check,
        connections: run_file.connections,
        db_types: listed.into_iter().map(|connection| (connection.id, connection.db_type)).collect(),
        offline: None,
        checked: 0,
        right: 0,
    };
    tour.welcome().await?;
    tour.screen.list_stages_unless_live();
    for (at, step) in STEPS.iter().enumerate() {
        tour.step(at + 1, step).await?;
    }
    tour.close()
}

fn read_run_file(path: &Path) -> anyhow::Result<RunFile> {
    let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    let run_file: RunFile = serde_json::from_str(&text).with_context(|| format!("{} is no run.json of a demo", path.display()))?;
    for name in [SHOP, SHOP_SQLITE] {
        if !run_file.connections.contains_key(name) {
            bail!("{} has no connection `{name}` in `connections`: the tour needs the sample shop", path.display());
        }
    }
    Ok(run_file)
}

impl Tour<'_> {
    /// Says what comes, and who will answer: for that one question is asked before.
    async fn welcome(&mut self) -> anyhow::Result<()> {
        let url = self.client.url().clone();
        self.heading("DataGenie: ask your data / 데이터에게 물어보세요")?;
        let questions = STEPS.len();
        self.screen
            .line(&format!("{questions} questions, in English and in Korean, to a sample shop of 2,000 customers and 50,000 orders,"))?;
        self.screen.line(&format!("kept in PostgreSQL (`{SHOP}`) and in SQLite (`{SHOP_SQLITE}`), answered live by {url}"))?;
        let answered_by = match self.ask(SHOP, Asked::Question(OPENING)).await? {
            (Outcome::Ended(question), _) => {
                self.offline = question.model().map(|model| model == "offline-planner");
                question.model().map(show::model_name)
            }
            (Outcome::Failed(_), _) => None,
        };
        let answered_by = answered_by.unwrap_or_else(|| format!("not known: `{OPENING}` brought no answer"));
        let painted = self.screen.paint(Style::Bold, &printable(&answered_by));
        self.screen.line(&format!("answered by: {painted}"))?;
        Ok(())
    }

    async fn step(&mut self, number: usize, step: &Step) -> anyhow::Result<()> {
        let text = match step.asked {
            Asked::Question(text) => text.to_owned(),
            Asked::Statement(sql) => format!("as SQL: {sql}"),
        };
        self.screen.line("")?;
        let title = self.screen.paint(Style::Bold, &text);
        self.screen.line(&format!("[{number}/{}] {} › {title}", STEPS.len(), step.connection))?;
        let (outcome, wall) = self.ask(step.connection, step.asked).await?;
        let mut picture = Ok(());
        match &outcome {
            Outcome::Ended(question) => {
                show::answer(self.screen, question, wall)?;
                picture = self.keep_chart(number, question).await;
            }
            Outcome::Failed(error) => {
                let told = self.screen.paint(Style::Red, &printable(&format!("{error:#}")));
                self.screen.line(&format!("  {told}"))?;
            }
        }
        if let Err(error) = &picture {
            let told = self.screen.paint(Style::Red, &printable(&format!("no chart: {error:#}")));
            self.screen.line(&format!("  {told}"))?;
        }
        if !self.check {
            return Ok(());
        }
        let connection_id = self.connection(step.connection)?;
        let judge = Judge {
            client: &self.client,
            connection_id,
            db_type: self.db_types.get(&connection_id).map_or("postgresql", String::as_str),
            offline: self.offline == Some(true),
        };
        let verdict = match (judge.verdict(&step.expected, &outcome).await?, picture) {
            (Verdict::Right(_), Err(_)) => Verdict::Wrong { why: "the chart is missing".to_owned(), reference: None },
            (verdict, _) => verdict,
        };
        self.tell(&verdict, &outcome)
    }

    /// Asks, live. An outage of the server ends the tour; whatever else goes wrong is the outcome.
    async fn ask(&mut self, connection: &str, asked: Asked) -> anyhow::Result<(Outcome, Duration)> {
        let connection_id = Some(self.connection(connection)?);
        let ask = match asked {
            Asked::Question(text) => Ask { question: Some(text), connection_id, ..Ask::default() },
            Asked::Statement(sql) => Ask { sql: Some(sql), connection_id, ..Ask::default() },
        };
        match timeout(LONGEST, watch::answer(&self.client, &ask, self.screen)).await {
            Ok(Ok((question, wall))) => Ok((Outcome::Ended(Box::new(question)), wall)),
            Ok(Err(error))
                if matches!(error.downcast_ref::<ClientError>(), Some(ClientError::Problem(_) | ClientError::Unreadable { .. })) =>
            {
                Ok((Outcome::Failed(error), Duration::ZERO))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Ok((Outcome::Failed(anyhow!("no answer within {} s", LONGEST.as_secs())), LONGEST)),
        }
    }

    fn connection(&self, name: &str) -> anyhow::Result<Uuid> {
        self.connections.get(name).copied().ok_or_else(|| anyhow!("run.json has no connection `{name}`"))
    }

    /// Saves the picture of the answer's chart, if it has one, and says where.
    async fn keep_chart(&mut self, number: usize, question: &Question) -> anyhow::Result<()> {
        let Some(picture) = self.client.chart(question, ChartFormat::Png).await? else { return Ok(()) };
        if !picture.starts_with(&PNG) {
            bail!("what the server sent is no PNG");
        }
        let path = self.out.join(format!("question-{number:02}.png"));
        fs::write(&path, picture).with_context(|| format!("{} can't be written", path.display()))?;
        self.screen.line(&format!("  chart: {}", path.display()))?;
        Ok(())
    }

    /// Shows the verdict and, where it is a bad one, the right answer beside the given one.
    fn tell(&mut self, verdict: &Verdict, outcome: &Outcome) -> anyhow::Result<()> {
        match verdict {
            Verdict::NotChecked(why) => {
                let told = self.screen.paint(Style::Dim, why);
                self.screen.line(&format!("  {told}"))?;
            }
            Verdict::Right(why) => {
                self.checked += 1;
                self.right += 1;
                let mark = self.screen.paint(Style::Green, "✓");
                self.screen.line(&format!("  {mark} {}", printable(why)))?;
            }
            Verdict::Wrong { why, reference } => {
                self.checked += 1;
                let mark = self.screen.paint(Style::Red, "✗");
                self.screen.line(&format!("  {mark} {}", printable(why)))?;
                if let Some(reference) = reference {
                    self.side("the right answer:", reference)?;
                    if let Outcome::Ended(question) = outcome
                        && !question.columns.is_empty()
                    {
                        self.side("the answer given:", question)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn side(&mut self, title: &str, question: &Question) -> anyhow::Result<()> {
        self.screen.line(&format!("    {title}"))?;
        let total = question.row_count.unwrap_or(question.rows.len() as u64);
        for line in table::render(&question.columns, &question.rows, total, self.screen.width() - 6) {
            self.screen.line(&format!("      {line}"))?;
        }
        Ok(())
    }

    /// Says what to try next and, if it was checked, how many answers were right.
    fn close(&mut self) -> anyhow::Result<Exit> {
        let url = self.client.url().clone();
        let page = |path: &str| url.join(path).map_or_else(|_| path.to_owned(), |url: Url| url.to_string());
        self.screen.line("")?;
        let title = self.screen.paint(Style::Bold, "Your turn / 이제 직접 물어보세요");
        self.screen.line(&title)?;
        self.screen.line("  DATAGENIE_API_KEY=…  (the `api_key` of run.json)")?;
        self.screen.line(&format!("  datagenie ask \"상품별 판매 수량 상위 10개\" --connection {SHOP} --url {url} --chart chart.png"))?;
        self.screen.line(&format!("  datagenie connections --url {url}"))?;
        self.screen.line(&format!("  the HTTP interface, to try in a browser: {}", page("docs")))?;
        self.screen.line(&format!("  and for code generators: {}", page("openapi.json")))?;
        if !self.check {
            return Ok(Exit::Answered);
        }
        self.screen.line("")?;
        let all_right = self.right == self.checked;
        let style = if all_right { Style::Green } else { Style::Red };
        let result = self.screen.paint(style, &format!("tour: {} of {} answers right", self.right, self.checked));
        self.screen.line(&result)?;
        Ok(if all_right { Exit::Answered } else { Exit::Unanswered })
    }

    fn heading(&mut self, text: &str) -> anyhow::Result<()> {
        let painted = self.screen.paint(Style::Bold, text);
        self.screen.line(&painted)?;
        self.screen.line(&"─".repeat(width(text)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_file_without_the_sample_is_refused_with_the_name_that_is_missing() {
        let missing = read_run_file(Path::new("no-such-folder/run.json")).err().map(|e| e.to_string());
        assert_eq!(missing.as_deref(), Some("no-such-folder/run.json can't be read"));
        let folder = std::env::temp_dir().join(format!("datagenie-tour-{}", Uuid::new_v4()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        let path = folder.join("run.json");
        let told = |text: &str| {
            fs::write(&path, text).expect("a temporary file");
            read_run_file(&path).err().map(|e| format!("{e:#}")).unwrap_or_default()
        };
        let id = Uuid::new_v4();
        let without = json!({"url": "http://127.0.0.1:1", "api_key": "dg_x", "connections": {"shop": id}}).to_string();
        let whole = json!({"url": "http://127.0.0.1:1", "api_key": "dg_x", "pids": {}, "connections": {"shop": id, "shop_sqlite": id}});
        assert!(told(&without).contains("no connection `shop_sqlite`"));
        assert!(told("{").contains("is no run.json of a demo"));
        assert_eq!(told(&whole.to_string()), "");
        fs::remove_dir_all(&folder).expect("the temporary folder goes");
    }
}
