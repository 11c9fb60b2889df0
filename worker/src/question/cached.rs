//! The cache of query results, `datagenie:query:{connection_id}:{query_hash}`: rows as they were masked for one policy, of one
//! statement, at one version of configuration and schema. Only whole results that fit.

use std::time::Duration;

use chrono::{DateTime, Utc};
use datagenie_common::{
    cache::CacheKey,
    model::results::{Column, Row},
    store::answers::Rows,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{rows::Collected, target::Target};
use crate::{guard::Guarded, run::Context};

/// The document's shape; `data` holds arrays instead of objects, since names of columns may repeat.
#[derive(Serialize, Deserialize)]
struct CachedResult {
    sql: String,
    columns: Vec<Column>,
    data: Vec<Row>,
    row_count: u64,
    execution_time_ms: u64,
    truncated: bool,
    cached_at: DateTime<Utc>,
}

/// SHA-256, in hex, of everything that the rows depend on but the data itself.
pub fn key(target: &Target, guarded: &Guarded) -> String {
    let limits = target.policy.limits;
    let parts = [
        guarded.sql.as_str(),
        &format!("{}/{}/{}", limits.max_rows, limits.max_bytes, limits.max_seconds),
        &format!("{}/{}", target.connection.config_version, target.connection.schema_version),
        &target.policy.user_id.to_string(),
        &target.policy.version.0,
    ];
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts make the same text.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// A fresh enough result of the same statement, if there is one.
pub async fn get(context: &Context, target: &Target, key: &str) -> Option<Collected> {
    let found: CachedResult = context.env.cache.get_json(&CacheKey::QueryResult { connection: target.id, query_hash: key }).await?;
    let mut bytes = Vec::new();
    for row in &found.data {
        serde_json::to_writer(&mut bytes, row).ok()?;
        bytes.push(b'\n');
    }
    Some(Collected {
        columns: found.columns,
        sample: found.data,
        complete: true,
        row_count: found.row_count,
        truncated: found.truncated,
        rows: Rows::Inline(bytes),
        elapsed: Duration::from_millis(found.execution_time_ms),
    })
}

/// Keeps a result, if it is whole and small enough to lie in PostgreSQL when it is read again.
pub async fn put(context: &Context, target: &Target, key: &str, guarded: &Guarded, collected: &Collected) {
    if !collected.complete || !matches!(collected.rows, Rows::Inline(_)) {
        return;
    }
    let value = CachedResult {
        sql: guarded.sql.clone(),
        columns: collected.columns.clone(),
        data: collected.sample.clone(),
        row_count: collected.row_count,
        execution_time_ms: u64::try_from(collected.elapsed.as_millis()).unwrap_or(u64::MAX),
        truncated: collected.truncated,
        cached_at: context.env.clock.now(),
    };
    context.env.cache.set_json(&CacheKey::QueryResult { connection: target.id, query_hash: key }, &value).await;
}
