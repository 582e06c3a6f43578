//! What people do without the API, and what whoever steers the sandbox sees and sets.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{
    Act, Lifecycle, MicrosoftRates, MicrosoftTenant, answers::Refused, book::DEFAULT_CALENDAR, write::REPLIES,
};
use crate::{
    CalendarMail, Faults, HookDelivery,
    journal::{Actor, Effect},
};

const SCOPES: &[&str] = &["Calendars.ReadWrite", "User.Read", "offline_access"];

impl MicrosoftTenant {
    /// What goes wrong with calls.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What a client needs to call it.
    pub fn credentials(&self, base: &str) -> Value {
        let people =
            self.config.users.iter().map(|user| json!({"id": user.id, "email": user.email, "name": user.name}));
        let tenant = &self.config.tenant_id;
        json!({
            "url": base, "api_url": format!("{base}/v1.0"), "tenant_id": tenant, "client_id": self.config.client_id,
            "client_secret": self.config.client_secret, "authorize_url": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
            "token_url": format!("{base}/{tenant}/oauth2/v2.0/token"), "users": people.collect::<Vec<_>>(),
        })
    }

    /// An access and a refresh token, as if this person had agreed.
    pub fn install(&self, user: &str) -> Result<Value, String> {
        let now = self.now();
        let mut state = self.state();
        if !state.mailboxes.contains_key(user) {
            return Err(format!("no user {user}"));
        }
        let scopes: Vec<String> = SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
        Ok(state.granted(&self.config, now, user, &scopes, true))
    }

    /// Ends all access tokens; refresh tokens stay.
    pub fn expire_tokens(&self) {
        self.state().grants.expire_access();
    }

    /// Takes back what was granted, as a changed password does.
    pub fn revoke(&self, user: &str) {
        self.state().grants.revoke_user(user);
    }

    /// Makes all tokens of deltas void that have been given so far.
    pub fn expire_delta_tokens(&self) {
        self.state().epoch += 1;
    }

    /// How long writes stay unseen by deltas from now on.
    pub fn set_delta_lag(&self, lag: SignedDuration) {
        self.state().delta_lag = lag;
    }

    pub fn set_rates(&self, rates: MicrosoftRates) {
        self.state().rates.limits = rates;
    }

    /// Somebody makes an event, and all guests are mailed; answers its immutable id.
    pub fn create(&self, user: &str, event: &Value) -> Result<String, String> {
        let act = self.person(user)?;
        let mut state = self.state();
        let key = state.create(&act, DEFAULT_CALENDAR, &members(event)).map_err(told)?;
        let mailbox = state.mailbox(user);
        Ok(mailbox.items[&key.number].id(&mailbox.plainly(), None))
    }

    /// Somebody changes an event, or an occurrence.
    pub fn edit(&self, user: &str, id: &str, patch: &Value) -> Result<(), String> {
        let act = self.person(user)?;
        let mut state = self.state();
        let key = state.mailbox(user).key(id).map_err(told)?;
        state.patch(&act, key, &members(patch), None).map_err(told)
    }

    /// Somebody answers an invitation, `accept`, `tentativelyAccept` or `decline`, and the organiser hears of it.
    pub fn respond_to(&self, user: &str, id: &str, answer: &str) -> Result<(), String> {
        let act = self.person(user)?;
        let word = REPLIES.iter().find(|(name, _)| *name == answer).map(|(_, word)| *word).ok_or("no such answer")?;
        let mut state = self.state();
        let key = state.mailbox(user).key(id).map_err(told)?;
        state.respond(&act, key, word, true).map_err(told)
    }

    /// Somebody deletes an event: cancels his own, or takes an invitation off.
    pub fn delete(&self, user: &str, id: &str) -> Result<(), String> {
        let act = self.person(user)?;
        let mut state = self.state();
        let key = state.mailbox(user).key(id).map_err(told)?;
        state.delete(&act, key, None).map_err(told)
    }

    /// Somebody moves an event to another calendar of his, by its place among them: its regular id is another then.
    pub fn move_to_calendar(&self, user: &str, id: &str, place: usize) -> Result<(), String> {
        let act = self.person(user)?;
        let mut state = self.state();
        let mailbox = state.mailbox(user);
        let key = mailbox.key(id).map_err(told)?;
        let calendar = *mailbox.calendars.keys().nth(place).ok_or("no such calendar")?;
        let mut item = mailbox.items[&key.number].clone();
        item.calendar = calendar;
        item.moves += 1;
        state.keep(&act, user, item);
        Ok(())
    }

    /// Somebody makes another calendar.
    pub fn add_calendar(&self, user: &str, name: &str) -> Result<(), String> {
        let act = self.person(user)?;
        self.state().add_calendar(&act, name);
        Ok(())
    }

    /// All that is kept by person: single events and series, these with changed and cancelled occurrences.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<Value>> {
        let state = self.state();
        let shown = |(user, mailbox): (&String, &super::book::Mailbox)| {
            let manner = mailbox.plainly();
            let rows = mailbox.items.values().map(|item| {
                let mut row = item.shown(&manner, None);
                if item.is_series() {
                    let parts = item.exceptions.iter().map(|(day, one)| one.shown(&manner, Some(*day)).into());
                    row.insert("exceptionOccurrences".into(), parts.collect::<Vec<Value>>().into());
                    row.insert(
                        "cancelledOccurrences".into(),
                        item.gone.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
                    );
                }
                row.into()
            });
            (user.clone(), rows.collect())
        };
        state.mailboxes.iter().map(shown).collect()
    }

    /// Mails that went out, numbered after `number` (0: all that are kept).
    pub fn mails_since(&self, number: u64) -> Vec<CalendarMail> {
        self.state().mails.since(number)
    }

    /// Every change that stayed, numbered after `number`.
    pub fn effects_since(&self, number: u64) -> Vec<Effect> {
        self.state().journal.since(number)
    }

    /// Calls by kind: `GET v1.0/me/events/{id}`.
    pub fn call_counts(&self) -> BTreeMap<String, u64> {
        self.state().calls.by_kind.clone()
    }

    pub fn call_count(&self) -> u64 {
        self.state().calls.total
    }

    /// Handshakes and notifications that are to be delivered now; what is taken and not reported is lost.
    pub fn take_deliveries(&self) -> Vec<HookDelivery> {
        let now = self.now();
        self.state().waiting.take(now)
    }

    /// What a delivery was answered, if it was; the body matters for handshakes alone.
    pub fn report(&self, sent: &HookDelivery, status: Option<u16>, body: &[u8]) {
        let now = self.now();
        self.state().delivered(now, sent, status, body);
    }

    /// Tells of the life of this person's subscriptions.
    pub fn tell_lifecycle(&self, user: &str, event: Lifecycle) {
        let now = self.now();
        self.state().tell_lifecycle(now, user, event);
    }

    fn person(&self, user: &str) -> Result<Act, String> {
        if !self.state().mailboxes.contains_key(user) {
            return Err(format!("no user {user}"));
        }
        Ok(Act { now: self.now(), actor: Actor::Person, user: user.to_owned() })
    }
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn told(refused: Refused) -> String {
    format!("{}: {}", refused.code, refused.message)
}
