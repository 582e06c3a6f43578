//! What holds for the server as a whole: health, common headers, every error with its page, clean logs; and the small world that
//! all tests of this crate act in.

mod log;
mod routes;
mod tenants;
pub(crate) mod vendor;
pub(crate) mod world;
