//! Webhooks: endpoints (`webhook_endpoints`), what signs callbacks (`webhook_callback_secrets`), deliveries (`webhook_deliveries`) and
//! every attempt at them (`webhook_attempts`). Deliveries are made in the commit of their event, by the function `tell_webhooks` of the
//! database: see [`crate::store::events::insert`] and [`crate::store::ledger::finish_many`].

mod attempts;
mod callback_secrets;
mod deliveries;
mod endpoints;
mod finish;
mod replays;

pub(in crate::store) use self::{
    attempts::succeeded,
    deliveries::{ended, wait_for},
};
pub use self::{
    attempts::{Attempt, Disabling, Gone, failed},
    callback_secrets::{CallbackSecret, callback_secret, put_callback_secret, rotate_callback_secret},
    deliveries::{AttemptView, Delivery, DeliveryView, DueDelivery, ListOf, attempts_of, delivery, due, list},
    endpoints::{Change, Endpoint, NewEndpoint, delete, endpoint, endpoint_count, endpoints, insert, rotate, update},
    finish::{Delivered, delivered_many},
    replays::{MOST_REPLAYED, Place, Replayed, Since, replay, replay_since, test},
};

/// Attempts at one delivery.
pub const MAX_ATTEMPTS: i16 = 10;
/// How long the job of a delivery may live: longer than all waits together, `Retry-After` included.
pub const DEADLINE_SECONDS: f64 = 14.0 * 86_400.0;
