//! Connectors: one folder and one Cargo feature per vendor, and the list of those that are compiled in.
//!
//! Vendors do not know one another. What must not live here: storage, loops, retries, or a second vendor's name inside
//! a vendor's folder.

#[cfg(feature = "activecampaign")]
pub mod activecampaign;
#[cfg(feature = "brevo")]
pub mod brevo;
#[cfg(feature = "calcom")]
pub mod calcom;
#[cfg(feature = "caldav")]
pub mod caldav;
#[cfg(feature = "calendly")]
pub mod calendly;
#[cfg(feature = "generic")]
pub mod generic;
#[cfg(feature = "google")]
pub mod google;
#[cfg(feature = "hubspot")]
pub mod hubspot;
#[cfg(feature = "meetergo")]
pub mod meetergo;
#[cfg(feature = "microsoft")]
pub mod microsoft;
#[cfg(feature = "salesforce")]
pub mod salesforce;

#[cfg(any(feature = "activecampaign", feature = "brevo", feature = "google", feature = "microsoft"))]
mod call;
#[cfg(any(feature = "caldav", feature = "google"))]
mod guests;
pub mod intake;
#[cfg(any(feature = "google", feature = "hubspot", feature = "microsoft"))]
mod markup;
#[cfg(any(feature = "google", feature = "hubspot", feature = "microsoft", feature = "salesforce"))]
mod oauth;
#[cfg(any(feature = "activecampaign", feature = "brevo"))]
mod spans;
#[cfg(test)]
mod testing;
#[cfg(any(feature = "google", feature = "hubspot", feature = "microsoft", feature = "salesforce"))]
mod texts;

use syncline_connect::Connector;

/// Every connector that is compiled in; each names itself in its manifest.
pub fn all() -> &'static [&'static dyn Connector] {
    &[
        #[cfg(feature = "activecampaign")]
        &activecampaign::ActiveCampaign,
        #[cfg(feature = "brevo")]
        &brevo::Brevo,
        #[cfg(feature = "calcom")]
        &calcom::Calcom,
        #[cfg(feature = "caldav")]
        &caldav::CalDav,
        #[cfg(feature = "calendly")]
        &calendly::Calendly,
        #[cfg(feature = "generic")]
        &generic::Generic,
        #[cfg(feature = "google")]
        &google::Google,
        #[cfg(feature = "hubspot")]
        &hubspot::HubSpot,
        #[cfg(feature = "meetergo")]
        &meetergo::Meetergo,
        #[cfg(feature = "microsoft")]
        &microsoft::Microsoft,
        #[cfg(feature = "salesforce")]
        &salesforce::Salesforce,
    ]
}
