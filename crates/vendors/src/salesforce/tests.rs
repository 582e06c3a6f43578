//! The folder's tests, one file per promise. They meet Salesforce as a scripted world over `Http`.

mod assigning;
mod attending;
mod carrying;
mod checking;
mod classifying;
mod converting;
mod describing;
mod finding;
mod graphs;
mod ids;
mod logged;
mod logging_in;
mod queries;
mod recent;
mod refusing;
mod tracing;
pub mod world;
mod writing;

use syncline_connect::Settings;

use super::settings::Org;

/// The settings as they are when nothing is set.
pub fn org() -> Org {
    Org::read(&Settings::new(), "test").unwrap()
}
