//! Who is signed in: a signed cookie, the token that its forms carry, and what ends a session before its time; and who is not,
//! and only comes back from a vendor.
//!
//! A cookie is `id.end.epoch.signature`. The epoch is drawn when the process starts, so a restart ends every session,
//! and so does [`Sessions::end_all`]; a single one ends by [`Sessions::end`].

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use syncline_core::Entropy;

/// How long a person stays signed in; ASVS 5.0 (7.3.2) asks for an absolute end.
const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// Random bytes of a session's id: 192 bits, above the 128 that ASVS 5.0 (7.2.3) asks for.
const ID_BYTES: usize = 24;

/// Sessions that were ended and have not run out; when there are more, all sessions end.
const ENDED_MAX: usize = 10_000;

/// The name of a session's cookie, and the one over TLS, which binds it to the host.
const SESSION: [&str; 2] = ["syncline_session", "__Host-syncline_session"];

/// The same of a visit's.
const VISIT: [&str; 2] = ["syncline_visit", "__Host-syncline_visit"];

/// How long somebody who is not signed in is known while at a vendor.
const VISIT_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    id: String,
    end: i64,
}

impl Session {
    /// What an authorisation flow is bound to.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.id.as_bytes()).into()
    }
}

/// Makes and checks sessions.
pub(crate) struct Sessions {
    key: [u8; 32],
    secure: bool,
    epoch: AtomicU64,
    ended: Mutex<HashMap<String, i64>>,
}

impl Sessions {
    pub(crate) fn new(key: [u8; 32], secure: bool, entropy: &dyn Entropy) -> Self {
        let mut epoch = [0; 8];
        entropy.fill(&mut epoch);
        Self { key, secure, epoch: AtomicU64::new(u64::from_be_bytes(epoch)), ended: Mutex::default() }
    }

    /// A new session with the cookie that carries it. Every sign-in gets a new one.
    pub(crate) fn begin(&self, now: Timestamp, entropy: &dyn Entropy) -> (Session, HeaderValue) {
        let mut id = [0; ID_BYTES];
        entropy.fill(&mut id);
        let end = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX).as_second();
        let session = Session { id: URL_SAFE_NO_PAD.encode(id), end };
        let content = format!("{}.{end}.{:016x}", session.id, self.epoch.load(Ordering::Acquire));
        let signature = self.sign(&["session", &content]);
        let cookie = self.cookie(SESSION, &format!("{content}.{signature}"), LIFETIME);
        (session, cookie)
    }

    /// A browser whose person is not signed in and goes to a vendor: what that is bound to, and the cookie by which it is known on
    /// the way back. It opens nothing.
    pub(crate) fn visit(&self, entropy: &dyn Entropy) -> ([u8; 32], HeaderValue) {
        let mut id = [0; ID_BYTES];
        entropy.fill(&mut id);
        let id = URL_SAFE_NO_PAD.encode(id);
        (visit_hash(&id), self.cookie(VISIT, &id, VISIT_LIFETIME))
    }

    /// What a request's visit is bound to.
    pub(crate) fn read_visit(&self, headers: &HeaderMap) -> Option<[u8; 32]> {
        self.cookies(headers, VISIT).next().map(visit_hash)
    }

    /// The session of a request, where its cookie is ours, in time and not ended.
    pub(crate) fn read(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        self.cookies(headers, SESSION).find_map(|value| self.open(value, now))
    }

    fn cookies<'a>(&self, headers: &'a HeaderMap, names: [&'static str; 2]) -> impl Iterator<Item = &'a str> {
        let name = names[usize::from(self.secure)];
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value)
    }

    fn open(&self, value: &str, now: Timestamp) -> Option<Session> {
        let (content, signature) = value.rsplit_once('.')?;
        let expected = self.sign(&["session", content]);
        if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
            return None;
        }
        let mut parts = content.split('.');
        let (id, end, epoch) = (parts.next()?, parts.next()?, parts.next()?);
        let end: i64 = end.parse().ok()?;
        let current = format!("{:016x}", self.epoch.load(Ordering::Acquire));
        let ended = self.ended.lock().expect("no code panics while it holds this lock").contains_key(id);
        (now.as_second() < end && epoch == current && !ended).then(|| Session { id: id.to_owned(), end })
    }

    /// Ends one session; returns the cookie that takes its place.
    pub(crate) fn end(&self, session: &Session, now: Timestamp) -> HeaderValue {
        let mut ended = self.ended.lock().expect("no code panics while it holds this lock");
        ended.retain(|_, end| *end > now.as_second());
        if ended.len() >= ENDED_MAX {
            ended.clear();
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        ended.insert(session.id.clone(), session.end);
        self.cookie(SESSION, "", SignedDuration::ZERO)
    }

    /// Ends every session.
    pub(crate) fn end_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// What a form of this session carries.
    pub(crate) fn form_token(&self, session: &Session) -> String {
        self.sign(&["form", &session.id])
    }

    pub(crate) fn is_form_token(&self, session: &Session, given: &str) -> bool {
        self.form_token(session).as_bytes().ct_eq(given.as_bytes()).into()
    }

    fn cookie(&self, names: [&str; 2], value: &str, lives: SignedDuration) -> HeaderValue {
        let (name, seconds) = (names[usize::from(self.secure)], lives.as_secs());
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(text).expect("the parts are base64, hexadecimal and digits")
    }

    /// A signature that only this installation makes; the first part says what is signed.
    pub(crate) fn sign(&self, parts: &[&str]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

/// An answer that sets a cookie, and that nobody keeps.
pub(crate) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::SET_COOKIE, cookie);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn visit_hash(id: &str) -> [u8; 32] {
    Sha256::new().chain_update("visit").chain_update(id).finalize().into()
}

#[cfg(test)]
mod tests;
