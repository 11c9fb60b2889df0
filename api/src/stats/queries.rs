//! `GET /v1/stats/queries`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::store::stats::{self, QueryStats};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Page, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(query_stats)
}

/// How many rows of a view.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// Rows, 1 to 1000; 200 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

impl StatsQuery {
    /// The bounded number of rows.
    ///
    /// # Errors
    /// If it is out of bounds.
    pub fn limit(&self) -> Result<i64> {
        match self.limit.unwrap_or(200) {
            limit @ 1..=1000 => Ok(limit),
            _ => Err(ApiError::field("limit", "must be 1 to 1000")),
        }
    }
}

/// Questions of one hour, connection and type.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct QueryStatsView {
    hour: DateTime<Utc>,
    connection_id: Option<Uuid>,
    #[schema(value_type = crate::openapi::words::QueryType)]
    query_type: String,
    total_queries: i64,
    /// Milliseconds.
    avg_execution_time: Option<f64>,
    /// Milliseconds.
    max_execution_time: Option<i32>,
    error_count: i64,
    timeout_count: i64,
}

impl From<QueryStats> for QueryStatsView {
    fn from(row: QueryStats) -> Self {
        Self {
            hour: row.hour,
            connection_id: row.connection_id,
            query_type: row.query_type,
            total_queries: row.total_queries,
            avg_execution_time: row.avg_execution_time,
            max_execution_time: row.max_execution_time,
            error_count: row.error_count,
            timeout_count: row.timeout_count,
        }
    }
}

/// Questions of the last seven days by hour, connection and type (`query_performance_stats`); by a key that is limited to some
/// connections, those of these and of none.
#[utoipa::path(get, path = "/v1/stats/queries", tag = "operation", params(StatsQuery), responses((status = 200, description = "Newest hours first", body = Page<QueryStatsView>)))]
async fn query_stats(State(app): State<App>, caller: Caller, Query(query): Query<StatsQuery>) -> Result<axum::Json<Page<QueryStatsView>>> {
    let rows = stats::queries(&app.pool, query.limit()?).await?;
    let seen = rows.into_iter().filter(|row| caller.may_see(row.connection_id));
    Ok(axum::Json(Page { items: seen.map(QueryStatsView::from).collect(), next_cursor: None }))
}
