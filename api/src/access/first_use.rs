//! The first use of an API key from an address: a line in the audit log, before anything is done with it there.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use datagenie_common::{
    ids::ApiKeyId,
    store::{
        addresses::{self, household},
        audit::{self, Entry, Origin},
    },
};
use serde_json::json;

use super::{Caller, Via};
use crate::{app::App, error::Result};

/// Keys and where they have been used, as far as this process knows; what it does not know is asked of the database. Bounded.
#[derive(Default)]
pub struct KeysSeen(Mutex<HashSet<(ApiKeyId, IpAddr)>>);

const HELD: usize = 50_000;

impl KeysSeen {
    fn knows(&self, use_of: (ApiKeyId, IpAddr)) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&use_of)
    }

    fn learn(&self, use_of: (ApiKeyId, IpAddr)) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= HELD {
            held.clear();
        }
        held.insert(use_of);
    }
}

/// Notes it if this is one.
///
/// # Errors
/// If the database fails: then the key is not used.
pub(super) async fn note(app: &App, caller: &Caller, origin: &Origin) -> Result<()> {
    let (Via::ApiKey { id, .. }, Some(ip)) = (&caller.via, origin.ip) else { return Ok(()) };
    let use_of = (*id, household(ip));
    if app.keys_seen.knows(use_of) {
        return Ok(());
    }
    let mut tx = app.pool.begin().await?;
    if addresses::key_used(&mut tx, *id, ip).await? {
        let entry = Entry {
            user_id: Some(caller.user_id),
            action: "api_key.first_used_from",
            resource_type: "api_key",
            resource_id: Some(id.to_string()),
            success: true,
            details: json!({ "address": use_of.1.to_string() }),
        };
        audit::insert(&mut tx, origin, entry).await?;
    }
    tx.commit().await?;
    app.keys_seen.learn(use_of);
    Ok(())
}
