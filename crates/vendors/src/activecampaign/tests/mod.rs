//! The connector against its documents and against the imitation account.

mod accounts;
mod asking;
mod classifying;
mod converting;
mod deals;
mod importing;
mod reading;
mod world;
mod writing;
