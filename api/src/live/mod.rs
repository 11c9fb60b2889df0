//! Live answers: waking those who wait, and streams of events.

mod hub;
pub mod socket;
pub mod stream;
pub mod wait;

pub use hub::Hub;
