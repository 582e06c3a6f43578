//! Change Data Capture over the Pub/Sub API, as a wake-up: an event says that a record changed, and the record is then
//! read like any other. No value of an event is ever used.
//!
//! `channel`: where to listen, by the settings; `wire`: the messages; `grpc`: their framing over an open exchange;
//! `avro`: as much of an event's body as tells which records it is about; `header`: what that means; `subscription`: the
//! exchange that stays open.
//!
//! Facts: <https://developer.salesforce.com/docs/platform/pub-sub-api/guide/> and
//! <https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/>, read 2026-11. The
//! messages are written by hand; `pubsub_api.proto` of <https://github.com/forcedotcom/pub-sub-api>, which tells the numbers
//! of their fields, is not part of this project.

mod avro;
mod channel;
mod grpc;
mod header;
mod subscription;
#[cfg(test)]
mod tests;
mod wire;

use syncline_connect::{Announcements, BoxFuture, Cx, Error, ErrorKind, Listen, Opening, Retry, Settings};

use super::Salesforce;

pub(super) const OP: &str = "listen";

impl Listen for Salesforce {
    fn wanted(&self, settings: &Settings) -> bool {
        channel::wanted(settings)
    }

    fn open<'a>(&'a self, cx: &'a Cx<'a>, from: Opening<'a>) -> BoxFuture<'a, Result<Box<dyn Announcements>, Error>> {
        Box::pin(async move {
            let open = subscription::Subscription::open(cx, from).await?;
            Ok(Box::new(open) as Box<dyn Announcements>)
        })
    }
}

fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, OP, message)
}

fn protocol(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Backoff, OP, message)
}
