//! gRPC over an open exchange: a message has a head of five bytes, and the trailers say how it ended
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, read 2026-11). Bytes are counted before they are
//! kept.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, Request, header};
use prost::Message;
use syncline_connect::{
    Cx, Error, ErrorKind, HttpError, Retry,
    http::{Incoming, Outgoing, Part},
};

use super::{OP, channel::Channel, configuration, protocol, wire::SERVICE};

/// The largest message that is read: what gRPC's clients take unless told otherwise, and more than an event may have
/// (1 MB).
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One byte says whether it is compressed, four how long it is.
const HEAD_BYTES: usize = 5;

/// Longest error code that is kept.
const CODE_CHARS_MAX: usize = 120;

/// How long an account rests whose allowance of deliveries or clients is used up.
const EXHAUSTED_PAUSE: Duration = Duration::from_secs(15 * 60);

/// An exchange that is open.
pub struct Exchange {
    incoming: Incoming,
    buffer: BytesMut,
}

impl Exchange {
    /// Opens one and says what there is to say; `method` is the service's.
    pub async fn open(
        cx: &Cx<'_>,
        channel: &Channel,
        authority: &HeaderMap,
        method: &str,
        say: Outgoing,
    ) -> Result<Self, Error> {
        let mut url = channel.endpoint.clone();
        url.set_path(&format!("{SERVICE}{method}"));
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url.as_str())
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(say)
            .map_err(|_| configuration("the address of the events cannot be called"))?;
        request.headers_mut().extend(authority.clone());
        let (head, incoming) = cx.http.open(request).await.map_err(|error| broken(&error))?.into_parts();
        if head.headers.contains_key("grpc-status") {
            return Err(ended(&head.headers));
        }
        let grpc = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
        match head.status.as_u16() {
            200 if head.headers.get(header::CONTENT_TYPE).is_some_and(grpc) => {
                Ok(Self { incoming, buffer: BytesMut::new() })
            }
            401 => Err(refused(16, "")),
            403 => Err(refused(7, "")),
            429 | 502..=504 => Err(refused(14, "")),
            status => Err(protocol(format!("the address of the events answers with status {status}"))),
        }
    }

    /// One question, one answer.
    pub async fn ask<M: Message + Default>(
        cx: &Cx<'_>,
        channel: &Channel,
        authority: &HeaderMap,
        method: &str,
        question: &impl Message,
    ) -> Result<M, Error> {
        let say = Box::pin(stream::iter([framed(question)]));
        Self::open(cx, channel, authority, method, say).await?.next().await
    }

    /// The next message. The end of the exchange is an error: who listens is not done. May be given up at any moment
    /// without losing anything.
    pub async fn next<M: Message + Default>(&mut self) -> Result<M, Error> {
        loop {
            if let Some(message) = take_message(&mut self.buffer)? {
                return M::decode(message).map_err(|_| protocol("a message is not what Salesforce documents"));
            }
            match self.incoming.next().await {
                Some(Ok(Part::Bytes(bytes))) => self.buffer.extend_from_slice(&bytes),
                Some(Ok(Part::Trailers(trailers))) => return Err(ended(&trailers)),
                Some(Err(error)) => return Err(broken(&error)),
                None => return Err(refused(14, "")),
            }
        }
    }
}

/// A message with its head.
pub fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES + length);
    bytes.put_u8(0);
    // What we say is a few hundred bytes long.
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut bytes);
    bytes.freeze()
}

/// The first message of the buffer, where it is there as a whole.
pub fn take_message(buffer: &mut BytesMut) -> Result<Option<Bytes>, Error> {
    let Some((head, _)) = buffer.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let [compressed, length @ ..] = *head;
    if compressed != 0 {
        return Err(protocol("a message is compressed, which was not asked for"));
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MESSAGE_BYTES_MAX {
        return Err(protocol(format!("a message is larger than {MESSAGE_BYTES_MAX} bytes")));
    }
    if buffer.len() - HEAD_BYTES < length {
        return Ok(None);
    }
    buffer.advance(HEAD_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// How an exchange ended, by its trailers. The text beside the code names the org and is left out.
pub fn ended(trailers: &HeaderMap) -> Error {
    let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    refused(text("grpc-status").parse().unwrap_or(2), text("error-code"))
}

/// What a status means for us. The codes beside it are words with dots
/// (<https://developer.salesforce.com/docs/platform/pub-sub-api/guide/handling-errors.html>, read 2026-11).
pub fn refused(status: u32, code: &str) -> Error {
    let (kind, retry, says) = match status {
        // A replay id that is damaged, of another channel, or older than what is kept.
        3 | 5 | 9 | 11 if code.contains(".replayid.") => {
            (ErrorKind::Gone, Retry::Replan, "Salesforce no longer keeps the events since the last one that was heard")
        }
        16 => (ErrorKind::Unauthorised, Retry::Reauthorise, "the access token is no longer good"),
        5 => (
            ErrorKind::Configuration,
            Retry::Never,
            "the org has no such channel of change events: its edition may be without Change Data Capture, or no object is selected in Setup under Change Data Capture",
        ),
        7 => (ErrorKind::Forbidden, Retry::Never, "the user may not listen to the change events"),
        8 => (
            ErrorKind::RateLimited,
            Retry::After(EXHAUSTED_PAUSE),
            "the org's allowance of event deliveries or of clients is used up",
        ),
        0 | 1 | 2 | 4 | 10 | 13 | 14 | 15 => {
            (ErrorKind::Unavailable, Retry::Backoff, "Salesforce has closed the exchange")
        }
        _ => (ErrorKind::Protocol, Retry::Never, "Salesforce refuses to be listened to"),
    };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let sound = !code.is_empty() && code.len() <= CODE_CHARS_MAX && code.bytes().all(word);
    Error { code: sound.then(|| code.to_owned()), ..Error::new(kind, retry, OP, says) }
}

fn broken(error: &HttpError) -> Error {
    let (kind, retry) = match error {
        HttpError::Forbidden { .. } => (ErrorKind::Configuration, Retry::Never),
        HttpError::Paced { wait, .. } => (ErrorKind::RateLimited, Retry::After(*wait)),
        HttpError::NotSent { .. } => (ErrorKind::Unreachable, Retry::Backoff),
        HttpError::Unanswered { .. } => (ErrorKind::Unavailable, Retry::Backoff),
    };
    Error::new(kind, retry, OP, error.to_string())
}
