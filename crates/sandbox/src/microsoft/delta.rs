//! What has changed in a window of a calendar since a token was given. The window is in the token, and what it tells are
//! hints: occurrences without their text, and removals that may be none.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    MicrosoftConfig, State,
    answers::{Refused, sync_state},
    api::Call,
    book::{Change, Mailbox},
    ids::{Key, id},
    view::window,
};

const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 1_000;
/// What a delta of a view does not take ("event: delta", read 2026-11).
const NOT_TAKEN: &[&str] = &["$select", "$filter", "$expand", "$orderby", "$search", "$top"];

/// Where a delta goes on.
#[derive(Debug, Clone, Copy)]
struct Token {
    from: Timestamp,
    to: Timestamp,
    /// Changes up to this one were told.
    after: u64,
    /// Changes after this one are for the next round.
    until: u64,
    /// Whether this is the first round, which tells of no removals.
    first: bool,
    given: Timestamp,
    /// How often tokens had been made void before.
    epoch: u64,
}

impl Token {
    fn text(&self) -> String {
        let (from, to, given) = (self.from.as_second(), self.to.as_second(), self.given.as_millisecond());
        let all = format!("{from}:{to}:{}:{}:{}:{given}:{}", self.after, self.until, u8::from(self.first), self.epoch);
        URL_SAFE_NO_PAD.encode(all)
    }

    fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let all: Vec<i64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let [from, to, after, until, first, given, epoch] = all.try_into().ok()?;
        let count = |number: i64| u64::try_from(number).ok();
        Some(Self {
            from: Timestamp::from_second(from).ok()?,
            to: Timestamp::from_second(to).ok()?,
            after: count(after)?,
            until: count(until)?,
            first: first == 1,
            given: Timestamp::from_millisecond(given).ok()?,
            epoch: count(epoch)?,
        })
    }
}

impl State {
    /// `calendarView/delta`
    pub(super) fn delta(&self, call: &Call, config: &MicrosoftConfig, calendar: u64) -> Result<Value, Refused> {
        if let Some(name) = NOT_TAKEN.iter().find(|name| call.param(name).is_some()) {
            let message = format!("The query parameter {name} is not supported with change tracking over a window.");
            return Err(Refused::new(400, "ErrorInvalidUrlQuery", message));
        }
        let token = self.delta_token(call, config)?;
        let mailbox = self.mailbox(&call.act.user);
        let size = call.manner.page.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
        let mut rows: Vec<Value> = Vec::new();
        let mut after = token.after;
        let mut more = false;
        let changes = mailbox.order.range(token.after + 1..).take_while(|(tick, _)| **tick <= token.until);
        // What belongs to one change stays together, so that no row falls between two pages.
        for (tick, change) in changes {
            if rows.len() >= size {
                more = true;
                break;
            }
            after = *tick;
            rows.extend(told(call, mailbox, change, calendar, token));
        }
        if config.repeats_rows
            && let Some(first) = rows.first().cloned()
        {
            rows.push(first);
        }
        let mut out = json!({"@odata.context": call.context("Collection(event)"), "value": rows});
        let home = format!("{}{}", call.base, call.path);
        if more {
            out["@odata.nextLink"] = format!("{home}?$skiptoken={}", Token { after, ..token }.text()).into();
        } else {
            let next = Token { after: token.until, until: 0, first: false, given: call.act.now, ..token };
            out["@odata.deltaLink"] = format!("{home}?$deltatoken={}", next.text()).into();
        }
        Ok(out)
    }

    fn delta_token(&self, call: &Call, config: &MicrosoftConfig) -> Result<Token, Refused> {
        let given = call.param("$deltatoken").or(call.param("$skiptoken"));
        let Some(text) = given else {
            let (from, to) = window(call)?;
            let (now, epoch) = (call.act.now, self.epoch);
            return Ok(Token { from, to, after: 0, until: self.seen_by_deltas(now), first: true, given: now, epoch });
        };
        let malformed = || Refused::new(400, "InvalidDeltaToken", "The token is malformed.");
        let token = Token::parse(text).ok_or_else(malformed)?;
        let expired = call.act.now.duration_since(token.given) > config.delta_tokens_live;
        if expired || token.epoch != self.epoch {
            let window = format!("startDateTime={:.0}&endDateTime={:.0}", token.from, token.to);
            let location = Some(format!("{}{}?{window}", call.base, call.path));
            return Err(Refused { location, ..sync_state(config.delta_refusal) });
        }
        let until = if call.param("$deltatoken").is_some() {
            self.seen_by_deltas(call.act.now).max(token.after)
        } else {
            token.until
        };
        Ok(Token { until, ..token })
    }
}

/// The rows of one change.
fn told(call: &Call, mailbox: &Mailbox, change: &Change, calendar: u64, token: Token) -> Vec<Value> {
    let removed =
        |key: Key, moves: u32| vec![json!({"id": id(&call.manner, key, moves), "@removed": {"reason": "deleted"}})];
    let number = match change {
        Change::Gone { key, calendar: was, moves } => {
            return if token.first || *was != calendar { Vec::new() } else { removed(*key, *moves) };
        }
        Change::Kept(number) => *number,
    };
    let Some(item) = mailbox.items.get(&number) else { return Vec::new() };
    let manner = &call.manner;
    if item.calendar != calendar {
        // What was moved away is gone from here.
        return if token.first || item.moves == 0 {
            Vec::new()
        } else {
            removed(Key { number, day: None }, item.moves)
        };
    }
    if item.is_series() {
        let parts = item.occurrences(token.from, token.to);
        if !parts.is_empty() {
            let mut rows = vec![Value::from(item.shown(manner, None))];
            rows.extend(parts.iter().map(|(day, one)| match item.exceptions.get(day) {
                Some(one) => {
                    let mut row = one.shown(manner, Some(*day));
                    row.insert("type".into(), "exception".into());
                    row.into()
                }
                None => one.stub(manner, *day),
            }));
            return rows;
        }
    } else if item.touches(token.from, token.to) {
        return vec![item.shown(manner, None).into()];
    }
    // What changes outside the window looks as if it had been deleted.
    if token.first { Vec::new() } else { removed(Key { number, day: None }, item.moves) }
}
