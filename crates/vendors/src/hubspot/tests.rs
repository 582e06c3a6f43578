//! Connecting an account, signatures, refusals; records in step have their tests beside them.

mod classifying;
mod connecting;
mod signing;
