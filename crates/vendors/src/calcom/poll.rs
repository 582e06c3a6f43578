//! The poll of Cal.com: bookings by their last change, and the webhook that should be there. Which page comes next is
//! decided here; what is called stands in `api`, what rows mean in `rows`.
//!
//! Rows shift between pages while bookings change, so a page does not begin behind a number of rows but at the last
//! change that was seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use syncline_connect::{
    Answered, BoxFuture, Cx, Ensured, Error, ErrorKind, Hook, Page, Poll, Polled, Retry, Start, Subscriptions,
};

use super::{
    Calcom,
    api::{Api, EventType, PAGE, TRIGGERS},
    rows::{self, Beside, Row},
};
use crate::intake::{self, delivery, wire};

/// How far back each poll begins before what it has seen: a change is listed only once its transaction is over.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// The step by which a page begins before the last change that was seen. The API's times have milliseconds.
const GRAIN: SignedDuration = SignedDuration::from_millis(1);

/// Event types that one page looks up; a page with more of them is read in two.
const EVENT_TYPES_MAX: usize = 20;

/// Former bookings that one page looks up, where they are not on the page themselves; likewise.
const FORMER_MAX: usize = 20;

/// Rows of the overlap that are remembered as read, so that a poll that finds nothing new is one call. What is
/// forgotten is read once more and known in the inbox.
const KNOWN_MAX: usize = 300;

/// Where the poll stopped.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// The newest change that was seen.
    seen: Timestamp,
    /// Rows of the overlap, by their last change and digest.
    known: Vec<(Timestamp, String)>,
    /// Within a poll: from which change on, and how many rows of it are behind us.
    within: Option<(Timestamp, usize)>,
}

impl Poll for Calcom {
    fn poll<'a>(&'a self, cx: &'a Cx<'a>, start: Start<'a>) -> BoxFuture<'a, Result<Answered<Page>, Error>> {
        Box::pin(page(cx, start))
    }

    fn home(&self) -> &'static str {
        "https://api.cal.com"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(300)
    }

    fn calls_per_page(&self) -> u32 {
        1 + u32::try_from(EVENT_TYPES_MAX + FORMER_MAX).expect("both are small")
    }

    /// Half of what a key may make (Cal.com's API page, read 2026-11: 120 a minute).
    fn calls_per_minute(&self) -> u32 {
        60
    }
}

async fn page(cx: &Cx<'_>, start: Start<'_>) -> Result<Answered<Page>, Error> {
    let mut cursor = match start {
        Start::Since(since) => Cursor { seen: since, known: Vec::new(), within: None },
        Start::Cursor(text) => serde_json::from_str(text).map_err(|_| {
            Error::new(ErrorKind::Configuration, Retry::Never, "poll", "the stored cursor is not one of Cal.com's")
        })?,
    };
    let begin = || cursor.seen.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
    let (after, skip) = cursor.within.unwrap_or_else(|| (begin(), 0));
    let mut api = Api::new(cx, "poll");
    let listed = api.bookings(after, skip).await?;
    let full = listed.len() >= PAGE;
    let rows: Vec<Listed> = listed.into_iter().map(Listed::new).collect();
    let mut reading = Reading { cx, api, rows: &rows, event_types: BTreeMap::new(), former: BTreeMap::new() };
    let known: BTreeSet<&str> = cursor.known.iter().map(|(_, digest)| digest.as_str()).collect();
    let (mut polled, mut done) = (Vec::new(), 0);
    for listed in &rows {
        if !known.contains(listed.digest.as_str()) {
            let Some(row) = reading.read(listed).await? else { break };
            polled.push(row);
        }
        done += 1;
    }
    let calls = reading.api.calls();
    let behind = &rows[..done];
    let newest = behind.iter().filter_map(|listed| listed.row.changed()).max();
    cursor.seen = newest.map_or(cursor.seen, |newest| cursor.seen.max(newest));
    let oldest = cursor.seen.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
    let mut read: BTreeSet<(Timestamp, String)> = std::mem::take(&mut cursor.known).into_iter().collect();
    read.extend(behind.iter().filter_map(|listed| Some((listed.row.changed()?, listed.digest.clone()))));
    cursor.known = read.into_iter().rev().take(KNOWN_MAX).filter(|(at, _)| *at >= oldest).collect();
    let more = full || done < rows.len();
    cursor.within = more.then(|| {
        let next = behind.last().and_then(|listed| listed.row.changed()?.checked_sub(GRAIN).ok());
        // Many rows of one moment fill whole pages; only then is it counted.
        next.filter(|next| *next > after).map_or((after, skip + done), |next| (next, 0))
    });
    let cursor = serde_json::to_string(&cursor)
        .map_err(|_| Error::new(ErrorKind::Configuration, Retry::Never, "poll", "the cursor cannot be written down"))?;
    Ok(Answered { value: Page { rows: polled, cursor, more }, calls, usage: None })
}

/// A row as it came, and as it is read.
struct Listed {
    body: Vec<u8>,
    digest: String,
    row: Row,
}

impl Listed {
    fn new(row: Map<String, Value>) -> Self {
        let body = Value::Object(row.clone()).to_string();
        let digest = intake::fingerprint(&[&body]);
        Self { body: body.into_bytes(), digest, row: wire(row).unwrap_or_default() }
    }
}

/// A page while its rows are read, with what was looked up beside them.
struct Reading<'a> {
    cx: &'a Cx<'a>,
    api: Api<'a>,
    rows: &'a [Listed],
    event_types: BTreeMap<String, EventType>,
    former: BTreeMap<String, Row>,
}

impl Reading<'_> {
    /// Reads a row; `None` where that takes more look-ups than one page may make.
    async fn read(&mut self, listed: &Listed) -> Result<Option<Polled>, Error> {
        let row = &listed.row;
        if let Some(id) = row.event_type().filter(|id| !self.event_types.contains_key(*id)) {
            if self.event_types.len() >= EVENT_TYPES_MAX {
                return Ok(None);
            }
            let found = self.api.event_type(id).await?;
            self.event_types.insert(id.to_owned(), found);
        }
        let from = row.rescheduled_from_uid.raw();
        let here = |uid: &str| self.rows.iter().map(|listed| &listed.row).find(|row| row.uid.raw() == uid);
        let nothing = EventType::default();
        let event_type = row.event_type().and_then(|id| self.event_types.get(id)).unwrap_or(&nothing).clone();
        // Where hosts confirm, the former booking may never have stood: then only webhooks tell of moves.
        let moved = event_type.confirms == Some(false) && intake::booking_key(from).is_some();
        if moved && here(from).is_none() && !self.former.contains_key(from) {
            if self.former.len() >= FORMER_MAX {
                return Ok(None);
            }
            let found = self.api.booking(from).await?;
            self.former.insert(from.to_owned(), found.and_then(|row| wire(row).ok()).unwrap_or_default());
        }
        let beside = Beside {
            event_type: &event_type,
            before: here(from).or_else(|| self.former.get(from)).filter(|_| moved),
            booker_url: booker_url(self.cx),
        };
        let content = rows::messages(row, &beside);
        // What a row says, not how it is spelt, makes it another one.
        let said = content.as_ref().ok().and_then(|messages| serde_json::to_vec(messages).ok());
        let changed = row.changed().map_or_else(String::new, |at| at.to_string());
        let delivery = delivery(&["poll", row.uid.raw(), &changed], said.as_deref().unwrap_or(&listed.body));
        Ok(Some(Polled { delivery, body: listed.body.clone(), content }))
    }
}

/// Where people look at their bookings, for the links to move and to cancel.
fn booker_url<'a>(cx: &Cx<'a>) -> Option<&'a str> {
    let own = cx.settings.get("booker_url").map(String::as_str);
    own.or_else(|| (cx.base_url.host_str() == Some("api.cal.com")).then_some("https://cal.com"))
}

impl Subscriptions for Calcom {
    fn ensure<'a>(&'a self, cx: &'a Cx<'a>, hook: &'a Hook) -> BoxFuture<'a, Result<Answered<Ensured>, Error>> {
        Box::pin(async move {
            let mut api = Api::new(cx, "webhook");
            let value = ensured(&mut api, hook).await?;
            Ok(Answered { value, calls: api.calls(), usage: None })
        })
    }
}

async fn ensured(api: &mut Api<'_>, hook: &Hook) -> Result<Ensured, Error> {
    let found = api.webhooks_to(hook.url.as_str()).await?;
    let Some(first) = found.first() else {
        api.make_webhook(hook).await?;
        return Ok(Ensured::Created);
    };
    let lacks = |trigger: &&str| !first.triggers.0.iter().any(|known| known.raw() == *trigger);
    let why = if first.active.0 == Some(false) {
        "it was switched off"
    } else if first.secret.0.as_ref().is_some_and(|secret| secret != hook.secret.expose()) {
        // A list that shows no secret says nothing about it.
        "it was signed with another secret"
    } else if TRIGGERS.iter().any(lacks) {
        "it did not tell of every change of a booking"
    } else {
        return Ok(Ensured::Active);
    };
    let id = first.id.raw().to_owned();
    if id.is_empty() {
        return Err(api.strange("a webhook without an id"));
    }
    api.mend_webhook(&id, hook).await?;
    Ok(Ensured::Mended { why: why.to_owned() })
}
