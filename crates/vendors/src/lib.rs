//! One folder and one Cargo feature per vendor. A folder knows its vendor and the contract, and no other folder.

#[cfg(feature = "salesforce")]
pub mod salesforce;
