//! Faults strike as often as their rules say.
