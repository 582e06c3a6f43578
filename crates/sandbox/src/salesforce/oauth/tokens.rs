//! Tokens and codes that are valid now.

use std::collections::HashMap;

use base64::Engine;
use syncline_core::Entropy;

use crate::salesforce::id::Id;

/// Random bytes in a token.
const TOKEN_BYTES: usize = 48;
/// Approvals per user and app; the sixth revokes the oldest ("Manage OAuth Access Policies", read 2026-11-21).
const MAX_APPROVALS: usize = 5;
/// How long an authorization code can be used ("OAuth 2.0 Web Server Flow", read 2026-11-21), in seconds.
const CODE_SECONDS: i64 = 15 * 60;
/// Sessions that are kept; the oldest go first.
const MAX_SESSIONS: usize = 10_000;

#[derive(Debug, Clone, Copy)]
pub struct Session {
    pub user: Id,
    pub issued: i64,
    pub expires: i64,
}

/// A consent that has not been traded in yet.
#[derive(Debug, Clone)]
pub struct Code {
    pub user: Id,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub expires: i64,
}

#[derive(Debug, Default)]
pub struct Tokens {
    access: HashMap<String, Session>,
    refresh: Vec<(String, Id)>,
    codes: HashMap<String, Code>,
}

impl Tokens {
    pub fn user_of(&self, token: &str, now: i64) -> Option<Id> {
        self.access(token, now).map(|session| session.user)
    }

    pub fn access(&self, token: &str, now: i64) -> Option<Session> {
        self.access.get(token).copied().filter(|session| session.expires > now)
    }

    pub fn refresh_user(&self, token: &str) -> Option<Id> {
        self.refresh.iter().find(|(known, _)| known == token).map(|(_, user)| *user)
    }

    pub fn new_access(&mut self, entropy: &dyn Entropy, org: Id, user: Id, now: i64, lifetime: i64) -> String {
        self.access.retain(|_, session| session.expires > now);
        if self.access.len() >= MAX_SESSIONS
            && let Some(oldest) = self.access.iter().min_by_key(|(_, s)| s.issued).map(|(token, _)| token.clone())
        {
            self.access.remove(&oldest);
        }
        let token = format!("{}!{}", &org.as_str()[..15], random(entropy));
        self.access.insert(token.clone(), Session { user, issued: now, expires: now + lifetime });
        token
    }

    pub fn new_refresh(&mut self, entropy: &dyn Entropy, user: Id) -> String {
        let token = format!("5Aep861{}", random(entropy));
        self.refresh.push((token.clone(), user));
        if self.refresh.iter().filter(|(_, held)| *held == user).count() > MAX_APPROVALS
            && let Some(oldest) = self.refresh.iter().position(|(_, held)| *held == user)
        {
            self.refresh.remove(oldest);
        }
        token
    }

    pub fn new_code(&mut self, entropy: &dyn Entropy, mut code: Code, now: i64) -> String {
        self.codes.retain(|_, code| code.expires > now);
        code.expires = now + CODE_SECONDS;
        let name = format!("aPrx{}", random(entropy));
        self.codes.insert(name.clone(), code);
        name
    }

    /// Takes a code out: it works once.
    pub fn take_code(&mut self, name: &str, now: i64) -> Option<Code> {
        self.codes.remove(name).filter(|code| code.expires > now)
    }

    /// Ends a token, and with a refresh token the user's sessions; answers whether there was one.
    pub fn revoke(&mut self, token: &str) -> bool {
        if let Some(user) = self.refresh_user(token) {
            self.refresh.retain(|(known, _)| known != token);
            self.access.retain(|_, session| session.user != user);
            return true;
        }
        self.access.remove(token).is_some()
    }

    /// Ends one refresh token only, as rotation does.
    pub fn retire(&mut self, token: &str) {
        self.refresh.retain(|(known, _)| known != token);
    }

    /// Ends every session, as an org does when sessions are cleared.
    pub fn expire_all(&mut self) {
        self.access.clear();
    }
}

fn random(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; TOKEN_BYTES];
    entropy.fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
