//! Against the imitation Google Calendar, and against rows as the documents show them.

mod drafts;
mod rows;
mod site;
mod watches;
mod writes;
