//! Who may call, for vendors with OAuth codes: codes with PKCE, access tokens that end, refresh tokens that stay or
//! rotate. How a grant is asked for, answered and refused stays with the vendor.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// How long a code may be exchanged.
const CODE_LIVES: SignedDuration = SignedDuration::from_mins(10);
/// Ended access tokens are forgotten beyond this number.
const ACCESS_KEPT: usize = 1_000;

/// Whose token it is, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) user: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires: Timestamp,
}

#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) user: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) given: Timestamp,
    pub(crate) used: Timestamp,
}

/// What somebody agreed to.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) user: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect: String,
    pub(crate) challenge: Option<String>,
    pub(crate) asked: Timestamp,
    /// Whether a refresh token comes with it.
    pub(crate) offline: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Grants {
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
    codes: BTreeMap<String, Code>,
    made: u64,
}

impl Grants {
    /// Tokens only have to differ: no secret is behind them.
    fn fresh(&mut self, prefix: &str, seed: &str) -> String {
        self.made += 1;
        let digest = Sha256::digest(format!("{prefix}:{seed}:{}", self.made));
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(digest))
    }

    pub(crate) fn code(&mut self, code: Code) -> String {
        let text = self.fresh("4/", &code.user);
        self.codes.insert(text.clone(), code);
        text
    }

    /// Takes a code, which is worth something once, in time, to who asked for it.
    pub(crate) fn exchange(&mut self, form: &BTreeMap<String, String>, now: Timestamp) -> Option<Code> {
        let code = self.codes.remove(form.get("code")?)?;
        let proof = form.get("code_verifier").map(|text| URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes())));
        let good = now.duration_since(code.asked) < CODE_LIVES
            && form.get("redirect_uri") == Some(&code.redirect)
            && (code.challenge.is_none() || proof == code.challenge);
        good.then_some(code)
    }

    pub(crate) fn give_access(&mut self, access: Access) -> String {
        if self.access.len() >= ACCESS_KEPT {
            let oldest = self.access.iter().min_by_key(|(_, known)| known.expires).map(|(token, _)| token.clone());
            oldest.map(|token| self.access.remove(&token));
        }
        let token = self.fresh("access-", &access.user);
        self.access.insert(token.clone(), access);
        token
    }

    pub(crate) fn give_refresh(&mut self, user: &str, scopes: &[String], now: Timestamp) -> String {
        let token = self.fresh("refresh-", user);
        let refresh = Refresh { user: user.to_owned(), scopes: scopes.to_vec(), given: now, used: now };
        self.refresh.insert(token.clone(), refresh);
        token
    }

    /// Whose access token this is, unless it has ended.
    pub(crate) fn who(&self, token: &str, now: Timestamp) -> Option<&Access> {
        self.access.get(token).filter(|known| now < known.expires)
    }

    pub(crate) fn refresh_mut(&mut self, token: &str) -> Option<&mut Refresh> {
        self.refresh.get_mut(token)
    }

    pub(crate) fn drop_refresh(&mut self, token: &str) {
        self.refresh.remove(token);
    }

    /// Ends all access tokens; refresh tokens stay.
    pub(crate) fn expire_access(&mut self) {
        self.access.clear();
    }

    /// Takes everything back that a person has granted.
    pub(crate) fn revoke_user(&mut self, user: &str) {
        self.access.retain(|_, known| known.user != user);
        self.refresh.retain(|_, known| known.user != user);
    }

    /// Takes back the grant that a token of either kind belongs to; answers whether it was known.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        let user = self.access.get(token).map(|known| known.user.clone());
        let user = user.or_else(|| self.refresh.get(token).map(|known| known.user.clone()));
        user.is_some_and(|user| {
            self.revoke_user(&user);
            true
        })
    }
}
