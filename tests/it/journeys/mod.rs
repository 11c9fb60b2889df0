//! Whole ways through the product, as somebody goes them.

mod first_day;
mod tracing;
