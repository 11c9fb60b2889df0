//! Whole ways through the product, as somebody goes them.

mod backup;
mod collected;
mod first_day;
mod guide;
mod rotation;
mod secrets;
mod tracing;
mod unshown;
