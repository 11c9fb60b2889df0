//! `GET /v1/questions/{id}/result`: pages of the result, or the whole of it as a file.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use datagenie_common::{
    exports::About,
    ids::{JobId, QuestionId},
    model::{
        language::Language,
        results::{Column, Row},
    },
    store::{
        answers,
        questions::Question,
        upkeep::{self, Kept},
    },
    word_enum,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    chart, exported,
    lines::{self, Batches},
    reading::{readable, sight},
};
use crate::{
    access::Caller,
    app::App,
    audited::Seen,
    error::{ApiError, Code, Result},
    extract::{Id, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_result)
}

word_enum! {
    /// The form of a result.
    pub enum Format {
        /// Pages, or with `all=true` the whole result.
        Json = "json",
        /// The whole result as text, for every program.
        Csv = "csv",
        /// The whole result as a workbook, with the picture of its chart.
        Xlsx = "xlsx",
    }
}

/// `?format=&limit=&cursor=&all=&bom=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResultQuery {
    /// `json` (default, paged), `csv` or `xlsx` (whole).
    #[param(value_type = Option<String>, pattern = "^(json|csv|xlsx)$")]
    format: Option<Format>,
    /// Rows a page, 1 to 1000; 100 if not given. JSON only.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// `next_cursor` of the page before. JSON only.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
    /// `true`: the whole result in one document instead of a page. JSON only.
    all: Option<bool>,
    /// `true`: CSV begins with a byte order mark, by which Excel knows UTF-8. CSV only.
    bom: Option<bool>,
}

/// What of a result is wanted, checked.
enum Wanted {
    Page { first: u64, limit: u64 },
    Json,
    Csv { bom: bool },
    Xlsx,
}

impl ResultQuery {
    // A parameter that says nothing to the wanted form is a misunderstanding, better told than ignored.
    fn wanted(&self) -> Result<Wanted> {
        let format = self.format.unwrap_or(Format::Json);
        let all = self.all.unwrap_or(false);
        let pages = format == Format::Json && !all;
        for (name, given, fits) in [
            ("limit", self.limit.is_some(), pages),
            ("cursor", self.cursor.is_some(), pages),
            ("all", self.all.is_some(), format == Format::Json),
            ("bom", self.bom.is_some(), format == Format::Csv),
        ] {
            if given && !fits {
                let form = if all && format == Format::Json { "all=true".to_owned() } else { format!("format={format}") };
                return Err(ApiError::field(name, format!("does not go with {form}")));
            }
        }
        match format {
            Format::Csv => Ok(Wanted::Csv { bom: self.bom.unwrap_or(false) }),
            Format::Xlsx => Ok(Wanted::Xlsx),
            Format::Json if all => Ok(Wanted::Json),
            Format::Json => {
                let limit = self.limit.unwrap_or(100);
                if !(1..=1000).contains(&limit) {
                    return Err(ApiError::field("limit", "must be 1 to 1000"));
                }
                let first = self.cursor.as_deref().unwrap_or("0").parse();
                Ok(Wanted::Page { first: first.map_err(|_| ApiError::field("cursor", "is not a next_cursor of this result"))?, limit })
            }
        }
    }
}

/// A page of a result.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ResultPage {
    /// `[{name, type, kind}]`.
    #[schema(value_type = Vec<crate::openapi::shapes::ResultColumn>)]
    columns: Vec<Column>,
    /// Arrays in the order of `columns`.
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    rows: Vec<Row>,
    /// Rows of the whole result.
    row_count: i32,
    /// Whether a limit cut the result off.
    truncated: bool,
    /// To be sent as `cursor` for the next page; null: this is the last one.
    next_cursor: Option<String>,
}

/// The rows of an answer.
#[utoipa::path(
    get, path = "/v1/questions/{id}/result", tag = "questions", params(("id" = uuid::Uuid, Path, description = "The question"), ResultQuery),
    responses((status = 200, description = "A page; or the whole result: with `all=true` as one such document, with `format=csv` as text/csv (texts that begin like a formula after an apostrophe), with `format=xlsx` as a workbook. The name of a file whose result a limit cut off ends with `-truncated`", content((ResultPage = "application/json"), (String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), (status = 422, description = "A parameter is out of range or does not go with the form", body = crate::error::Problem, content_type = "application/problem+json"), (status = 409, description = "There is no answer", body = crate::error::Problem, content_type = "application/problem+json"), (status = 410, description = "It was kept for its time", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn get_result(State(app): State<App>, caller: Caller, Id(id): Id, Query(query): Query<ResultQuery>) -> Result<Response> {
    let wanted = query.wanted()?;
    let question = answered(&app, &caller, QuestionId(id)).await?;
    let (columns, rows) = answers::rows(&app.pool, JobId(question.job_id)).await?.ok_or_else(gone)?;
    let details = json!({ "format": query.format.unwrap_or(Format::Json), "whole": !matches!(wanted, Wanted::Page { .. }) });
    let first = if let Wanted::Page { first, .. } = wanted { first } else { 0 };
    let rows = lines::of(&app, rows, first).await?;
    let response = match wanted {
        Wanted::Page { first, limit } => page(&question, columns, rows, first, limit).await?,
        Wanted::Json => exported::as_json(&columns, rows, &about(&question, None)),
        Wanted::Csv { bom } => exported::as_csv(columns, rows, &about(&question, None), bom),
        Wanted::Xlsx => {
            let picture = chart::png(&app, &question).await?;
            exported::as_xlsx(columns, rows, about(&question, picture)).await?
        }
    };
    Ok(Seen { details: Some(details), ..Seen::default() }.on(response))
}

// What an exported file says of itself, in the question's language.
fn about(question: &Question, picture: Option<Vec<u8>>) -> About {
    let title = if question.question.is_empty() { question.generated_sql.as_deref().unwrap_or_default() } else { &question.question };
    About {
        title: title.to_owned(),
        row_count: u64::try_from(question.row_count.unwrap_or_default()).unwrap_or_default(),
        truncated: question.truncated,
        language: Language::of(&question.question),
        picture,
    }
}

/// A question of the caller, or shared with him, that has an answer which he may read now.
///
/// # Errors
/// 404, 410 for an id older than questions are kept, 409 while there is none, 403 when the permissions have changed.
pub async fn answered(app: &App, caller: &Caller, id: QuestionId) -> Result<Question> {
    let question = match readable(app, caller, id).await {
        Err(error) if error.code == Code::NotFound && is_past(app, id).await? => return Err(gone()),
        found => found?,
    };
    if question.status != "success" {
        return Err(ApiError::new(Code::NotAnswered, format!("the question is {}: it has no result", question.status)));
    }
    sight(app, caller.user_id, &question).await?.whole()?;
    Ok(question)
}

/// Whether the id was made so long ago that its question would be gone. It says nothing of whether there ever was one.
async fn is_past(app: &App, id: QuestionId) -> Result<bool> {
    // A keeping time that can't be used removes nothing, so nothing is past it.
    let Ok(days) = app.live_settings.kept(Kept::Questions) else { return Ok(false) };
    Ok(upkeep::question_is_past(&app.pool, id, days).await?)
}

/// A result past its keeping time, or lost with its file.
pub fn gone() -> ApiError {
    ApiError::new(
        Code::Gone,
        "the result was kept for its time and is gone; where the question is still there, POST /v1/questions/{id}/rerun asks it again",
    )
}

async fn page(question: &Question, columns: Vec<Column>, mut batches: Batches, first: u64, limit: u64) -> Result<Response> {
    let mut rows: Vec<Row> = Vec::new();
    let limit_reached = |rows: &Vec<Row>| rows.len() as u64 > limit;
    while let Some(batch) = batches.next().await {
        for line in batch? {
            rows.push(serde_json::from_slice(&line).map_err(|error| ApiError::internal(&error))?);
            if limit_reached(&rows) {
                break;
            }
        }
        if limit_reached(&rows) {
            break;
        }
    }
    let more = limit_reached(&rows);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let body = ResultPage {
        columns,
        rows,
        row_count: question.row_count.unwrap_or_default(),
        truncated: question.truncated,
        next_cursor: more.then(|| (first + limit).to_string()),
    };
    Ok(axum::Json(body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(format: Option<Format>) -> ResultQuery {
        ResultQuery { format, limit: None, cursor: None, all: None, bom: None }
    }

    #[test]
    fn parameters_go_with_their_form_only() {
        assert!(matches!(query(None).wanted(), Ok(Wanted::Page { first: 0, limit: 100 })));
        assert!(matches!(ResultQuery { all: Some(true), ..query(None) }.wanted(), Ok(Wanted::Json)));
        assert!(matches!(ResultQuery { bom: Some(true), ..query(Some(Format::Csv)) }.wanted(), Ok(Wanted::Csv { bom: true })));
        assert!(matches!(query(Some(Format::Csv)).wanted(), Ok(Wanted::Csv { bom: false })));
        for refused in [
            ResultQuery { limit: Some(0), ..query(None) },
            ResultQuery { limit: Some(1001), ..query(None) },
            ResultQuery { cursor: Some("x".to_owned()), ..query(None) },
            ResultQuery { bom: Some(true), ..query(None) },
            ResultQuery { all: Some(true), limit: Some(5), ..query(None) },
            ResultQuery { limit: Some(5), ..query(Some(Format::Csv)) },
            ResultQuery { bom: Some(true), ..query(Some(Format::Xlsx)) },
            ResultQuery { all: Some(true), ..query(Some(Format::Xlsx)) },
        ] {
            assert!(refused.wanted().is_err());
        }
    }
}
