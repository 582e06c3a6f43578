//! Records in step against the imitation org, as function calls; every call is counted.

mod bulk;
mod changes;
pub mod lab;
mod pure;
mod reading;
mod scripted;
mod spoilt;
mod whole;
mod writing;
