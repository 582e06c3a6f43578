//! Who is signed in: a signed cookie, the token that its forms carry, and what ends a session before its time.
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

use axum::http::{HeaderMap, HeaderValue, header};
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

const NAME: &str = "syncline_session";
const NAME_SECURE: &str = "__Host-syncline_session";

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
        let cookie = self.cookie(&format!("{content}.{signature}"), LIFETIME.as_secs());
        (session, cookie)
    }

    /// The session of a request, where its cookie is ours, in time and not ended.
    pub(crate) fn read(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let name = if self.secure { NAME_SECURE } else { NAME };
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| self.open(value, now))
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
        self.cookie("", 0)
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

    fn cookie(&self, value: &str, seconds: i64) -> HeaderValue {
        let (name, secure) = if self.secure { (NAME_SECURE, "; Secure") } else { (NAME, "") };
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(text).expect("the parts are base64, hexadecimal and digits")
    }

    fn sign(&self, parts: &[&str]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests;
