//! Questions.

pub mod ask;
pub mod cancel;
pub mod chart;
pub mod get;
pub mod list;
pub mod result;
mod shown;

pub use get::owned;
pub use shown::{QuestionView, QueueView};
