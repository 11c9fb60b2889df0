//! Questions.

pub mod ask;
pub mod cancel;
pub mod chart;
pub mod exported;
pub mod get;
pub mod lines;
pub mod list;
pub mod reading;
pub mod rerun;
pub mod result;
mod shown;

pub use exported::sent;
pub use get::owned;
pub use reading::covers;
pub use shown::{QuestionView, QueueView, withheld};
