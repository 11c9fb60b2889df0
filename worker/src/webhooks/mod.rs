//! Sends webhooks: where they may go, one exchange, and when to try again.

mod addresses;
mod resolver;
pub mod schedule;
mod sender;

pub use self::sender::{Exchange, SendError, Sender, Signed};
