//! What one user, and one key of his, may use up: requests, questions, uploads, tokens and cost, over all api processes together.
//!
//! A request costs at most one call of Redis, and none where no limit holds for it. Redis may be away: each process then counts for
//! itself. A database that does not answer refuses nobody.

mod buckets;
pub mod shown;
mod spending;
mod stored;
mod strangers;
mod told;
mod unanswered;
mod uses;

use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode};
use datagenie_common::{
    cache::Cache,
    ids::{ApiKeyId, UserId},
    lifecycle,
    model::limits::{LimitChanges, UserLimits},
    settings::Api,
    store::limits::{Spent, StoredLimits},
};

pub use self::{
    buckets::Level,
    strangers::{Crowded, Known, Strangers, is_spared},
    uses::key_of,
};
use self::{
    buckets::{Buckets, Take},
    spending::{Spending, Today},
    stored::Stored,
    told::Told,
    unanswered::{Room, Unanswered},
    uses::{UNSAID, Use, key_takes, takes, user_takes},
};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
};

/// Seconds.
const DAY: u32 = 86_400;

/// The limits of this process, which it shares with the others.
pub struct Limits {
    buckets: Buckets,
    stored: Stored,
    spending: Spending,
    unanswered: Unanswered,
    /// What addresses ask for without a token.
    pub strangers: Strangers,
}

/// A request that was let in: what its answer tells, and what is given back if nothing comes of it.
#[derive(Debug, Default)]
pub struct Admitted {
    told: Told,
    back: Vec<Take>,
}

/// How a user's limits stand.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What holds for the user.
    pub user: UserLimits,
    /// What holds for the key besides, if he came by one.
    pub key: LimitChanges,
    /// The name, the quota, the window in seconds and the level of each limit that fills again.
    pub levels: Vec<(&'static str, u64, u32, Level)>,
    /// What today's questions have used up, if there is a limit to it.
    pub spent: Option<Spent>,
}

impl Limits {
    /// With this Redis.
    #[must_use]
    pub fn new(cache: &Cache, api: &Api) -> Self {
        Self {
            buckets: Buckets::new(cache),
            stored: Stored::default(),
            spending: Spending::default(),
            unanswered: Unanswered::default(),
            strangers: Strangers::new(api),
        }
    }

    /// What holds for a user, and besides for the key that he comes by.
    async fn holding(&self, app: &App, user: UserId, key: Option<ApiKeyId>) -> (UserLimits, LimitChanges) {
        let StoredLimits { user: changes, key } = self.stored.of(&app.pool, user, key).await;
        (app.live_settings.get().limits.of_one_user().changed(&changes), key)
    }

    /// Lets a request of a caller in.
    ///
    /// # Errors
    /// 429 with what is told of the limit that is reached.
    pub async fn admit(
        &self,
        app: &App,
        caller: &Caller,
        method: &Method,
        route: &str,
        headers: &HeaderMap,
    ) -> std::result::Result<Admitted, Refused> {
        let (user, key) = self.holding(app, caller.user_id, key_of(caller)).await;
        let using = Use::of(method, route, headers);
        let takes = takes(caller, &user, &key, using, 1.0);
        let mut told = Told::default();
        if matches!(using, Use::Questions(_)) {
            self.check_spending(app, caller, &user, &key, &mut told).await?;
        }
        if takes.is_empty() {
            return Ok(Admitted { told, back: Vec::new() });
        }
        if let Some(take) = takes.iter().find(|take| needed(take) > take.quota) {
            let detail =
                format!("the upload is larger than what one may upload within a day ({} bytes, limits.upload_mb_per_day)", take.quota);
            return Err(Refused { error: ApiError::new(Code::BodyTooLarge, detail), told });
        }
        let taken = self.buckets.take(&takes).await;
        let mut of_buckets = Told::of(&takes, &taken.levels);
        of_buckets.join(told);
        if let Some(wait) = taken.wait {
            return Err(Refused { error: refused(&takes, &taken.levels, wait), told: of_buckets });
        }
        let back = takes.into_iter().filter(|take| !take.name.ends_with("requests"));
        Ok(Admitted { told: of_buckets, back: given_back(back) })
    }

    /// Whether the day of the caller, and of the key that he comes by, has tokens and cost left.
    async fn check_spending(
        &self,
        app: &App,
        caller: &Caller,
        user: &UserLimits,
        key: &LimitChanges,
        told: &mut Told,
    ) -> std::result::Result<(), Refused> {
        let of_key = UserLimits::default().changed(key);
        for (limits, key, name) in [(user, None, "tokens"), (&of_key, key_of(caller), "key-tokens")] {
            let today = self.spending.today(&app.pool, (caller.user_id, key), limits, app.clock.now()).await;
            let Some(Today { spent, rest }) = today else { continue };
            if limits.tokens_per_day > 0 {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of tokens")]
                let left = limits.tokens_per_day.saturating_sub(spent.tokens as u64);
                told.add(format_args!("\"{name}\";q={};w={DAY};qu=\"tokens\"", limits.tokens_per_day), name, left, rest);
            }
            if limits.share(spent.tokens, spent.cost) >= 1.0 {
                let whose = if key.is_none() { "your questions of today" } else { "today's questions by this API key" };
                let detail = format!("{whose} have used up what the model may cost a day (limits.tokens_per_day, limits.cost_per_day)");
                return Err(Refused { error: ApiError::new(Code::TooManyRequests, detail).retry_after(rest), told: told.clone() });
            }
        }
        Ok(())
    }

    /// Takes so many questions at once, of a batch: all of them, or none.
    ///
    /// # Errors
    /// 429 where the hour has no room for them now, or the day's tokens are used up; 422 where it never has.
    pub async fn questions(&self, app: &App, caller: &Caller, count: u64) -> Result<Held> {
        let (user, key) = self.holding(app, caller.user_id, key_of(caller)).await;
        let mut told = Told::default();
        self.check_spending(app, caller, &user, &key, &mut told).await?;
        let takes = takes(caller, &user, &key, Use::Questions(count), 0.0);
        let takes: Vec<Take> = takes.into_iter().filter(|take| !take.name.ends_with("requests")).collect();
        if takes.is_empty() {
            return Ok(Held { app: app.clone(), back: Vec::new() });
        }
        if let Some(take) = takes.iter().find(|take| take.quota < count) {
            let message = format!("has {count} questions; one hour takes {} of them (limits.questions_per_hour)", take.quota);
            return Err(ApiError::field("questions", message));
        }
        let taken = self.buckets.take(&takes).await;
        match taken.wait {
            Some(wait) => {
                let mut of_buckets = Told::of(&takes, &taken.levels);
                of_buckets.join(told);
                Err(of_buckets.with(refused(&takes, &taken.levels, wait)))
            }
            None => Ok(Held { app: app.clone(), back: given_back(takes) }),
        }
    }

    /// Counts bytes of an upload whose request did not say how many they would be, in place of those that were taken for it: the bucket may
    /// not hold as many.
    pub async fn uploaded(&self, app: &App, caller: &Caller, bytes: u64) {
        let (user, key) = self.holding(app, caller.user_id, key_of(caller)).await;
        let takes = takes(caller, &user, &key, Use::Upload(bytes), 0.0).into_iter().filter(|take| take.name.ends_with("bytes"));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let takes: Vec<Take> = takes.map(|take| Take { amount: take.amount - UNSAID as f64, is_owed: true, ..take }).collect();
        if !takes.is_empty() {
            self.buckets.take(&takes).await;
        }
    }

    /// Takes room for a question that is asked singly: of the caller, and of the key that he comes by; none where there is no limit.
    ///
    /// # Errors
    /// 429 where as many questions are unanswered as may be.
    pub async fn room(&self, app: &App, caller: &Caller) -> Result<Rooms> {
        let (user, by) = (caller.user_id, key_of(caller));
        let (of_user, of_key) = self.holding(app, user, by).await;
        let his = self.unanswered.enter(&app.pool, (user, None), of_user.concurrent_questions).await?;
        let its = match self.unanswered.enter(&app.pool, (user, by), of_key.concurrent_questions.unwrap_or_default()).await {
            Ok(its) => its,
            Err(full) => {
                Rooms(his.into_iter().collect()).free();
                return Err(full);
            }
        };
        Ok(Rooms(his.into_iter().chain(its).collect()))
    }

    /// How the limits of a user stand, without using any of them.
    pub async fn standing(&self, app: &App, user: UserId, key: Option<ApiKeyId>) -> Standing {
        let (limits, of_key) = self.holding(app, user, key).await;
        let mut takes = user_takes(user, &limits, Use::Questions(0), 0.0);
        takes.extend(user_takes(user, &limits, Use::Upload(0), 0.0).into_iter().filter(|take| !take.name.ends_with("requests")));
        if let Some(key) = key {
            takes.extend(key_takes(user, key, &of_key, Use::Questions(0), 0.0));
            takes.extend(key_takes(user, key, &of_key, Use::Upload(0), 0.0).into_iter().filter(|take| !take.name.ends_with("requests")));
        }
        for take in &mut takes {
            take.amount = 0.0;
        }
        let levels = if takes.is_empty() { Vec::new() } else { self.buckets.take(&takes).await.levels };
        let levels = takes.iter().zip(levels).map(|(take, level)| (take.name, take.quota, take.window, level)).collect();
        let spent = self.spending.today(&app.pool, (user, None), &limits, app.clock.now()).await.map(|today| today.spent);
        Standing { user: limits, key: of_key, levels, spent }
    }

    /// Forgets what is known of a user whose limits, or whose key's, were changed here.
    pub fn forget(&self, user: UserId) {
        self.stored.forget(user);
    }
}

impl Admitted {
    /// The request counts, however it is answered.
    pub fn keep(&mut self) {
        self.back.clear();
    }

    /// Adds what is told to the answer, and gives back what the request was let in for if it was refused after all.
    pub fn close(self, app: &App, status: StatusCode, headers: &mut HeaderMap) {
        self.told.put(headers);
        if status.is_client_error() || status.is_server_error() {
            give_back(app, self.back);
        }
    }
}

/// Room for a question, of each limit that holds for it.
pub struct Rooms(Vec<Room>);

impl Rooms {
    /// No question was stored: somebody else may have the room at once.
    pub fn free(self) {
        self.0.into_iter().for_each(Room::free);
    }
}

/// Questions of a batch that are taken: given back where nothing comes of it, which is what happens unless they are [kept](Self::keep).
#[must_use]
pub struct Held {
    app: App,
    back: Vec<Take>,
}

impl Held {
    /// The batch is committed now, or it will not be known whether it was.
    pub fn keep(&mut self) {
        self.back.clear();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        give_back(&self.app, std::mem::take(&mut self.back));
    }
}

fn given_back(takes: impl IntoIterator<Item = Take>) -> Vec<Take> {
    takes.into_iter().map(|take| Take { amount: -take.amount, ..take }).collect()
}

fn give_back(app: &App, back: Vec<Take>) {
    if !back.is_empty() {
        let app = app.clone();
        lifecycle::spawn("limits.give_back", async move { app.limits.buckets.take(&back).await });
    }
}

/// A request that was not let in.
#[derive(Debug)]
pub struct Refused {
    error: ApiError,
    told: Told,
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        refused.told.with(refused.error)
    }
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        ApiError::from(self).into_response()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is taken is never negative here")]
fn needed(take: &Take) -> u64 {
    take.amount as u64
}

/// Which of the limits does not hold enough, and for how long.
fn refused(takes: &[Take], levels: &[Level], wait: Duration) -> ApiError {
    let short = takes.iter().zip(levels).find(|(take, level)| level.left < needed(take));
    let take = short.map_or(&takes[0], |(take, _)| take);
    let setting = match take.name.trim_start_matches("key-") {
        "requests" => "requests_per_minute",
        "questions" => "questions_per_hour",
        "uploads" => "uploads_per_hour",
        _ => "upload_mb_per_day",
    };
    let whose = if take.name.starts_with("key-") { "this API key" } else { "one user" };
    let detail = format!("{whose} has used up what may be used now (limits.{setting}); try again later");
    ApiError::new(Code::TooManyRequests, detail)
        .retry_after(Duration::from_secs(wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)))
}
