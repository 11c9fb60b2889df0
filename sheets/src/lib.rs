//! Spreadsheets: reads any workbook, finds the tables that people made in it, says what is in them, and turns them into a SQLite file.
//!
//! Pure but for the files it is given, and synchronous: a worker runs it in a child process with limits (`worker/src/workbooks`), because
//! a hostile workbook may make any reader use all memory or abort.
//!
//! The path of a workbook: [`read`] (bytes → cells) → [`tables`] (cells → typed tables) → [`analyse`] (tables → figures, charts and
//! sentences) and [`database`] (tables → SQLite). What is assumed on the way is said in both languages ([`words`]).

pub mod analyse;
pub mod database;
pub mod error;
pub mod grid;
pub mod limits;
pub mod read;
pub mod run;
pub mod skipped;
pub mod tables;
pub mod texts;
pub mod times;
pub mod words;
