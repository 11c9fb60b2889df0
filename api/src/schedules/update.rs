//! `PATCH /v1/schedules/{id}`.

use axum::extract::State;
use datagenie_common::{schedules::CatchUp, store::schedules};
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ScheduleView,
    action::{check_action, read_action},
    audited, check, locked, timing,
};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, Json},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(update_schedule)
}

/// What is to change; what is not given stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleChange {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Five fields.
    #[schema(max_length = 200)]
    cron: Option<String>,
    /// Of the IANA database.
    time_zone: Option<String>,
    /// `skip`, `once` or `all`.
    #[schema(value_type = Option<crate::openapi::words::CatchUp>)]
    catch_up: Option<CatchUp>,
    /// 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    catch_up_max: Option<i32>,
    /// As a whole.
    #[schema(value_type = Option<Object>)]
    action: Option<Value>,
    /// Whether it runs while an earlier run still goes.
    allow_overlap: Option<bool>,
}

/// Changes a schedule of one's own. With another cron or zone its next time is the first one from now on.
#[utoipa::path(patch, path = "/v1/schedules/{id}", tag = "schedules", params(("id" = uuid::Uuid, Path, description = "The schedule")), request_body = ScheduleChange, responses((status = 200, description = "The schedule", body = ScheduleView)))]
async fn update_schedule(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    body: Json<ScheduleChange>,
) -> Result<axum::Json<ScheduleView>> {
    let change = body.value;
    let action = change.action.map(read_action).transpose()?;
    if let Some(action) = &action {
        check_action(&app, &caller, action).await?;
    }
    let mut tx = app.pool.begin().await?;
    let mut schedule = locked(&mut tx, &caller, id).await?;
    if schedule.user_id != caller.user_id {
        return Err(ApiError::new(
            Code::PermissionDenied,
            "it runs as its owner: only he may change what it does; you may pause or delete it",
        ));
    }
    let retimed = change.cron.is_some() || change.time_zone.is_some();
    schedule.name = change.name.map_or(schedule.name, |name| name.trim().to_owned());
    schedule.cron = change.cron.unwrap_or(schedule.cron);
    schedule.time_zone = change.time_zone.unwrap_or(schedule.time_zone);
    schedule.catch_up = change.catch_up.unwrap_or(schedule.catch_up);
    schedule.catch_up_max = change.catch_up_max.unwrap_or(schedule.catch_up_max);
    schedule.action = action.unwrap_or(schedule.action);
    schedule.allow_overlap = change.allow_overlap.unwrap_or(schedule.allow_overlap);
    check(&schedule.name, schedule.catch_up_max)?;
    let now = schedules::now(&mut tx).await?;
    if retimed {
        schedule.next_run_at = timing(&schedule.cron, &schedule.time_zone)?.after(now);
    }
    schedule.updated_at = now;
    schedules::put(&mut tx, &schedule).await?;
    audited(&mut tx, &framed, &caller, "schedule.changed", &schedule).await?;
    tx.commit().await?;
    Ok(axum::Json(schedule.into()))
}
