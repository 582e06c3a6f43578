//! Events as they are now, by their ids: what a delta said about them is mostly a hint and no more. Read in batches, one after
//! the other: the service itself works on four requests of a mailbox at a time, and takes no more.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;
use syncline_connect::{Cx, Error, ErrorKind, Retry, calendar::CalendarId};
use syncline_core::{
    calendar::event::{Body, Event, EventId, Status, Unreadable},
    person::normal_email,
};

use super::{
    api::{self, Found},
    convert,
    manifest::{BATCH_MAX, EXCEPTION_PAGES_MAX},
    wire::{Calendar, CalledOff, Item},
};

/// What a look at an id came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// The event; of a series, too, what differs from it and what was called off.
    Here(Vec<Event>),
    /// An occurrence: whatever there is to be told of it comes with its series.
    Occurrence,
    /// There is none.
    Gone,
}

/// What is looked at: ids of which nothing is known, ids of series, and single events that were told already.
#[derive(Debug, Default)]
pub struct Wanted {
    pub told: Vec<Item>,
    pub ids: BTreeSet<String>,
    pub series: BTreeSet<String>,
}

/// What was found by id, and how many requests it took.
#[derive(Debug, Default)]
pub struct Looked {
    pub found: BTreeMap<String, Look>,
    pub requests: u32,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    /// Whose calendar it is.
    Owner,
    Event(String),
    Series(String),
    CalledOff(String),
}

impl Ask {
    fn path(&self, cx: &Cx<'_>, calendar: &CalendarId) -> Result<String, Error> {
        match self {
            Ask::Owner => api::path(cx, calendar, &[], "$select=owner"),
            Ask::Event(id) => api::path(cx, calendar, &["events", id], ""),
            Ask::Series(id) => api::path(cx, calendar, &["events", id], "$expand=exceptionOccurrences"),
            // Only told where it is asked for by name, and then nothing else is.
            Ask::CalledOff(id) => api::path(cx, calendar, &["events", id], "$select=cancelledOccurrences"),
        }
    }
}

/// Looks at all of these. Series that only show themselves now are read in a second round.
pub async fn look(cx: &Cx<'_>, calendar: &CalendarId, wanted: Wanted) -> Result<Looked, Error> {
    let mut looked = Looked::default();
    let is_owners = |item: &Item| item.is_organizer == Some(true);
    if wanted.ids.is_empty() && wanted.series.is_empty() && wanted.told.iter().all(is_owners) {
        looked.found = wanted.told.iter().map(|item| (item.id.clone(), single(item, None))).collect();
        return Ok(looked);
    }
    let ids = wanted.ids.difference(&wanted.series).cloned().map(Ask::Event);
    let asks: Vec<Ask> = std::iter::once(Ask::Owner).chain(ids).chain(of_series(&wanted.series)).collect();
    let mut answers = ask(cx, calendar, asks, &mut looked.requests).await?;
    let owner = match answers.remove(&Ask::Owner) {
        Some(Found::Here(body)) => parsed::<Calendar>(body).and_then(|one| normal_email(&one.owner?.address?)),
        // Where there is no calendar, that an event is not found says nothing of the event.
        Some(Found::Gone) => return Err(no_calendar()),
        Some(Found::Refused(_)) | None => None,
    };
    looked.found.extend(wanted.told.iter().map(|item| (item.id.clone(), single(item, owner.as_deref()))));
    let mut later = BTreeSet::new();
    for id in wanted.ids.difference(&wanted.series) {
        let look = match answers.remove(&Ask::Event(id.clone())) {
            Some(Found::Here(body)) => match parsed::<Item>(body) {
                None => Look::Here(vec![unreadable(id, NO_FORM)]),
                Some(item) if item.kind.as_deref() == Some("seriesMaster") => {
                    later.insert(id.clone());
                    continue;
                }
                Some(Item { series_master_id: Some(series), .. }) => {
                    later.insert(series);
                    Look::Occurrence
                }
                Some(item) => single(&item, owner.as_deref()),
            },
            Some(Found::Refused(error)) => Look::Here(vec![unreadable(id, &told(&error))]),
            Some(Found::Gone) | None => Look::Gone,
        };
        looked.found.insert(id.clone(), look);
    }
    let later: BTreeSet<String> = later.difference(&wanted.series).cloned().collect();
    answers.extend(ask(cx, calendar, of_series(&later).collect(), &mut looked.requests).await?);
    for id in later.into_iter().chain(wanted.series) {
        let whole = answers.remove(&Ask::Series(id.clone()));
        let called_off = answers.remove(&Ask::CalledOff(id.clone()));
        let look = match (whole, called_off) {
            (Some(Found::Here(whole)), Some(Found::Here(called_off))) => {
                let (events, requests) = series(cx, &id, whole, called_off, owner.as_deref()).await?;
                looked.requests += requests;
                Look::Here(events)
            }
            (Some(Found::Refused(error)), _) | (_, Some(Found::Refused(error))) => {
                Look::Here(vec![unreadable(&id, &told(&error))])
            }
            // One of both can have come before it was deleted.
            (Some(Found::Gone) | None, _) | (_, Some(Found::Gone) | None) => Look::Gone,
        };
        looked.found.insert(id, look);
    }
    Ok(looked)
}

fn single(item: &Item, owner: Option<&str>) -> Look {
    Look::Here(vec![convert::single(item, owner)])
}

fn of_series(ids: &BTreeSet<String>) -> impl Iterator<Item = Ask> {
    ids.iter().flat_map(|id| [Ask::Series(id.clone()), Ask::CalledOff(id.clone())])
}

async fn ask(
    cx: &Cx<'_>,
    calendar: &CalendarId,
    asks: Vec<Ask>,
    requests: &mut u32,
) -> Result<BTreeMap<Ask, Found>, Error> {
    let mut answers = BTreeMap::new();
    for asks in asks.chunks(BATCH_MAX) {
        let paths = asks.iter().map(|ask| ask.path(cx, calendar)).collect::<Result<Vec<_>, _>>()?;
        let found = api::batch(cx, &paths).await?;
        *requests += u32::try_from(asks.len()).unwrap_or(u32::MAX);
        answers.extend(asks.iter().cloned().zip(found));
    }
    Ok(answers)
}

/// A series, with those of its changed occurrences that did not come along; and the calls that they took.
async fn series(
    cx: &Cx<'_>,
    id: &str,
    whole: Value,
    called_off: Value,
    owner: Option<&str>,
) -> Result<(Vec<Event>, u32), Error> {
    let Some(mut item) = parsed::<Item>(whole) else { return Ok((vec![unreadable(id, NO_FORM)], 0)) };
    let mut requests = 0;
    let mut next = item.more_exceptions.take();
    for _ in 0..EXCEPTION_PAGES_MAX {
        let Some(link) = next.take() else { break };
        let more = api::exceptions(cx, &link).await?;
        requests += 1;
        item.exception_occurrences.get_or_insert_default().extend(more.value);
        next = more.next;
    }
    if next.is_some() {
        // What would be shown of it could be wrong.
        return Ok((vec![unreadable(id, "it has more changed occurrences than are read")], requests));
    }
    let called_off = parsed::<CalledOff>(called_off).and_then(|all| all.cancelled_occurrences).unwrap_or_default();
    Ok((convert::series(&item, &called_off, owner), requests))
}

const NO_FORM: &str = "it has a form that is not known";

fn told(error: &Error) -> String {
    let code = error.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    format!("Microsoft 365 does not show it{code}")
}

fn no_calendar() -> Error {
    Error::new(ErrorKind::Gone, Retry::Never, "read events", "the calendar is not there")
}

/// The event that only says why nothing is known of it.
fn unreadable(id: &str, why: &str) -> Event {
    let fault = Unreadable::Broken(why.to_owned());
    Event { status: Status::Confirmed, body: Body::Unreadable(fault), ..convert::gone(EventId(id.to_owned())) }
}

fn parsed<T: DeserializeOwned>(body: Value) -> Option<T> {
    serde_json::from_value(body).ok()
}
