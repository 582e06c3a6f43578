//! All SQL of Syncline.

pub mod types;

pub use types::*;
