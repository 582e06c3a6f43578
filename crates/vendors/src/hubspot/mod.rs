//! HubSpot: bookings, records in step, its OAuth, and whether a webhook is its own.
//!
//! What an account needs is in `README.md`; facts are in [`manifest`]; what leaves and comes back is in `api` and `wire`;
//! everything between is pure. Nothing here waits, refreshes, stores or logs, and nothing outside this folder names
//! HubSpot.

mod api;
mod batch;
mod classify;
mod convert;
mod describe;
mod hints;
mod limits;
pub mod manifest;
mod mirror;
mod oauth;
mod records;
mod roles;
mod settings;
pub mod signature;
mod span;
mod wire;

#[cfg(test)]
mod tests;

use syncline_connect::{
    BoxFuture, Connector, Error, Grant, Hints, Limits, Manifest, Mirror, OAuth, Records, Secret, Settings, TokenSet,
    oauth::{App, TokenCx},
};
use url::Url;

pub use manifest::MANIFEST;

/// The connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct HubSpot;

impl Connector for HubSpot {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn records(&self) -> Option<&dyn Records> {
        Some(self)
    }

    fn mirror(&self) -> Option<&dyn Mirror> {
        Some(self)
    }

    fn hints(&self) -> Option<&dyn Hints> {
        Some(self)
    }

    fn limits(&self) -> Option<&dyn Limits> {
        Some(self)
    }

    fn oauth(&self) -> Option<&dyn OAuth> {
        Some(self)
    }
}

impl OAuth for HubSpot {
    fn authorize_url(&self, app: &App, settings: &Settings, state: &str, challenge: &str) -> Result<Url, Error> {
        oauth::authorize_url(app, settings, state, challenge)
    }

    fn exchange<'a>(&'a self, cx: &'a TokenCx<'a>, grant: &'a Grant) -> BoxFuture<'a, Result<TokenSet, Error>> {
        Box::pin(oauth::exchange(cx, grant))
    }

    fn revoke<'a>(&'a self, cx: &'a TokenCx<'a>, token: &'a Secret) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(oauth::revoke(cx, token))
    }
}
