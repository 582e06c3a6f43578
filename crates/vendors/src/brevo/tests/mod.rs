//! The connector against its documents and against the imitation account.

mod asking;
mod classifying;
mod companies;
mod converting;
mod deals;
mod importing;
mod reading;
mod walking;
mod world;
mod writing;
