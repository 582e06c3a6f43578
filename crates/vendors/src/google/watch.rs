//! Channels: asked for, ended, and what comes through them. A channel is never made to last longer; another follows it.
//! <https://developers.google.com/workspace/calendar/api/guides/push>, read 2026-11.

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;
use syncline_connect::{
    Answered, BoxFuture, Cx, Error, Hook, RawRequest, Secret, Watches,
    calendar::CalendarId,
    watch::{Notice, Says, Watch},
};

use super::{
    Google, api,
    manifest::{CHANNEL_ID_CHARS_MAX, TOKEN_CHARS_MAX, WATCH_LIVES},
};

impl Watches for Google {
    fn begin<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        calendar: &'a CalendarId,
        name: &'a str,
        hook: &'a Hook,
    ) -> BoxFuture<'a, Result<Answered<Watch>, Error>> {
        Box::pin(async move {
            let asked = cx.now.saturating_add(WATCH_LIVES).unwrap_or(Timestamp::MAX);
            let body = json!({
                "id": name, "type": "web_hook", "address": hook.url.as_str(), "token": hook.secret.expose(),
                "expiration": asked.as_millisecond().to_string(),
            });
            let channel = api::watch(cx, calendar, &body).await?;
            let told = channel.expiration.and_then(|text| Timestamp::from_millisecond(text.parse().ok()?).ok());
            let watch = Watch { id: channel.id, resource: channel.resource_id, until: told.unwrap_or(asked) };
            Ok(Answered { value: watch, calls: 1, usage: None })
        })
    }

    fn renew<'a>(&'a self, _: &'a Cx<'a>, _: &'a Watch) -> BoxFuture<'a, Result<Answered<Option<Timestamp>>, Error>> {
        Box::pin(std::future::ready(Ok(Answered { value: None, calls: 0, usage: None })))
    }

    fn end<'a>(&'a self, cx: &'a Cx<'a>, watch: &'a Watch) -> BoxFuture<'a, Result<Answered<()>, Error>> {
        Box::pin(async move {
            api::stop(cx, &json!({ "id": watch.id, "resourceId": watch.resource })).await?;
            Ok(Answered { value: (), calls: 1, usage: None })
        })
    }

    fn tries_first(&self) -> bool {
        false
    }

    fn challenge(&self, _: &str) -> Option<String> {
        None
    }

    /// Everything is in the headers; there is no body.
    fn notices(&self, raw: &RawRequest) -> Vec<Notice> {
        let notice = || {
            let watch = only(&raw.headers, "x-goog-channel-id", CHANNEL_ID_CHARS_MAX)?;
            let secret = only(&raw.headers, "x-goog-channel-token", TOKEN_CHARS_MAX)?;
            // `exists` and `not_exists`; whatever else there may be one day is a reason to look, too.
            let is_first = raw.headers.get("x-goog-resource-state")?.as_bytes() == b"sync";
            let says = if is_first { Says::Begun } else { Says::Changed };
            Some(Notice { watch: watch.to_owned(), secret: Secret::new(secret), says })
        };
        notice().into_iter().collect()
    }
}

/// The header's one value, where it has a length that it can have.
fn only<'a>(headers: &'a HeaderMap, name: &str, chars_max: usize) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    let is_good = !value.is_empty() && value.len() <= chars_max && values.next().is_none();
    is_good.then_some(value)
}
