//! `POST /v1/schedules`.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    ids::ScheduleId,
    schedules::CatchUp,
    store::schedules::{self, Schedule},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ScheduleView,
    action::{check_action, read_action},
    audited, check, seen, timing,
};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Json,
    frame::Framed,
    idempotency,
};

/// Schedules of one user.
const MOST: i64 = 10_000;
/// Missed times that are made up for, unless it is said.
const CATCH_UP_MAX: i32 = 10;

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(create_schedule)
}

/// What is to run by itself.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSchedule {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Five fields: minute, hour, day of month, month, day of week.
    #[schema(max_length = 200)]
    cron: String,
    /// Of the IANA database, such as `Europe/Berlin`; `UTC` if not given.
    time_zone: Option<String>,
    /// `skip` (default), `once` or `all`: what becomes of times that were missed.
    #[schema(value_type = Option<crate::openapi::words::CatchUp>)]
    catch_up: Option<CatchUp>,
    /// With `all`: how many of the newest, 1 to 100; 10 if not given.
    #[schema(minimum = 1, maximum = 100)]
    catch_up_max: Option<i32>,
    /// `{kind: "question", connection_id?, file_id?, question?, sql?, cache?}`, `{kind: "batch", connection_id?, on_invalid?, budget?,
    /// callback_url?, questions}`, `{kind: "schema_sync", connection_id}` or `{kind: "maintenance", task}`.
    #[schema(value_type = Object)]
    action: Value,
    /// Whether it runs while an earlier run still goes; it does not unless this says so.
    #[serde(default)]
    allow_overlap: bool,
    /// Whether it begins paused.
    #[serde(default)]
    paused: bool,
}

/// Makes a schedule. It runs as its owner, under the permissions that he has each time.
#[utoipa::path(
    post, path = "/v1/schedules", tag = "schedules", request_body = NewSchedule,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same schedule, as it now is")),
    responses((status = 201, description = "The schedule", body = ScheduleView, headers(("Location" = String))), (status = 404, description = "There is no such connection, or it is not yours; or what this Idempotency-Key made is gone", body = crate::error::Problem, content_type = "application/problem+json"), (status = 409, description = "The first request with the same Idempotency-Key is still being taken in", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn create_schedule(State(app): State<App>, framed: Framed, caller: Caller, body: Json<NewSchedule>) -> Result<Response> {
    let (new, key) = (body.value, body.idempotency);
    if let Some(earlier) = idempotency::find(&app, &caller, &key).await? {
        return reply(seen(&app, &caller, earlier).await?);
    }
    let catch_up_max = new.catch_up_max.unwrap_or(CATCH_UP_MAX);
    check(&new.name, catch_up_max)?;
    let time_zone = new.time_zone.unwrap_or_else(|| "UTC".to_owned());
    let timing = timing(&new.cron, &time_zone)?;
    let action = read_action(new.action)?;
    check_action(&app, &caller, &action).await?;
    let mut tx = app.pool.begin().await?;
    let now = schedules::now(&mut tx).await?;
    let schedule = Schedule {
        id: ScheduleId::new(),
        user_id: caller.user_id,
        name: new.name.trim().to_owned(),
        cron: new.cron,
        time_zone,
        catch_up: new.catch_up.unwrap_or(CatchUp::Skip),
        catch_up_max,
        action,
        paused: new.paused,
        allow_overlap: new.allow_overlap,
        next_run_at: timing.after(now),
        last_fire_time: None,
        created_at: now,
        updated_at: now,
    };
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &key, schedule.id.0).await? {
        tx.rollback().await?;
        return reply(seen(&app, &caller, earlier).await?);
    }
    if schedules::count(&mut tx, caller.user_id).await? >= MOST {
        let detail = format!("you have {MOST} schedules, which is the most; delete some");
        return Err(ApiError::new(Code::TooManyRequests, detail)
            .limit("schedules", MOST.unsigned_abs())
            .retry_after(Duration::from_secs(60)));
    }
    schedules::put(&mut tx, &schedule).await?;
    audited(&mut tx, &framed, &caller, "schedule.created", &schedule).await?;
    tx.commit().await?;
    reply(schedule)
}

fn reply(schedule: Schedule) -> Result<Response> {
    let place = HeaderValue::from_str(&format!("/v1/schedules/{}", schedule.id)).map_err(|error| ApiError::internal(&error))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], axum::Json(ScheduleView::from(schedule))).into_response())
}
