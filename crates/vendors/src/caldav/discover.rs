//! From the address that somebody typed to the calendars of the account (RFC 6764, section 6): who we are, where our
//! calendars are, which there are.

use std::collections::BTreeMap;

use syncline_connect::{
    Error, ErrorKind, Retry,
    calendar::{CalendarEntry, CalendarId},
};

use super::{
    api::{Answer, Api, Depth},
    classify::Refusal,
    ics, path,
    wire::{Element, Row, Space, ask},
};

/// Where an account's address may be asked for (RFC 6764, section 5).
const WELL_KNOWN: &str = "/.well-known/caldav";

/// Most redirections that are followed, all on the same server.
const MOVES_MAX: usize = 3;

/// Most homes of one account. Those who stand in for others have several.
const HOMES_MAX: usize = 8;

/// Most calendars of one account that are shown.
const CALENDARS_MAX: usize = 1_000;

/// The name of what holds events.
const EVENTS: &str = "VEVENT";

/// What an address turned out to be.
enum Start {
    /// One calendar.
    Calendar(Box<CalendarEntry>),
    Principal(String),
    Homes(Vec<String>),
}

/// The calendars that the account shows.
pub async fn calendars(api: &mut Api<'_>) -> Result<Vec<CalendarEntry>, Error> {
    let homes = match start(api).await? {
        Start::Calendar(entry) => return Ok(vec![*entry]),
        Start::Homes(homes) => homes,
        Start::Principal(principal) => {
            let answer = api.find(&principal, Depth::Itself, ask::homes()).await?;
            let told = api.told(answer)?;
            let row = told.rows.first().ok_or_else(|| api.strange("nothing about the user"))?;
            homes(api, row)?
        }
    };
    if homes.is_empty() {
        return Err(nothing(api));
    }
    let mut found: BTreeMap<String, CalendarEntry> = BTreeMap::new();
    let mut primary = None;
    for home in homes.iter().take(HOMES_MAX) {
        let answer = api.find(home, Depth::Members, ask::collections()).await?;
        for row in api.told(answer)?.rows {
            if let Some(href) = row.hrefs(Space::Calendar, "schedule-default-calendar-URL").first() {
                primary = Some(api.path(href)?);
            }
            if let Some(entry) = entry(api, &row)?.filter(|_| found.len() < CALENDARS_MAX) {
                found.insert(entry.id.0.clone(), entry);
            }
        }
    }
    // Where the server names none, the first that can be written is taken.
    let first = || found.values().find(|entry| entry.writable).map(|entry| entry.id.0.clone());
    let primary = primary.filter(|path| found.contains_key(path)).or_else(first);
    let entries =
        found.into_values().map(|entry| CalendarEntry { primary: Some(&entry.id.0) == primary.as_ref(), ..entry });
    Ok(entries.collect())
}

fn nothing(api: &Api<'_>) -> Error {
    api.error(ErrorKind::Configuration, Retry::Never, "there is no calendar server at this address; check `url`")
}

async fn start(api: &mut Api<'_>) -> Result<Start, Error> {
    let own = path::own(api.cx.base_url);
    let mut refused = None;
    for place in [own.as_str(), WELL_KNOWN, "/"] {
        let mut place = place.to_owned();
        for _ in 0..=MOVES_MAX {
            match api.find(&place, Depth::Itself, ask::start()).await? {
                Answer::Moved(to) if to != place => place = to,
                Answer::Moved(_) => break,
                // Asking elsewhere with a wrong password only locks the account.
                Answer::Refused(refusal) if matches!(refusal.status, 401 | 429) => return Err(refusal.error(api.op)),
                Answer::Refused(refusal) => {
                    refused.get_or_insert(refusal);
                    break;
                }
                Answer::Told(told) => {
                    if let Some(start) = told.rows.first().map(|row| meant(api, row)).transpose()?.flatten() {
                        return Ok(start);
                    }
                    break;
                }
            }
        }
    }
    Err(match refused {
        Some(refusal) if refusal.status >= 500 => refusal.error(api.op),
        _ => nothing(api),
    })
}

fn meant(api: &Api<'_>, row: &Row) -> Result<Option<Start>, Error> {
    if let Some(entry) = entry(api, row)? {
        return Ok(Some(Start::Calendar(Box::new(CalendarEntry { primary: true, ..entry }))));
    }
    let homes = homes(api, row)?;
    if !homes.is_empty() {
        return Ok(Some(Start::Homes(homes)));
    }
    let who = row.prop(Space::Dav, "current-user-principal");
    if who.is_some_and(|who| who.part(Space::Dav, "unauthenticated").is_some()) {
        return Err(Refusal { status: 401, conditions: Vec::new(), wait: None }.error(api.op));
    }
    let principal = row.hrefs(Space::Dav, "current-user-principal").first().map(|href| api.path(href)).transpose()?;
    Ok(principal.map(Start::Principal))
}

fn homes(api: &Api<'_>, row: &Row) -> Result<Vec<String>, Error> {
    row.hrefs(Space::Calendar, "calendar-home-set").into_iter().map(|href| api.path(href)).collect()
}

/// The calendar that a row tells of, where it is one that holds events.
fn entry(api: &Api<'_>, row: &Row) -> Result<Option<CalendarEntry>, Error> {
    let holds =
        |kinds: &Element| kinds.parts(Space::Calendar, "comp").any(|kind| kind.called.as_deref() == Some(EVENTS));
    let has_events = row.prop(Space::Calendar, "supported-calendar-component-set").is_none_or(holds);
    if !row.is(Space::Calendar, "calendar") || !has_events {
        return Ok(None);
    }
    let path = api.path(&row.href)?;
    let name = row.word(Space::Dav, "displayname").map_or_else(|| path::last(&path), str::to_owned);
    Ok(Some(CalendarEntry {
        name,
        primary: false,
        writable: row.prop(Space::Dav, "current-user-privilege-set").is_none_or(may_write),
        zone: zone(row),
        id: CalendarId(path),
    }))
}

fn may_write(privileges: &Element) -> bool {
    let names = privileges.parts(Space::Dav, "privilege").flat_map(|privilege| &privilege.parts);
    names
        .filter(|name| name.space == Space::Dav)
        .any(|name| matches!(name.name.as_str(), "all" | "write" | "write-content"))
}

/// The zone in which a collection means times without one.
pub fn zone(row: &Row) -> Option<String> {
    let named = row.word(Space::Calendar, "calendar-timezone-id");
    named.map(str::to_owned).or_else(|| ics::zone_of(row.word(Space::Calendar, "calendar-timezone")?))
}
