//! Lists of events: pages, and what has changed since a token was given.
//!
//! A list without an order runs through the events by the count of changes at their last change, so that whatever is
//! changed while somebody pages leaves the pages and comes with the next token. Ordered and expanded lists are made anew
//! for each page, so that their pages shift.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    GoogleConfig, State,
    answers::Refused,
    api::Query,
    book::{Calendar, GoogleRole},
    event::{Event, HORIZON_DAYS, View},
    when::{stamp, zone},
};

const PAGE_DEFAULT: usize = 250;
const PAGE_MAX: usize = 2_500;
/// What may not be asked together with a sync token ("Events: list", read 2026-11).
const NOT_WITH_TOKEN: &[&str] = &[
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
];
/// What need not be the same from call to call.
const FREE: &[&str] = &[
    "maxResults",
    "pageToken",
    "syncToken",
    "alt",
    "fields",
    "key",
    "prettyPrint",
    "quotaUser",
    "access_token",
    "timeMin",
    "timeMax",
    "updatedMin",
    "showDeleted",
];

/// Where a list goes on.
#[derive(Debug, Clone, Copy)]
struct Token {
    /// Changes up to this one were told; or, of a list with an order, rows.
    after: u64,
    /// Changes after this one are for the next token.
    until: u64,
    /// When the list began.
    given: Timestamp,
    /// What was asked for.
    asked: u64,
    /// How often tokens had been made void before.
    epoch: u64,
}

impl Token {
    fn text(&self, kind: char) -> String {
        let all = format!(
            "{kind}:{}:{}:{}:{}:{}",
            self.after,
            self.until,
            self.given.as_millisecond(),
            self.asked,
            self.epoch
        );
        URL_SAFE_NO_PAD.encode(all)
    }

    fn parse(text: &str, kind: char) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()?;
        let mut parts = text.split(':');
        (parts.next()? == kind.to_string()).then_some(())?;
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (after, until, given, asked, epoch) = (number()?, number()?, number()?, number()?, number()?);
        let given = Timestamp::from_millisecond(i64::try_from(given).ok()?).ok()?;
        Some(Self { after, until, given, asked, epoch })
    }
}

/// One look at a list.
pub(super) struct Listing<'a> {
    pub(super) state: &'a State,
    pub(super) config: &'a GoogleConfig,
    pub(super) now: Timestamp,
    pub(super) user: &'a str,
    pub(super) calendar: &'a Calendar,
    pub(super) query: &'a Query,
}

impl Listing<'_> {
    /// `events`
    pub(super) fn events(&self) -> Result<Value, Refused> {
        let (single, ordered) = (self.query.flag("singleEvents", false)?, self.query.get("orderBy"));
        if ordered == Some("startTime") && !single {
            return Err(Refused::parameter("orderBy"));
        }
        if ordered.is_some_and(|order| !["startTime", "updated"].contains(&order)) {
            return Err(Refused::parameter("orderBy"));
        }
        let (from, to) = (self.query.time("timeMin")?, self.query.time("timeMax")?);
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(Refused::new(400, "timeRangeEmpty", "The specified time range is empty.").of("calendar"));
        }
        match self.query.get("syncToken") {
            Some(text) => self.changes(text, single),
            None if single || ordered.is_some() => {
                let keep_all = self.query.flag("showDeleted", false)?;
                let all = self.rows(single, from, to)?;
                let all = all.into_iter().filter(|event| keep_all || !event.is_cancelled()).collect();
                self.paged(all, ordered.is_none() && self.unrestricted())
            }
            None => self.run_through(false),
        }
    }

    fn changes(&self, text: &str, single: bool) -> Result<Value, Refused> {
        if let Some(name) = NOT_WITH_TOKEN.iter().find(|name| self.query.get(name).is_some()) {
            let message = format!("Sync token cannot be used with {name}.");
            return Err(Refused::new(400, "syncTokenWithRequestRestrictions", message).of("calendar"));
        }
        if !self.query.flag("showDeleted", true)? {
            let message = "Sync token cannot be used without deleted events.";
            return Err(Refused::new(400, "syncTokenWithNonDefaultOrdering", message).of("calendar"));
        }
        let token = Token::parse(text, 's').ok_or_else(|| Refused::parameter("syncToken"))?;
        self.still_good(token)?;
        if single && self.query.get("pageToken").is_none() {
            let own = self.calendar;
            let changed = own.order.range(token.until + 1..).filter_map(|(_, id)| own.events.get(id));
            let rows = changed.flat_map(|event| self.expanded(event, None)).collect();
            return self.paged(rows, true);
        }
        self.run_through(true)
    }

    /// Whether a token can still be used.
    fn still_good(&self, token: Token) -> Result<(), Refused> {
        let expired = self.now.duration_since(token.given) > self.config.sync_tokens_live;
        if expired || token.epoch != self.state.epoch {
            return Err(Refused::full_sync());
        }
        if token.asked != self.asked() {
            return Err(Refused::invalid("The parameters are not those with which the token was given."));
        }
        Ok(())
    }

    fn page_token(&self) -> Result<Option<Token>, Refused> {
        let Some(text) = self.query.get("pageToken") else { return Ok(None) };
        let token = Token::parse(text, 'p').ok_or_else(|| Refused::parameter("pageToken"))?;
        self.still_good(token)?;
        Ok(Some(token))
    }

    /// A page of masters and single events by their last change.
    fn run_through(&self, since_token: bool) -> Result<Value, Refused> {
        let sync = self.query.get("syncToken").and_then(|text| Token::parse(text, 's'));
        let token = match self.page_token()? {
            Some(token) => token,
            None => Token {
                after: sync.map_or(0, |sync| sync.until),
                until: self.state.seen_by_lists(self.now),
                given: self.now,
                asked: self.asked(),
                epoch: self.state.epoch,
            },
        };
        let size = self.size()?;
        let own = self.calendar;
        let rows = own.order.range(token.after + 1..).take_while(|(tick, _)| **tick <= token.until);
        let rows = rows.filter_map(|(_, id)| own.events.get(id));
        // Rows are counted before they are left out: a page can be empty and not be the last.
        let mut rows: Vec<&Event> = rows.take(size + 1).collect();
        let more = rows.len() > size;
        rows.truncate(size);
        let keep_all = since_token || self.query.flag("showDeleted", false)? || self.query.get("updatedMin").is_some();
        let (from, to) = (self.query.time("timeMin")?, self.query.time("timeMax")?);
        let after = rows.last().map_or(token.until, |event| event.changed);
        let mut told = Vec::new();
        for event in rows {
            let wanted = keep_all || !event.is_cancelled() || event.part.is_some();
            if wanted && self.matches(event)? && self.touches(event, from, to) {
                told.push(event.clone());
            }
        }
        // Going back over some rows repeats them on the next page.
        let mut after_shown = after;
        if more && self.config.repeated_rows > 0 && told.len() > self.config.repeated_rows {
            after_shown = told[told.len() - self.config.repeated_rows - 1].changed;
        }
        let mut out = self.envelope(&told)?;
        if more {
            out["nextPageToken"] = Token { after: after_shown, ..token }.text('p').into();
        } else if self.unrestricted() {
            out["nextSyncToken"] = token.text('s').into();
        }
        Ok(out)
    }

    /// All rows of an expanded or ordered list, in order.
    fn rows(&self, single: bool, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Vec<Event>, Refused> {
        let mut out = Vec::new();
        for event in self.calendar.events.values() {
            let whole = if single { self.expanded(event, to) } else { vec![event.clone()] };
            for event in whole {
                if self.matches(&event)? && self.touches(&event, from, to) {
                    out.push(event);
                }
            }
        }
        let own = zone(&self.calendar.zone);
        match self.query.get("orderBy") {
            Some("updated") => out.sort_by(|one, two| (one.updated, &one.id).cmp(&(two.updated, &two.id))),
            _ => out.sort_by_key(|event| (event.start.at(&own), event.id.clone())),
        }
        Ok(out)
    }

    /// A series as its occurrences; a changed occurrence comes with its series, if that is here.
    fn expanded(&self, event: &Event, to: Option<Timestamp>) -> Vec<Event> {
        if event.is_series() {
            if event.is_cancelled() {
                return Vec::new();
            }
            return self.calendar.occurrences(event, to.unwrap_or_else(|| self.horizon(event)));
        }
        let series = event.part.as_ref().and_then(|part| self.calendar.events.get(&part.series));
        if series.is_some_and(|series| !series.is_cancelled()) { Vec::new() } else { vec![event.clone()] }
    }

    /// As far as a series without an end is looked into, from now or from its beginning.
    fn horizon(&self, series: &Event) -> Timestamp {
        let begin = series.start.at(&zone(&self.calendar.zone)).max(self.now);
        begin.checked_add(SignedDuration::from_hours(24 * HORIZON_DAYS)).unwrap_or(Timestamp::MAX)
    }

    /// `events/{id}/instances`
    pub(super) fn instances(&self, series: &Event) -> Result<Value, Refused> {
        let (from, to) = (self.query.time("timeMin")?, self.query.time("timeMax")?);
        let original = self.query.time("originalStart")?;
        let keep_all = self.query.flag("showDeleted", false)?;
        let own = zone(&self.calendar.zone);
        let rows = self
            .calendar
            .occurrences(series, to.unwrap_or_else(|| self.horizon(series)).max(original.unwrap_or(Timestamp::MIN)));
        let rows = rows.into_iter().filter(|one| {
            let wanted = |at| one.part.as_ref().is_some_and(|part| part.original.at(&own) == at);
            (keep_all || !one.is_cancelled()) && original.is_none_or(wanted) && self.touches(one, from, to)
        });
        self.paged(rows.collect(), true)
    }

    /// A page by its place among the rows.
    fn paged(&self, rows: Vec<Event>, with_token: bool) -> Result<Value, Refused> {
        let token = self.page_token()?.unwrap_or(Token {
            after: 0,
            until: self.state.seen_by_lists(self.now),
            given: self.now,
            asked: self.asked(),
            epoch: self.state.epoch,
        });
        let size = self.size()?;
        let skipped = usize::try_from(token.after).unwrap_or(usize::MAX);
        let page: Vec<Event> = rows.iter().skip(skipped).take(size).cloned().collect();
        let more = rows.len() > skipped.saturating_add(size);
        let mut out = self.envelope(&page)?;
        if more {
            let after = (skipped + size).saturating_sub(self.config.repeated_rows.min(size - 1)) as u64;
            out["nextPageToken"] = Token { after, ..token }.text('p').into();
        } else if with_token {
            out["nextSyncToken"] = token.text('s').into();
        }
        Ok(out)
    }

    fn envelope(&self, rows: &[Event]) -> Result<Value, Refused> {
        let own = self.calendar;
        let shown_in = self.query.get("timeZone").unwrap_or(&own.zone);
        let role = own.access.get(self.user).copied().unwrap_or(GoogleRole::FreeBusyReader);
        let view = View {
            calendar: &own.id,
            zone: shown_in,
            max_attendees: self.query.number("maxAttendees")?,
            bare: self.config.bare_tombstones,
            outsider: role < GoogleRole::Writer,
        };
        let rows: Vec<Value> = rows.iter().map(|event| event.shown(&view)).collect();
        Ok(json!({
            "kind": "calendar#events", "etag": format!("\"p{}g\"", self.state.ticks), "summary": own.summary,
            "description": "", "updated": stamp(own.updated), "timeZone": own.zone, "accessRole": role.name(),
            "defaultReminders": [], "items": rows,
        }))
    }

    fn size(&self) -> Result<usize, Refused> {
        let size = self.query.number("maxResults")?.unwrap_or(PAGE_DEFAULT);
        if size == 0 { Err(Refused::parameter("maxResults")) } else { Ok(size.min(PAGE_MAX).min(self.state.page_rows)) }
    }

    /// Whether a token can come of this list at all.
    fn unrestricted(&self) -> bool {
        NOT_WITH_TOKEN.iter().all(|name| self.query.get(name).is_none())
    }

    /// What was asked for, in short: tokens go with it.
    fn asked(&self) -> u64 {
        let mut pairs: Vec<_> = self.query.pairs().filter(|(name, _)| !FREE.contains(name)).collect();
        pairs.sort_unstable();
        let all = pairs.iter().flat_map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes(), b"&"]);
        // FNV-1a.
        all.flatten()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// Whether the event is what was asked for but for its time.
    fn matches(&self, event: &Event) -> Result<bool, Refused> {
        let kinds: Vec<&str> = self.query.all("eventTypes").collect();
        let kind = event.fields.get("eventType").and_then(Value::as_str).unwrap_or("default");
        let said = |name: &str| event.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let words = self.query.get("q").map(str::to_lowercase).unwrap_or_default();
        let all = [said("summary"), said("description"), said("location"), event.guests().join(" ")].join(" ");
        let properties = |parameter: &str, group: &str| {
            self.query.all(parameter).all(|pair| {
                let known = event.fields.get("extendedProperties").and_then(|all| all.get(group));
                pair.split_once('=').is_some_and(|(name, value)| {
                    known.and_then(|known| known.get(name)).is_some_and(|known| known == value)
                })
            })
        };
        let since = self.query.time("updatedMin")?;
        Ok((kinds.is_empty() || kinds.contains(&kind))
            && words.split_whitespace().all(|word| all.contains(word))
            && self.query.get("iCalUID").is_none_or(|uid| uid == event.uid)
            && since.is_none_or(|since| event.updated >= since)
            && properties("privateExtendedProperty", "private")
            && properties("sharedExtendedProperty", "shared"))
    }

    /// Whether the event, or any occurrence of it, ends after `from` and begins before `to`.
    fn touches(&self, event: &Event, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        if from.is_none() && to.is_none() {
            return true;
        }
        let own = zone(&self.calendar.zone);
        let one = |event: &Event| {
            from.is_none_or(|from| event.end.at(&own) > from) && to.is_none_or(|to| event.start.at(&own) < to)
        };
        if event.is_series() {
            self.calendar.occurrences(event, to.unwrap_or_else(|| self.horizon(event))).iter().any(one)
        } else {
            one(event)
        }
    }
}
