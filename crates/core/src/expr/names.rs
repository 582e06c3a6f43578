//! Every name that an expression may use, with what it means. The reference in `docs/mapping.md` is made from this
//! table, a scope is tested to have each of them, and a name that is not here is refused when it is saved.

/// What an expression is about, and so which names it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// [`NAMES`].
    Booking,
    /// `value` and the fields of `record`.
    Record,
}

/// One name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// As `invitee.email`; `guests[].email` for the entries of a list, `tracking.*` for whatever the booking brings.
    pub path: &'static str,
    pub kind: &'static str,
    pub about: &'static str,
}

macro_rules! names {
    ($($path:literal: $kind:literal = $about:literal),* $(,)?) => {
        /// All names.
        pub const NAMES: &[Name] = &[$(Name { path: $path, kind: $kind, about: $about }),*];
    };
}

names! {
    "booking.id": "text" = "Syncline's own id of the booking, the same for all its reschedules",
    "booking.source": "text" = "name of the connection that the booking came from",
    "booking.title": "text" = "what the event is called",
    "booking.meeting_type": "text" = "slug, id or URI of the meeting type",
    "booking.meeting_type_name": "text" = "name of the meeting type",
    "booking.status": "text" = "`active`, `unconfirmed`, `reschedule_requested`, `rejected`, `cancelled` or `form`",
    "booking.start": "time" = "beginning",
    "booking.end": "time" = "end",
    "booking.minutes": "number" = "how long it takes",
    "booking.first_start": "time" = "beginning before the first reschedule; the beginning where there was none",
    "booking.previous_start": "time" = "beginning before the last reschedule",
    "booking.reschedules": "number" = "how often it was moved",
    "booking.reschedule_reason": "text" = "reason of the last reschedule",
    "booking.rescheduled_by": "text" = "who moved it last",
    "booking.cancel_reason": "text" = "reason of the cancellation or the refusal",
    "booking.cancelled_by": "text" = "who cancelled it",
    "booking.is_cancelled": "true or false" = "whether it is cancelled or refused",
    "booking.is_no_show": "true or false" = "whether the invitee is marked as not having come",
    "booking.location": "text" = "place, phone number or join link",
    "booking.notes": "text" = "the invitee's notes",
    "booking.reschedule_url": "text" = "link to move it",
    "booking.cancel_url": "text" = "link to cancel it",
    "booking.calendar_id": "text" = "what a calendar knows the meeting by",
    "booking.record_hint": "text" = "the CRM record id that came with the booking link, unchecked",
    "booking.description": "text" = "the event's standard description, all of the above in words",
    "booking.raw": "text" = "the message that the booking's content comes from, as its source sent it",
    "invitee.email": "text" = "as the person typed it",
    "invitee.name": "text" = "whole name",
    "invitee.first_name": "text" = "first name; missing where only one name is known",
    "invitee.last_name": "text" = "last name, never missing",
    "invitee.phone": "text" = "phone number",
    "invitee.time_zone": "text" = "as `Europe/Berlin`",
    "invitee.language": "text" = "as `de`",
    "invitee.domain": "text" = "the part of the address behind the @, in lower case",
    "guests[].email": "text" = "address of a guest; other seats of a group meeting are guests, too",
    "guests[].name": "text" = "name of a guest",
    "guests[].first_name": "text" = "first name of a guest",
    "guests[].last_name": "text" = "last name of a guest",
    "guests[].phone": "text" = "phone number of a guest",
    "guests[].time_zone": "text" = "time zone of a guest",
    "guests[].language": "text" = "language of a guest",
    "guests[].domain": "text" = "e-mail domain of a guest",
    "guest.email": "text" = "the guest whose own record is written; nobody elsewhere",
    "guest.name": "text" = "name of that guest",
    "guest.first_name": "text" = "first name of that guest",
    "guest.last_name": "text" = "last name of that guest",
    "guest.phone": "text" = "phone number of that guest",
    "guest.time_zone": "text" = "time zone of that guest",
    "guest.language": "text" = "language of that guest",
    "guest.domain": "text" = "e-mail domain of that guest",
    "host.email": "text" = "address of the organiser",
    "host.name": "text" = "name of the organiser",
    "host.time_zone": "text" = "time zone of the organiser",
    "hosts[].email": "text" = "address of a host; the organiser comes first",
    "hosts[].name": "text" = "name of a host",
    "hosts[].time_zone": "text" = "time zone of a host",
    "answers[].key": "text" = "the tool's own name of a question",
    "answers[].label": "text" = "the question as people read it",
    "answers[].value": "text" = "what was answered",
    "utm.source": "text" = "campaign tracking",
    "utm.medium": "text" = "campaign tracking",
    "utm.campaign": "text" = "campaign tracking",
    "utm.term": "text" = "campaign tracking",
    "utm.content": "text" = "campaign tracking",
    "tracking.*": "text" = "any tracking value by its own name, as `tracking.utm_source` or `tracking[\"gclid\"]`",
    "owner.id": "record" = "the CRM user who owns the booking's records",
    "person.id": "record" = "the contact or lead; goes into a reference field",
    "person.role": "text" = "`contact` or `lead`",
    "person.is_new": "true or false" = "whether this booking creates it",
    "person.fields.*": "any" = "a field of the contact or lead as it stands in the CRM, by the CRM's own name; missing for a new one",
    "account.id": "record" = "the person's account",
    "account.is_new": "true or false" = "whether this booking creates it",
    "account.fields.*": "any" = "a field of the account as it stands in the CRM",
    "case.id": "record" = "the booking's case",
    "case.is_new": "true or false" = "whether this turn creates it",
    "case.fields.*": "any" = "a field of the case as it stands in the CRM",
    "opportunity.id": "record" = "the booking's opportunity",
    "opportunity.is_new": "true or false" = "whether this turn creates it",
    "opportunity.fields.*": "any" = "a field of the opportunity as it stands in the CRM",
    "meeting.id": "record" = "the booking's event",
    "meeting.is_new": "true or false" = "whether this turn creates it",
    "meeting.fields.*": "any" = "a field of the event as it stands in the CRM",
}

/// What is known of a value before there is one: where in [`NAMES`] it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A group of names or a list, by its path.
    Path(String),
    /// Nothing is known, so nothing is refused.
    Any,
}

/// Whether the name begins one of [`NAMES`].
pub(super) fn is_root(name: &str) -> bool {
    roots().any(|root| root == name)
}

/// The first words of all names, each once.
pub(super) fn roots() -> impl Iterator<Item = &'static str> {
    let first = |name: &Name| name.path.split(['.', '[']).next().unwrap_or_default();
    let mut last = "";
    NAMES.iter().map(first).filter(move |root| std::mem::replace(&mut last, root) != *root)
}

/// What stands under `name` of a group, or which names there are instead.
pub(super) fn part(shape: &Shape, name: &str) -> Result<Shape, Vec<&'static str>> {
    let Shape::Path(path) = shape else { return Ok(Shape::Any) };
    let inner = format!("{path}.{name}");
    if NAMES.iter().any(|known| known.path == inner) {
        return Ok(Shape::Any);
    }
    if NAMES.iter().any(|known| known.path.strip_prefix(&inner).is_some_and(|rest| rest.starts_with(['.', '[']))) {
        return Ok(Shape::Path(inner));
    }
    let under: Vec<&str> = NAMES.iter().filter_map(|known| known.path.strip_prefix(path)?.strip_prefix('.')).collect();
    if under.contains(&"*") {
        return Ok(Shape::Any);
    }
    Err(under.into_iter().filter_map(|rest| rest.split('.').next()).collect())
}

/// What an entry of a list is.
pub(super) fn entry(shape: &Shape) -> Shape {
    match shape {
        Shape::Path(path) if NAMES.iter().any(|known| known.path.starts_with(&format!("{path}[]"))) => {
            Shape::Path(format!("{path}[]"))
        }
        _ => Shape::Any,
    }
}

/// Whether a shape is a list.
pub(super) fn is_list(shape: &Shape) -> bool {
    entry(shape) != Shape::Any
}

/// The name that is most like this one, where one is like it at all.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// More than these many slips, and it is another word.
    const SLIPS_MAX: usize = 3;
    let distance = |other: &str| {
        let other: Vec<char> = other.chars().collect();
        let mut row: Vec<usize> = (0..=other.len()).collect();
        for (i, a) in name.chars().enumerate() {
            let mut diagonal = row[0];
            row[0] = i + 1;
            for (j, b) in other.iter().enumerate() {
                let above = row[j + 1];
                row[j + 1] = (diagonal + usize::from(a != *b)).min(above + 1).min(row[j] + 1);
                diagonal = above;
            }
        }
        row[other.len()]
    };
    // What is longer than any name is like none, and comparing it would cost.
    if name.len() > 64 {
        return None;
    }
    let (slips, found) = known.into_iter().map(|other| (distance(other), other)).min()?;
    (slips <= SLIPS_MAX && slips < name.chars().count()).then_some(found)
}
