//! What a question is asked of: the connection, its catalogue, and the asker's policy on it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use datagenie_common::{
    cache::CacheKey,
    crypto::SealingError,
    ids::{ConnectionId, UserId},
    jobs::AnswerQuestion,
    model::{
        connections::{ConnectionConfig, ConnectionState},
        jobs::JobError,
        policies::{Limits, Policy, PolicyVersion},
        questions::{Failure, FailureCode},
        schemas::SourceSchema,
    },
    store::{self, connections},
};
use secrecy::ExposeSecret;

use super::{
    SharedSchema, failures,
    file::{self, AskedFile},
    link::Visible,
};
use crate::{
    env::{COLUMNS_HELD, Env},
    guard::Relation,
    run::Context,
    sources::Source,
};

/// What a question is asked of, a database or a file, ready to be read within the asker's policy.
pub struct Target {
    /// Which connection.
    pub id: ConnectionId,
    /// Its row.
    pub connection: Arc<connections::Target>,
    /// Its whole catalogue, for the guard.
    pub schema: SharedSchema,
    /// What the asker may do.
    pub policy: Policy,
    /// Its sessions.
    pub source: Arc<dyn Source>,
    /// The file, where it is one; `id` is then its workbook's.
    pub file: Option<AskedFile>,
}

/// Finds and opens what a question is asked of.
pub async fn find(context: &Context, ask: &AnswerQuestion) -> Result<Target, JobError> {
    match ask.file_id {
        Some(id) => file::find(context, id).await,
        None => database(context, ask).await,
    }
}

async fn database(context: &Context, ask: &AnswerQuestion) -> Result<Target, JobError> {
    let env = &context.env;
    let (Some(id), Some(version)) = (ask.connection_id, context.job.policy_version.as_ref()) else {
        return Err(failures::not_permitted());
    };
    let policy = policy(env, context, id, version).await?;
    let connection = connection(env, context, id).await?;
    match connection.state {
        ConnectionState::Probing => {
            let failure = Failure::new(FailureCode::ConnectionNotReady, "the connection is still being looked at")
                .hint("wait until its state is `ready`, or test it again")
                .retryable();
            return Err(JobError::Later { failure, at: failures::look_again(context) });
        }
        // Why is the administrators' to know: it may name tables that the asker may not see.
        ConnectionState::Refused => {
            return Err(JobError::Fail(
                Failure::new(FailureCode::ConnectionNotReady, "the connection can't be used: it was refused when it was looked at")
                    .hint("an administrator must correct the connection and test it again"),
            ));
        }
        // Whoever is behind a new configuration may be able to write, and the catalogue is the old one's: a look comes first.
        ConnectionState::Unreachable if !connection.is_role_known => return Err(not_read(context, &connection)),
        // It may be back: the statement itself will tell.
        ConnectionState::Unreachable | ConnectionState::Ready => {}
    }
    let schema = env
        .schemas
        .get(&env.pool, &env.cache, id, connection.schema_version)
        .await
        .map_err(|error| failures::store(context, &error))?
        .ok_or_else(|| not_read(context, &connection))?;
    let source = open(env, id, &connection).await.map_err(|error| match error {
        OpenError::Sealing(error) => unsealable(&error),
        OpenError::Source(error) => failures::source(context, &error),
    })?;
    Ok(Target { id, connection, schema, policy, source, file: None })
}

/// Nobody has seen the database as it is configured now.
fn not_read(context: &Context, connection: &connections::Target) -> JobError {
    let failure = connection.error.clone().unwrap_or_else(|| {
        Failure::new(FailureCode::ConnectionNotReady, "the connection's schema has not been read yet").hint("sync it, then ask again")
    });
    JobError::Later { failure: failure.retryable(), at: failures::look_again(context) }
}

/// Why a source can't be opened.
pub enum OpenError {
    /// Its configuration can't be unsealed.
    Sealing(SealingError),
    /// The configuration fits no engine.
    Source(crate::sources::SourceError),
}

/// The failure of a configuration that can't be unsealed.
pub fn unsealable(error: &SealingError) -> JobError {
    tracing::error!(error = %error, "a connection's configuration can't be unsealed");
    JobError::Fail(
        Failure::new(FailureCode::ConnectionNotReady, "the connection's configuration can't be unsealed with the service's keys")
            .hint("an administrator must enter the connection's configuration again, or bring back its sealing key"),
    )
}

/// Opens a connection's source, and unseals its configuration for it where it is not open yet.
pub async fn open(env: &Env, id: ConnectionId, connection: &connections::Target) -> Result<Arc<dyn Source>, OpenError> {
    let sessions = u32::try_from(connection.max_connections).unwrap_or(1);
    if let Some(source) = env.sources.opened(id, connection.config_version, sessions) {
        return Ok(source);
    }
    let clear = env.keyring.open("database_connections", "connection_config", id.0, &connection.config).map_err(OpenError::Sealing)?;
    let config: ConnectionConfig =
        serde_json::from_slice(clear.expose_secret()).map_err(|_| OpenError::Sealing(SealingError::Malformed))?;
    env.sources.open(id, connection.config_version, connection.db_type, &config, sessions).await.map_err(OpenError::Source)
}

// The row as of the claim, read once a version. A later change is found by the next claim; a withdrawn permission by the check
// before the statement.
async fn connection(env: &Env, context: &Context, id: ConnectionId) -> Result<Arc<connections::Target>, JobError> {
    let version = context.job.connection_version.as_deref();
    if let Some(version) = version
        && let Some(connection) = env.known.connection(id, version)
    {
        return Ok(connection);
    }
    let read = connections::target(&env.pool, id).await.map_err(|error| failures::store(context, &error))?;
    let connection = Arc::new(read.ok_or_else(failures::not_permitted)?);
    if let Some(version) = version.filter(|version| connection.row_version == **version) {
        env.known.keep_connection(id, version, &connection);
    }
    Ok(connection)
}

// By version from this process, from Redis, else from PostgreSQL. Neither memory decides: the version is the claim's, and is checked
// once more before anything is read. Both hold it without the limits of the settings, which may change meanwhile.
async fn policy(env: &Env, context: &Context, id: ConnectionId, version: &PolicyVersion) -> Result<Policy, JobError> {
    let user = context.job.user_id;
    let limits = env.live_settings.get().query.limits();
    if let Some(policy) = env.known.policy(user, id, version) {
        return if policy.can_query { Ok((*policy).clone().within(limits)) } else { Err(failures::not_permitted()) };
    }
    let key = CacheKey::UserPermissions { user };
    let mut held: BTreeMap<String, Policy> = env.cache.get_json(&key).await.unwrap_or_default();
    let known =
        held.get(&id.to_string()).filter(|policy| policy.version == *version && policy.user_id == user && policy.connection_id == id);
    let policy = match known {
        Some(policy) => policy.clone(),
        None => {
            let policy = store::permissions::policy(&env.pool, user, id, Limits::NONE)
                .await
                .map_err(|error| failures::store(context, &error))?
                .ok_or_else(failures::not_permitted)?;
            held.insert(id.to_string(), policy.clone());
            env.cache.set_json(&key, &held).await;
            policy
        }
    };
    env.known.keep_policy(&policy);
    if policy.can_query { Ok(policy.within(limits)) } else { Err(failures::not_permitted()) }
}

/// Connections and policies that this process has read, and what users see of catalogues, each good for one version only. Bounded.
#[derive(Default)]
pub struct KnownTargets {
    connections: Mutex<HashMap<ConnectionId, (String, Arc<connections::Target>)>>,
    policies: Mutex<HashMap<(UserId, ConnectionId), Arc<Policy>>>,
    visible: Mutex<HashMap<(Option<UserId>, ConnectionId), Seen>>,
}

/// What a policy of this version shows of a catalogue; all of it to those who see all.
struct Seen {
    policy: PolicyVersion,
    of: Weak<SourceSchema>,
    visible: Arc<Visible>,
}

const KNOWN: usize = 4_096;
/// Catalogues are large: as many parts of them as whole ones are held.
const VISIBLE: usize = 32;

impl KnownTargets {
    fn connection(&self, id: ConnectionId, version: &str) -> Option<Arc<connections::Target>> {
        let held = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&id).filter(|(known, _)| known == version).map(|(_, connection)| connection.clone())
    }

    fn keep_connection(&self, id: ConnectionId, version: &str, connection: &Arc<connections::Target>) {
        let mut held = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= KNOWN {
            held.clear();
        }
        held.insert(id, (version.to_owned(), connection.clone()));
    }

    fn visible(&self, target: &Target) -> Arc<Visible> {
        let sees_all = target.policy.sees_all();
        let shown = || if sees_all { target.schema.clone() } else { Arc::new(target.policy.visible(&target.schema)) };
        // A file's catalogue is read anew for each question.
        if target.file.is_some() {
            return Arc::new(Visible::new(shown(), target.policy.db_type));
        }
        // Those who may see all see the same.
        let key = ((!sees_all).then_some(target.policy.user_id), target.id);
        let (policy, of) = (&target.policy.version, Arc::downgrade(&target.schema));
        if let Some(seen) = self.visible.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
            && (sees_all || seen.policy == *policy)
            && seen.of.ptr_eq(&of)
        {
            return seen.visible.clone();
        }
        let visible = Arc::new(Visible::new(shown(), target.policy.db_type));
        let mut held = self.visible.lock().unwrap_or_else(PoisonError::into_inner);
        let columns: usize = held.values().map(|seen| seen.visible.schema.column_count()).sum();
        if held.len() >= VISIBLE || columns + visible.schema.column_count() > COLUMNS_HELD {
            held.clear();
        }
        held.insert(key, Seen { policy: policy.clone(), of, visible: visible.clone() });
        visible
    }

    fn policy(&self, user: UserId, id: ConnectionId, version: &PolicyVersion) -> Option<Arc<Policy>> {
        let held = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&(user, id)).filter(|policy| policy.version == *version).cloned()
    }

    fn keep_policy(&self, policy: &Policy) {
        let mut held = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= KNOWN {
            held.clear();
        }
        held.insert((policy.user_id, policy.connection_id), Arc::new(policy.clone()));
    }
}

impl Target {
    /// The part of the catalogue that the asker may see.
    pub fn visible(&self, known: &KnownTargets) -> Arc<Visible> {
        known.visible(self)
    }

    /// What a relation is called in the answer: `schema.table`, or `sheet!range`.
    pub fn called(&self, relation: &Relation) -> String {
        match &self.file {
            Some(file) => file.place_of(relation),
            None => format!("{}.{}", relation.schema, relation.table),
        }
    }

    /// The policy's version, for an answer that is shown only while the policy covers it. None: a file, whose answers go with it.
    pub fn policy_version(&self) -> Option<String> {
        self.file.is_none().then(|| self.policy.version.0.clone())
    }

    /// Checks, right before something is read, that the policy still is the one that the statement was guarded by.
    pub async fn still_allowed(&self, context: &Context) -> Result<(), JobError> {
        if let Some(file) = &self.file {
            return file.still_there(context).await;
        }
        let ledger = &context.env.ledger;
        let now = ledger.policy_version(self.policy.user_id, self.id).await.map_err(|error| failures::store(context, &error))?;
        if now.as_ref() == Some(&self.policy.version) {
            return Ok(());
        }
        // Guarded by what no longer holds: begin again with what does. Not the job's fault, so it costs no attempt.
        let failure =
            Failure::new(FailureCode::PermissionDenied, "the permissions on this connection changed while the question ran").retryable();
        Err(JobError::Later { failure, at: failures::look_again(context) })
    }
}
