//! API v2: the user, scheduled events, invitees, webhook subscriptions. What is not imitated is refused in Calendly's
//! own shape.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CalendlyOrg, HOME, State,
    events::{Event, Invitee},
    hooks::Subscription,
    stamp,
};
use crate::web::{bearer, empty, json as answer, query};

/// Rows a page, unless asked otherwise and at the most.
const COUNT_DEFAULT: usize = 20;
const COUNT_MAX: usize = 100;

/// What may be subscribed to; the last only for a whole organization.
const EVENTS: &[&str] = &[
    "invitee.created",
    "invitee.canceled",
    "invitee_no_show.created",
    "invitee_no_show.deleted",
    "routing_form_submission.created",
];

type Query = BTreeMap<String, String>;

/// An error in Calendly's shape.
pub(super) fn error(status: u16, title: &str, message: &str) -> Response<Bytes> {
    answer(status, &json!({"title": title, "message": message, "details": []}))
}

fn not_found() -> Response<Bytes> {
    error(404, "Resource Not Found", "The server could not find the requested resource.")
}

fn denied(message: &str) -> Response<Bytes> {
    error(403, "Permission Denied", message)
}

fn invalid(parameter: &str, message: &str) -> Response<Bytes> {
    let details = json!([{"parameter": parameter, "message": message}]);
    answer(
        400,
        &json!({"title": "Invalid Argument", "message": "The supplied parameters are invalid.", "details": details}),
    )
}

impl CalendlyOrg {
    pub(super) fn answer(&self, base: &str, request: &Request<Bytes>) -> Response<Bytes> {
        if bearer(request) != Some(self.config.token.as_str()) {
            return error(401, "Unauthenticated", "The access token is invalid");
        }
        let segments: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let asked = query(request);
        let page = |rows: Vec<Value>| paged(base, request, &asked, rows);
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["users", "me"]) => self.me(),
            (&Method::GET, ["scheduled_events"]) => match self.events(&asked) {
                Ok(rows) => page(rows),
                Err(refusal) => refusal,
            },
            (&Method::GET, ["scheduled_events", event]) => {
                let state = self.state();
                let found = state.events.iter().find(|known| known.uuid == *event);
                found.map_or_else(not_found, |event| resource(200, self.shown_event(&state, event)))
            }
            (&Method::GET, ["scheduled_events", event, "invitees"]) => {
                let state = self.state();
                if !state.events.iter().any(|known| known.uuid == *event) {
                    return not_found();
                }
                page(self.invitees(&state, event, &asked))
            }
            (&Method::GET, ["scheduled_events", event, "invitees", invitee]) => {
                let state = self.state();
                let found = state.invitees.iter().find(|known| known.event == *event && known.uuid == *invitee);
                found.map_or_else(not_found, |invitee| resource(200, self.shown_invitee(invitee)))
            }
            (&Method::GET, ["webhook_subscriptions"]) => match self.subscriptions(&asked) {
                Ok(rows) => page(rows),
                Err(refusal) => refusal,
            },
            (&Method::GET, ["routing_forms"]) => match self.forms(&asked) {
                Ok(rows) => page(rows),
                Err(refusal) => refusal,
            },
            (&Method::GET, ["routing_form_submissions"]) => match self.submissions(&asked) {
                Ok(rows) => page(rows),
                Err(refusal) => refusal,
            },
            (&Method::POST, ["webhook_subscriptions"]) => self.subscribe(request.body()),
            (&Method::GET, ["webhook_subscriptions", uuid]) => {
                let state = self.state();
                let found = state.subscriptions.iter().find(|known| known.uuid == *uuid);
                found.map_or_else(not_found, |known| resource(200, self.shown_subscription(known)))
            }
            (&Method::DELETE, ["webhook_subscriptions", uuid]) => {
                let mut state = self.state();
                let before = state.subscriptions.len();
                state.subscriptions.retain(|known| known.uuid != *uuid);
                if state.subscriptions.len() < before { empty(204) } else { not_found() }
            }
            _ => not_found(),
        }
    }

    fn me(&self) -> Response<Bytes> {
        let me = json!({
            "uri": self.user(), "name": self.config.host_name, "email": self.config.host_email, "slug": "host",
            "scheduling_url": "https://calendly.com/host", "timezone": "Europe/Berlin", "avatar_url": null,
            "created_at": "2019-01-02T03:04:05.678123Z", "updated_at": "2019-08-07T06:05:04.321123Z",
            "current_organization": self.organization(), "resource_type": "User",
        });
        resource(200, me)
    }

    /// Whether the caller may see what they ask for: their own, or all of their organization as an admin.
    fn scope(&self, asked: &Query) -> Result<(), Response<Bytes>> {
        let (user, organization) = (asked.get("user"), asked.get("organization"));
        match (user, organization) {
            (None, None) => Err(invalid("user", "must be present unless organization is")),
            (Some(user), _) if *user != self.user() => Err(denied("This user is not in your organization")),
            (_, Some(organization)) if *organization != self.organization() => {
                Err(denied("You do not have permission to access this resource."))
            }
            (None, Some(_)) if !self.config.is_admin => Err(denied("You do not have permission")),
            _ => Ok(()),
        }
    }

    fn events(&self, asked: &Query) -> Result<Vec<Value>, Response<Bytes>> {
        self.scope(asked)?;
        let time = |name: &str| match asked.get(name) {
            None => Ok(None),
            Some(text) => text.parse::<Timestamp>().map(Some).map_err(|_| invalid(name, "is no time")),
        };
        let (from, to) = (time("min_start_time")?, time("max_start_time")?);
        let state = self.state();
        let active = match asked.get("status").map(String::as_str) {
            None => None,
            Some("active") => Some(true),
            Some("canceled") => Some(false),
            Some(_) => return Err(invalid("status", "is invalid")),
        };
        let mut found: Vec<&Event> = state
            .events
            .iter()
            .filter(|event| from.is_none_or(|from| event.start >= from) && to.is_none_or(|to| event.start <= to))
            .filter(|event| active.is_none_or(|active| event.active == active))
            .filter(|event| {
                let with = |email: &String| {
                    state.invitees.iter().any(|known| known.event == event.uuid && known.email == *email)
                };
                asked.get("invitee_email").is_none_or(with)
            })
            .collect();
        match asked.get("sort").map(String::as_str) {
            None | Some("start_time:asc") => found.sort_by_key(|event| event.start),
            Some("start_time:desc") => found.sort_by_key(|event| std::cmp::Reverse(event.start)),
            Some(_) => return Err(invalid("sort", "is invalid")),
        }
        Ok(found.into_iter().map(|event| self.shown_event(&state, event)).collect())
    }

    fn invitees(&self, state: &State, event: &str, asked: &Query) -> Vec<Value> {
        let standing = |known: &&Invitee| match asked.get("status").map(String::as_str) {
            Some("active") => known.cancelled.is_none(),
            Some("canceled") => known.cancelled.is_some(),
            _ => true,
        };
        let of_event = state.invitees.iter().filter(|known| known.event == event);
        of_event.filter(standing).map(|known| self.shown_invitee(known)).collect()
    }

    fn forms(&self, asked: &Query) -> Result<Vec<Value>, Response<Bytes>> {
        if asked.get("organization") != Some(&self.organization()) {
            return Err(invalid("organization", "is missing or not yours"));
        }
        if !self.config.is_admin {
            return Err(denied("You do not have permission"));
        }
        let form = json!({"uri": format!("{HOME}/routing_forms/FORM1"), "name": "Contact sales", "status": "published",
                          "organization": self.organization(), "questions": []});
        Ok(vec![form])
    }

    fn submissions(&self, asked: &Query) -> Result<Vec<Value>, Response<Bytes>> {
        let Some(form) = asked.get("form") else { return Err(invalid("form", "is missing")) };
        let state = self.state();
        let of_form = state.submissions.iter().filter(|one| one["routing_form"].as_str() == Some(form));
        let mut rows: Vec<Value> = of_form.cloned().collect();
        if asked.get("sort").is_some_and(|sort| sort == "created_at:desc") {
            rows.reverse();
        }
        Ok(rows)
    }

    fn subscriptions(&self, asked: &Query) -> Result<Vec<Value>, Response<Bytes>> {
        let scope = asked.get("scope").map(String::as_str);
        if !matches!(scope, Some("organization" | "user")) {
            return Err(invalid("scope", "must be organization or user"));
        }
        if asked.get("organization") != Some(&self.organization()) {
            return Err(invalid("organization", "is missing or not yours"));
        }
        if scope == Some("organization") && !self.config.is_admin {
            return Err(denied("You do not have permission"));
        }
        let state = self.state();
        let of_scope = state.subscriptions.iter().filter(|known| Some(known.scope.as_str()) == scope);
        Ok(of_scope.map(|known| self.shown_subscription(known)).collect())
    }

    fn subscribe(&self, body: &[u8]) -> Response<Bytes> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let scope = body["scope"].as_str().unwrap_or_default();
        let Some(url) = body["url"].as_str().filter(|url| url.starts_with("http")) else {
            return invalid("url", "is invalid");
        };
        let events: Vec<String> =
            body["events"].as_array().into_iter().flatten().filter_map(|e| e.as_str().map(str::to_owned)).collect();
        let allowed = if scope == "organization" { EVENTS } else { &EVENTS[..EVENTS.len() - 1] };
        if events.is_empty() || events.iter().any(|event| !allowed.contains(&event.as_str())) {
            return invalid("events", "is invalid");
        }
        if body["organization"] != json!(self.organization()) || !matches!(scope, "organization" | "user") {
            return invalid("organization", "is invalid");
        }
        if scope == "user" && body["user"] != json!(self.user()) || scope == "organization" && !self.config.is_admin {
            return denied("You do not have permission");
        }
        let now = self.now();
        let mut state = self.state();
        if state.subscriptions.iter().any(|known| known.url == url) {
            return error(409, "Already Exists", "Hook with this url already exists");
        }
        let made = Subscription {
            uuid: format!("HOOK{}", state.number()),
            url: url.to_owned(),
            events,
            scope: scope.to_owned(),
            user: (scope == "user").then(|| self.user()),
            signing_key: body["signing_key"].as_str().map(str::to_owned),
            created: now,
            updated: now,
            retry_started: None,
            disabled: false,
        };
        let shown = self.shown_subscription(&made);
        state.subscriptions.push(made);
        resource(201, shown)
    }

    fn shown_subscription(&self, known: &Subscription) -> Value {
        json!({
            "uri": format!("{HOME}/webhook_subscriptions/{}", known.uuid), "callback_url": known.url,
            "created_at": stamp(known.created), "updated_at": stamp(known.updated),
            "retry_started_at": known.retry_started.map(stamp),
            "state": if known.disabled { "disabled" } else { "active" }, "events": known.events, "scope": known.scope,
            "organization": self.organization(), "user": known.user, "creator": self.user(),
        })
    }

    pub(super) fn shown_event(&self, state: &State, event: &Event) -> Value {
        let kind = self.config.event_types.iter().find(|kind| kind.uuid == event.event_type);
        let of_event = || state.invitees.iter().filter(|known| known.event == event.uuid);
        let active = of_event().filter(|known| known.cancelled.is_none()).count();
        let guests: Vec<Value> = event
            .guests
            .iter()
            .map(
                |email| json!({"email": email, "created_at": stamp(event.created), "updated_at": stamp(event.created)}),
            )
            .collect();
        json!({
            "uri": format!("{HOME}/scheduled_events/{}", event.uuid), "name": kind.map(|kind| &kind.name),
            "meeting_notes_plain": "internal remark", "meeting_notes_html": "<p>internal remark</p>",
            "status": if event.active { "active" } else { "canceled" },
            "start_time": stamp(event.start), "end_time": stamp(event.end),
            "event_type": format!("{HOME}/event_types/{}", event.event_type),
            "location": {"type": "zoom_conference", "status": "pushed", "join_url": event.link, "data": {}},
            "invitees_counter": {"total": of_event().count(), "active": active, "limit": kind.map_or(1, |kind| kind.limit)},
            "created_at": stamp(event.created), "updated_at": stamp(event.updated),
            "event_memberships": [{"user": self.user(), "user_email": self.config.host_email, "user_name": self.config.host_name}],
            "event_guests": guests, "calendar_event": null,
        })
    }

    pub(super) fn shown_invitee(&self, invitee: &Invitee) -> Value {
        let answers: Vec<Value> = invitee
            .answers
            .iter()
            .enumerate()
            .map(|(position, (question, answer))| json!({"question": question, "answer": answer, "position": position}))
            .collect();
        let cancelled = invitee.cancelled.as_ref();
        let mut shown = json!({
            "uri": invitee.uri(), "event": format!("{HOME}/scheduled_events/{}", invitee.event),
            "created_at": stamp(invitee.created), "updated_at": stamp(invitee.updated),
            "email": invitee.email, "name": invitee.name, "first_name": null, "last_name": null,
            "status": if cancelled.is_some() { "canceled" } else { "active" }, "timezone": "Europe/London",
            "text_reminder_number": null, "rescheduled": cancelled.is_some_and(|cancelled| cancelled.rescheduled),
            "old_invitee": invitee.old, "new_invitee": invitee.new,
            "cancel_url": format!("https://calendly.com/cancellations/{}", invitee.uuid),
            "reschedule_url": format!("https://calendly.com/reschedulings/{}", invitee.uuid),
            "questions_and_answers": answers,
            "tracking": {"utm_campaign": null, "utm_source": null, "utm_medium": null, "utm_content": null,
                         "utm_term": null, "salesforce_uuid": null},
            "routing_form_submission": null, "payment": null, "reconfirmation": null, "invitee_scheduled_by": null,
            "no_show": invitee.no_show.map(|at| json!({"uri": format!("{HOME}/invitee_no_shows/{}", invitee.uuid), "created_at": stamp(at)})),
        });
        if let Some(cancelled) = cancelled {
            shown["cancellation"] = json!({"canceled_by": cancelled.by, "reason": cancelled.reason,
                                           "canceler_type": "invitee", "created_at": stamp(cancelled.at)});
        }
        shown
    }
}

fn resource(status: u16, resource: Value) -> Response<Bytes> {
    answer(status, &json!({"resource": resource}))
}

/// One page of a collection. The token is opaque to clients; here it is the place of the next row.
fn paged(base: &str, request: &Request<Bytes>, asked: &Query, rows: Vec<Value>) -> Response<Bytes> {
    let count = asked.get("count").map_or(Ok(COUNT_DEFAULT), |text| text.parse());
    let Ok(count @ 1..=COUNT_MAX) = count else { return invalid("count", "must be between 1 and 100") };
    let from = match asked.get("page_token") {
        None => Some(0),
        Some(token) => token.strip_prefix("page-").and_then(|text| text.parse::<usize>().ok()),
    };
    let Some(from) = from else { return invalid("page_token", "is invalid") };
    let token = |at: usize| format!("page-{at}");
    let next = (from + count < rows.len()).then(|| token(from + count));
    let previous = (from > 0).then(|| token(from.saturating_sub(count)));
    let address = |token: &String| format!("{base}{}?count={count}&page_token={token}", request.uri().path());
    let collection: Vec<Value> = rows.into_iter().skip(from).take(count).collect();
    let pagination = json!({
        "count": collection.len(), "next_page": next.as_ref().map(address), "previous_page": previous.as_ref().map(address),
        "next_page_token": next, "previous_page_token": previous,
    });
    answer(200, &json!({"collection": collection, "pagination": pagination}))
}
