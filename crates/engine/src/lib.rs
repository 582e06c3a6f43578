//! The loops: claim what is due, look, decide, write down, push, settle; refresh tokens; keep to budgets; ask the
//! sources for what their webhooks did not tell.
//!
//! Absent on purpose: any vendor by name, environment, files, real clocks and real HTTP. What can fail, wait or
//! surprise is handed in ([`World`]).

pub mod alerts;
pub mod calendars;
mod call;
pub mod depth;
mod describe;
mod directory;
mod dry_run;
mod engine;
pub mod intake;
mod job;
mod journal;
mod look;
pub mod mail;
mod mapping_check;
mod outcome;
mod pacing;
mod poll;
mod push;
pub mod records;
mod refusals;
mod setup;
mod standing;
mod templates;
mod token;
mod turn;
mod written;

pub use dry_run::{DryRun, DryRunError, RecordChange};
pub use engine::{Engine, LEASE_PER_CALL, Options, World};
pub use mapping_check::{Checked, MappingProblem};
pub use pacing::{Rest, Timer};
pub use poll::{PolledSource, Step};
pub use setup::{ConnectionSetup, GrantKind, Integration, Setup};
pub use standing::{AGREEMENT_VERSION, Flow};
pub use templates::{TemplateSource, Templating};
pub use written::{Setups, Written};
