//! The poll of Calendly: a scan of the events that start around now, and the invitees of those that changed; and, once an
//! hour, what routing forms brought. What is called stands in `api`, what it means in `convert`.
//!
//! Calendly cannot be asked for what changed since a moment. So each scan lists a window of starts and picks the events
//! whose own time of change is new; once a day it also reads those whose invitees may change without it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use syncline_connect::{Answered, BoxFuture, Cx, Error, ErrorKind, Page, Poll, Polled, Retry, Start};

use super::{
    Calendly,
    api::{Api, FORMS_MAX, INVITEE_PAGES_MAX, Listed, Owner, SUBMISSION_PAGES_MAX, last_segment},
    convert,
};
use crate::intake::{delivery, malformed, value::Time, wire};

/// How far back and ahead of now events are looked at, by their start. Whoever books further ahead is found once the
/// meeting comes within the window.
const BEHIND: SignedDuration = SignedDuration::from_hours(7 * 24);
const AHEAD: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How far back of the last scan's beginning a change counts as new: clocks differ, and a change is listed late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// How often a scan also reads what may have changed without a trace: seats of shared events, marks on past ones.
const DEEP_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// How often routing forms are looked at. Most organizations have none, and each has its call.
const FORMS_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Events whose invitees one page reads. The free plan allows 50 calls a minute.
const EVENTS_READ_MAX: usize = 20;

/// Where the scan stopped.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// Nothing that changed last before this is of interest.
    floor: Timestamp,
    owner: Option<Owner>,
    /// When the last whole scan began, and the last deep one.
    scanned: Option<Timestamp>,
    deep: Option<Timestamp>,
    scan: Option<Scan>,
    /// When the routing forms were last looked at.
    #[serde(default)]
    forms: Option<Timestamp>,
}

/// A scan under way. Its window stays as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    began: Timestamp,
    deep: bool,
    /// The page that is being read, and how many of its events are behind us.
    token: Option<String>,
    done: usize,
}

impl Poll for Calendly {
    fn poll<'a>(&'a self, cx: &'a Cx<'a>, start: Start<'a>) -> BoxFuture<'a, Result<Answered<Page>, Error>> {
        Box::pin(page(cx, start))
    }

    fn home(&self) -> &'static str {
        "https://api.calendly.com"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(600)
    }

    fn calls_per_page(&self) -> u32 {
        u32::try_from(3 + EVENTS_READ_MAX + INVITEE_PAGES_MAX + FORMS_MAX * SUBMISSION_PAGES_MAX)
            .expect("all are small")
    }

    /// Half of what a user may make on a paid plan (Calendly's API rate limits, read 2026-11: 500 a minute).
    fn calls_per_minute(&self) -> u32 {
        250
    }
}

async fn page(cx: &Cx<'_>, start: Start<'_>) -> Result<Answered<Page>, Error> {
    let mut cursor = match start {
        Start::Since(floor) => Cursor { floor, owner: None, scanned: None, deep: None, scan: None, forms: None },
        Start::Cursor(text) => serde_json::from_str(text).map_err(|_| {
            Error::new(ErrorKind::Configuration, Retry::Never, "poll", "the stored cursor is not one of Calendly's")
        })?,
    };
    let mut api = Api::new(cx, "poll");
    let owner = match &cursor.owner {
        // A changed setting makes it another owner.
        Some(owner) if owner.user.is_some() == (cx.settings.get("scope").is_some_and(|scope| scope == "user")) => {
            owner.clone()
        }
        _ => api.owner(cx).await?,
    };
    let mut scan = cursor.scan.take().unwrap_or_else(|| {
        let last = cursor.deep.unwrap_or(cx.now);
        Scan { began: cx.now, deep: cx.now.duration_since(last) >= DEEP_EVERY, token: None, done: 0 }
    });
    let window = (before(scan.began, BEHIND), scan.began.checked_add(AHEAD).unwrap_or(Timestamp::MAX));
    let listed = api.events(&owner, window, scan.token.as_deref()).await?;
    let since = before(cursor.scanned.unwrap_or(cursor.floor), OVERLAP);
    let (mut rows, mut read, mut done, mut asked) = (Vec::new(), 0, listed.rows.len(), 0);
    for (place, event) in listed.rows.iter().enumerate().skip(scan.done) {
        let known: Listed = wire(event.clone()).unwrap_or_default();
        if !is_wanted(&known, &scan, since) {
            continue;
        }
        // An event with many invitees takes many calls; it is the last of its page then.
        if read >= EVENTS_READ_MAX || asked > EVENTS_READ_MAX {
            done = place;
            break;
        }
        let calls = api.calls();
        let invitees = api.invitees(last_segment(known.uri.raw())).await?;
        asked += usize::try_from(api.calls() - calls).unwrap_or(usize::MAX);
        read += 1;
        rows.extend(invitees.into_iter().filter_map(|invitee| polled(invitee, event, cursor.floor)));
    }
    let next_page = listed.next.filter(|_| done == listed.rows.len());
    let more = done < listed.rows.len() || next_page.is_some();
    match (done < listed.rows.len(), next_page) {
        (true, _) => scan.done = done,
        (false, token) => (scan.token, scan.done) = (token, 0),
    }
    if !more {
        if let Some(organization) = owner.user.is_none().then_some(&owner.organization)
            && cursor.forms.is_none_or(|last| cx.now.duration_since(last) >= FORMS_EVERY)
        {
            rows.extend(submissions(&mut api, organization, cursor.forms.unwrap_or(cursor.floor), cx.now).await?);
            cursor.forms = Some(cx.now);
        }
        cursor.scanned = Some(scan.began);
        // The first scan reads all that is wanted, so it counts as a deep one.
        if scan.deep || cursor.deep.is_none() {
            cursor.deep = Some(scan.began);
        }
    }
    cursor.scan = more.then_some(scan);
    cursor.owner = Some(owner);
    let cursor = serde_json::to_string(&cursor)
        .map_err(|_| Error::new(ErrorKind::Configuration, Retry::Never, "poll", "the cursor cannot be written down"))?;
    Ok(Answered { value: Page { rows, cursor, more }, calls: api.calls(), usage: None })
}

/// What routing forms brought since the last look, where no booking came of it.
async fn submissions(
    api: &mut Api<'_>,
    organization: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Polled>, Error> {
    let mut rows = Vec::new();
    for form in api.forms(organization).await? {
        rows.extend(
            api.submissions(&form, before(since, OVERLAP)).await?.into_iter().filter_map(|row| submitted(row, now)),
        );
    }
    Ok(rows)
}

/// A submission as a row; `None` where nothing follows from it.
fn submitted(row: Map<String, Value>, now: Timestamp) -> Option<Polled> {
    let name = row.get("uri").and_then(Value::as_str).map(last_segment).unwrap_or_default().to_owned();
    let body = Value::Object(row.clone()).to_string().into_bytes();
    let content = convert::submitted(row, now);
    if content.as_ref().is_ok_and(Vec::is_empty) {
        return None;
    }
    Some(Polled { delivery: delivery(&["poll", "form", &name], &body), body, content })
}

fn before(moment: Timestamp, span: SignedDuration) -> Timestamp {
    moment.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// Whether the event's invitees are to be read.
fn is_wanted(event: &Listed, scan: &Scan, since: Timestamp) -> bool {
    let shared = event.invitees_counter.0.as_ref().and_then(|counter| counter.limit.0).is_some_and(|limit| limit > 1);
    let begun = event.start_time.0.is_some_and(|start| start <= scan.began);
    // An event without a time of change is read each time: the inbox knows what it has seen.
    event.updated_at.0.is_none_or(|changed| changed >= since) || (scan.deep && (shared || begun))
}

/// An invitee with its event, as a row; `None` where it last changed before anybody asked.
fn polled(mut invitee: Map<String, Value>, event: &Map<String, Value>, floor: Timestamp) -> Option<Polled> {
    let mut event = event.clone();
    // Hosts' own notes are never taken in.
    event.retain(|name, _| !name.starts_with("meeting_notes"));
    let time = |fields: &Map<String, Value>, name: &str| {
        let value = fields.get(name)?.clone();
        serde_json::from_value::<Time>(value).ok()?.0
    };
    let changed = time(&invitee, "updated_at").max(time(&event, "updated_at")).max(time(&invitee, "created_at"));
    let marked = invitee.get("no_show").and_then(Value::as_object).and_then(|mark| time(mark, "created_at"));
    if changed.max(marked).is_some_and(|last| last < floor) {
        return None;
    }
    let name = invitee.get("uri").and_then(Value::as_str).map(last_segment).unwrap_or_default().to_owned();
    invitee.insert("scheduled_event".to_owned(), Value::Object(event));
    let body = Value::Object(invitee.clone()).to_string().into_bytes();
    let content = match changed {
        Some(changed) => convert::row(invitee, changed),
        None => Err(malformed("a listed invitee has no time of its last change")),
    };
    let said = content.as_ref().ok().and_then(|messages| serde_json::to_vec(messages).ok());
    let at = changed.map_or_else(String::new, |at| at.to_string());
    let delivery = delivery(&["poll", &name, &at], said.as_deref().unwrap_or(&body));
    Some(Polled { delivery, body, content })
}
