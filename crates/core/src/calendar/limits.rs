//! How much of an event is kept. Calendars take longer texts than anybody reads; what is too long is shortened, and the
//! event tells so.

use unicode_segmentation::UnicodeSegmentation;

use super::event::{Attendee, Content, Party, Shortened};

/// Longest subject, in characters: several times of what a CRM's own field takes (255).
pub const SUMMARY_CHARS_MAX: usize = 1_000;

/// Longest description, in characters: the length of a long text area in CRMs.
pub const DESCRIPTION_CHARS_MAX: usize = 32_000;

/// Longest place, in characters.
pub const LOCATION_CHARS_MAX: usize = 1_000;

/// Longest name of a person, in characters.
pub const NAME_CHARS_MAX: usize = 255;

/// Most attendees: the highest number that a calendar takes.
pub const ATTENDEES_MAX: usize = 500;

/// Brings a content within the limits; it says from then on what that took.
pub fn shorten(content: &mut Content) {
    let mut cut = std::mem::take(&mut content.shortened);
    let mut text = |text: &mut String, max: usize, what: Shortened| {
        if cut_to(text, max) {
            cut.insert(what);
        }
    };
    text(&mut content.summary, SUMMARY_CHARS_MAX, Shortened::Summary);
    text(&mut content.description, DESCRIPTION_CHARS_MAX, Shortened::Description);
    text(&mut content.location, LOCATION_CHARS_MAX, Shortened::Location);
    let people = content.attendees.iter_mut().map(|attendee: &mut Attendee| &mut attendee.who);
    for Party { name, .. } in people.chain(&mut content.organizer) {
        if let Some(name) = name {
            text(name, NAME_CHARS_MAX, Shortened::Name);
        }
    }
    if content.attendees.len() > ATTENDEES_MAX {
        // Whom a list names first is chance, and which of them are kept must not be.
        content.attendees.sort();
        content.attendees.truncate(ATTENDEES_MAX);
        content.attendees_whole = false;
        cut.insert(Shortened::Attendees);
    }
    content.shortened = cut;
}

/// Cuts a text between two characters as people see them; whether it was too long.
fn cut_to(text: &mut String, max: usize) -> bool {
    if text.len() <= max || text.chars().count() <= max {
        return false;
    }
    let mut chars = 0;
    let mut end = 0;
    for whole in text.graphemes(true) {
        chars += whole.chars().count();
        if chars > max {
            break;
        }
        end += whole.len();
    }
    text.truncate(end);
    true
}
