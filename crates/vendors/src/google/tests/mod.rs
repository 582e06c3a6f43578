//! Against the imitation Google Calendar, and against rows as the documents show them.

mod rows;
mod site;
