//! Who may read a question, and how much of it: its owner, and those it is shared with, each under his own permissions of now
//! (invariant 10).
//!
//! Sharing gives no permission on a connection. One with whom a question is shared reads its stored answer only if he could have read
//! the same rows himself: every table of it is his to query, he may have as many rows, and what is masked for him was masked when the
//! rows were stored. That is known of the columns that are masked for the owner too, as long as the owner's policy is the one under which
//! the rows were read. Otherwise he sees that there is such a question, and how it ended.

use datagenie_common::{
    ids::{ConnectionId, QuestionId, UserId},
    model::policies::{ColumnMask, Policy},
    store::{
        connections, permissions,
        questions::{self, Question},
        shares::{self, Shared},
    },
};
use serde_json::Value;

use super::shown::{not_covered, withheld};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
};

/// How much of a question somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of it.
    Whole,
    /// Its owner's: not what was read, since his permissions have changed.
    Withheld,
    /// Somebody else's: nothing of what was read, or would have been.
    Outline {
        /// Whether he may know which connection it is asked of.
        knows_connection: bool,
    },
}

impl Sight {
    /// The answer may be read.
    ///
    /// # Errors
    /// 403 if not.
    pub fn whole(self) -> Result<()> {
        let why = match self {
            Self::Whole => return Ok(()),
            Self::Withheld => withheld(),
            Self::Outline { .. } => not_covered(),
        };
        Err(ApiError::new(Code::PermissionDenied, why.message))
    }
}

/// A question of the caller or one that is shared with him, of a connection that his key may use or of none.
///
/// # Errors
/// 404, and what the store says.
pub async fn readable(app: &App, caller: &Caller, id: QuestionId) -> Result<Question> {
    let found = match questions::find(&app.pool, Some(caller.user_id), id).await? {
        Some(own) => Some(own),
        None => match shares::shared_by_owner(&app.pool, Shared::Question(id), caller.user_id).await? {
            Some(owner) => questions::find(&app.pool, Some(owner), id).await?,
            None => None,
        },
    };
    found.filter(|question| caller.may_see(question.connection_id)).ok_or_else(|| ApiError::not_found("question"))
}

/// How much of a question a reader sees.
///
/// # Errors
/// If the database fails.
pub async fn sight(app: &App, reader: UserId, question: &Question) -> Result<Sight> {
    if question.user_id != reader.0 {
        return shared_sight(app, reader, question).await;
    }
    Ok(if may_still_read(app, question).await? { Sight::Whole } else { Sight::Withheld })
}

/// Whether the policy of now still lets the owner read what was read under the policy of then.
async fn may_still_read(app: &App, question: &Question) -> Result<bool> {
    let Some(then) = &question.policy_version else { return Ok(true) };
    if question.current_policy_version.as_ref() == Some(then) {
        return Ok(true);
    }
    let Some(connection) = question.connection_id.map(ConnectionId) else { return Ok(false) };
    let Some(policy) = policy(app, UserId(question.user_id), connection).await? else { return Ok(false) };
    let default_schema = connections::default_schema(&app.pool, connection).await?.unwrap_or_default();
    Ok(covers(&policy, question.provenance.as_ref(), &default_schema))
}

async fn shared_sight(app: &App, reader: UserId, question: &Question) -> Result<Sight> {
    let Some(connection) = question.connection_id.map(ConnectionId) else {
        // Of a file, or of nothing; or of a connection that is gone, and with it all permissions.
        let is_whole = question.query_type != "database" && question.policy_version.is_none();
        return Ok(if is_whole { Sight::Whole } else { Sight::Outline { knows_connection: false } });
    };
    let Some(his) = policy(app, reader, connection).await? else { return Ok(Sight::Outline { knows_connection: false }) };
    let outline = Sight::Outline { knows_connection: true };
    let Some(then) = &question.policy_version else { return Ok(outline) };
    let has_more_rows = u64::try_from(question.row_count.unwrap_or_default()).is_ok_and(|rows| rows > his.limits.max_rows);
    let says_tables = question.provenance.as_ref().is_some_and(|provenance| provenance["tables"].is_array());
    if has_more_rows || !says_tables {
        return Ok(outline);
    }
    let stored_masks = match policy(app, UserId(question.user_id), connection).await? {
        Some(owners) if owners.version.0 == *then => owners.masks,
        _ => Vec::new(),
    };
    let default_schema = connections::default_schema(&app.pool, connection).await?.unwrap_or_default();
    let is_covered = may_read_all(&his, question.provenance.as_ref(), &default_schema, |mask| stored_masks.contains(mask));
    Ok(if is_covered { Sight::Whole } else { outline })
}

async fn policy(app: &App, user: UserId, connection: ConnectionId) -> Result<Option<Policy>> {
    Ok(permissions::policy(&app.pool, user, connection, app.live_settings.get().query.limits()).await?)
}

/// Whether every table that was read is allowed still, and none of them has a mask: stored rows were masked by the rules of then.
pub fn covers(policy: &Policy, provenance: Option<&Value>, default_schema: &str) -> bool {
    may_read_all(policy, provenance, default_schema, |_| false)
}

/// Whether every table that was read is allowed, and all of its masks are `applied` in the stored rows. A name with more than one point
/// may be split in more than one way, and must be fine in each.
fn may_read_all(policy: &Policy, provenance: Option<&Value>, default_schema: &str, applied: impl Fn(&ColumnMask) -> bool) -> bool {
    let tables = provenance.and_then(|provenance| provenance["tables"].as_array()).cloned().unwrap_or_default();
    let is_masked = |schema: &str, table: &str| {
        let of_table = |mask: &&ColumnMask| mask.schema.eq_ignore_ascii_case(schema) && mask.table.eq_ignore_ascii_case(table);
        policy.masks.iter().filter(of_table).any(|mask| !applied(mask))
    };
    let may_be_read = |schema: &str, table: &str| policy.allows(schema, table, default_schema) && !is_masked(schema, table);
    policy.can_query
        && tables.iter().filter_map(Value::as_str).all(|name| {
            let mut splits = name.match_indices('.').map(|(at, point)| (&name[..at], &name[at + point.len()..])).peekable();
            if splits.peek().is_none() {
                return may_be_read(default_schema, name);
            }
            splits.all(|(schema, table)| may_be_read(schema, table))
        })
}

#[cfg(test)]
mod tests {
    use datagenie_common::model::{
        connections::DbType,
        policies::{Limits, MaskKind, PolicyVersion},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn masks_are_fine_where_they_are_in_the_stored_rows() {
        let mask = |kind| ColumnMask { schema: "public".to_owned(), table: "users".to_owned(), column: "email".to_owned(), kind };
        let policy = Policy {
            user_id: UserId::new(),
            connection_id: ConnectionId::new(),
            db_type: DbType::Postgresql,
            version: PolicyVersion("1".to_owned()),
            can_query: true,
            schemas: None,
            tables: None,
            masks: vec![mask(MaskKind::Email)],
            limits: Limits::NONE,
        };
        for (tables, stored, expected) in [
            (json!(["users"]), mask(MaskKind::Email), true),
            (json!(["users"]), mask(MaskKind::Name), false),
            (json!(["orders"]), mask(MaskKind::Name), true),
        ] {
            let read = json!({ "tables": tables });
            assert_eq!(may_read_all(&policy, Some(&read), "public", |mask| *mask == stored), expected, "{read}");
            assert_eq!(covers(&policy, Some(&read), "public"), tables == json!(["orders"]));
        }
    }
}
