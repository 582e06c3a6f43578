//! What is said over WebDAV: the questions as XML, and what an answer of many parts holds. Pure; what it means for a
//! calendar is not known here.

mod answer;
pub mod ask;
mod xml;

#[cfg(test)]
mod tests;

pub use self::{
    answer::{Multistatus, Row, conditions},
    xml::{Element, Space},
};
