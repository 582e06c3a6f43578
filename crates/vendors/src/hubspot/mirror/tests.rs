//! Records in step against the imitation account, as function calls; every call is counted.

mod changes;
mod lab;
mod reading;
pub mod scripted;
mod spoilt;
mod ties;
mod writing;
