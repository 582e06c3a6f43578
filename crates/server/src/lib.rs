//! HTTP in: webhooks, OAuth callbacks, the JSON API, the activity pages, health and metrics.
//!
//! A handler parses, calls, renders; it decides nothing. Absent on purpose: any vendor by name, SQL, environment,
//! files, real clocks and real chance.

mod api;
mod console;
mod guard;
mod health;
mod hooks;
mod oauth;
mod options;
mod page;
mod problem;
mod router;
mod serve;
mod session;
mod shared;
mod shown;

#[cfg(test)]
mod tests;

pub use api::{TOKEN_PREFIX, openapi_json};
pub use oauth::connect_link::ConnectLink;
pub use options::{AskKeys, Limits, ServerOptions};
pub use serve::Server;
pub use shared::{HintSetup, SourceSetup};
