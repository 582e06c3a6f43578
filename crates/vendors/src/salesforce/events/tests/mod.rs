//! What is announced is heard: by pure tables and hostile bytes, and at the sandbox.

mod hostile;
mod listening;
mod reading;
