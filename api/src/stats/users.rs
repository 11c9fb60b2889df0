//! `GET /v1/stats/users`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::store::stats::{self, UserStats};
use serde::Serialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::queries::StatsQuery;
use crate::{
    app::App,
    error::Result,
    extract::{Page, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(user_stats)
}

/// How much one user asks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct UserStatsView {
    username: String,
    role: String,
    total_queries: i64,
    last_query_at: Option<DateTime<Utc>>,
    active_days: i64,
}

impl From<UserStats> for UserStatsView {
    fn from(row: UserStats) -> Self {
        Self {
            username: row.username,
            role: row.role,
            total_queries: row.total_queries,
            last_query_at: row.last_query_at,
            active_days: row.active_days,
        }
    }
}

/// How much each active user asks (`user_activity_stats`).
#[utoipa::path(get, path = "/v1/stats/users", tag = "operation", params(StatsQuery), responses((status = 200, description = "Most active first", body = Page<UserStatsView>)))]
async fn user_stats(State(app): State<App>, Query(query): Query<StatsQuery>) -> Result<axum::Json<Page<UserStatsView>>> {
    let rows = stats::users(&app.pool, query.limit()?).await?;
    Ok(axum::Json(Page { items: rows.into_iter().map(UserStatsView::from).collect(), next_cursor: None }))
}
