//! Reading a calendar, and what changed in it (RFC 6578): by the server's token where it has one, by comparing versions
//! where it has none.
//!
//! The token that is kept is always the one of the answer which told the changes: one that is asked for by itself may be
//! newer, and what lies between is lost. What is not told is never taken for gone, and where much is gone at once all is read
//! anew: whoever keeps the events has the brake for that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use syncline_connect::{
    Error, ErrorKind,
    calendar::{Changes, From, Page, Reading},
};
use syncline_core::calendar::{
    event::{Body, Event},
    meeting::{is_emptied, is_many},
    zone,
};

use super::{
    api::{Answer, Api, Depth},
    cursor::{Cursor, Mark, Rest, compare},
    discover,
    ics::{self, Compared, Origin},
    path,
    wire::{Multistatus, Row, Space, ask},
};

/// Members that are asked for at once; servers take this many.
pub const MULTIGET_MAX: usize = 50;

/// Members that one page reads by name.
pub const PAGE_MEMBERS: usize = 500;

/// Members of a collection that is asked for as a whole: at 2 kB for each event the answer stays within what is taken of
/// anybody (10 MiB).
pub const WHOLE_MAX: usize = 5_000;

/// Calls of one page: what the collection can do, the changes (or the refusal and a listing), the whole, and what was
/// missing in it by name.
pub const CALLS_MAX: u32 = 4 + (PAGE_MEMBERS / MULTIGET_MAX) as u32;

/// How many members there are is not known where a token stands for them: as in a small calendar, few may be gone.
const UNCOUNTED: usize = 0;

/// One collection that is being read.
struct Collection<'a, 'b> {
    api: &'a mut Api<'b>,
    /// Its path, with a slash at the end.
    path: String,
    zone: Option<String>,
    compared: Compared,
}

/// The members of a collection, or those that changed.
#[derive(Debug, Default)]
struct Listing {
    /// Names with versions.
    members: BTreeMap<String, String>,
    gone: BTreeSet<String>,
    token: Option<String>,
    tag: Option<String>,
    /// The server told only a part, up to the token.
    cut: bool,
}

/// What came of asking for changes.
enum Synced {
    Listing(Listing),
    /// The token is not known.
    Expired,
    /// The server does not do this.
    Unable(Error),
}

/// Reads the next page.
pub async fn changes(api: &mut Api<'_>, calendar: &str, from: From<'_>) -> Result<Changes, Error> {
    let mut path = api.path(calendar)?;
    if !path.ends_with('/') {
        path.push('/');
    }
    let mut collection = Collection { api, path, zone: None, compared: Compared::default() };
    let From::Cursor(text) = from else { return collection.beginning().await.map(told) };
    // A cursor that is none of ours stands for nothing.
    let Some(cursor) = Cursor::read(text) else { return Ok(Changes::Expired) };
    collection.zone.clone_from(&cursor.zone);
    let page = match (cursor.rest, cursor.mark) {
        (Some(rest), mark) => collection.rest(mark, rest).await?,
        (None, Mark::Token(token)) => collection.since(&token).await?,
        (None, mark) => collection.compared_with(mark).await?,
    };
    Ok(told(page))
}

/// A page, or that all is to be read anew.
fn told(page: Option<Page>) -> Changes {
    page.map_or(Changes::Expired, Changes::Page)
}

impl Collection<'_, '_> {
    /// All that is there.
    async fn beginning(&mut self) -> Result<Option<Page>, Error> {
        let answer = self.api.find(&self.path, Depth::Itself, ask::abilities()).await?;
        let told = self.api.told(answer)?;
        let row = told.rows.first();
        self.zone = row.and_then(discover::zone);
        let syncs = row.is_none_or(|row| reports(row, "sync-collection"));
        let synced = if syncs { self.sync(None).await? } else { Synced::Expired };
        let listing = match synced {
            // Of what was cut off there is a list all the same; the token tells the rest again.
            Synced::Listing(Listing { token: Some(token), cut: true, .. }) => {
                Listing { token: Some(token), ..self.list().await? }
            }
            Synced::Listing(listing) if listing.token.is_some() => listing,
            Synced::Listing(_) | Synced::Expired | Synced::Unable(_) => self.list().await?,
        };
        let mark = match &listing.token {
            Some(token) => Mark::Token(token.clone()),
            None => Mark::of(&listing.members, listing.tag.clone()),
        };
        if listing.members.len() <= WHOLE_MAX
            && let Some(events) = self.whole(&listing).await?
        {
            return Ok(Some(self.page(events, mark, None, Reading::EVERYTHING)));
        }
        self.by_name(mark, &listing, Rest::default()).await
    }

    /// Everything in one answer, and by name what that lacks. `None`: the server does not do it, or not at once.
    async fn whole(&mut self, listing: &Listing) -> Result<Option<Vec<Event>>, Error> {
        let told = match self.api.report(&self.path, Depth::Members, ask::query()).await {
            Ok(Answer::Told(told)) => told,
            Ok(Answer::Refused(refusal)) if !refusal.is_of_question() => return Err(refusal.error(self.api.op)),
            Ok(Answer::Refused(_) | Answer::Moved(_)) => return Ok(None),
            // Larger than is taken of anybody, or cut off.
            Err(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Protocol) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut missing: BTreeSet<&String> = listing.members.keys().collect();
        let mut events = Vec::new();
        for row in &told.rows {
            let path = self.api.path(&row.href)?;
            if row.word(Space::Calendar, "calendar-data").is_some() {
                missing.remove(&path::within(&path, &self.path).to_owned());
                events.extend(self.events(&path, row));
            }
        }
        // What is no event does not come; nor does what somebody just deleted, or what a server leaves out.
        if missing.len() > PAGE_MEMBERS {
            return Ok(None);
        }
        let missing: Vec<String> = missing.into_iter().cloned().collect();
        events.extend(self.named(&missing).await?.into_iter().filter(|event| !is_gone(event)));
        Ok(Some(events))
    }

    /// What changed since a token. `None`: nobody knows, or so much is gone that all is to be read.
    async fn since(&mut self, token: &str) -> Result<Option<Page>, Error> {
        let listing = match self.sync(Some(token)).await? {
            Synced::Listing(listing) => listing,
            Synced::Expired => return Ok(None),
            Synced::Unable(error) => return Err(error),
        };
        let Some(until) = listing.token.clone() else { return Err(self.api.strange("changes without a token")) };
        if is_many(listing.gone.len(), UNCOUNTED) {
            return Ok(None);
        }
        let mark = Mark::Token(until);
        if listing.members.len() > PAGE_MEMBERS {
            return self.by_name(mark, &listing, Rest { since: Some(token.to_owned()), ..Rest::default() }).await;
        }
        let names: Vec<String> = listing.members.keys().cloned().collect();
        let mut events = self.gone(&listing);
        events.extend(self.named(&names).await?);
        if is_many(events.iter().filter(|event| is_gone(event)).count(), UNCOUNTED) {
            return Ok(None);
        }
        let reading = if listing.cut { Reading::More } else { Reading::Changes };
        Ok(Some(self.page(events, mark, None, reading)))
    }

    /// What changed by the versions of all members. `None`: it is too much to be told, or more is missing than people delete
    /// one by one.
    async fn compared_with(&mut self, before: Mark) -> Result<Option<Page>, Error> {
        if let Some(tag) = before.tag() {
            let answer = self.api.find(&self.path, Depth::Itself, ask::mark()).await?;
            let told = self.api.told(answer)?;
            if told.rows.first().and_then(|row| row.word(Space::Server, "getctag")) == Some(tag) {
                return Ok(Some(self.page(Vec::new(), before, None, Reading::Changes)));
            }
        }
        let listing = self.list().await?;
        let now = Mark::of(&listing.members, listing.tag.clone());
        let Some((mut names, missing)) = compare(&before, &now) else { return Ok(None) };
        let (known, count) = (before.count(), listing.members.len());
        if names.len() > PAGE_MEMBERS || is_many(missing.len(), known) || is_emptied(known, count) {
            return Ok(None);
        }
        // That a list lacks it says nothing: it is asked for, too.
        names.extend(missing);
        let events = self.named(&names).await?;
        Ok(Some(self.page(events, now, None, Reading::Changes)))
    }

    /// What an earlier look left to be read.
    async fn rest(&mut self, mark: Mark, rest: Rest) -> Result<Option<Page>, Error> {
        let listing = match &rest.since {
            None => self.list().await?,
            Some(token) => match self.sync(Some(token)).await? {
                Synced::Listing(listing) => listing,
                Synced::Expired => return Ok(None),
                Synced::Unable(error) => return Err(error),
            },
        };
        self.by_name(mark, &listing, rest).await
    }

    /// The next members by name. What is gone comes with the first of them. `None`: so much of what changed is gone that all is
    /// to be read.
    async fn by_name(&mut self, mark: Mark, listing: &Listing, rest: Rest) -> Result<Option<Page>, Error> {
        let Rest { since, after, gone } = rest;
        let mut names: Vec<String> = listing.members.keys().filter(|name| **name > after).cloned().collect();
        let is_last = names.len() <= PAGE_MEMBERS;
        names.truncate(PAGE_MEMBERS);
        let mut events = if after.is_empty() { self.gone(listing) } else { Vec::new() };
        events.extend(self.named(&names).await?);
        if since.is_none() {
            // What is missing in all that there is, is looked for by whoever knows what there was.
            events.retain(|event| !is_gone(event));
        }
        let gone = gone + events.iter().filter(|event| is_gone(event)).count();
        if is_many(gone, UNCOUNTED) {
            return Ok(None);
        }
        Ok(Some(match names.pop().filter(|_| !is_last) {
            Some(after) => self.page(events, mark, Some(Rest { since, after, gone }), Reading::More),
            None => {
                let reading = if since.is_none() { Reading::EVERYTHING } else { Reading::Changes };
                self.page(events, mark, None, reading)
            }
        }))
    }

    fn page(&self, events: Vec<Event>, mark: Mark, rest: Option<Rest>, reading: Reading) -> Page {
        let cursor = Cursor { mark, zone: self.zone.clone(), rest }.write();
        Page { events, cursor, reading, zone: self.zone.clone() }
    }

    fn gone(&self, listing: &Listing) -> Vec<Event> {
        listing.gone.iter().map(|name| ics::gone(&path::whole(name, &self.path))).collect()
    }

    async fn sync(&mut self, token: Option<&str>) -> Result<Synced, Error> {
        match self.api.report(&self.path, Depth::Itself, ask::sync(token)).await? {
            Answer::Told(told) => self.listing(&told).map(Synced::Listing),
            Answer::Refused(refusal) if token.is_some() && refusal.is_of_token() => Ok(Synced::Expired),
            Answer::Refused(refusal) if refusal.is_of_question() => Ok(Synced::Unable(refusal.error(self.api.op))),
            refused => self.api.told(refused).map(|_| Synced::Expired),
        }
    }

    async fn list(&mut self) -> Result<Listing, Error> {
        let answer = self.api.find(&self.path, Depth::Members, ask::members()).await?;
        let told = self.api.told(answer)?;
        let listing = self.listing(&told)?;
        if listing.cut {
            return Err(self.api.strange("with a part of what is in the calendar"));
        }
        Ok(Listing { token: None, ..listing })
    }

    fn listing(&self, told: &Multistatus) -> Result<Listing, Error> {
        let mut listing = Listing { token: told.token.clone(), ..Listing::default() };
        for row in &told.rows {
            let path = self.api.path(&row.href)?;
            if path.trim_end_matches('/') == self.path.trim_end_matches('/') {
                listing.cut |= row.status == Some(507);
                listing.tag = row.word(Space::Server, "getctag").map(str::to_owned);
                continue;
            }
            let name = path::within(&path, &self.path).to_owned();
            match (row.status, row.word(Space::Dav, "getetag")) {
                (Some(404), _) => {
                    listing.gone.insert(name);
                }
                (Some(500..), _) => return Err(self.api.strange("that it cannot tell of a member")),
                _ if row.is(Space::Dav, "collection") || path.ends_with('/') => {}
                // One whose version is not told is read each time.
                (_, version) => {
                    listing.members.insert(name, version.unwrap_or_default().to_owned());
                }
            }
        }
        Ok(listing)
    }

    /// What stands at these names now.
    async fn named(&mut self, names: &[String]) -> Result<Vec<Event>, Error> {
        let paths: Vec<String> = names.iter().map(|name| path::whole(name, &self.path)).collect();
        let mut events = Vec::new();
        for (path, found) in self.members(&paths).await? {
            match found {
                Some(found) => events.extend(found),
                None => events.push(ics::gone(&path)),
            }
        }
        Ok(events)
    }

    /// The events at these paths; `None` where the server says that there is nothing.
    async fn members(&mut self, paths: &[String]) -> Result<BTreeMap<String, Option<Vec<Event>>>, Error> {
        let mut all = BTreeMap::new();
        for some in paths.chunks(MULTIGET_MAX) {
            let body = ask::multiget(some.iter().map(String::as_str));
            let answer = self.api.report(&self.path, Depth::Members, body).await?;
            for row in self.api.told(answer)?.rows {
                let path = self.api.path(&row.href)?;
                if !some.contains(&path) {
                    continue;
                }
                let found = match row.status {
                    Some(404 | 410) => None,
                    Some(500..) => return Err(self.api.strange("that it cannot tell of an event")),
                    _ => Some(self.events(&path, &row)),
                };
                all.insert(path, found);
            }
        }
        if paths.iter().any(|path| !all.contains_key(path)) {
            return Err(self.api.strange("nothing about an event that it was asked for"));
        }
        Ok(all)
    }

    fn events(&mut self, path: &str, row: &Row) -> Vec<Event> {
        let home = self.zone.as_deref().and_then(|name| zone::zone(name).ok()).unwrap_or(TimeZone::UTC);
        let origin = Origin { resource: path, etag: row.word(Space::Dav, "getetag"), home: &home };
        match row.prop(Space::Calendar, "calendar-data") {
            Some(text) => ics::read(&text.text, origin, &mut self.compared),
            None => vec![ics::unreadable(origin, "the server does not hand it out")],
        }
    }
}

fn is_gone(event: &Event) -> bool {
    event.body == Body::Bare
}

/// Whether a collection says that it can tell this; one that says nothing is asked.
fn reports(row: &Row, name: &str) -> bool {
    let Some(set) = row.prop(Space::Dav, "supported-report-set") else { return true };
    let kinds = set.parts(Space::Dav, "supported-report").flat_map(|one| one.parts(Space::Dav, "report"));
    kinds.flat_map(|kind| &kind.parts).any(|kind| kind.name == name)
}

/// Reads addresses of a calendar as they are now.
pub async fn at(
    api: &mut Api<'_>,
    calendar: &str,
    paths: &[String],
) -> Result<BTreeMap<String, Option<Vec<Event>>>, Error> {
    let path = api.path(calendar)?;
    // Times without a zone are meant in the collection's own.
    let answer = api.find(&path, Depth::Itself, ask::abilities()).await?;
    let zone = api.told(answer)?.rows.first().and_then(discover::zone);
    Collection { api, path, zone, compared: Compared::default() }.members(paths).await
}
