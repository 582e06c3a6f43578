//! The booking core, attacked: true stories are told out of order and twice, to a small CRM that refuses what real ones
//! refuse.

mod converge;
mod crash;
mod edits;
mod fold;
mod hostile;
mod matching;
mod records;
mod story;
mod text;
mod world;
