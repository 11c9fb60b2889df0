//! The sample shop: the same rows as a PostgreSQL, a SQLite and, if asked, a MariaDB database, the same on every machine.

pub mod calendar;
pub mod mysql;
pub mod names;
pub mod postgres;
pub mod random;
pub mod shop;
pub mod sqlite;

#[cfg(test)]
mod tests;
