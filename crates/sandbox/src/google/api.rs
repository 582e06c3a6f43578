//! The resources of `/calendar/v3`: who may call them, and what each does.

use bytes::Bytes;
use http::{Method, Request, header};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{
    Act, GoogleWorkspace, State,
    answers::{Answer, Refused},
    book::GoogleRole,
    config::{SCOPE_ALL, SCOPE_EVENTS},
    draft::Mode,
    event::{Event, View},
    invite::Notify,
    list::Listing,
    write::condition,
};
use crate::{
    journal::Actor,
    web::{bearer, empty, json as answer, set},
};

/// What is asked in the query; a name may come more than once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request<Bytes>) -> Self {
        Self(url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last().filter(|value| !value.is_empty())
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn flag(&self, name: &str, otherwise: bool) -> Result<bool, Refused> {
        match self.get(name) {
            None => Ok(otherwise),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Refused::parameter(name)),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Refused> {
        self.get(name).map(|text| text.parse().map_err(|_| Refused::parameter(name))).transpose()
    }

    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Refused> {
        self.get(name).map(|text| text.parse().map_err(|_| Refused::parameter(name))).transpose()
    }

    fn notify(&self) -> Result<Notify, Refused> {
        match self.get("sendUpdates") {
            Some("all") => Ok(Notify::All),
            Some("externalOnly") => Ok(Notify::ExternalOnly),
            Some("none") => Ok(Notify::Nobody),
            Some(_) => Err(Refused::parameter("sendUpdates")),
            None => Ok(if self.flag("sendNotifications", false)? { Notify::All } else { Notify::Nobody }),
        }
    }
}

/// One call under way.
struct Call<'a> {
    site: &'a GoogleWorkspace,
    act: Act,
    scopes: Vec<String>,
    query: Query,
    base: String,
    uri: String,
    if_match: Option<String>,
    if_none_match: Option<String>,
    body: &'a [u8],
}

impl GoogleWorkspace {
    pub(super) fn calendar_api(
        &self,
        state: &mut State,
        base: &str,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Answer {
        let token = bearer(request).ok_or_else(Refused::unauthorized)?;
        let who = state.grants.who(token, now).cloned().ok_or_else(Refused::unauthorized)?;
        if let Some(whole) = state.rates.count(now, &who.user) {
            return Err(Refused::limited(state.rates.limits.refused_with, whole));
        }
        let named = |name| {
            request.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::to_owned)
        };
        let path = request.uri().path();
        let parts: Vec<String> = path
            .trim_start_matches("/calendar/v3/")
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let query = Query::of(request);
        let call = Call {
            site: self,
            act: Act { now, actor: Actor::Key(self.config.client_id.clone()), user: who.user, notify: query.notify()? },
            scopes: who.scopes,
            query,
            base: base.to_owned(),
            uri: path.to_owned(),
            if_match: named(header::IF_MATCH),
            if_none_match: named(header::IF_NONE_MATCH),
            body: request.body(),
        };
        call.answer(state, request.method(), &parts)
    }
}

impl Call<'_> {
    /// Whether the token may do this; `kind` is what the scopes of this resource are called.
    fn allowed(&self, kind: &str, writes: bool) -> Result<(), Refused> {
        let good = |scope: &String| {
            let Some(rest) = scope.strip_prefix(SCOPE_ALL) else { return false };
            let reads = rest.ends_with(".readonly");
            (rest.is_empty() || rest == ".readonly" || rest.starts_with(kind)) && !(writes && reads)
        };
        if self.scopes.iter().any(good) { Ok(()) } else { Err(Refused::scope()) }
    }

    fn said(&self) -> Result<Map<String, Value>, Refused> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        serde_json::from_slice(self.body).map_err(|_| Refused::new(400, "parseError", "Parse Error"))
    }

    fn answer(&self, state: &mut State, method: &Method, parts: &[&str]) -> Answer {
        let user = self.act.user.as_str();
        match (method, parts) {
            (_, ["users", "me", "calendarList", ..] | ["calendars"] | ["calendars", _] | ["calendars", _, "clear"]) => {
                self.allowed(".calendar", *method != Method::GET)?;
                self.calendars(state, method, parts)
            }
            (&Method::POST, ["channels", "stop"]) => {
                state.stop_channel(user, &self.said()?)?;
                Ok(empty(204))
            }
            (_, ["calendars", calendar, "events", rest @ ..]) => {
                self.allowed(&SCOPE_EVENTS[SCOPE_ALL.len()..], *method != Method::GET)?;
                let needed = match *method {
                    Method::GET => GoogleRole::Reader,
                    _ if rest == ["watch"] => GoogleRole::Reader,
                    _ => GoogleRole::Writer,
                };
                let calendar = state.calendar_id(user, calendar, needed)?;
                self.events(state, method, &calendar, rest)
            }
            _ => Err(Refused::not_found()),
        }
    }

    fn calendars(&self, state: &mut State, method: &Method, parts: &[&str]) -> Answer {
        let user = self.act.user.as_str();
        match (method, parts) {
            (&Method::GET, ["users", "me", "calendarList"]) => {
                state.calendar_list(&self.act, &self.query).map(|all| answer(200, &all))
            }
            (&Method::POST, ["users", "me", "calendarList", "watch"]) => {
                let uri = format!("{}{}?alt=json", self.base, self.uri.trim_end_matches("/watch"));
                Ok(answer(200, &state.watch(self.act.now, user, None, uri, &self.said()?)?))
            }
            (&Method::GET, ["users", "me", "calendarList", id]) => {
                let id = state.calendar_id(user, id, GoogleRole::FreeBusyReader)?;
                Ok(tagged(&state.list_entry(user, &id)))
            }
            (&Method::GET, ["calendars", id]) => {
                let id = state.calendar_id(user, id, GoogleRole::FreeBusyReader)?;
                Ok(tagged(&state.calendar_shown(&id)))
            }
            (&Method::POST, ["calendars"]) => {
                let said = self.said()?;
                let summary = said.get("summary").and_then(Value::as_str);
                let summary = summary.ok_or_else(|| Refused::new(400, "required", "Missing title."))?;
                let zone = said.get("timeZone").and_then(Value::as_str).unwrap_or("UTC");
                let id = state.add_calendar(&self.act, summary, zone)?;
                Ok(tagged(&state.calendar_shown(&id)))
            }
            (&Method::DELETE, ["calendars", id]) => {
                let id = state.calendar_id(user, id, GoogleRole::Owner)?;
                state.remove_calendar(&self.act, &id)?;
                Ok(empty(204))
            }
            _ => Err(Refused::not_found()),
        }
    }

    fn events(&self, state: &mut State, method: &Method, calendar: &str, rest: &[&str]) -> Answer {
        let if_match = self.if_match.as_deref();
        let mode = if *method == Method::PUT { Mode::Put } else { Mode::Patch };
        match (method, rest) {
            (&Method::GET, []) => Ok(answer(200, &self.listing(state, calendar).events()?)),
            (&Method::GET, [id]) => {
                let event = state.calendars[calendar].find(id).ok_or_else(Refused::not_found)?;
                if self.if_none_match.as_deref() == Some(&event.etag_text()) {
                    return Ok(empty(304));
                }
                self.shown(state, calendar, &event)
            }
            (&Method::GET, [id, "instances"]) => {
                let series = state.calendars[calendar].events.get(*id).ok_or_else(Refused::not_found)?;
                Ok(answer(200, &self.listing(state, calendar).instances(series)?))
            }
            (&Method::POST, []) => {
                let event = state.insert(&self.act, calendar, &self.said()?)?;
                self.shown(state, calendar, &event)
            }
            (&Method::POST, ["import"]) => {
                let event = state.import(&self.act, calendar, &self.said()?)?;
                self.shown(state, calendar, &event)
            }
            (&Method::POST, ["watch"]) => {
                let uri = format!("{}{}?alt=json", self.base, self.uri.trim_end_matches("/watch"));
                let channel = state.watch(self.act.now, &self.act.user, Some(calendar), uri, &self.said()?)?;
                Ok(answer(200, &channel))
            }
            (&Method::POST, [id, "move"]) => {
                let to = self.query.get("destination").ok_or_else(|| Refused::parameter("destination"))?;
                let to = state.calendar_id(&self.act.user, to, GoogleRole::Writer)?;
                let event = state.move_to(&self.act, calendar, id, &to)?;
                self.shown(state, &to, &event)
            }
            (&Method::PATCH | &Method::PUT, [id]) => {
                let event = state.change(&self.act, calendar, id, &self.said()?, mode, if_match)?;
                self.shown(state, calendar, &event)
            }
            (&Method::DELETE, [id]) => {
                if let Some(event) = state.calendars[calendar].find(id) {
                    condition(if_match, &event)?;
                }
                state.remove(&self.act, calendar, id, if_match)?;
                Ok(empty(204))
            }
            _ => Err(Refused::not_found()),
        }
    }

    fn listing<'a>(&'a self, state: &'a State, calendar: &str) -> Listing<'a> {
        let (config, query) = (&self.site.config, &self.query);
        Listing { state, config, now: self.act.now, user: &self.act.user, calendar: &state.calendars[calendar], query }
    }

    fn shown(&self, state: &State, calendar: &str, event: &Event) -> Answer {
        let home = &state.calendars[calendar];
        let role = home.access.get(&self.act.user).copied();
        let view = View {
            calendar,
            zone: self.query.get("timeZone").unwrap_or(&home.zone),
            max_attendees: self.query.number("maxAttendees")?,
            bare: self.site.config.bare_tombstones,
            outsider: role.is_none_or(|role| role < GoogleRole::Writer),
        };
        Ok(tagged(&event.shown(&view)))
    }
}

/// An answer whose entity tag stands in its header too.
fn tagged(body: &Value) -> http::Response<Bytes> {
    let mut response = answer(200, body);
    set(&mut response, header::ETAG, body["etag"].as_str().unwrap_or_default());
    response
}

/// What every list of calendars says of each.
pub(super) fn conference() -> Value {
    json!({"allowedConferenceSolutionTypes": ["hangoutsMeet"]})
}
