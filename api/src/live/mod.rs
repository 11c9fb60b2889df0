//! Live answers: waking those who wait, and streams of events.

mod hub;
mod inbox;
mod listen;
mod looks;
mod registry;
mod sees;
mod signed_in;
pub mod socket;
pub mod stream;
mod tail;
pub mod wait;

pub use hub::Hub;
