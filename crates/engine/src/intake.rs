//! What a verified message says, at intake and when it is read again because it could not be read then. Verifying is the
//! server's; nothing here writes to a CRM.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use jiff::Timestamp;
use syncline_connect::{Bookings, RawRequest, Reading, bookings::Malformed};
use syncline_core::ids::{ConnectionId, IntegrationId, WorkspaceId};
use syncline_store::{Content, Delivery, Result as StoreResult, Store, TakenIn};

use crate::{depth, poll};

/// The deepest nesting of a JSON body that is read; booking payloads have fewer than ten levels.
pub const JSON_DEPTH_MAX: usize = 64;

/// Characters of a `Content-Type` that are kept; known ones have fewer than a hundred.
const CONTENT_TYPE_MAX: usize = 200;

/// A booking source as it is set up now.
#[derive(Clone)]
pub struct Sender {
    pub integration: IntegrationId,
    pub bookings: &'static dyn Bookings,
    /// Whether it is asked by itself as well.
    pub polled: bool,
}

/// What became of a message that was kept for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reread {
    /// It is news for its booking.
    Read,
    /// The same message came again meanwhile and was read then.
    Duplicate,
    /// It says nothing about a booking, for this reason.
    Ignored(String),
    /// It still cannot be read, for this reason.
    Parked(String),
    /// A poll had found it; its source is asked for everything again.
    Asked,
    /// There is nothing to read it by, for this reason; it stays as it was.
    Left(String),
}

impl Reread {
    /// The stable word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Reread::Read => "read",
            Reread::Duplicate => "duplicate",
            Reread::Ignored(_) => "ignored",
            Reread::Parked(_) => "parked",
            Reread::Asked => "asked",
            Reread::Left(_) => "left",
        }
    }

    /// Why it did not become news for a booking.
    pub fn reason(self) -> Option<String> {
        match self {
            Reread::Ignored(reason) | Reread::Parked(reason) | Reread::Left(reason) => Some(reason),
            Reread::Read | Reread::Duplicate | Reread::Asked => None,
        }
    }
}

/// What a body says that is not nested too deep.
pub fn reading(bookings: &dyn Bookings, raw: &RawRequest, received: Timestamp) -> Result<Reading, Malformed> {
    if depth::exceeds(&raw.body, JSON_DEPTH_MAX) {
        return Err(Malformed { reason: format!("the body is nested deeper than {JSON_DEPTH_MAX} levels") });
    }
    bookings.read(raw, received)
}

/// The delivery's key and what it says.
pub fn read(bookings: &dyn Bookings, raw: &RawRequest, received: Timestamp) -> Result<(String, Content), Malformed> {
    let reading = reading(bookings, raw, received)?;
    let content = match reading.ignored {
        Some(reason) if reading.messages.is_empty() => Content::Ignored { reason },
        None if reading.messages.is_empty() => Content::Ignored { reason: "the message names no booking".to_owned() },
        _ => Content::Messages(reading.messages),
    };
    Ok((reading.delivery, content))
}

/// How the body is written, as far as that is kept: no other header is, because some are secret.
pub fn content_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.chars().take(CONTENT_TYPE_MAX).collect())
}

/// Reads a message again that was kept for a person, as if it came now; nothing where no such message is kept. `sender`
/// gives the source as it is set up now.
pub async fn read_again(
    store: &Store,
    workspace: &WorkspaceId,
    message: i64,
    sender: impl FnOnce(&ConnectionId) -> Option<Sender>,
    now: Timestamp,
) -> StoreResult<Option<Reread>> {
    let Some(kept) = store.kept_message(workspace, message).await? else { return Ok(None) };
    let Some(sender) = sender(&kept.source) else {
        return Ok(Some(Reread::Left(format!("its source {} is no longer configured", kept.source))));
    };
    if kept.polled {
        if !sender.polled {
            return Ok(Some(Reread::Left(format!(
                "a poll found it, and the source {} is no longer asked",
                kept.source
            ))));
        }
        let asked = store.ask_anew(workspace, &kept.source, &poll::lease_name(&kept.source), message, now).await?;
        return Ok(asked.then_some(Reread::Asked));
    }
    let Some(body) = kept.body else {
        return Ok(Some(Reread::Left("its body is no longer kept (keep_bodies_days)".to_owned())));
    };
    let mut raw = RawRequest { headers: HeaderMap::new(), body: Bytes::from(body) };
    if let Some(value) = kept.content_type.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        raw.headers.insert(CONTENT_TYPE, value);
    }
    let (key, content) = read(sender.bookings, &raw, kept.received)
        .unwrap_or_else(|malformed| (String::new(), Content::Parked { reason: malformed.reason }));
    let outcome = match &content {
        Content::Messages(_) => Reread::Read,
        Content::Ignored { reason } => Reread::Ignored(reason.clone()),
        Content::Parked { reason } => Reread::Parked(reason.clone()),
    };
    let delivery = Delivery {
        workspace: workspace.clone(),
        integration: sender.integration,
        source: kept.source,
        key,
        received: kept.received,
        body: raw.body.into(),
        content_type: kept.content_type,
        content,
    };
    let taken = store.read_again(message, delivery, now).await?;
    Ok(taken.map(|taken| if taken == TakenIn::Duplicate { Reread::Duplicate } else { outcome }))
}
