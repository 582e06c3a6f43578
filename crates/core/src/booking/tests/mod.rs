//! The booking core, attacked: true stories are told out of order and twice, to a small CRM that refuses what real ones
//! refuse.

mod converge;
mod crash;
mod edits;
mod fold;
mod hostile;
mod life;
mod mapped;
mod mapping;
mod matching;
mod people;
mod records;
mod stored;
mod story;
mod text;
mod ties;
mod unite;
mod world;

use crate::cases::cases;
