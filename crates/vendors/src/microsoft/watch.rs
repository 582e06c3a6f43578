//! Subscriptions: made with a handshake, renewed, ended, and what is told by them, of changes and of their own lives.
//! <https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks> and
//! <https://learn.microsoft.com/en-us/graph/change-notifications-lifecycle-events>, read 2026-11.

use jiff::Timestamp;
use serde_json::json;
use syncline_connect::{
    Answered, BoxFuture, Cx, Error, Hook, RawRequest, Secret, Watches,
    calendar::CalendarId,
    watch::{NOTICES_MAX, Notice, Says, Watch},
};

use super::{
    Microsoft, api,
    manifest::{CHALLENGE_BYTES_MAX, CLIENT_STATE_CHARS_MAX, WATCH_LASTS},
    wire::{Change, Subscription, Told},
};

/// The documents know no narrower one: all events of the mailbox, whichever calendar they are in.
const RESOURCE: &str = "/me/events";

/// The parameter by which an address is tried.
const CHALLENGE: &str = "validationToken";

impl Watches for Microsoft {
    fn begin<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        _: &'a CalendarId,
        _: &'a str,
        hook: &'a Hook,
    ) -> BoxFuture<'a, Result<Answered<Watch>, Error>> {
        Box::pin(async move {
            let asked = end(cx.now);
            let body = json!({
                "changeType": "created,updated,deleted", "resource": RESOURCE,
                "notificationUrl": hook.url.as_str(), "lifecycleNotificationUrl": hook.url.as_str(),
                "clientState": hook.secret.expose(), "expirationDateTime": asked.to_string(),
            });
            let made = api::subscribe(cx, &body).await?;
            let until = told(&made, asked);
            Ok(Answered { value: Watch { id: made.id, resource: None, until }, calls: 1, usage: None })
        })
    }

    /// This also answers a demand to authorise it again.
    fn renew<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        watch: &'a Watch,
    ) -> BoxFuture<'a, Result<Answered<Option<Timestamp>>, Error>> {
        Box::pin(async move {
            let asked = end(cx.now);
            let renewed = api::renew(cx, &watch.id, &json!({ "expirationDateTime": asked.to_string() })).await?;
            Ok(Answered { value: renewed.map(|renewed| told(&renewed, asked)), calls: 1, usage: None })
        })
    }

    fn end<'a>(&'a self, cx: &'a Cx<'a>, watch: &'a Watch) -> BoxFuture<'a, Result<Answered<()>, Error>> {
        Box::pin(async move {
            api::unsubscribe(cx, &watch.id).await?;
            Ok(Answered { value: (), calls: 1, usage: None })
        })
    }

    fn tries_first(&self) -> bool {
        true
    }

    /// A token of theirs has no markup in it, so escaping changes only what is not theirs.
    fn challenge(&self, query: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let (_, token) = pairs.find(|(name, _)| name == CHALLENGE)?;
        let is_token = !token.is_empty() && token.len() <= CHALLENGE_BYTES_MAX && !token.contains(char::is_control);
        is_token.then(|| escaped(&token))
    }

    fn notices(&self, raw: &RawRequest) -> Vec<Notice> {
        let Ok(told) = serde_json::from_slice::<Told>(&raw.body) else { return Vec::new() };
        let changes = told.value.into_iter().filter_map(|value| serde_json::from_value::<Change>(value).ok());
        changes.filter_map(notice).take(NOTICES_MAX).collect()
    }
}

fn notice(change: Change) -> Option<Notice> {
    let fits = |text: &str| !text.is_empty() && text.len() <= CLIENT_STATE_CHARS_MAX;
    let says = match change.lifecycle_event.as_deref() {
        Some("reauthorizationRequired") => Says::Renew,
        Some("subscriptionRemoved") => Says::Ended,
        // `missed`: the delta goes on where it stopped, and so tells what was not told here. What comes of new events is a
        // reason to look, too.
        _ => Says::Changed,
    };
    let is_good = fits(&change.subscription_id) && fits(&change.client_state);
    is_good.then(|| Notice { watch: change.subscription_id, secret: Secret::new(change.client_state), says })
}

fn end(now: Timestamp) -> Timestamp {
    let end = now.saturating_add(WATCH_LASTS).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(end.as_second()).unwrap_or(end)
}

fn told(subscription: &Subscription, asked: Timestamp) -> Timestamp {
    subscription.expiration_date_time.as_deref().and_then(|text| text.parse().ok()).unwrap_or(asked)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            char => out.push(char),
        }
    }
    out
}
