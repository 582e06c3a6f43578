//! What people do without the API, and what whoever steers the sandbox sees and sets.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{
    Act, GoogleRates, GoogleRole, GoogleWorkspace,
    answers::Refused,
    config::{SCOPE_ALL, SCOPE_EVENTS},
    draft::Mode,
    event::{Event, View},
    invite::Notify,
};
use crate::{
    CalendarMail, Faults, HookDelivery,
    grants::Access,
    journal::{Actor, Effect},
};

impl GoogleWorkspace {
    /// What goes wrong with calls.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What a client needs to call it.
    pub fn credentials(&self, base: &str) -> Value {
        let people: Vec<Value> =
            self.config.users.iter().map(|user| json!({"email": user.email, "name": user.name})).collect();
        json!({
            "url": base, "api_url": format!("{base}/calendar/v3/"), "client_id": self.config.client_id,
            "client_secret": self.config.client_secret, "authorize_url": format!("{base}/o/oauth2/v2/auth"),
            "token_url": format!("{base}/token"), "revoke_url": format!("{base}/revoke"), "users": people,
        })
    }

    /// An access and a refresh token, as if this person had agreed to everything.
    pub fn install(&self, user: &str) -> Result<Value, String> {
        let now = self.now();
        let mut state = self.state();
        if !state.has_user(user) {
            return Err(format!("no user {user}"));
        }
        let scopes = vec![SCOPE_ALL.to_owned(), SCOPE_EVENTS.to_owned()];
        state.consented.insert(user.to_owned());
        let refresh = state.grants.give_refresh(user, &scopes, now);
        let access = Access { user: user.to_owned(), scopes, expires: now + self.config.access_lives };
        let access = state.grants.give_access(access);
        Ok(json!({"access_token": access, "refresh_token": refresh, "expires_in": self.config.access_lives.as_secs()}))
    }

    /// Ends all access tokens; refresh tokens stay.
    pub fn expire_tokens(&self) {
        self.state().grants.expire_access();
    }

    /// Somebody takes his consent back.
    pub fn revoke(&self, user: &str) {
        let mut state = self.state();
        state.grants.revoke_user(user);
        state.consented.remove(user);
    }

    /// People no longer agree to this scope, or do again.
    pub fn set_scope_ticked(&self, scope: &str, ticked: bool) {
        let mut state = self.state();
        if ticked {
            state.unticked.remove(scope);
        } else {
            state.unticked.insert(scope.to_owned());
        }
    }

    /// Makes all sync and page tokens void that have been given so far.
    pub fn expire_sync_tokens(&self) {
        self.state().epoch += 1;
    }

    /// How long writes stay unseen by lists from now on.
    pub fn set_list_lag(&self, lag: SignedDuration) {
        self.state().list_lag = lag;
    }

    /// The most rows of a page from now on, whatever is asked for.
    pub fn set_page_rows(&self, rows: usize) {
        self.state().page_rows = rows.max(1);
    }

    pub fn set_rates(&self, rates: GoogleRates) {
        self.state().rates.limits = rates;
    }

    /// Somebody makes an event on his first calendar, and all guests are mailed; answers its id.
    pub fn create(&self, user: &str, event: &Value) -> Result<String, String> {
        self.create_on(user, user, event)
    }

    /// The same on any calendar that he may write.
    pub fn create_on(&self, user: &str, calendar: &str, event: &Value) -> Result<String, String> {
        let act = self.person(user);
        let mut state = self.state();
        let calendar = state.calendar_id(user, calendar, GoogleRole::Writer).map_err(told)?;
        state.insert(&act, &calendar, &members(event)).map(|event| event.id).map_err(told)
    }

    /// Somebody changes an event of his first calendar, or an occurrence.
    pub fn edit(&self, user: &str, id: &str, patch: &Value) -> Result<(), String> {
        let act = self.person(user);
        self.state().change(&act, user, id, &members(patch), Mode::Patch, None).map(drop).map_err(told)
    }

    /// Somebody answers an invitation: `accepted`, `declined`, `tentative`.
    pub fn respond_to(&self, user: &str, id: &str, answer: &str) -> Result<(), String> {
        let event = self.state().calendars.get(user).and_then(|home| home.find(id)).ok_or("no such event")?;
        let mut rows = event.attendees().to_vec();
        let own = rows.iter_mut().find(|row| row["email"] == user).ok_or("not invited")?;
        own["responseStatus"] = answer.into();
        self.edit(user, id, &json!({"attendees": rows}))
    }

    /// Somebody deletes an event of his first calendar: cancels his own, or takes an invitation off.
    pub fn delete(&self, user: &str, id: &str) -> Result<(), String> {
        let act = self.person(user);
        let mut state = self.state();
        state.calendar_id(user, user, GoogleRole::Owner).map_err(told)?;
        state.remove(&act, user, id, None).map_err(told)
    }

    /// Forgets what was deleted in somebody's first calendar, as happens after some weeks: no list shows it any more.
    pub fn forget_deleted(&self, user: &str) -> Result<(), String> {
        let mut state = self.state();
        let home = state.calendars.get_mut(user).ok_or("no such calendar")?;
        home.events.retain(|_, event| !event.is_cancelled());
        let left = &home.events;
        home.order.retain(|_, id| left.contains_key(id));
        Ok(())
    }

    /// Somebody makes another calendar; answers its id.
    pub fn add_calendar(&self, user: &str, summary: &str, zone: &str) -> Result<String, String> {
        let act = self.person(user);
        self.state().add_calendar(&act, summary, zone).map_err(told)
    }

    /// Shares a calendar with somebody, or no longer.
    pub fn share(&self, calendar: &str, with: &str, role: Option<GoogleRole>) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        state.ticks += 1;
        let ticks = state.ticks;
        let known = state.calendars.get_mut(calendar).ok_or("no such calendar")?;
        known.listed = ticks;
        match role {
            Some(role) => drop(known.access.insert(with.to_owned(), role)),
            None => drop(known.access.remove(with)),
        }
        state.tell_list_channels(now, &[with.to_owned()]);
        Ok(())
    }

    /// One event as its owner sees it, cancelled ones too.
    pub fn event(&self, calendar: &str, id: &str) -> Option<Value> {
        let state = self.state();
        let home = state.calendars.get(calendar)?;
        Some(seen(&home.zone, calendar, &home.find(id)?))
    }

    /// All that is kept by calendar, in the order of ids: single events, series, changed and cancelled occurrences.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<Value>> {
        let state = self.state();
        let all = state.calendars.values().filter(|calendar| !calendar.deleted);
        all.map(|home| (home.id.clone(), home.events.values().map(|event| seen(&home.zone, &home.id, event)).collect()))
            .collect()
    }

    /// Mails that went out, numbered after `number` (0: all that are kept).
    pub fn mails_since(&self, number: u64) -> Vec<CalendarMail> {
        self.state().mails.since(number)
    }

    /// Every change that stayed, numbered after `number`.
    pub fn effects_since(&self, number: u64) -> Vec<Effect> {
        self.state().journal.since(number)
    }

    /// Calls by kind: `GET calendar/v3/calendars/{id}/events`.
    pub fn call_counts(&self) -> BTreeMap<String, u64> {
        self.state().calls.by_kind.clone()
    }

    pub fn call_count(&self) -> u64 {
        self.state().calls.total
    }

    /// The messages of channels that are to be delivered now; what is taken and not reported is lost.
    pub fn take_deliveries(&self) -> Vec<HookDelivery> {
        let now = self.now();
        self.state().waiting.take(now)
    }

    /// What a delivery was answered, if it was.
    pub fn report(&self, sent: &HookDelivery, status: Option<u16>) {
        let now = self.now();
        self.state().delivered(now, sent, status);
    }

    fn person(&self, user: &str) -> Act {
        Act { now: self.now(), actor: Actor::Person, user: user.to_owned(), notify: Notify::All }
    }
}

fn seen(zone: &str, calendar: &str, event: &Event) -> Value {
    event.shown(&View { calendar, zone, max_attendees: None, bare: false, outsider: false })
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn told(refused: Refused) -> String {
    format!("{}: {}", refused.reason, refused.message)
}
