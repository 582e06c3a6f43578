//! The resources of `/v1.0`: who may call them, and what each does; and many calls in one.

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{
    Act, MicrosoftConfig, State,
    answers::{Answer, Refused},
    book::DEFAULT_CALENDAR,
    ids::{Key, Manner},
    write::REPLIES,
};
use crate::web::{empty, json as answer};

/// One call under way.
pub(super) struct Call {
    pub(super) act: Act,
    pub(super) scopes: Vec<String>,
    pub(super) method: Method,
    pub(super) base: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) manner: Manner,
    pub(super) if_match: Option<String>,
    pub(super) body: Map<String, Value>,
}

impl Call {
    /// A parameter of the query, whatever the case of its name.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn context(&self, what: &str) -> String {
        format!("{}/v1.0/$metadata#users('{}')/{what}", self.base, self.act.user)
    }

    fn allowed(&self, scopes: &[&str]) -> Result<(), Refused> {
        let fits = |have: &String| {
            // A scope may be written with the address of what it is for.
            let have = have.rsplit('/').next().unwrap_or(have);
            scopes.contains(&have)
        };
        if self.scopes.iter().any(fits) { Ok(()) } else { Err(Refused::denied()) }
    }
}

/// How a call wants to be answered, by its `Prefer` headers.
pub(super) fn manner(headers: &HeaderMap, mailbox: usize) -> Manner {
    let mut out = Manner { immutable: false, zone: "UTC".into(), text: false, page: None, mailbox };
    let all = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    for wish in all.flat_map(|value| value.split([',', ';'])) {
        let Some((name, value)) = wish.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "idtype" => out.immutable = value.eq_ignore_ascii_case("ImmutableId"),
            "outlook.timezone" => value.clone_into(&mut out.zone),
            "outlook.body-content-type" => out.text = value.eq_ignore_ascii_case("text"),
            "odata.maxpagesize" => out.page = value.parse().ok(),
            _ => {}
        }
    }
    out
}

const READ: &[&str] = &["Calendars.Read", "Calendars.ReadWrite", "Calendars.ReadBasic"];
const WRITE: &[&str] = &["Calendars.ReadWrite"];

impl State {
    /// Answers one call.
    pub(super) fn answer(&mut self, call: &Call, config: &MicrosoftConfig) -> Answer {
        let path = call.path.strip_prefix("/v1.0/").ok_or_else(not_there)?;
        let parts: Vec<String> =
            path.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if super::when::zone(&call.manner.zone).is_none() {
            return Err(Refused::new(
                400,
                "TimeZoneNotSupportedException",
                "The preferred time zone is not supported.",
            ));
        }
        match parts.as_slice() {
            ["subscriptions", rest @ ..] => self.subscription_calls(call, config, rest),
            ["me"] | ["users", _] if call.method == Method::GET => {
                call.allowed(&["User.Read"])?;
                Ok(answer(200, &self.person(call)))
            }
            ["me", rest @ ..] => self.mailbox_calls(call, config, rest),
            ["users", who, rest @ ..] => {
                let own = *who == call.act.user || *who == self.mailbox(&call.act.user).user_id;
                if own { self.mailbox_calls(call, config, rest) } else { Err(Refused::denied()) }
            }
            _ => Err(not_there()),
        }
    }

    fn person(&self, call: &Call) -> Value {
        let mailbox = self.mailbox(&call.act.user);
        let (given, surname) = mailbox.name.split_once(' ').unwrap_or((&mailbox.name, ""));
        json!({
            "@odata.context": format!("{}/v1.0/$metadata#users/$entity", call.base), "businessPhones": [],
            "displayName": mailbox.name, "givenName": given, "jobTitle": null, "mail": call.act.user,
            "mobilePhone": null, "officeLocation": null, "preferredLanguage": "en-US", "surname": surname,
            "userPrincipalName": call.act.user, "id": mailbox.user_id,
        })
    }

    fn mailbox_calls(&mut self, call: &Call, config: &MicrosoftConfig, parts: &[&str]) -> Answer {
        let writes = !matches!(call.method, Method::GET);
        call.allowed(if writes { WRITE } else { READ })?;
        match parts {
            ["calendars"] if writes => {
                let name = call.body.get("name").and_then(Value::as_str).unwrap_or_default();
                if name.is_empty() {
                    return Err(Refused::property("name"));
                }
                let number = self.add_calendar(&call.act, name);
                Ok(answer(201, &self.calendar(call, number)?))
            }
            ["calendars"] => {
                let numbers: Vec<u64> = self.mailbox(&call.act.user).calendars.keys().copied().collect();
                let rows: Vec<Value> =
                    numbers.into_iter().map(|number| self.calendar(call, number)).collect::<Result<_, _>>()?;
                Ok(answer(200, &json!({"@odata.context": call.context("calendars"), "value": rows})))
            }
            ["calendar"] => Ok(answer(200, &self.calendar(call, DEFAULT_CALENDAR)?)),
            ["calendars", id] => Ok(answer(200, &self.calendar(call, self.calendar_number(call, id)?)?)),
            ["calendar", rest @ ..] => self.event_calls(call, config, DEFAULT_CALENDAR, rest),
            ["calendars", id, rest @ ..] => {
                let number = self.calendar_number(call, id)?;
                self.event_calls(call, config, number, rest)
            }
            rest => self.event_calls(call, config, DEFAULT_CALENDAR, rest),
        }
    }

    fn event_calls(&mut self, call: &Call, config: &MicrosoftConfig, calendar: u64, parts: &[&str]) -> Answer {
        let if_match = call.if_match.as_deref();
        match (&call.method, parts) {
            (&Method::GET, ["events"]) => Ok(answer(200, &self.events(call, calendar)?)),
            (&Method::GET, ["calendarView"]) => Ok(answer(200, &self.calendar_view(call, calendar)?)),
            (&Method::GET, ["calendarView", "delta" | "delta()" | "microsoft.graph.delta()"]) => {
                Ok(answer(200, &self.delta(call, config, calendar)?))
            }
            (&Method::POST, ["events"]) => {
                let key = self.create(&call.act, calendar, &call.body)?;
                let told = self.entity(call, key)?;
                let mut response = answer(201, &told);
                let place = format!("{}{}/{}", call.base, call.path, told["id"].as_str().unwrap_or_default());
                crate::web::set(&mut response, http::header::LOCATION, &place);
                Ok(response)
            }
            (method, ["events", id, rest @ ..]) => {
                let key = self.mailbox(&call.act.user).key(id)?;
                match (method, rest) {
                    (&Method::GET, []) => Ok(answer(200, &self.entity(call, key)?)),
                    (&Method::GET, ["instances"]) => Ok(answer(200, &self.instances(call, key)?)),
                    (&Method::PATCH, []) => {
                        self.patch(&call.act, key, &call.body, if_match)?;
                        Ok(answer(200, &self.entity(call, key)?))
                    }
                    (&Method::DELETE, []) => {
                        self.delete(&call.act, key, if_match)?;
                        Ok(empty(204))
                    }
                    (&Method::POST, ["cancel"]) => {
                        self.cancel(&call.act, key)?;
                        Ok(empty(202))
                    }
                    (&Method::POST, [reply]) => self.replied(call, key, reply),
                    _ => Err(not_there()),
                }
            }
            _ => Err(not_there()),
        }
    }

    fn replied(&mut self, call: &Call, key: Key, reply: &str) -> Answer {
        let reply = reply.strip_prefix("microsoft.graph.").unwrap_or(reply);
        let word = REPLIES.iter().find(|(name, _)| *name == reply).map(|(_, word)| *word).ok_or_else(not_there)?;
        let said =
            |name: &str| call.body.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let send = said("sendResponse").and_then(Value::as_bool).unwrap_or(true);
        self.respond(&call.act, key, word, send)?;
        Ok(empty(202))
    }

    fn entity(&self, call: &Call, key: Key) -> Result<Value, Refused> {
        let mut out = json!({"@odata.context": call.context("events/$entity")});
        if let (Some(out), Value::Object(told)) = (out.as_object_mut(), self.told(call, key)?) {
            out.extend(told);
        }
        Ok(out)
    }

    fn calendar_number(&self, call: &Call, id: &str) -> Result<u64, Refused> {
        let (place, number) =
            id.strip_prefix("AAMkCAL").and_then(|rest| rest.split_once('x')).ok_or_else(Refused::not_found)?;
        let mailbox = self.mailbox(&call.act.user);
        let number = number.trim_end_matches('=').parse().ok().filter(|number| mailbox.calendars.contains_key(number));
        number.filter(|_| place == mailbox.place.to_string()).ok_or_else(Refused::not_found)
    }

    fn calendar(&self, call: &Call, number: u64) -> Result<Value, Refused> {
        let mailbox = self.mailbox(&call.act.user);
        let name = mailbox.calendars.get(&number).ok_or_else(Refused::not_found)?;
        let first = number == DEFAULT_CALENDAR;
        Ok(json!({
            "id": format!("AAMkCAL{}x{number}=", mailbox.place), "name": name, "color": "auto", "hexColor": "",
            "isDefaultCalendar": first, "changeKey": "sandbox", "canShare": true, "canViewPrivateItems": true, "canEdit": true,
            "allowedOnlineMeetingProviders": ["teamsForBusiness"], "defaultOnlineMeetingProvider": "teamsForBusiness",
            "isTallyingResponses": first, "isRemovable": !first,
            "owner": {"name": mailbox.name, "address": call.act.user},
        }))
    }

    fn subscription_calls(&mut self, call: &Call, config: &MicrosoftConfig, rest: &[&str]) -> Answer {
        call.allowed(READ)?;
        let (now, user, app) = (call.act.now, call.act.user.as_str(), config.client_id.as_str());
        self.end_subscriptions(now);
        match (&call.method, rest) {
            (&Method::POST, []) => Ok(answer(201, &self.subscribe(now, user, app, call.body.clone())?)),
            (&Method::GET, []) => Ok(answer(200, &json!({"value": self.subscriptions(user, app, None)}))),
            (&Method::GET, [id]) => {
                let found = self.subscriptions(user, app, Some(id)).pop();
                Ok(answer(
                    200,
                    &found.ok_or_else(|| Refused::new(404, "ResourceNotFound", "The object was not found."))?,
                ))
            }
            (&Method::PATCH, [id]) => Ok(answer(200, &self.renew(now, user, app, id, &call.body)?)),
            (&Method::POST, [id, "reauthorize"]) => {
                self.reauthorize(user, id)?;
                Ok(empty(204))
            }
            (&Method::DELETE, [id]) => {
                self.unsubscribe(user, id)?;
                Ok(empty(204))
            }
            _ => Err(not_there()),
        }
    }
}

pub(super) fn not_there() -> Refused {
    Refused::new(400, "BadRequest", "Resource not found for the segment.")
}
