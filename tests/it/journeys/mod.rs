//! Whole ways through the product, as somebody goes them.

mod backup;
mod first_day;
mod tracing;
