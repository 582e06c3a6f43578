//! Calendly's API v2, one function per endpoint: who we are, scheduled events by their start, their invitees, routing forms
//! with their submissions, webhook subscriptions. The only place in this folder that calls anything.

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use syncline_connect::{Cx, Error, ErrorKind, Hook, Retry};
use url::Url;

use crate::intake::{
    MAX_PEOPLE,
    ask::{Asking, Question},
    value::{Many, Maybe, Text, Time, Whole},
};

/// Rows a page, the documented maximum.
pub const PAGE: usize = 100;

/// Pages of one event's invitees: as many as a message may name people.
pub const INVITEE_PAGES_MAX: usize = MAX_PEOPLE / PAGE;

/// Routing forms whose submissions are read; those beyond are told of by webhooks alone.
pub const FORMS_MAX: usize = 10;

/// Pages of one form's submissions since the last look: two hundred within an hour.
pub const SUBMISSION_PAGES_MAX: usize = 2;

/// Pages of subscriptions that are looked through; far more than anybody has.
const SUBSCRIPTION_PAGES_MAX: usize = 10;

/// Scope `organization` alone may have the last of these.
const EVENTS: &[&str] = &["invitee.created", "invitee.canceled", "invitee_no_show.created", "invitee_no_show.deleted"];
const FORMS: &str = "routing_form_submission.created";

/// The calls of one question.
pub struct Api<'a>(Asking<'a>);

/// Whose bookings are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub organization: String,
    /// Set where the scope is one user.
    pub user: Option<String>,
}

/// What a scan needs of an event beside the event itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Listed {
    pub uri: Text,
    pub start_time: Time,
    pub updated_at: Time,
    pub invitees_counter: Maybe<Counter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Counter {
    pub limit: Whole,
}

/// A webhook subscription.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Subscription {
    pub uri: Text,
    pub callback_url: Text,
    pub state: Text,
    pub retry_started_at: Time,
    pub events: Many<Text>,
}

/// What became of a request to make a subscription.
pub enum Made {
    Made,
    /// There is one for this address already.
    Exists,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Me {
    uri: Text,
    current_organization: Text,
}

/// One page of a collection.
pub struct Rows {
    pub rows: Vec<Map<String, Value>>,
    pub next: Option<String>,
}

impl<'a> Api<'a> {
    pub fn new(cx: &'a Cx<'a>, op: &'static str) -> Self {
        Self(Asking::new(cx, op, "Calendly", "x-ratelimit-reset"))
    }

    pub fn calls(&self) -> u32 {
        self.0.calls()
    }

    /// `GET /users/me`: whose token this is.
    pub async fn owner(&mut self, cx: &Cx<'_>) -> Result<Owner, Error> {
        let only_user = match cx.settings.get("scope").map(String::as_str) {
            None | Some("organization") => false,
            Some("user") => true,
            Some(_) => {
                let says = "the setting `scope` is `organization` or `user`";
                return Err(self.0.error(ErrorKind::Configuration, Retry::Never, says));
            }
        };
        let mut answer = self.0.ask(&Question::get(&["users", "me"], &[])).await?;
        let me: Me = answer.remove("resource").and_then(|me| serde_json::from_value(me).ok()).unwrap_or_default();
        let (user, organization) = (me.uri.raw().to_owned(), me.current_organization.raw().to_owned());
        if user.is_empty() || organization.is_empty() {
            return Err(self.0.strange("no user with an organization"));
        }
        Ok(Owner { organization, user: only_user.then_some(user) })
    }

    /// `GET /scheduled_events`: those that start within a window, of both standings, by their start.
    pub async fn events(
        &mut self,
        owner: &Owner,
        (from, to): (Timestamp, Timestamp),
        token: Option<&str>,
    ) -> Result<Rows, Error> {
        let mut query = whose(owner);
        query.extend([
            ("min_start_time", format!("{from:.6}")),
            ("max_start_time", format!("{to:.6}")),
            ("sort", "start_time:asc".to_owned()),
        ]);
        self.page(&["scheduled_events"], query, token).await?.ok_or_else(|| self.nowhere())
    }

    /// `GET /scheduled_events/{uuid}/invitees`: all of them, of both standings.
    pub async fn invitees(&mut self, event: &str) -> Result<Vec<Map<String, Value>>, Error> {
        let (mut rows, mut token) = (Vec::new(), None::<String>);
        for _ in 0..INVITEE_PAGES_MAX {
            let query = vec![("sort", "created_at:asc".to_owned())];
            let path = ["scheduled_events", event, "invitees"];
            // An event that was erased since it was listed has nobody any more.
            let Some(page) = self.page(&path, query, token.as_deref()).await? else { break };
            rows.extend(page.rows);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    /// `GET /routing_forms`: the addresses of an organization's forms; none where its plan has no such thing, or where
    /// the token's owner may not see them.
    pub async fn forms(&mut self, organization: &str) -> Result<Vec<String>, Error> {
        let query = [("organization", organization.to_owned()), ("count", PAGE.to_string())];
        let Some(mut answer) = self.0.ask_if_allowed(&Question::get(&["routing_forms"], &query)).await? else {
            return Ok(Vec::new());
        };
        let Some(Value::Array(forms)) = answer.remove("collection") else {
            return Err(self.0.strange("no collection"));
        };
        Ok(forms.iter().filter_map(|form| form.get("uri")?.as_str().map(str::to_owned)).take(FORMS_MAX).collect())
    }

    /// `GET /routing_form_submissions`: those of one form since a moment, the newest first.
    pub async fn submissions(&mut self, form: &str, since: Timestamp) -> Result<Vec<Map<String, Value>>, Error> {
        let (mut rows, mut token) = (Vec::new(), None::<String>);
        for _ in 0..SUBMISSION_PAGES_MAX {
            let query = vec![("form", form.to_owned()), ("sort", "created_at:desc".to_owned())];
            // A form that was deleted since it was listed has none any more.
            let Some(page) = self.page(&["routing_form_submissions"], query, token.as_deref()).await? else { break };
            let before = rows.len();
            let listed = page.rows.len();
            rows.extend(page.rows.into_iter().take_while(|row| created(row).is_none_or(|at| at >= since)));
            token = page.next;
            if token.is_none() || rows.len() < before + listed {
                break;
            }
        }
        Ok(rows)
    }

    /// `GET /webhook_subscriptions`: the one that delivers to the address.
    pub async fn subscription_to(&mut self, owner: &Owner, url: &str) -> Result<Option<Subscription>, Error> {
        let mut token = None::<String>;
        for _ in 0..SUBSCRIPTION_PAGES_MAX {
            let mut query = vec![("organization", owner.organization.clone()), ("scope", scope(owner).to_owned())];
            query.extend(owner.user.iter().map(|user| ("user", user.clone())));
            let page = self.page(&["webhook_subscriptions"], query, token.as_deref()).await?;
            let page = page.ok_or_else(|| self.nowhere())?;
            let mut found = page.rows.into_iter().filter_map(|row| serde_json::from_value(Value::Object(row)).ok());
            if let Some(found) = found.find(|row: &Subscription| row.callback_url.raw() == url) {
                return Ok(Some(found));
            }
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// `POST /webhook_subscriptions`, always with our own signing key.
    pub async fn make_subscription(&mut self, owner: &Owner, hook: &Hook) -> Result<Made, Error> {
        let mut body = json!({
            "url": hook.url.as_str(), "events": events(owner), "organization": owner.organization,
            "scope": scope(owner), "signing_key": hook.secret.expose(),
        });
        if let Some(user) = &owner.user {
            body["user"] = json!(user);
        }
        let question =
            Question { method: Method::POST, body: Some(body), ..Question::get(&["webhook_subscriptions"], &[]) };
        let heard = self.0.hear(&question).await?;
        match heard.status {
            200..300 => Ok(Made::Made),
            409 => Ok(Made::Exists),
            _ => Err(self.0.refused(&heard)),
        }
    }

    /// `DELETE /webhook_subscriptions/{uuid}`; one that is gone is as good as deleted.
    pub async fn drop_subscription(&mut self, uri: &str) -> Result<(), Error> {
        let path = ["webhook_subscriptions", last_segment(uri)];
        let heard = self.0.hear(&Question { method: Method::DELETE, ..Question::get(&path, &[]) }).await?;
        match heard.status {
            200..300 | 404 => Ok(()),
            _ => Err(self.0.refused(&heard)),
        }
    }

    async fn page(
        &mut self,
        path: &[&str],
        mut query: Vec<(&str, String)>,
        token: Option<&str>,
    ) -> Result<Option<Rows>, Error> {
        query.push(("count", PAGE.to_string()));
        query.extend(token.map(|token| ("page_token", token.to_owned())));
        let Some(mut answer) = self.0.ask_for(&Question::get(path, &query)).await? else { return Ok(None) };
        let Some(Value::Array(rows)) = answer.remove("collection") else {
            return Err(self.0.strange("no collection"));
        };
        let rows = rows
            .into_iter()
            .filter_map(|row| match row {
                Value::Object(row) => Some(row),
                _ => None,
            })
            .collect();
        Ok(Some(Rows { rows, next: answer.get("pagination").and_then(next_token) }))
    }

    fn nowhere(&self) -> Error {
        self.0.error(ErrorKind::Configuration, Retry::Never, "Calendly is not at this API address; check `url`")
    }
}

/// When a row was made.
fn created(row: &Map<String, Value>) -> Option<Timestamp> {
    serde_json::from_value::<Time>(row.get("created_at")?.clone()).ok()?.0
}

/// The token of the next page. Older answers carry it only within the address of that page.
fn next_token(pagination: &Value) -> Option<String> {
    let own = pagination.get("next_page_token").and_then(Value::as_str).map(str::to_owned);
    own.or_else(|| {
        let url = Url::parse(pagination.get("next_page")?.as_str()?).ok()?;
        url.query_pairs().find(|(name, _)| name == "page_token").map(|(_, token)| token.into_owned())
    })
}

fn whose(owner: &Owner) -> Vec<(&'static str, String)> {
    match &owner.user {
        Some(user) => vec![("user", user.clone())],
        None => vec![("organization", owner.organization.clone())],
    }
}

fn scope(owner: &Owner) -> &'static str {
    if owner.user.is_some() { "user" } else { "organization" }
}

/// What is subscribed to.
pub fn events(owner: &Owner) -> Vec<&'static str> {
    let forms = owner.user.is_none().then_some(FORMS);
    EVENTS.iter().copied().chain(forms).collect()
}

/// What names a thing within its collection.
pub fn last_segment(uri: &str) -> &str {
    uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
