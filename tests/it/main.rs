//! The integration tests, in one program: linking one is quicker than linking eight.

mod api;
mod architecture;
mod bare;
mod batches;
mod broker;
mod cli;
mod contract;
mod faults;
mod journeys;
mod ledger;
mod migrations;
mod questions;
mod schedules;
mod upkeep;
mod webhooks;
mod workbooks;
