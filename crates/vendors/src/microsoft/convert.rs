//! What an event of Microsoft Graph means. Pure. Whatever cannot be read becomes an event that says so; what is private
//! loses its content here, before anybody else sees it.
//! <https://learn.microsoft.com/en-us/graph/api/resources/event>, read 2026-11.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use syncline_core::calendar::{
    event::{
        Attendee, Availability, Body, Content, Etag, Event, EventId, Moment, Part, Party, Reply, Status, Unreadable,
    },
    identity::{Rid, Uid},
    limits::shorten,
    zone::{self, UnknownZone},
};

use super::{
    pattern, text,
    wire::{self, Item, When},
};

/// What occurrences are called that are told apart by their series and their day, as Graph itself does for those that
/// were called off: an occurrence so has one name before and after.
const OCCURRENCE: &str = "OID";

/// The name of an occurrence.
pub fn occurrence_id(series: &str, day: Date) -> EventId {
    EventId(format!("{OCCURRENCE}.{series}.{day}"))
}

/// The series of an occurrence and the day, by its name; `None` where it is not the name of one.
pub fn part_of(id: &EventId) -> Option<(&str, Date)> {
    let rest = id.0.strip_prefix(OCCURRENCE)?.strip_prefix('.')?;
    let (series, day) = rest.rsplit_once('.')?;
    Some((series, day.parse().ok()?))
}

/// The series of an occurrence, by its name.
pub fn series_of(id: &EventId) -> Option<&str> {
    part_of(id).map(|(series, _)| series)
}

/// An event that is not there any more.
pub fn gone(id: EventId) -> Event {
    bare(id, None, None, Rid::Single)
}

/// A single event. `owner` is whose calendar it is, in the form in which addresses are compared.
pub fn single(item: &Item, owner: Option<&str>) -> Event {
    let body = match clock(item) {
        // The instant is exact whatever the zone is called, and nothing is reckoned from it.
        Err(_) if item.is_all_day != Some(true) => content(item, &(TimeZone::UTC, "UTC".to_owned()), Vec::new(), owner),
        Err(unknown) => Err(unknown.into()),
        Ok(clock) => content(item, &clock, Vec::new(), owner),
    };
    let id = EventId(item.id.clone());
    event(item, id, uid(item), None, Rid::Single, body)
}

/// A series: itself, the occurrences that differ from it, and those that were called off.
pub fn series(item: &Item, called_off: &[String], owner: Option<&str>) -> Vec<Event> {
    let Some(recurrence) = &item.recurrence else {
        // It was one when it was looked for.
        return vec![single(item, owner)];
    };
    let clock = clock(item);
    let is_day = item.is_all_day == Some(true);
    let whole = clock.clone().map_err(Unreadable::from).and_then(|clock| {
        let line = pattern::line(recurrence, &clock.0, is_day)?;
        content(item, &clock, vec![line], owner)
    });
    let days = Days::of(item, clock.as_ref().ok().map(|(zone, _)| zone));
    let uid = uid(item);
    let mut events = vec![event(item, EventId(item.id.clone()), uid.clone(), None, Rid::Single, whole)];
    let exceptions = item.exception_occurrences.iter().flatten();
    events.extend(exceptions.map(|one| exception(one, item, &clock, &days, owner)));
    let called_off = called_off.iter().filter_map(|name| tail_day(name));
    events.extend(called_off.filter_map(|day| {
        Some(bare(occurrence_id(&item.id, day), uid.clone(), Some(EventId(item.id.clone())), days.rid(day)?))
    }));
    events
}

/// One occurrence of a series as an event, whether or not it differs.
pub fn occurrence(series: &Item, one: &Item, owner: Option<&str>) -> Event {
    let clock = clock(series);
    let days = Days::of(series, clock.as_ref().ok().map(|(zone, _)| zone));
    exception(one, series, &clock, &days, owner)
}

fn exception(
    one: &Item,
    series: &Item,
    clock: &Result<(TimeZone, String), UnknownZone>,
    days: &Days<'_>,
    owner: Option<&str>,
) -> Event {
    let (day, rid) = days.of_exception(one);
    let id = day.map_or_else(|| EventId(one.id.clone()), |day| occurrence_id(&series.id, day));
    let body = match (&rid, clock) {
        (Err(fault), _) => Err(fault.clone()),
        (Ok(_), Err(unknown)) => Err(unknown.clone().into()),
        (Ok(_), Ok(clock)) => content(one, clock, Vec::new(), owner),
    };
    event(one, id, uid(series), Some(series.id.as_str()), rid.unwrap_or(Rid::Single), body)
}

fn bare(id: EventId, uid: Option<Uid>, series: Option<EventId>, rid: Rid) -> Event {
    Event {
        id,
        etag: None,
        uid,
        series,
        rid,
        and_following: false,
        status: Status::Cancelled,
        created: None,
        modified: None,
        sequence: 0,
        body: Body::Bare,
    }
}

fn event(
    item: &Item,
    id: EventId,
    uid: Option<Uid>,
    series: Option<&str>,
    rid: Rid,
    content: Result<Content, Unreadable>,
) -> Event {
    let event = Event {
        etag: item.etag.clone().map(Etag),
        status: if item.is_cancelled == Some(true) { Status::Cancelled } else { Status::Confirmed },
        created: item.created_date_time.as_deref().and_then(|at| at.parse().ok()),
        modified: item.last_modified_date_time.as_deref().and_then(|at| at.parse().ok()),
        body: match content {
            Ok(content) => Body::Open(Box::new(content)),
            Err(fault) => Body::Unreadable(fault),
        },
        ..bare(id, uid, series.map(|id| EventId(id.to_owned())), rid)
    };
    // A word that is not known is rather taken for private than for open.
    let is_open = matches!(item.sensitivity.as_deref(), None | Some("normal"));
    if is_open { event } else { event.hidden() }
}

/// The name of the meeting. Graph's older name is another for each occurrence; read as what it is, it is the same again.
fn uid(item: &Item) -> Option<Uid> {
    let read = |text: &Option<String>| text.as_deref().and_then(Uid::read);
    read(&item.uid).or_else(|| read(&item.ical_uid))
}

/// The zone whose clock counts: times are told in UTC. Of a series it is the one in which it repeats.
fn clock(item: &Item) -> Result<(TimeZone, String), UnknownZone> {
    fn named(name: Option<&String>) -> Option<&str> {
        name.map(String::as_str).filter(|name| !name.trim().is_empty())
    }
    let repeats = item.recurrence.as_ref().and_then(|all| all.range.as_ref());
    let name = named(repeats.and_then(|range| range.recurrence_time_zone.as_ref()))
        .or_else(|| named(item.original_start_time_zone.as_ref()))
        .or_else(|| named(item.start.as_ref().and_then(|start| start.time_zone.as_ref())));
    zone::canonical(name.unwrap_or("UTC"))
}

/// A time as an instant.
fn instant(when: &When) -> Result<Timestamp, Unreadable> {
    let broken = || Unreadable::Broken("its time has no form that is known".to_owned());
    let text = when.date_time.as_deref().ok_or(Unreadable::NoStart)?;
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime = text.parse().map_err(|_| broken())?;
    let moment = Moment::local(local, when.time_zone.as_deref().unwrap_or("UTC"))?;
    Ok(moment.instant(&TimeZone::UTC))
}

/// A day begins at midnight. It is told as that in every zone; where it is not, it is midnight by the event's own clock.
fn day(at: Timestamp, zone: &TimeZone) -> Date {
    let told = TimeZone::UTC.to_datetime(at);
    if told.time() == Time::midnight() { told.date() } else { zone.to_datetime(at).date() }
}

fn moment(when: &When, clock: &(TimeZone, String), is_day: bool) -> Result<Moment, Unreadable> {
    let at = instant(when)?;
    Ok(if is_day { Moment::Day(day(at, &clock.0)) } else { Moment::At { at, zone: clock.1.clone() } })
}

fn content(
    item: &Item,
    clock: &(TimeZone, String),
    recurrence: Vec<String>,
    owner: Option<&str>,
) -> Result<Content, Unreadable> {
    let (Some(start), Some(end)) = (&item.start, &item.end) else { return Err(Unreadable::NoStart) };
    let is_day = item.is_all_day == Some(true);
    let plain = |text: Option<&String>| text.map(|text| text.trim().to_owned()).unwrap_or_default();
    let (start, end) = (moment(start, clock, is_day)?, moment(end, clock, is_day)?);
    let is_mine = item.is_organizer == Some(true);
    let mut attendees: Vec<Attendee> = item.attendees.iter().flatten().filter_map(attendee).collect();
    // A guest's copy need not show among the attendees what the guest answered.
    let own = item.response_status.as_ref().filter(|_| !is_mine).map(reply).filter(|own| *own != Reply::Awaited);
    if let Some(own) = own
        && let Some(me) = attendees.iter_mut().find(|one| Some(one.who.email.as_str()) == owner)
    {
        me.reply = own;
    }
    let mut content = Content {
        summary: plain(item.subject.as_ref()),
        description: item.body.as_ref().map(text::plain).unwrap_or_default(),
        location: plain(item.location.as_ref().and_then(|place| place.display_name.as_ref())),
        recurrence,
        attendees,
        attendees_whole: is_mine || item.hide_attendees != Some(true),
        organizer: item.organizer.as_ref().and_then(|one| party(one.email_address.as_ref()?)),
        availability: match item.show_as.as_deref() {
            Some("free") => Availability::Free,
            _ => Availability::Busy,
        },
        ..Content::new(start, end)
    };
    shorten(&mut content);
    Ok(content)
}

fn party(address: &wire::Address) -> Option<Party> {
    Party::read(address.address.as_deref()?, address.name.as_deref())
}

fn attendee(one: &wire::Attendee) -> Option<Attendee> {
    let part = match one.kind.as_deref() {
        Some("resource") => Part::Resource,
        Some("optional") => Part::Optional,
        _ => Part::Required,
    };
    let reply = one.status.as_ref().map_or(Reply::Awaited, reply);
    Some(Attendee { who: party(one.email_address.as_ref()?)?, part, reply })
}

fn reply(status: &wire::Reply) -> Reply {
    match status.response.as_deref() {
        Some("accepted" | "organizer") => Reply::Accepted,
        Some("tentativelyAccepted") => Reply::Tentative,
        Some("declined") => Reply::Declined,
        _ => Reply::Awaited,
    }
}

/// The day at the end of an occurrence's name. What stands before it need not be the id that we call the series by.
fn tail_day(name: &str) -> Option<Date> {
    name.rsplit_once('.')?.1.parse().ok()
}

/// How days and occurrences of a series belong together.
struct Days<'a> {
    zone: Option<&'a TimeZone>,
    is_day: bool,
    /// When the series begins, by its own clock.
    time: Option<Time>,
}

impl<'a> Days<'a> {
    fn of(item: &Item, zone: Option<&'a TimeZone>) -> Self {
        let start = item.start.as_ref().and_then(|start| instant(start).ok());
        let time = start.zip(zone).map(|(at, zone)| zone.to_datetime(at).time());
        Self { zone, is_day: item.is_all_day == Some(true), time }
    }

    /// The occurrence of this day.
    fn rid(&self, day: Date) -> Option<Rid> {
        if self.is_day {
            return Some(Rid::On(day));
        }
        Some(Rid::of(&Moment::Floating(day.to_datetime(self.time?)), self.zone?))
    }

    /// The day of an occurrence that differs, and which one it is.
    fn of_exception(&self, one: &Item) -> (Option<Date>, Result<Rid, Unreadable>) {
        let named = one.occurrence_id.as_deref().and_then(tail_day);
        let original = one.original_start.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
        let local = original
            .zip(self.zone)
            .map(|(at, zone)| if self.is_day { day(at, zone) } else { zone.to_datetime(at).date() });
        let rid = match original {
            Some(at) if !self.is_day => Some(Rid::of(&Moment::utc(at), &TimeZone::UTC)),
            _ => named.or(local).and_then(|day| self.rid(day)),
        };
        // Without it nobody knows which occurrence this is.
        (named.or(local), rid.ok_or_else(|| Unreadable::Broken("its original start is not told".to_owned())))
    }
}
