//! The calls for questions: asking, reading rows, drawing.

use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use super::{
    Ask, Client, ClientError, Connection, Question, Row,
    wire::{Page, ResultPage},
};

const PAGE: usize = 100;

/// The picture formats of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartFormat {
    /// Pixels.
    Png,
    /// Vectors.
    Svg,
}

impl Client {
    /// Submits a question. The same idempotency key goes with every try, so that a lost answer never asks twice.
    pub async fn submit(&self, ask: &Ask<'_>) -> Result<Question, ClientError> {
        let url = self.endpoint("v1/questions", &[])?;
        let key = Uuid::new_v4().to_string();
        let build = || self.request(Method::POST, url.clone()).header("Idempotency-Key", &key).json(ask);
        let response = self.persist(build).await?;
        match self.read_question(response).await {
            // The answer broke off; the question is there.
            Err(error) if error.is_worth_resending() => self.read_question(self.persist(build).await?).await,
            read => read,
        }
    }

    /// A question as it is now, or held back until it ends, for at most `hold` seconds.
    pub async fn question(&self, id: Uuid, hold: Option<u64>) -> Result<Question, ClientError> {
        let url = self.endpoint(&format!("v1/questions/{id}"), &[])?;
        let response = self
            .persist(|| {
                let request = self.request(Method::GET, url.clone());
                match hold {
                    Some(seconds) => request.header("Prefer", format!("wait={seconds}")),
                    None => request,
                }
            })
            .await?;
        self.read_question(response).await
    }

    /// The rows of an answer: the first page came with it, the rest is fetched until there are `limit`.
    pub async fn rows(&self, question: &Question, limit: usize) -> Result<Vec<Row>, ClientError> {
        let complete = question.row_count.is_none_or(|count| count <= question.rows.len() as u64);
        if complete || question.rows.len() >= limit {
            return Ok(question.rows.clone());
        }
        let path = format!("v1/questions/{}/result", question.id);
        let mut rows = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("format", "json".to_owned()), ("limit", PAGE.to_string())];
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: ResultPage = self.typed(self.endpoint(&path, &query)?, "result").await?;
            let was_empty = page.rows.is_empty();
            rows.extend(page.rows);
            cursor = page.next_cursor;
            if cursor.is_none() || was_empty || rows.len() >= limit {
                return Ok(rows);
            }
        }
    }

    /// The connections that the caller may see; at most ten thousand.
    pub async fn connections(&self) -> Result<Vec<Connection>, ClientError> {
        let mut connections = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..100 {
            let mut query = vec![("limit", PAGE.to_string())];
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Page<Connection> = self.typed(self.endpoint("v1/connections", &query)?, "list of connections").await?;
            connections.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(connections)
    }

    /// The picture of an answer's chart; none if the answer has no chart that can be drawn.
    pub async fn chart(&self, question: &Question, format: ChartFormat) -> Result<Option<Vec<u8>>, ClientError> {
        let Some(chart) = &question.chart else { return Ok(None) };
        let link = match format {
            ChartFormat::Png => &chart.png_url,
            ChartFormat::Svg => &chart.svg_url,
        };
        let Some(link) = link else { return Ok(None) };
        let url = self.linked(link)?;
        let response = self.persist(|| self.request(Method::GET, url.clone())).await?;
        self.body(response, "chart").await.map(Some)
    }

    async fn typed<T: DeserializeOwned>(&self, url: Url, what: &'static str) -> Result<T, ClientError> {
        let response = self.persist(|| self.request(Method::GET, url.clone())).await?;
        let body = self.body(response, what).await?;
        serde_json::from_slice(&body).map_err(|e| ClientError::Unreadable { what, source: e.into() })
    }

    async fn read_question(&self, response: Response) -> Result<Question, ClientError> {
        let body = self.json(response, "question").await?;
        Question::from_value(body).map_err(|e| ClientError::Unreadable { what: "question", source: e.into() })
    }

    /// A link of the server's, which may be relative; the key goes to no other server.
    fn linked(&self, link: &str) -> Result<Url, ClientError> {
        let unusable = |source: String| ClientError::Unreadable { what: "link to the chart", source: source.into() };
        let url = self.base.join(link).map_err(|e| unusable(e.to_string()))?;
        if url.origin() == self.base.origin() {
            Ok(url)
        } else {
            Err(unusable(format!("it leads to {}", url.origin().ascii_serialization())))
        }
    }
}
