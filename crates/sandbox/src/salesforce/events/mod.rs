//! Change Data Capture and the Pub/Sub API: what changes in the org becomes events in Avro, which are kept for 72 hours
//! and delivered over gRPC to whoever listens.
//!
//! Built from <https://developer.salesforce.com/docs/platform/pub-sub-api/guide/>,
//! <https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/> and, for the
//! names and numbers of fields, `pubsub_api.proto` of <https://github.com/forcedotcom/pub-sub-api>, all read 2026-11; the
//! file itself is not part of this project. Publishing and managed subscriptions are not imitated, nor are allocations of
//! deliveries.

mod avro;
mod bus;
mod service;
#[cfg(test)]
mod tests;
mod wire;

pub use bus::{Author, Bus, Write, WriteKind};
pub use service::is_method;
