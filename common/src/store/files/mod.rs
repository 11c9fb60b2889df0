//! Uploaded files (`files`) and their contents (`workbooks`).

mod analyses;
mod removal;
mod uploads;
mod workbooks;

pub use analyses::{Asked, NewAnalysis, ask, newest};
pub use removal::{Removed, remove};
pub use uploads::{File, NewContent, NewFile, find, insert, list, lock, move_to};
pub use workbooks::{Published, Reading, Workbook, claim, forget, is_there, of_file, publish};
