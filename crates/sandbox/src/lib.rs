//! Imitation vendors, built from the vendors' own documents, to test programs that talk to them.
//!
//! Each vendor is a world that answers HTTP requests by a plain function call, and can also be served on a socket.
//! Nothing here knows a connector, a database, or the program under test.

pub mod activecampaign;
pub mod brevo;
pub mod calcom;
pub mod calendly;
#[cfg(test)]
mod client_tests;
mod deliveries;
mod faults;
pub mod google;
mod grants;
pub mod hubspot;
pub mod journal;
mod mails;
pub mod microsoft;
mod recur;
mod reply;
pub mod salesforce;
mod serve;
pub mod talk;
mod web;

pub use activecampaign::{ActiveCampaignAccount, ActiveCampaignConfig};
pub use brevo::{BrevoAccount, BrevoConfig};
pub use calcom::{CalcomAccount, CalcomConfig};
pub use calendly::{CalendlyConfig, CalendlyOrg};
pub use deliveries::HookDelivery;
pub use faults::{Fault, FaultKind, FaultRule, Faults, Refusal, Tally};
pub use google::{GoogleConfig, GoogleWorkspace};
pub use hubspot::{HubSpotAccount, HubSpotConfig};
pub use mails::{CalendarMail, MailMethod};
pub use microsoft::{MicrosoftConfig, MicrosoftTenant};
pub use reply::{Delivery, Reply};
pub use salesforce::{SalesforceConfig, SalesforceOrg};
pub use serve::serve;
pub use web::{Site, Webhook};
