//! Who turns questions into SQL: an OpenAI-compatible model, or the offline planner where no model is configured.

mod identifiers;
pub mod offline;
pub mod openai;
pub mod prompt;
pub mod reply;
mod windows;

use std::sync::{Arc, Mutex, PoisonError};

use datagenie_common::{
    live_settings::LiveSettings,
    model::questions::Usage,
    settings::{Llm, Settings},
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::capacity::Capacity;

/// What a model (or the planner) proposes. Only `sql` is required for a database question; everything else is used when present.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The statement.
    pub sql: Option<String>,
    /// How the question was read.
    pub explanation: Option<String>,
    /// A chart that would suit.
    pub chart: Option<String>,
    /// A sentence with placeholders, which code fills from the rows.
    pub summary: Option<String>,
    /// Whether the question can be answered from this data.
    pub answerable: Option<bool>,
    /// What to ask back.
    pub clarification: Option<String>,
    /// Text that answers a question without data.
    pub answer: Option<String>,
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// Its text.
    pub text: String,
    /// What it cost.
    pub usage: Usage,
}

/// Who drafts.
pub enum Drafter {
    /// A model over HTTP.
    Model(openai::Model),
    /// Rules, without any model.
    Offline,
}

impl Drafter {
    /// The drafter that the settings call for; a model's calls count among the fleet's, and `pool` is the system database.
    ///
    /// # Errors
    /// If the HTTP client can't be made.
    pub fn new(settings: &Llm, capacity: Capacity, pool: PgPool) -> Result<Self, reqwest::Error> {
        if settings.configured() { openai::Model::new(settings, capacity, pool).map(Self::Model) } else { Ok(Self::Offline) }
    }

    /// Its name, for `provenance.model`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Model(model) => model.name(),
            Self::Offline => offline::MODEL_NAME,
        }
    }
}

/// Who drafts by the settings as they are now.
pub struct Drafters {
    live_settings: LiveSettings,
    capacity: Capacity,
    pool: PgPool,
    newest: Mutex<Newest>,
}

struct Newest {
    /// What it was made by.
    settings: Arc<Settings>,
    drafter: Arc<Drafter>,
}

impl Drafters {
    /// Begins with the drafter that the settings call for now.
    ///
    /// # Errors
    /// If the HTTP client can't be made.
    pub fn new(live_settings: LiveSettings, capacity: Capacity, pool: PgPool) -> Result<Self, reqwest::Error> {
        let settings = live_settings.get();
        let drafter = Arc::new(Drafter::new(&settings.llm, capacity.clone(), pool.clone())?);
        Ok(Self { live_settings, capacity, pool, newest: Mutex::new(Newest { settings, drafter }) })
    }

    /// The drafter that the settings call for now. A question keeps the one that it began with.
    #[must_use]
    pub fn now(&self) -> Arc<Drafter> {
        let settings = self.live_settings.get();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&newest.settings, &settings) {
            if !newest.settings.llm.is_like(&settings.llm) {
                match Drafter::new(&settings.llm, self.capacity.clone(), self.pool.clone()) {
                    Ok(drafter) => {
                        tracing::info!(model = drafter.name(), "the model's settings changed");
                        newest.drafter = Arc::new(drafter);
                    }
                    Err(error) => tracing::error!(error = %error, "no client for the model as it is set now; the earlier one goes on"),
                }
            }
            newest.settings = settings;
        }
        newest.drafter.clone()
    }
}
