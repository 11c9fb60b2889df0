//! `POST /v1/batches`.

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    response::Response,
};
use datagenie_common::{
    batches::{Budget, OnInvalid, Options},
    ids::BatchId,
};
use serde::Deserialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{
    BatchBudget, BatchView,
    get::as_it_is,
    read, spool,
    take::{Sender, take},
};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Idempotency, Query, Wait},
    frame::Framed,
    idempotency,
};

/// The route. Its body has a limit of its own, kept while it streams.
pub fn route() -> UtoipaMethodRouter<App> {
    let (schemas, paths, methods) = routes!(create_batch);
    (schemas, paths, methods.layer(DefaultBodyLimit::disable()))
}

/// `?connection_id=&on_invalid=&budget_tokens=&budget_cost=&callback_url=`, for lines.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CreateQuery {
    /// With lines: as the object's field.
    connection_id: Option<Uuid>,
    /// With lines: `reject` or `skip`.
    #[param(value_type = Option<String>)]
    on_invalid: Option<OnInvalid>,
    /// With lines: as the object's `budget.tokens`.
    budget_tokens: Option<i64>,
    /// With lines: as the object's `budget.cost`.
    budget_cost: Option<f64>,
    /// With lines: as the object's field.
    callback_url: Option<String>,
}

impl CreateQuery {
    fn options(self) -> Options {
        let budget = Budget { tokens: self.budget_tokens, cost: self.budget_cost };
        Options {
            connection_id: self.connection_id,
            on_invalid: self.on_invalid,
            budget: (budget != Budget::default()).then_some(budget),
            callback_url: self.callback_url,
        }
    }
}

/// One question of a batch; also a line of `application/jsonl`.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is there for the document: the body is read as it comes")]
struct BatchQuestion {
    /// Your own name of it, 1 to 256 characters, unique within the batch.
    custom_id: String,
    /// In your own words; this or `sql`, or both.
    question: Option<String>,
    /// A reviewed statement, run through the same guard instead of drafting one.
    sql: Option<String>,
    /// The database it is asked of, instead of the batch's.
    connection_id: Option<Uuid>,
    /// The uploaded file it is asked of.
    file_id: Option<Uuid>,
    /// `use` (default) or `skip`.
    cache: Option<String>,
    /// Seconds that it has from the beginning of its first attempt on, 1 to 86400.
    #[schema(minimum = 1, maximum = 86400)]
    deadline_seconds: Option<f64>,
}

/// A batch of questions.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is there for the document: the body is read as it comes")]
struct NewBatchBody {
    /// The connection of questions that name neither a connection nor a file.
    connection_id: Option<Uuid>,
    /// `reject` (default): if one question can't be taken, none is. `skip`: the good ones run, the others are errors of the result.
    on_invalid: Option<String>,
    /// When it is spent, the rest is not asked.
    budget: Option<BatchBudget>,
    /// Called once at its end, with the envelope of its terminal event, signed with your callback secret.
    callback_url: Option<String>,
    /// 1 to `limits.batch_lines` (50,000). Those that are the same are computed once.
    questions: Vec<BatchQuestion>,
}

/// Asks many questions at once.
///
/// Every question is checked before any is taken in; 202 is answered when all are committed. Send one object as `application/json`, or a
/// question on every line as `application/jsonl` (the batch's own fields are then the query's). The upload may be as long as
/// `limits.batch_mb`. With `Prefer: wait=30` the request is held until the batch has ended (200).
#[utoipa::path(
    post, path = "/v1/batches", tag = "batches",
    request_body(content((NewBatchBody = "application/json"), (BatchQuestion = "application/jsonl"))),
    params(CreateQuery, ("Idempotency-Key" = Option<String>, Header, description = "The same key and upload gives the same batch, as it now is"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request, at most 60 s")),
    responses(
        (status = 200, description = "Ended while you waited", body = BatchView),
        (status = 202, description = "Taken in; or not ended after the time you were ready to wait", body = BatchView),
        (status = 400, description = "The body is no JSON, or breaks off", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 408, description = "Nothing came for too long", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than `limits.batch_mb`", body = crate::error::Problem, content_type = "application/problem+json"),
        (status = 422, description = "Questions can't be taken: `errors` names the first hundred by `line` and `custom_id`", body = crate::error::Problem, content_type = "application/problem+json")
    )
)]
async fn create_batch(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    wait: Wait,
    Query(query): Query<CreateQuery>,
    request: Request,
) -> Result<Response> {
    let headers = request.headers().clone();
    let form = spool::form_of(&headers)?;
    let options = query.options();
    read::check_form(form, &options)?;
    let asked = request.uri().query().unwrap_or_default().to_owned();
    let place = app.uploads.enter(caller.user_id)?;
    let spool = spool::receive(&app, request, form).await?;
    let key = Idempotency::of_parts(&app, &headers, &["/v1/batches", &format!("{form:?}"), &asked, &spool.sha256])?;
    let id = match idempotency::find(&app, &caller, &key).await? {
        Some(earlier) => BatchId(earlier),
        None => take(&Sender { app: &app, framed: &framed, caller: &caller, key: &key }, spool, options).await?,
    };
    drop(place);
    as_it_is(&app, &caller, id, wait, &headers, true).await
}
