//! Who is invited to an event and who no longer is: the difference of two lists, for calendars that take the list as a whole
//! or line by line. What others answered is never part of it.

use syncline_core::calendar::event::{Attendee, Content, Part};

/// Who comes, who goes, and who is there for something else, by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guests<'a> {
    pub come: Vec<&'a Attendee>,
    pub go: Vec<&'a str>,
    pub part: Vec<(&'a str, Part)>,
}

impl<'a> Guests<'a> {
    /// What differs between two lists. Somebody whom a list that lacks some does not name has not gone.
    pub fn between(from: &'a Content, to: &'a Content) -> Self {
        let find = |all: &'a [Attendee], email: &str| all.iter().find(|one| one.who.email == email);
        let mut out = Self::default();
        for guest in &to.attendees {
            match find(&from.attendees, &guest.who.email) {
                None => out.come.push(guest),
                // What is a thing and what a person is said once, when it comes.
                Some(before) if before.part == guest.part || [before.part, guest.part].contains(&Part::Resource) => {}
                Some(_) => out.part.push((&guest.who.email, guest.part)),
            }
        }
        if to.attendees_whole {
            let gone = from.attendees.iter().filter(|one| find(&to.attendees, &one.who.email).is_none());
            out.go.extend(gone.map(|one| one.who.email.as_str()));
        }
        out
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The part that somebody takes now, where that changes.
    pub fn part_of(&self, email: &str) -> Option<Part> {
        self.part.iter().find(|(who, _)| *who == email).map(|(_, part)| *part)
    }
}
